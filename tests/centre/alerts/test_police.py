"""The police edition: what it says, under what it stands, who gets it, and what closes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import pytest
from django.utils import timezone
from tests import people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.alerts import composing, guarding, police, services
from tocsin.centre.alerts.models import Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.words import Offence, Role

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What follows an opened police edition, and what takes signs off, are held by the tests of the publication."""
    seen = SimpleNamespace(arrived=[], taken=[])
    module = ModuleType("tocsin.centre.alerts.publishing")

    def police_arrived(version: Version, at: object) -> None:
        seen.arrived.append(version.pk)
        Version.objects.filter(pk=version.pk).update(state=State.POLICE, police_at=at)

    module.police_arrived = police_arrived  # type: ignore[attr-defined]
    module.take_signs_off = lambda version, at: seen.taken.append(version.pk)  # type: ignore[attr-defined]
    import tocsin.centre.alerts as package

    monkeypatch.setitem(sys.modules, "tocsin.centre.alerts.publishing", module)
    monkeypatch.setattr(package, "publishing", module, raising=False)
    yield seen


TABLE = (
    b"time,ip,type,role,peer,peer_role,malware,country\n"
    b"2026-11-20T10:00:00Z,198.51.100.9,c2-server,ATTACKER_INFRA,,,Emotet,\n"
    b"2026-11-20T10:00:00Z,203.0.113.7,infected-system,VICTIM,198.51.100.9,ATTACKER_INFRA,Emotet,FR\n"
)


def hand_over(marking: str = "TLP:GREEN", body: bytes = TABLE, name: str = "seen.csv") -> Delivery:
    person = people.call("pia_partner")
    found = intake.receive(organisation=person.organisation, via="page", name=name, chunks=[body], at=timezone.now(),
                           person=person, marking=marking)  # fmt: skip
    work()
    found.refresh_from_db()
    assert found.state == "parsed", (found.reason, found.reason_where)
    return found


def begun(delivery: Delivery | None = None, **said: Any) -> Version:
    by, at = people.call("dana_analyst"), timezone.now()
    draft, grounds = composing.draft_from_delivery(delivery or hand_over(), by, at)
    texts = msgspec.structs.replace(draft.texts, title="A loader spreads", happening="Machines are taken over.")
    return services.start(
        by=by, draft=msgspec.structs.replace(draft, **{"texts": texts, **said}), at=at, batches=grounds
    )


def sent(version: Version) -> Delivery:
    """As a releaser does, without the reviews that other tests hold."""
    at = timezone.now()
    version.approved_by, version.state = people.call("dora_dissemination"), State.SENDING
    derived = guarding.derived(version, at)
    version.delivery = police.send(version, police.police_bundle(version, derived, at), derived, at)
    version.save()
    work()
    version.refresh_from_db()
    assert version.delivery is not None
    return version.delivery


def sees(login: str, delivery: Delivery) -> bool:
    return visible_batches(viewer_of(people.call(login)), timezone.now()).filter(delivery=delivery).exists()


def test_a_draft_is_filled_from_a_delivery() -> None:
    version = begun()
    draft = composing.draft_of(version.content)
    assert [(each.value, each.role) for each in draft.indicators] == [("198.51.100.9", Role.ATTACKER_INFRA)]
    assert draft.offence is not Offence.NONE
    assert draft.texts.tasks and draft.texts.questions and draft.texts.if_victim
    assert "203.0.113.7" not in str(version.content)
    assert version.grounds.exists()


def test_it_opens_to_the_bureaus_under_what_its_grounds_say() -> None:
    people.call("fleur_officer")
    delivery = sent(begun())
    assert delivery.state == "parsed"
    [batch] = Batch.objects.filter(delivery=delivery)
    assert batch.handling_set.tlp == "TLP:GREEN"
    assert sees("fleur_officer", delivery)
    assert not sees("pia_partner", delivery)
    report = Object.objects.get(delivery=delivery, type="report")
    said = json.loads(body_of(report).raw)
    assert said["name"] == "A loader spreads"
    assert any(ref.startswith("indicator--") for ref in said["object_refs"])
