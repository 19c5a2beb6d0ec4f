"""What an alert can begin from, by a word and what it names: `delivery:RECEIPT`, `object:7`, `value:198.51.100.9`,
`batch:17000`, `hit:3`, `family:FR:Emotet`, `alert:METHOD-2026-0001`."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from tocsin.centre.analysis.models import StandingHit
from tocsin.centre.intake.deliveries import delivery_for
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import InputError, NotFound, Refused

from . import composing, services
from .composing import Started
from .models import Version
from .selectors import alert_for, content_of, newest

MOST_VALUES = 100


def begin(source: str, *, by: Person, at: datetime, is_exercise: bool = False) -> Version:
    """Begin an alert from it as a draft. Raises NotFound for what the person does not see, InputError and Refused."""
    if not (by.organisation.is_centre and may(by, "write-alerts")):
        raise Refused("alert-centre-only" if not by.organisation.is_centre else "alert-role")
    with transaction.atomic():
        draft, batches = gathered(source, by, at)
        named = source.partition("\n")[0][:120]
        # A value that was asked for is content: the draft holds it, sealed, and this line does not.
        begun_from = "value" if named.startswith("value:") else named
        return services.start(
            by=by, draft=draft, at=at, batches=batches, begun_from=begun_from, is_exercise=is_exercise
        )


def gathered(source: str, by: Person, at: datetime) -> Started:
    """The draft that it gives, and what that rests on."""
    word, _, said = source.partition(":")
    said = said.strip()
    match word:
        case "delivery":
            return composing.draft_from_delivery(delivery_for(by, said), by, at)
        case "batch":
            batch = Batch.objects.select_related("delivery").filter(pk=_number(said)).first()
            if batch is None or not visible_batches(viewer_of(by), at).filter(pk=batch.pk).exists():
                raise NotFound
            return composing.draft_from_delivery(batch.delivery, by, at, [batch.pk])
        case "object":
            thing = Object.objects.filter(pk=_number(said)).select_related("delivery").first()
            if thing is None:
                raise NotFound
            return composing.draft_from_object(thing, by, at)
        case "value":
            return composing.draft_from_values(said.splitlines()[:MOST_VALUES], by, at)
        case "hit":
            hit = StandingHit.objects.select_related("query").filter(pk=_number(said), query__person=by).first()
            if hit is None:
                raise NotFound
            return composing.draft_from_hit(hit, by, at)
        case "family":
            country, _, malware = said.partition(":")
            return composing.draft_from_family(country[:2].upper(), malware, by, at)
        case "alert":
            version = newest(alert_for(by, said))
            grounds = version.grounds.filter(closed_at=None).values_list("batch", flat=True)
            return content_of(version), list(grounds)
    raise InputError("alert-no-such-beginning", field="from", excerpt=source[:40])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)
