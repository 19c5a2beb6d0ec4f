"""Asking a source for more than its label allows: who may, what it permits, what ends with it (W01, W08)."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import ROLES, may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions import services
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import Wish
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Release
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
NOW = builders.NOW
LATER = NOW + timedelta(hours=1)
UNTIL = NOW.date() + timedelta(days=30)
WAY = ("H1",)


def unit(slug: str, code: str = "FR") -> Person:
    """Somebody of a national unit below a country's bureau."""
    at = builders.organisation(
        slug, class_name="law-enforcement", country=code, parent=builders.bureau(code), name=slug.upper()
    )
    return Person.objects.filter(organisation=at).first() or builders.person(f"{slug}_investigator", at, "investigator")


def sent(tlp: Tlp = Tlp.AMBER_STRICT, released: object = None, **said: object) -> Delivery:
    for login in ("fleur_officer", "khalil_officer"):
        people.call(login)
    by = people.call("pia_partner")
    made = builders.delivery(by.organisation, person=by, rows=10)
    builders.batch(made, builders.handling(tlp, **{"codes": WAY, **said}), released_to=released)
    return made


def wish(*audience: str, purposes: tuple[str, ...] = (), standing: bool = False, days: int = 30) -> Wish:
    return Wish(frozenset(audience), frozenset(purposes), standing, NOW.date() + timedelta(days=days))


def ask(delivery: Delivery, *audience: str, by: str | Person = "dana_analyst", **said: object) -> Permission:
    person = people.call(by) if isinstance(by, str) else by
    parts = visible_batches(viewer_of(person), NOW).filter(delivery=delivery).select_related("handling_set")
    return services.ask(delivery, parts, wish(*audience, **said), reason="They must act.", by=person, at=NOW)  # type: ignore[arg-type]


def grant(asked: Permission, *audience: str, by: str = "pia_partner", **said: object) -> Permission:
    answer = wish(*(audience or asked.audience), **{"purposes": tuple(asked.purposes), **said})  # type: ignore[arg-type]
    return services.grant(asked, answer, text="", by=people.call(by), at=NOW)


def let_go(delivery: Delivery, *audience: str) -> Release:
    proposed = releasing.propose(
        delivery, Batch.objects.all(), audience=audience, reason="needed", by=people.call("dana_analyst"), at=NOW
    )
    return releasing.release(proposed, by=people.call("dora_dissemination"), is_proved=True, at=LATER)


def sees(who: str | Person) -> set[int]:
    person = people.call(who) if isinstance(who, str) else who
    found = visible_batches(viewer_of(person), LATER)
    seen = set(found.values_list("delivery", flat=True))
    of_scope = Batch.objects.filter(pk__in=list(scope_of(viewer_of(person), LATER).batches))
    assert seen == set(of_scope.values_list("delivery", flat=True))
    return seen


def test_w01a_ask_source_then_exactly_that_audience() -> None:
    delivery = sent()
    assert [sees(login) for login in ("dana_analyst", "fleur_officer", "omar_partner")] == [{delivery.pk}, set(), set()]
    with pytest.raises(Refused, match="ask-source"):
        let_go(delivery, "ncb-fr")
    asked = ask(delivery, "ncb-fr", "ncb-jo")
    with pytest.raises(Refused, match="ask-source"):
        let_go(delivery, "ncb-fr")
    assert grant(asked, "ncb-fr").permitted_audience == ["ncb-fr"], "less than was asked for"
    for wanted in ((), ("ncb-jo",), ("ncb-fr", "ncb-jo"), ("all-members",), ("country:FR",)):
        with pytest.raises(Refused, match="ask-source"):
            let_go(delivery, *wanted)
    assert sees("fleur_officer") == set(), "permitted is not yet released"
    let_go(delivery, "ncb-fr")
    unit_fr = unit("nu-fr1")
    assert [sees(who) for who in ("fleur_officer", "khalil_officer", "omar_partner", unit_fr)] == [
        {delivery.pk}, set(), set(), set()
    ]  # fmt: skip
    acts = list(Entry.objects.filter(action__startswith="permission.").values_list("action", "actor").order_by("pk"))
    assert acts == [("permission.asked", "dana_analyst"), ("permission.granted", "pia_partner")]


def test_w01b_named_organisations_alone_and_a_relabel_is_asked_anew() -> None:
    unit_fr = unit("nu-fr1")
    delivery = sent(audience=("ncb-fr", "ncb-jo"))
    let_go(delivery)
    assert [sees(who) for who in ("fleur_officer", "khalil_officer", unit_fr)] == [{delivery.pk}, {delivery.pk}, set()]
    asked = grant(ask(delivery, "nu-fr1"))
    let_go(delivery, "nu-fr1")
    assert [sees(who) for who in ("fleur_officer", unit_fr)] == [{delivery.pk}, {delivery.pk}]
    Batch.objects.filter(delivery=delivery).update(
        handling_set=builders.handling(Tlp.AMBER_STRICT, codes=WAY, audience=("ncb-fr",))
    )
    assert [sees(who) for who in ("fleur_officer", "khalil_officer", unit_fr)] == [{delivery.pk}, set(), set()]
    with pytest.raises(Refused, match="nothing-waits"):
        let_go(delivery, "nu-fr1")
    assert asked.state == "granted", "it permits nothing under another label"


def test_w08_a_bureau_passes_an_h2_item_to_one_unit_after_the_source_permitted_it() -> None:
    first, second = unit("nu-fr1"), unit("nu-fr2")
    delivery = sent(Tlp.GREEN, codes=("H2",))
    with pytest.raises(Refused, match="ask-source"):
        let_go(delivery, "nu-fr1")
    let_go(delivery)
    assert [sees(who) for who in ("fleur_officer", first, second)] == [{delivery.pk}, set(), set()]
    asked = ask(delivery, "nu-fr1", by="fleur_officer")
    assert asked.state == "with-centre"
    with pytest.raises(Conflict):
        grant(asked)
    assert asked.reason == "", "the source does not read the bureau's own words"
    asked = services.forward(asked, reason="For a unit.", by=people.call("dora_dissemination"), at=NOW)
    grant(asked)
    assert sees(first) == set()
    let_go(delivery, "nu-fr1")
    assert [sees(who) for who in ("fleur_officer", first, second)] == [{delivery.pk}, {delivery.pk}, set()]
    with pytest.raises(Refused, match="nothing-waits"):
        let_go(delivery, "nu-fr2")


def test_w08_a_bureau_asks_for_its_own_units_alone() -> None:
    unit("nu-fr1")
    unit("nu-jo1", "JO")
    delivery = sent(Tlp.GREEN, BY_LABEL)
    for audience in (("nu-jo1",), ("ncb-jo",), ("all-members",), ("nu-fr1", "nu-jo1")):
        with pytest.raises(Refused, match="others-units"):
            ask(delivery, *audience, by="fleur_officer")
    with pytest.raises(Refused, match="others-units"):
        ask(delivery, "nu-fr1", by="fleur_officer", standing=True)
    strict = sent()
    with pytest.raises(Refused, match="nothing-chosen"):
        ask(strict, "nu-fr1", by="fleur_officer")


BY_LABEL: tuple[str, ...] = ()


@pytest.mark.parametrize("login", people.CAST)
def test_nobody_answers_for_the_source(login: str) -> None:
    asked = ask(sent(), "ncb-fr")
    person = people.call(login)
    if login in {"pia_partner", "mona_manager"}:
        assert services.grant(asked, asked.wish, text="", by=person, at=NOW).state == "granted"
        return
    for act in (
        lambda: services.grant(asked, asked.wish, text="", by=person, at=NOW),
        lambda: services.refuse(asked, reason="no", by=person, at=NOW),
    ):
        with pytest.raises(Refused, match="not-allowed"):
            act()
    assert Permission.objects.get().state == "asked"


def test_a_secondee_of_the_source_does_not_answer_from_its_seat() -> None:
    asked = ask(sent(), "ncb-fr")
    seconded = builders.person("seconded", builders.centre(), *ROLES["centre"], employer=asked.source)
    with pytest.raises(Refused, match="not-allowed"):
        services.grant(asked, asked.wish, text="", by=seconded, at=NOW)


@pytest.mark.parametrize(("said", "rule"), [
    ({"audience": ("ncb-fr", "ncb-br")}, "wider-than-asked"),
    ({"audience": ("ncb-fr",), "standing": True}, "wider-than-asked"),
    ({"audience": ("ncb-fr",), "days": 31}, "wider-than-asked"), ({"audience": ("ncb-fr",), "days": -1}, "term"),
    ({"audience": ("ncb-fr",), "purposes": ("TRAIN",)}, "wider-than-asked"), ({"audience": ()}, "nothing-chosen"),
])  # fmt: skip
def test_an_answer_is_never_wider_than_what_was_asked(said: dict[str, object], rule: str) -> None:
    asked = ask(sent(), "ncb-fr", "ncb-jo")
    audience = said.pop("audience")
    with pytest.raises(Refused, match=rule):
        services.grant(asked, wish(*audience, **said), text="", by=people.call("pia_partner"), at=NOW)  # type: ignore[misc, arg-type]


def test_what_cannot_be_asked() -> None:
    delivery = sent()
    for audience, said, rule in (
        ((), {}, "nothing-asked"), (("person:fleur_officer",), {}, "person"), (("ncb-fr",), {"days": -1}, "term"),
        (("ncb-fr",), {"days": 400}, "term"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=rule):
            ask(delivery, *audience, **said)
    red = sent(Tlp.RED, audience=("person:dana_analyst",))
    with pytest.raises(Refused, match="red"):
        ask(red, "ncb-fr")
    with pytest.raises(Refused, match="no-reason"):
        services.ask(delivery, Batch.objects.filter(delivery=delivery), wish("ncb-fr"), reason=" ",
                     by=people.call("dana_analyst"), at=NOW)  # fmt: skip
    own = builders.delivery(builders.centre())
    builders.batch(own, builders.handling(Tlp.AMBER_STRICT, codes=WAY), released_to=None)
    with pytest.raises(Refused, match="own-source"):
        ask(own, "ncb-fr")
    with pytest.raises(Refused, match="not-allowed"):
        ask(delivery, "ncb-fr", by="lena_legal")


def test_an_exclusion_beats_a_permission() -> None:
    delivery = sent(Tlp.AMBER, exclusions=("country:FR",))
    with pytest.raises(Refused, match="excluded"):
        grant(ask(delivery, "country:FR"))
    grant(ask(delivery, "ncb-fr", "ncb-jo"))
    with pytest.raises(Refused, match="wider"):
        let_go(delivery, "ncb-fr")
    let_go(delivery, "ncb-jo")
    assert [sees(login) for login in ("fleur_officer", "khalil_officer")] == [set(), {delivery.pk}]


def test_taking_it_back_closes_at_once_and_counts_what_was_out() -> None:
    first = unit("nu-fr1")
    delivery = sent(Tlp.GREEN, codes=("H2",))
    let_go(delivery)
    granted = grant(ask(delivery, "nu-fr1"))
    let_go(delivery, "nu-fr1")
    assert sees(first) == {delivery.pk}
    with pytest.raises(Refused, match="no-reason"):
        services.withdraw(granted, reason="", by=people.call("pia_partner"), at=LATER)
    assert services.withdraw(granted, reason="No longer.", by=people.call("mona_manager"), at=LATER) == 1
    assert [sees(who) for who in ("fleur_officer", first)] == [{delivery.pk}, set()]
    with pytest.raises(Conflict):
        services.withdraw(granted, reason="Again.", by=people.call("pia_partner"), at=LATER)
    with pytest.raises(Refused, match="nothing-waits"):
        let_go(delivery, "nu-fr1")


def test_who_is_the_only_one_named_leaves_it_waiting_not_open_to_all() -> None:
    delivery = sent(Tlp.GREEN)
    people.call("omar_partner")
    grant(ask(delivery, "southgate"))
    let_go(delivery, "southgate")
    assert [sees(who) for who in ("omar_partner", "fleur_officer")] == [{delivery.pk}, set()]
    services.withdraw(Permission.objects.get(), reason="No.", by=people.call("pia_partner"), at=LATER)
    assert [sees(who) for who in ("omar_partner", "fleur_officer")] == [set(), set()]
    assert releasing.waiting_batches().count() == 1


def test_its_last_day_ends_it_and_two_permissions_hold_one_another_up() -> None:
    delivery = sent()
    grant(ask(delivery, "ncb-fr", days=5), days=5)
    grant(ask(delivery, "ncb-fr", "ncb-jo"))
    let_go(delivery, "ncb-fr", "ncb-jo")
    services.tick(NOW + timedelta(days=5))
    assert Permission.objects.filter(state="ended").count() == 0, "its last day counts whole"
    services.tick(NOW + timedelta(days=6))
    assert Permission.objects.filter(state="ended").count() == 1
    assert [sees(login) for login in ("fleur_officer", "khalil_officer")] == [{delivery.pk}, {delivery.pk}]
    services.tick(NOW + timedelta(days=31))
    assert [sees(login) for login in ("fleur_officer", "khalil_officer")] == [set(), set()]
    assert Entry.objects.filter(action="permission.ended", actor="system").count() == 2


def test_a_silent_source_is_reminded_and_nobody_else_decides() -> None:
    asked = ask(sent(), "ncb-fr")
    for days in range(40):
        services.tick(NOW + timedelta(days=days))
    asked.refresh_from_db()
    assert (asked.state, asked.reminders) == ("asked", 3)
    assert Entry.objects.filter(action="permission.reminded").count() == 3


def test_standing_holds_for_what_comes_later_under_the_same_set_alone() -> None:
    delivery = sent()
    grant(ask(delivery, "ncb-fr", standing=True), standing=True)
    later, other = sent(), sent(purposes=("INVESTIGATE",))
    let_go(later, "ncb-fr")
    assert sees("fleur_officer") == {later.pk}
    with pytest.raises(Refused, match="ask-source"):
        let_go(other, "ncb-fr")
    services.withdraw(Permission.objects.get(), reason="No.", by=people.call("pia_partner"), at=LATER)
    assert sees("fleur_officer") == set()


def test_once_holds_for_that_delivery_alone() -> None:
    grant(ask(sent(), "ncb-fr"))
    with pytest.raises(Refused, match="ask-source"):
        let_go(sent(), "ncb-fr")


def test_w07_a_purpose_that_was_permitted_makes_parts_go_out_together() -> None:
    delivery = sent(Tlp.GREEN, purposes=("PROTECT",))
    builders.batch(delivery, builders.handling(Tlp.GREEN, codes=WAY, purposes=("INVESTIGATE",)), released_to=None)
    with pytest.raises(Refused, match="no-common-purpose"):
        let_go(delivery)
    granted = grant(ask(delivery, purposes=("PROTECT",)))
    let_go(delivery)
    assert sees("fleur_officer") == {delivery.pk}
    services.withdraw(granted, reason="No.", by=people.call("pia_partner"), at=LATER)
    assert visible_batches(viewer_of(people.call("fleur_officer")), LATER).count() == 1
    assert releasing.waiting_batches().count() == 1, "what went out for that purpose waits anew"


@pytest.mark.parametrize("seed", range(4))
def test_i3_i11_no_act_of_a_source_alone_opens_and_no_end_of_a_permission_widens(seed: int) -> None:
    drawn = random.Random(seed)
    unit("nu-fr1")
    people.call("omar_partner")
    deliveries = [sent(tlp, audience, codes=codes) for tlp, audience, codes in (
        (Tlp.AMBER_STRICT, None, WAY), (Tlp.GREEN, None, ("H2",)), (Tlp.AMBER, BY_LABEL, WAY),
        (Tlp.GREEN, ("ncb-fr",), ("H2",)),
    )]  # fmt: skip
    entries = ["ncb-fr", "ncb-jo", "nu-fr1", "southgate", "country:JO", "all-members", "class:private"]
    outsiders = [*Organisation.objects.filter(is_centre=False).exclude(slug="northwind")]
    readers = [each.people.first() for each in outsiders]

    def state() -> list[set[int]]:
        return [sees(each) for each in readers if each is not None]

    acts = 0
    for _ in range(60):
        before = state()
        act = drawn.choice(["ask", "grant", "release", "withdraw", "end"])
        delivery, audience = drawn.choice(deliveries), drawn.sample(entries, drawn.randint(1, 2))
        some = list(Permission.objects.filter(state="asked" if act == "grant" else "granted").order_by("pk"))
        try:
            match act:
                case "ask":
                    ask(delivery, *audience, days=drawn.randint(1, 9))
                case "grant":
                    grant(drawn.choice(some), days=1)
                case "release":
                    let_go(delivery, *audience)
                case "withdraw":
                    services.withdraw(drawn.choice(some), reason="x", by=people.call("pia_partner"), at=LATER)
                case "end":
                    Permission.objects.filter(pk=drawn.choice(some).pk).update(permitted_until=NOW.date())
                    services.tick(NOW + timedelta(days=1))
            acts += 1
        except (Refused, Conflict, IndexError):
            continue
        after = state()
        if act in {"ask", "grant"}:
            assert after == before
        elif act in {"withdraw", "end"}:
            assert all(new <= old for new, old in zip(after, before, strict=True))
    assert acts > 8


def test_who_may_ask_and_who_may_answer() -> None:
    asking = {login for login in people.CAST if may(people.call(login), "ask-source")}
    assert asking == {
        "dana_analyst", "rui_reviewer", "dora_dissemination", "dario_duty", "fleur_officer", "khalil_officer",
        "hugo_head", "sven_secondee", "una_unit", "sami_sub_bureau", "sora_suspended",
    }  # fmt: skip
    answering = {login for login in people.CAST if may(people.call(login), "answer-permissions")}
    assert answering == {
        "fleur_officer", "khalil_officer", "hugo_head", "pia_partner", "mona_manager", "omar_partner", "elio_expired",
        "una_unit", "sami_sub_bureau", "sora_suspended",
    }  # fmt: skip
