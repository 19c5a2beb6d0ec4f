"""Bureaus hear by mail that a police edition is there: its number, its label and where to read it. Nothing that it says
leaves the portal by mail, whatever its label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from tocsin.centre.alerts.models import Version
from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.reach.recipients import circle
from tocsin.core.words import Tlp
from tocsin.handling.sets import narrowest
from tocsin.lake.scope import Batches
from tocsin.products.alerts.notice import note
from tocsin.transport.mailing import Fate, Post

from . import bouncing
from .sending import letterhead, relay

_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(\.[\w-]+)+")
SYSTEM = "system"


def tell(claim: jobs.Claim) -> None:
    """One mail for each bureau that the gate shows the edition to. Raises Unavailable where the relay is away."""
    now = datetime.now(UTC)
    found = Version.objects.select_related("alert", "delivery").filter(pk=claim.payload["version"]).first()
    told, failed = 0, 0
    if found is not None and found.delivery is not None and settings.INSTALLATION.mail is not None:
        number, label = str(found.alert), _label(found)
        with Post(relay()) as post:
            for organisation, address in _addresses(found, now):
                language = _language(organisation)
                link = f"{settings.INSTALLATION.public_origin}{reverse('received', args=[found.delivery.receipt])}"
                head = letterhead()
                made = note(
                    "police", language, head, to=address, link=link, is_right_away=False, number=number, label=label
                )
                said = post.hand_in(made, address, bouncing.path_for(organisation, now))
                is_taken = said.fate is Fate.TAKEN
                told, failed = told + is_taken, failed + (not is_taken)
                jobs.renew(claim, datetime.now(UTC))
    with transaction.atomic():
        jobs.finish(claim, datetime.now(UTC))
        if found is not None and (told or failed):
            facts = {"version": found.number, "told": told, "failed": failed}
            record(SYSTEM, "alert.bureaus-told", f"alert:{found.alert.reference}", facts, at=now)


def _label(version: Version) -> str:
    """The narrowest of its parts."""
    labels = Batch.objects.filter(delivery=version.delivery).values_list("handling_set__tlp", flat=True)
    return narrowest(Tlp(each) for each in set(labels)).value


def _addresses(version: Version, now: datetime) -> Iterator[tuple[Organisation, str]]:
    """Every bureau that may read it and said where it is written to, by the gate's own answer."""
    numbers = list(Batch.objects.filter(delivery=version.delivery, hidden_at=None).values_list("pk", flat=True))
    assert version.delivery is not None
    everybody = circle(now)
    for key in everybody.open_to(Batches(numbers), version.delivery.organisation_id):
        organisation = everybody.organisations[key]
        named = address_in(organisation.contact)
        if organisation.is_bureau and named and not bouncing.rests(organisation):
            yield organisation, named


def address_in(contact: str) -> str:
    """The first address in somebody's contact; empty where there is none."""
    named = _MAIL.search(contact)
    return named[0] if named else ""


def _language(organisation: Organisation) -> str:
    """The one that most of its people read the portal in."""
    spoken = list(Person.objects.filter(organisation=organisation, is_active=True).values_list("language", flat=True))
    return max(sorted(set(spoken)), key=spoken.count, default="en")
