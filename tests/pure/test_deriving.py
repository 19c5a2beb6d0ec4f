"""Laws of derivation: whoever may see what was made may see each parent; narrower wins; order changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.words import Tlp
from tocsin.handling import Facts, Grant, HandlingSet, Parent, Reason, Viewer, derive, explain, may_see, wider_fields
from tocsin.handling.sets import ATTRIBUTIONS, CLASSIFICATIONS, PAP, PURPOSES

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BUREAUS = ("ncb-fr", "ncb-br")
LAW = {"class_name": "law-enforcement"}
PEOPLE = (
    Viewer(organisation="centre", is_centre=True, clearance="confidential", **LAW),
    Viewer(organisation="centre", is_centre=True, clearance="confidential", employer="bank", **LAW),
    Viewer(organisation="ncb-fr", country="FR", is_bureau=True, clearance="restricted", **LAW),
    Viewer(organisation="ncb-br", country="BR", is_bureau=True, clearance="restricted", **LAW),
    Viewer(organisation="unit-fr", country="FR", bureau="ncb-fr", above=frozenset({"ncb-fr", "country:FR"}), **LAW),
    Viewer(organisation="unit-br", country="BR", bureau="ncb-br", above=frozenset({"ncb-br", "country:BR"}), **LAW),
    Viewer(organisation="bank", class_name="private", country="BR"),
    Viewer(organisation="ministry", class_name="public-body", country="FR"),
    Viewer(organisation="college", class_name="academia"),
)
NAMES = st.sampled_from(["ncb-fr", "ncb-br", "unit-fr", "bank", "country:FR", "country:BR", "all-members"])
LABELS = st.sampled_from(list(Tlp))


@st.composite
def handling_sets(draw: st.DrawFn) -> HandlingSet:
    tlp = draw(LABELS)
    exclusions = draw(st.sets(st.sampled_from(["country:FR", "bank", "class:private", "unit-br"]), max_size=2))
    audience = draw(st.sets(NAMES, max_size=3)) - exclusions
    if tlp.rank >= Tlp.AMBER_STRICT.rank:
        audience -= {"all-members"}
    codes = draw(st.sets(st.sampled_from(["H0", "H1", "H2", "H3"]), max_size=2))
    texts = st.sets(st.sampled_from(["On paper only.", "Ask us first."]), max_size=2)
    return HandlingSet(
        tlp=tlp, audience=tuple(audience), exclusions=tuple(exclusions), codes=tuple(codes),
        restrictions=tuple(draw(texts) if "H3" in codes else ()),
        pap=draw(st.sampled_from(PAP)), purposes=tuple(draw(st.sets(st.sampled_from(PURPOSES), min_size=1))),
        classification=draw(st.sampled_from(CLASSIFICATIONS)), attribution=draw(st.sampled_from(ATTRIBUTIONS)),
        retention_months=draw(st.integers(1, 60)),
    )  # fmt: skip


SETS = st.lists(handling_sets(), min_size=1, max_size=4)


def parents_of(sets: list[HandlingSet]) -> list[Parent]:
    return [Parent(f"d{place}", each) for place, each in enumerate(sets)]


def seen(viewer: Viewer, handling: HandlingSet) -> bool:
    return may_see(viewer, handling, Facts("acme", released_to=()), NOW)


@given(SETS)
def test_whoever_sees_what_was_made_sees_each_parent(sets: list[HandlingSet]) -> None:
    made = derive(parents_of(sets), BUREAUS).handling
    if made is None:
        assert not frozenset.intersection(*(frozenset(each.purposes) for each in sets))
        return
    for viewer in PEOPLE:
        if seen(viewer, made):
            assert all(seen(viewer, each) for each in sets)


@given(SETS)
def test_unions_intersections_and_the_narrowest(sets: list[HandlingSet]) -> None:
    derived = derive(parents_of(sets), BUREAUS)
    assert set(derived.of("exclusions").value) == {word for each in sets for word in each.exclusions}
    assert set(derived.of("codes").value) == {word for each in sets for word in each.codes}
    assert set(derived.of("restrictions").value) == {text for each in sets for text in each.restrictions}
    assert set(derived.of("purposes").value) == set.intersection(*(set(each.purposes) for each in sets))
    assert derived.of("pap").value == (max((each.pap for each in sets), key=PAP.index),)
    assert derived.of("classification").value == (
        max((each.classification for each in sets), key=CLASSIFICATIONS.index),
    )
    assert derived.of("attribution").value == (max((each.attribution for each in sets), key=ATTRIBUTIONS.index),)
    assert derived.of("retention_months").value == (str(min(each.retention_months for each in sets)),)
    label = Tlp(derived.of("tlp").value[0])
    assert label.rank >= max(each.tlp.rank for each in sets)
    assert label.rank == max(each.tlp.rank for each in sets) or label is Tlp.AMBER_STRICT
    assert not set(derived.of("audience").value) & set(derived.of("exclusions").value)


@given(SETS, st.randoms(use_true_random=False))
def test_i12_the_order_of_the_parents_changes_nothing(sets: list[HandlingSet], drawn: object) -> None:
    parents = parents_of(sets)
    mixed = [*parents, parents[0]]
    drawn.shuffle(mixed)  # type: ignore[attr-defined]
    assert derive(mixed, BUREAUS) == derive(parents, BUREAUS)


@given(SETS)
def test_what_was_made_of_one_is_seen_by_the_same(sets: list[HandlingSet]) -> None:
    one = sets[0]
    for viewer in PEOPLE:
        made = derive([Parent("d0", one)], BUREAUS).handling
        assert made is not None
        assert seen(viewer, made) == seen(viewer, one)


@given(SETS, st.data())
def test_i3_narrowing_a_parent_never_widens_what_is_made(sets: list[HandlingSet], data: st.DataObject) -> None:
    before = derive(parents_of(sets), BUREAUS).handling
    place = data.draw(st.integers(0, len(sets) - 1))
    one = sets[place]
    narrower = [
        replace(one, exclusions=(*one.exclusions, *({"country:BR"} - set(one.audience)))),
        replace(one, purposes=one.purposes[:1]),
        replace(one, classification="confidential"),
        replace(one, codes=("H0", "H1", "H2", "H3")),
    ]
    if one.tlp.rank >= Tlp.AMBER.rank and len(one.audience) > 1:
        narrower.append(replace(one, audience=one.audience[:1]))
    if one.tlp is Tlp.AMBER and "all-members" not in one.audience:
        narrower.append(replace(one, tlp=Tlp.AMBER_STRICT))
    after = derive(parents_of([*sets[:place], data.draw(st.sampled_from(narrower)), *sets[place + 1 :]]), BUREAUS)
    for viewer in PEOPLE:
        if after.handling is not None and seen(viewer, after.handling):
            assert before is not None
            assert seen(viewer, before)
    assert before is not None or after.handling is None


def test_each_field_names_who_decided_it() -> None:
    wide = HandlingSet(tlp=Tlp.GREEN, purposes=("INVESTIGATE", "PROTECT"), codes=("H1",))
    strict = HandlingSet(tlp=Tlp.AMBER, purposes=("PROTECT",), codes=("H2",), exclusions=("country:XC",))
    derived = derive([Parent("d1", wide), Parent("d2", strict)])
    assert (derived.of("tlp").value, derived.of("tlp").decided_by) == (("TLP:AMBER",), ("d2",))
    assert (derived.of("purposes").value, derived.of("purposes").decided_by) == (("PROTECT",), ("d2",))
    assert (derived.of("exclusions").value, derived.of("exclusions").decided_by) == (("country:XC",), ("d2",))
    assert (derived.of("codes").value, derived.of("codes").decided_by) == (("H1", "H2"), ("d1", "d2"))
    assert derived.of("pap").decided_by == (), "they all say the same"


def test_w07_a_permission_makes_a_common_purpose() -> None:
    first, second = HandlingSet(purposes=("PROTECT",)), HandlingSet(purposes=("INVESTIGATE",))
    assert derive([Parent("a1", first), Parent("a2", second)]).handling is None
    asked = Grant("P-2026-0007", purposes=frozenset({"PROTECT"}))
    derived = derive([Parent("a1", first), Parent("a2", second, (asked,))])
    assert derived.handling is not None
    assert (derived.of("purposes").value, derived.of("purposes").permitted_by) == (("PROTECT",), ("P-2026-0007",))


@pytest.mark.parametrize("tlp", list(Tlp))
@pytest.mark.parametrize("viewer", PEOPLE)
def test_a_permission_widens_the_label_alone(tlp: Tlp, viewer: Viewer) -> None:
    everybody = ("all-members", "bank", "class:academia", "country:BR", "country:FR")
    facts = Facts("acme", released_to=(), permitted_to=everybody)
    without = replace(facts, permitted_to=())
    handling = HandlingSet(tlp=tlp)
    answer = explain(viewer, handling, facts, NOW)
    if tlp is Tlp.RED:
        assert not answer.is_shown, "TLP:RED is for the persons whom it names"
    elif not viewer.is_centre:
        allowed = Reason.LABEL if seen(viewer, handling) else Reason.PERMITTED
        assert answer is allowed
    assert may_see(viewer, handling, facts, NOW) or not may_see(viewer, handling, without, NOW)
    against = f"class:{viewer.class_name}"
    excluded = replace(handling, exclusions=(against,))
    assert explain(viewer, excluded, facts, NOW) is Reason.EXCLUDED
    if viewer.clearance != "confidential":
        assert explain(viewer, replace(handling, classification="confidential"), facts, NOW) is Reason.CLEARANCE
    if not viewer.is_centre:
        assert explain(viewer, handling, replace(facts, released_to=None), NOW) is Reason.NOT_RELEASED


@given(handling_sets(), handling_sets())
def test_what_is_wider_in_no_field_shows_nothing_to_anybody_new(new: HandlingSet, old: HandlingSet) -> None:
    if not wider_fields(new, old, BUREAUS):
        assert all(seen(viewer, old) for viewer in PEOPLE if seen(viewer, new))
    assert wider_fields(old, old, BUREAUS) == ()


@given(SETS)
def test_what_was_made_is_wider_than_none_of_its_parents(sets: list[HandlingSet]) -> None:
    made = derive(parents_of(sets), BUREAUS).handling
    for each in sets:
        assert made is None or set(wider_fields(made, each, BUREAUS)) <= {"audience"}
