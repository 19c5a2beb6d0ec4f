"""Laws of the gate: narrower labels never show more, an exclusion beats all, STRICT is not AMBER."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin.core.words import Tlp
from tocsin.handling import (
    Facts,
    HandlingSet,
    Viewer,
    default_set,
    explain,
    may_see,
    may_see_victims,
    narrowest,
    tlp_of,
)

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FACTS = Facts("acme", named=frozenset({"ana"}), released_to=())
ORGANISATIONS = ("acme", "centre", "ncb-fr", "ncb-br", "unit", "bank")
VIEWERS = st.builds(
    Viewer,
    person=st.sampled_from(["ana", "ben"]),
    organisation=st.sampled_from(ORGANISATIONS),
    class_name=st.sampled_from(["law-enforcement", "public-body", "private", "academia", ""]),
    country=st.sampled_from(["FR", "BR", ""]),
    is_centre=st.booleans(),
    is_bureau=st.booleans(),
    is_victim_desk=st.booleans(),
    clearance=st.sampled_from(["official-use", "restricted", "confidential"]),
    country_suspended=st.booleans(),
    above=st.frozensets(st.sampled_from(["ncb-fr", "country:FR", "mid"])),
    employer=st.sampled_from(["", "bank", "ncb-br"]),
    employer_class=st.sampled_from(["private", "law-enforcement"]),
    employer_is_bureau=st.booleans(),
    employer_above=st.frozensets(st.sampled_from(["country:BR", "holding"])),
)
LABELS = st.sampled_from(list(Tlp))


@given(VIEWERS, st.sets(st.sampled_from(ORGANISATIONS)), LABELS, LABELS)
def test_a_narrower_label_never_shows_more(viewer: Viewer, audience: set[str], one: Tlp, other: Tlp) -> None:
    wide, narrow = sorted((one, other), key=lambda label: label.rank)
    # RED is for named persons, a different sort of audience; AMBER with an audience is for that alone.
    assume(narrow is not Tlp.RED)
    seen = [may_see(viewer, HandlingSet(tlp=tlp, audience=tuple(audience)), FACTS, NOW) for tlp in (wide, narrow)]
    assert seen[0] or not seen[1]


@given(VIEWERS, LABELS)
def test_an_exclusion_beats_every_grant(viewer: Viewer, tlp: Tlp) -> None:
    above = {f"class:{viewer.employer_class}", viewer.employer} if viewer.employer else set()
    against = {viewer.organisation, f"country:{viewer.country}", f"class:{viewer.class_name}", *viewer.above, *above}
    for excluded in against | viewer.employer_above:
        if excluded not in {"country:", "class:"}:
            assert not may_see(viewer, HandlingSet(tlp=tlp, exclusions=(excluded,)), FACTS, NOW)


@given(VIEWERS, LABELS, st.sets(st.sampled_from(ORGANISATIONS)))
def test_a_secondment_never_shows_more(viewer: Viewer, tlp: Tlp, audience: set[str]) -> None:
    handling = HandlingSet(tlp=tlp, audience=tuple(audience))
    alone = replace(viewer, employer="", employer_above=frozenset())
    assert may_see(alone, handling, FACTS, NOW) or not may_see(viewer, handling, FACTS, NOW)


def test_a_secondee_of_a_bureau_sees_what_its_bureau_may_see() -> None:
    seat = Viewer(person="ben", organisation="centre", class_name="law-enforcement", is_centre=True)
    police = replace(seat, employer="ncb-br", employer_class="law-enforcement", employer_is_bureau=True)
    company = replace(seat, employer="bank")
    seen = {name: [may_see(each, HandlingSet(tlp=tlp), FACTS, NOW) for tlp in (Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)]
            for name, each in (("seat", seat), ("police", police), ("company", company))}  # fmt: skip
    assert seen == {"seat": [True, True, True], "police": [True, True, False], "company": [True, True, False]}
    no_private_sector = HandlingSet(tlp=Tlp.GREEN, exclusions=("class:private",))
    assert not may_see(replace(company, employer_class="private"), no_private_sector, FACTS, NOW)


@given(VIEWERS, LABELS)
def test_hidden_expired_suspended_and_strangers_see_nothing(viewer: Viewer, tlp: Tlp) -> None:
    handling = HandlingSet(tlp=tlp)
    assert not may_see(viewer, handling, replace(FACTS, hidden_at=NOW), NOW)
    assert not may_see(viewer, handling, replace(FACTS, expires_at=NOW), NOW)
    assert not may_see(replace(viewer, class_name=""), handling, FACTS, NOW)
    assert not may_see(replace(viewer, country_suspended=True), handling, FACTS, NOW)


def test_strict_stays_with_the_one_who_received_it() -> None:
    bureau = Viewer(organisation="ncb-fr", class_name="law-enforcement", country="FR", is_bureau=True)
    assert may_see(bureau, HandlingSet(tlp=Tlp.AMBER), FACTS, NOW)
    assert not may_see(bureau, HandlingSet(tlp=Tlp.AMBER_STRICT), FACTS, NOW)
    assert may_see(bureau, HandlingSet(tlp=Tlp.AMBER_STRICT, audience=("ncb-fr",)), FACTS, NOW)
    assert tlp_of("amber+strict") is Tlp.AMBER_STRICT
    assert narrowest([Tlp.AMBER, Tlp.AMBER_STRICT]) is Tlp.AMBER_STRICT


def test_who_is_named_nowhere_reads_nothing_that_names_its_readers() -> None:
    nameless = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, clearance="confidential")
    red = HandlingSet(tlp=Tlp.RED, audience=("person:",))
    assert not may_see(nameless, red, Facts("acme", named=frozenset({""})), NOW)


@given(VIEWERS, st.sampled_from(["FR", "BR", ""]))
def test_victims_are_for_their_country_the_desk_and_the_source(viewer: Viewer, country: str) -> None:
    own = viewer.class_name == "law-enforcement" and viewer.country == country != ""
    expected = viewer.is_victim_desk or viewer.organisation == "acme" or own
    assert may_see_victims(viewer, FACTS, country) is expected


@given(LABELS, LABELS)
def test_defaults_fill_what_is_not_stated(agreed: Tlp, stated: Tlp) -> None:
    made, applied = default_set({"tlp": str(agreed)}, None)
    assert (made.tlp, "tlp" in applied) == (agreed, True)
    made, applied = default_set({"tlp": str(agreed)}, stated)
    assert (made.tlp, "tlp" in applied) == (stated, False)
    assert HandlingSet.from_json(made.as_json()).digest == made.digest
    assert default_set({}, None)[0] == HandlingSet()


ENTRIES = st.sets(st.sampled_from([*ORGANISATIONS, "country:FR", "country:BR", "all-members"]), max_size=3)


def plainly_seen(viewer: Viewer, handling: HandlingSet, facts: Facts) -> bool:
    """The rules of DOMAIN 4.4 once more, one condition after the other, with no thought for reasons."""
    me, land = {viewer.organisation, viewer.bureau, viewer.employer, *viewer.above}, f"country:{viewer.country}"
    me |= viewer.employer_above | ({f"class:{viewer.employer_class}"} if viewer.employer else set())
    if not viewer.class_name or viewer.country_suspended or facts.hidden_at or facts.expires_at:
        return False
    if (me - {""}) & set(handling.exclusions) or (viewer.country and land in handling.exclusions):
        return False
    if viewer.organisation == facts.source:
        return True
    if facts.is_private and viewer.is_centre:
        return False
    to = facts.released_to
    names = {viewer.organisation, f"class:{viewer.class_name}"} | ({land} if viewer.country else set())
    if not viewer.is_centre and (
        to is None or (to and not (names & set(to) or (viewer.is_bureau and "all-members" in to)))
    ):
        return False
    ranks = ["official-use", "restricted", "confidential"]
    if ranks.index(handling.classification) > ranks.index(viewer.clearance):
        return False
    asked_by_name = viewer.organisation in handling.audience
    asked = asked_by_name or (viewer.country and land in handling.audience)
    asked = asked or (viewer.is_bureau and "all-members" in handling.audience)
    if viewer.employer and handling.tlp is Tlp.AMBER_STRICT:
        also = {viewer.employer, f"class:{viewer.employer_class}"} | (
            {"all-members"} if viewer.employer_is_bureau else set()
        )
        if viewer.employer not in handling.audience and not also & set(facts.permitted_to):
            return False
    permitted = bool(names & set(facts.permitted_to)) or (viewer.is_bureau and "all-members" in facts.permitted_to)
    return (permitted and tlp_of(handling.tlp) is not Tlp.RED) or bool({
        Tlp.CLEAR: True,
        Tlp.GREEN: viewer.is_centre or viewer.class_name in {"law-enforcement", "public-body"} or asked,
        Tlp.AMBER: viewer.is_centre or asked or (not handling.audience and viewer.is_bureau),
        Tlp.AMBER_STRICT: viewer.is_centre or asked_by_name,
        Tlp.RED: viewer.person in facts.named,
    }[handling.tlp])  # fmt: skip


@given(
    VIEWERS, LABELS, ENTRIES, ENTRIES, st.none() | ENTRIES, st.sampled_from(["official-use", "restricted"]),
    st.sampled_from(["", "hidden_at", "expires_at"]), ENTRIES, st.booleans(),
)  # fmt: skip
def test_the_reason_that_is_given_is_the_decision(
    viewer: Viewer, tlp: Tlp, audience: set[str], exclusions: set[str], released: set[str] | None, classification: str,
    past: str, permitted: set[str], is_private: bool,
) -> None:  # fmt: skip
    named = tuple(audience - exclusions - ({"all-members"} if tlp.rank >= Tlp.AMBER_STRICT.rank else set()))
    handling = HandlingSet(tlp=tlp, audience=named, exclusions=tuple(exclusions), classification=classification)
    facts = replace(
        FACTS, released_to=None if released is None else tuple(released), permitted_to=tuple(permitted),
        is_private=is_private, **({past: NOW} if past else {}),
    )  # fmt: skip
    reason = explain(viewer, handling, facts, NOW)
    assert reason.is_shown is may_see(viewer, handling, facts, NOW) is plainly_seen(viewer, handling, facts)
