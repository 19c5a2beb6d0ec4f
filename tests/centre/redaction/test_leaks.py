"""A redacted version does not tell in another spelling what was taken out of it, nor whom somebody hit (W03)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from tests import people
from tests.centre.redaction.test_redaction import BUNDLE, hand_over, redact
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import originals
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.redaction import services
from tocsin.centre.redaction.guard import LeaksError
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release import releasing
from tocsin.handling.disguises import Written

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

VICTIM = "203.0.113.7"


def bundle(*more: dict[str, Any], **crew: Any) -> bytes:
    objects = json.loads(json.dumps(BUNDLE))["objects"]
    objects[0] |= crew
    common = {"spec_version": "2.1", "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z"}
    return json.dumps({**BUNDLE, "objects": [*objects, *({**common, **each} for each in more)]}).encode()


def leaks(act: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(LeaksError) as stopped:
        act()
    assert not any(each.why.value == "victim" and shown for each, shown in
                   zip(stopped.value.findings, stopped.value.shown, strict=True))  # fmt: skip
    return [(each.place.field, each.place.language, each.why.value) for each in stopped.value.findings]


def rows_of(delivery: Delivery, *out: str, replaced: tuple[tuple[str, str], ...] = ()) -> Redaction:
    return services.redact_rows(delivery, out=out or ("times",), replaced=replaced, reason="x",
                                by=people.call("dario_duty"), at=timezone.now())  # fmt: skip


def test_what_is_taken_out_of_one_field_stands_in_no_other_nor_in_a_translation() -> None:
    translated = {"type": "language-content", "id": "language-content--44444444-4444-4444-8444-444444444444",
                  "object_ref": BUNDLE["objects"][0]["id"],  # type: ignore[index]
                  "contents": {"ar": {"description": "ضرب ٢٠٣٫٠٫١١٣٫٧"}}}  # fmt: skip
    delivery = hand_over(bundle(
        translated, description="Hit 203.0.113.7 of Acme Ltd.", x_target="Acme Ltd", name="Grey Heron",
        aliases=["A visit to ACME-LTD"],
    ), "crew.json")  # fmt: skip
    found = leaks(lambda: redact(delivery, "description", "x_target"))
    assert found == [("intrusion-set: aliases", "", "removed"), ("language-content: contents", "ar", "removed")]
    assert not Redaction.objects.exists()
    entry = Entry.objects.get(action="redaction.blocked")
    assert (json.loads(entry.detail), entry.actor) == ({"findings": 2, "why": ["removed"]}, "dana_analyst")
    replaced = (("203.0.113.7", "[address]"),)
    assert ("language-content: contents", "ar", "removed") in leaks(lambda: redact(delivery, replaced=replaced))
    made = redact(delivery, "description", "x_target", "aliases", "contents")
    assert made.delivery.state == "parsed"


def test_who_was_hit_and_a_source_without_a_name_are_not_told_of() -> None:
    victim = {"type": "identity", "id": "identity--55555555-5555-4555-8555-555555555555", "name": "Blue Clinic",
              "identity_class": "organization"}  # fmt: skip
    hit = {"type": "relationship", "id": "relationship--66666666-6666-4666-8666-666666666666",
           "relationship_type": "targets", "source_ref": BUNDLE["objects"][0]["id"],  # type: ignore[index]
           "target_ref": victim["id"]}  # fmt: skip
    source = people.call("pia_partner").organisation.name
    delivery = hand_over(
        bundle(victim, hit, description=f"The blue clinic was hit, says {source.upper()}."), "crew.json"
    )
    found = leaks(lambda: redact(delivery, "x", replaced=[("Grey Heron", "[...]")]))
    assert sorted(why for _field, _language, why in found) == ["source", "victim"]


def test_a_remark_on_a_row_does_not_name_a_victim_whom_the_maker_does_not_see() -> None:
    table = (
        f"timestamp,ip,role,malware,note\n2026-11-02T10:00:00Z,{VICTIM},victim,Emotet,\n"
        "2026-11-02T10:00:00Z,198.51.100.9,attacker_infra,Emotet,it steers 203[.]0[.]113[.]7\n"
    ).encode()
    delivery = hand_over(table, "seen.csv", "TLP:GREEN")
    assert VICTIM not in services._rows_for(people.call("dario_duty"), delivery, timezone.now())["value"].to_list()
    with pytest.raises(LeaksError) as stopped:
        rows_of(delivery)
    [one], [shown] = stopped.value.findings, stopped.value.shown
    assert (one.place.field, one.why.value, one.written, shown) == ("note", "victim", {Written.DEFANGED}, "")
    found = leaks(lambda: rows_of(delivery, "names", replaced=(("steers", "EMOTET"),)))
    assert {why for _field, _language, why in found} == {"victim", "removed"}
    assert rows_of(delivery, "free-text").delivery.pk


def test_a_version_is_looked_through_again_before_it_goes() -> None:
    table = b"timestamp,ip,role,note\n2026-11-02T10:00:00Z,198.51.100.9,attacker_infra,it steers 203[.]0[.]113[.]7\n"
    delivery = hand_over(table, "seen.csv", "TLP:GREEN")
    made = rows_of(delivery)
    work()
    dario, now = people.call("dario_duty"), timezone.now()
    services.look_for_leaks(made, by=dario, at=now)
    # Later the source says who that was: the same part tells of a victim now.
    later = hand_over(f"timestamp,ip,role\n2026-11-03T10:00:00Z,{VICTIM},victim\n".encode(), "later.csv", "TLP:GREEN")
    made.delivery.origins.create(batch=Batch.objects.get(delivery=later))
    waiting = Batch.objects.filter(delivery=made.delivery)
    propose = lambda: releasing.propose(made.delivery, waiting, audience=(), reason="x", by=dario, at=now)  # noqa: E731
    assert leaks(propose) == [("note", "", "victim")]
    assert Entry.objects.filter(action="redaction.blocked", actor="dario_duty").exists()
    assert not made.delivery.releases.exists()


def test_what_cannot_be_read_any_more_does_not_go(monkeypatch: pytest.MonkeyPatch) -> None:
    made = redact(hand_over(bundle(), "crew.json"))

    def gone(_path: object) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(originals, "read", gone)
    found = leaks(lambda: services.look_for_leaks(made, by=people.call("dana_analyst"), at=timezone.now()))
    assert found == [("content", "", "unreadable")]
