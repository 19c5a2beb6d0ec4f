"""Redacted versions: made of parts, under what those parts say, closed when one of them changes (DOMAIN 4.5)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from tests import builders, people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.lake import verify
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import given_back
from tocsin.centre.recall.services import recall, recall_parts, shown_parts
from tocsin.centre.redaction import services
from tocsin.centre.redaction.guard import LeaksError
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release import releasing
from tocsin.centre.release.given import Wanted
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

BUNDLE = {"type": "bundle", "id": "bundle--11111111-1111-4111-8111-111111111111", "objects": [
    {"type": "intrusion-set", "spec_version": "2.1", "id": "intrusion-set--22222222-2222-4222-8222-222222222222",
     "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "name": "Grey Heron",
     "description": "Acme of Brasilia was hit."},
    {"type": "tool", "spec_version": "2.1", "id": "tool--33333333-3333-4333-8333-333333333333",
     "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "name": "Netcat"},
]}  # fmt: skip
TABLE = b"timestamp,ip,malware,note\n2026-11-02T10:00:00Z,8.8.8.8,Emotet,seen at Acme\n"


def hand_over(body: bytes, name: str, marking: str = "TLP:AMBER+STRICT") -> Delivery:
    people.call("fleur_officer")
    person = people.call("pia_partner")
    found = intake.receive(organisation=person.organisation, via="page", name=name, chunks=[body], at=timezone.now(),
                           person=person, marking=marking)  # fmt: skip
    work()
    found.refresh_from_db()
    assert found.state == "parsed", found.reason
    return found


def redact(delivery: Delivery, *out: str, **said: object) -> Redaction:
    numbers = said.pop("numbers", None) or list(Object.objects.filter(delivery=delivery).values_list("pk", flat=True))
    made = services.redact_objects(
        delivery, numbers, out=out or ("description",), reason="Without the victim.",  # type: ignore[arg-type]
        **{"replaced": (), "by": people.call("dana_analyst"), "at": timezone.now(), **said},  # type: ignore[arg-type]
    )  # fmt: skip
    work()
    made.delivery.refresh_from_db()
    return made


def stix(marking: str = "TLP:AMBER+STRICT") -> Delivery:
    return hand_over(json.dumps(BUNDLE).encode(), "crew.json", marking)


def shown(delivery: Delivery) -> int:
    return visible_batches(viewer_of(people.call("dana_analyst"))).filter(delivery=delivery).count()


def test_objects_without_a_field_become_a_linked_delivery_that_waits() -> None:
    parent = stix()
    child = redact(parent).delivery
    assert child.state == "parsed"
    things = list(Object.objects.filter(delivery=child).order_by("pk"))
    assert [each.name for each in things] == ["Grey Heron", "Netcat"]
    assert not any(b"Acme" in body_of(each).raw for each in things)
    assert {each.object_id for each in things}.isdisjoint(
        Object.objects.filter(delivery=parent).values_list("object_id", flat=True)
    )
    under = Batch.objects.get(delivery=child)
    assert under.handling_set == Batch.objects.get(delivery=parent).handling_set
    assert under.terms.audience.entries is None, "it waits for two people like anything else"
    assert list(child.origins.values_list("batch", flat=True)) == [Batch.objects.get(delivery=parent).pk]
    assert child.organisation == parent.organisation, "it stays the source's own"
    assert Entry.objects.filter(action="redaction.made", actor="dana_analyst").exists()


def test_rows_without_columns_become_one_too() -> None:
    parent = hand_over(TABLE, "seen.csv", "TLP:GREEN")
    made = services.redact_rows(parent, out=["free-text", "names"], replaced=[], reason="No names.",
                                by=people.call("dana_analyst"), at=timezone.now())  # fmt: skip
    work()
    made.delivery.refresh_from_db()
    assert (made.delivery.state, made.delivery.rows, made.delivery.rejections) == ("parsed", 1, 0)
    [before] = services._rows_for(people.call("dana_analyst"), parent, timezone.now()).to_dicts()
    [after] = services._rows_for(people.call("dana_analyst"), made.delivery, timezone.now()).to_dicts()
    assert (before["malware"], before["note"]) == ("Emotet", "seen at Acme")
    assert (after["malware"], after["note"]) == (None, None)
    same = ("kind", "value", "role", "first_at", "last_at", "country")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert verify() == []


def test_texts_are_replaced_wherever_they_stand() -> None:
    child = redact(stix(), "x", replaced=[("Acme", "[a company]")]).delivery
    raw = body_of(Object.objects.filter(delivery=child).order_by("pk")[0]).raw
    assert b"[a company] of Brasilia" in raw
    assert b"Acme" not in raw


def test_w06_a_child_lowers_nothing_and_stands_under_all_its_parts() -> None:
    parent = stix()
    first = Batch.objects.get(delivery=parent)
    second = builders.batch(parent, builders.handling(Tlp.AMBER, exclusions=("country:JO",), purposes=("PROTECT",)))
    tool = Object.objects.get(delivery=parent, name="Netcat")
    Object.objects.filter(pk=tool.pk).update(batch=second)
    before = first.handling_set.digest
    child = Batch.objects.get(delivery=redact(parent).delivery)
    body = child.handling_set.body
    assert (body["tlp"], body["exclusions"]) == ("TLP:AMBER+STRICT", ["country:JO"])
    first.refresh_from_db()
    assert first.handling_set.digest == before
    assert first.terms.audience.entries is None


def test_w07_parts_without_a_common_purpose_are_not_made_into_one() -> None:
    parent = stix()
    second = builders.batch(parent, builders.handling(Tlp.AMBER, purposes=("TRAIN",)))
    Object.objects.filter(delivery=parent, name="Netcat").update(batch=second)
    with pytest.raises(Refused, match="no-common-purpose"):
        redact(parent)
    assert not Redaction.objects.exists()


def test_what_is_not_made() -> None:
    parent = stix()
    numbers = list(Object.objects.values_list("pk", flat=True))
    for said, rule in (
        ({"out": ["no-such-field"]}, "nothing-taken-out"), ({"numbers": [1]}, "nothing-chosen"),
        ({"reason": " "}, "no-reason"), ({"replaced": [("ab", "")]}, "too-short"),
        ({"by": people.call("dora_dissemination")}, "not-allowed"),
        ({"by": people.call("pia_partner")}, "not-allowed"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=rule):
            services.redact_objects(parent, **{  # type: ignore[arg-type]
                "numbers": numbers, "out": ["description"], "replaced": [], "reason": "x",
                "by": people.call("dana_analyst"), "at": timezone.now(), **said,
            })  # fmt: skip
    Batch.objects.filter(delivery=parent).update(
        handling_set=builders.handling(Tlp.RED, audience=("person:fleur_officer",))
    )
    with pytest.raises(Refused, match="nothing-chosen"):
        redact(parent)


@pytest.mark.parametrize("how", ["recalled", "relabelled", "expires later", "saved"])
def test_what_happens_to_the_parent_closes_the_child_in_the_same_moment(how: str) -> None:
    parent = stix()
    redaction = redact(parent)
    child, now = redaction.delivery, timezone.now()
    grandchild = redact(child, "x", replaced=[("Heron", "[...]")]).delivery
    assert shown(child) == shown(grandchild) == 1
    batches = Batch.objects.filter(delivery=parent)
    match how:
        case "recalled":
            recall(parent, by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="", at=now)
        case "relabelled":
            batches.update(handling_set=builders.handling(Tlp.CLEAR))
        case "expires later":
            batches.update(hidden_at=now + timedelta(days=2))
            assert shown(child) == 1
            assert set(Batch.objects.values_list("hidden_at", flat=True)) == {now + timedelta(days=2)}
            return
        case "saved":
            one = batches.get()
            one.hidden_at = now
            one.save(update_fields=["hidden_at"])
    assert shown(child) == shown(grandchild) == 0
    assert Entry.objects.filter(action="delivery.closed-with-origin").count() == 2
    if how != "relabelled":
        with pytest.raises(Refused, match="origin-closed"):
            services.reopen(redaction, by=people.call("dana_analyst"), at=timezone.now())
        return
    services.reopen(redaction, by=people.call("dana_analyst"), at=timezone.now())
    assert (shown(child), shown(grandchild)) == (1, 0), "one after the other, each looked at"
    batch = Batch.objects.get(delivery=child)
    assert batch.handling_set.tlp == "TLP:CLEAR"
    assert batch.terms.audience.entries is None, "two people let it go anew"


def test_a_child_whose_parent_closes_while_it_is_read_is_never_shown() -> None:
    parent = stix()
    services.redact_objects(
        parent, list(Object.objects.values_list("pk", flat=True)), out=["description"], replaced=[], reason="x",
        by=people.call("dana_analyst"), at=timezone.now(),
    )  # fmt: skip
    Batch.objects.filter(delivery=parent).update(hidden_at=timezone.now())
    work()
    child = Redaction.objects.get().delivery
    child.refresh_from_db()
    assert child.state == "parsed"
    assert shown(child) == 0


def test_w04_a_recall_tells_who_took_the_child_and_the_child_cannot_come_back() -> None:
    parent = stix("TLP:GREEN")
    redaction = redact(parent)
    fleur = people.call("fleur_officer")
    child = Batch.objects.get(delivery=redaction.delivery)
    proposed = releasing.propose(
        redaction.delivery, Batch.objects.filter(pk=child.pk), audience=(), reason="x",
        by=people.call("dario_duty"), at=timezone.now(),
    )  # fmt: skip
    releasing.release(proposed, by=people.call("dora_dissemination"), is_proved=True, at=timezone.now())
    assert visible_batches(viewer_of(fleur)).filter(pk=child.pk).exists()
    took(fleur, Taking.Channel.PAGE, [child.pk], timezone.now())
    made = recall(parent, by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
                  at=timezone.now())  # fmt: skip
    assert not visible_batches(viewer_of(fleur)).filter(pk=child.pk).exists()
    assert made.notices.get(organisation=fleur.organisation).state == "informed"
    back = given_back.page(fleur, wanted=Wanted(), after=None, cursor="", limit=50, now=timezone.now())
    revoked = {each.body["type"] for each in back.items if each.body.get("revoked")}
    assert revoked == {"intrusion-set", "tool"}, "programs are told to revoke what the version gave them"
    with pytest.raises(Refused):
        services.reopen(redaction, by=people.call("dana_analyst"), at=timezone.now())


def test_w04_an_ioc_is_recalled_out_of_a_version_too_and_the_version_does_not_come_back_with_it() -> None:
    table = TABLE.replace(b"ip,", b"c2 ip,") + b"2026-11-02T10:00:00Z,9.9.9.9,Emotet,seen at Bravo\n"
    parent = hand_over(table, "seen.csv", "TLP:GREEN")
    set_audience(Batch.objects.filter(delivery=parent), ["ncb-fr"])
    dana, fleur, khalil = (people.call(login) for login in ("dana_analyst", "fleur_officer", "khalil_officer"))
    made = [services.redact_rows(parent, out=out, replaced=replaced, reason="x", by=dana, at=timezone.now())
            for out, replaced in ((["free-text"], []), (["free-text", "names"], [("8.8.8.8", "7.7.7.7")]))]  # fmt: skip
    work()
    child, without = (Batch.objects.get(delivery=each.delivery) for each in made)
    for each, taker in ((child, khalil), (without, people.call("omar_partner"))):
        set_audience(Batch.objects.filter(pk=each.pk), [taker.organisation.slug])
        took(taker, Taking.Channel.PAGE, [each.pk], timezone.now())
    gone = recall_parts(parent, ["8.8.8.8"], by=people.call("pia_partner"), reason="wrong-data", action="destroy",
                        note="", at=timezone.now())  # fmt: skip
    assert visible_batches(viewer_of(fleur)).filter(delivery=parent).exists(), "all else of it stays"
    assert not visible_batches(viewer_of(khalil)).exists(), "the version returns to be looked at"
    assert dict(gone.notices.values_list("organisation__slug", "state")) == {
        "ncb-fr": "nothing-taken",
        "ncb-jo": "informed",
    }, "who took a version that holds it is told, and who took one without it is not"
    assert [each.key for each in shown_parts(gone, khalil.organisation)] == ["8.8.8.8"]
    made[0].refresh_from_db()
    with pytest.raises(LeaksError):
        services.reopen(made[0], by=dana, at=timezone.now())
    services.reopen(made[1], by=dana, at=timezone.now())


def test_a_recall_of_the_child_itself_is_not_undone_by_looking_at_it() -> None:
    redaction = redact(stix())
    recall(redaction.delivery, by=people.call("pia_partner"), reason="legal", action="destroy", note="",
           at=timezone.now())  # fmt: skip
    with pytest.raises(Conflict):
        services.reopen(redaction, by=people.call("dana_analyst"), at=timezone.now())
