"""Alerts that rest on something that was handed over: deliveries for them, and what tests of them have in common."""

from __future__ import annotations

from typing import Any

import msgspec
from django.utils import timezone

from tests import alert_life, people
from tests.crew import work
from tocsin.centre.alerts import composing, services
from tocsin.centre.alerts.models import Version
from tocsin.centre.alerts.selectors import content_of
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.selectors import viewer_of

C2, VICTIM = "198.51.100.9", "203.0.113.7"
TABLE = (
    b"time,ip,event type,role,malware\n"
    b"2026-11-20T10:00:00Z,198.51.100.9,c2-server,ATTACKER_INFRA,Emotet\n"
    b"2026-11-20T10:00:00Z,203.0.113.7,infected-system,VICTIM,Emotet\n"
)
OTHER = b"time,ip,event type,role,malware\n2026-11-20T10:00:00Z,198.51.100.9,c2-server,ATTACKER_INFRA,Emotet\n"


def hand_over(marking: str = "TLP:GREEN", body: bytes = TABLE, login: str = "pia_partner", **defaults: Any) -> Delivery:
    """A delivery of a partner that was read, under these fields of a handling set."""
    person = people.call(login)
    organisation = person.organisation
    organisation.defaults = {**organisation.defaults, **defaults}
    organisation.save()
    found = intake.receive(organisation=organisation, via="page", name="seen.csv", chunks=[body], at=timezone.now(),
                           person=person, marking=marking)  # fmt: skip
    work()
    found.refresh_from_db()
    assert found.state == "parsed", (found.reason, found.reason_where)
    return found


def begun(*deliveries: Delivery, **said: Any) -> Version:
    """An alert that an analyst began from these; its words are those of `alert_life`."""
    by, at = people.call(alert_life.AUTHOR), timezone.now()
    people.call("fleur_officer")
    grounds: list[int] = []
    indicators: dict[str, Any] = {}
    draft = alert_life.draft()
    for each in deliveries or (hand_over(),):
        draft, batches = composing.draft_from_delivery(each, by, at)
        grounds += batches
        indicators |= {one.value: one for one in draft.indicators}
    values = {"texts": alert_life.texts(), "indicators": tuple(indicators.values()), **said}
    return services.start(by=by, draft=msgspec.structs.replace(draft, **values), at=at, batches=grounds)


def marked(version: Version) -> tuple[Any, ...]:
    """Its indicators, each marked for the public and claimed to be agreed."""
    return tuple(
        msgspec.structs.replace(each, is_marked=True, pap="PAP:CLEAR", has_consent=True)
        for each in content_of(version).indicators
    )


def sees(login: str, delivery: Delivery) -> bool:
    return visible_batches(viewer_of(people.call(login)), timezone.now()).filter(delivery=delivery).exists()
