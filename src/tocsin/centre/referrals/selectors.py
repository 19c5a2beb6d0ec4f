"""Reads of referrals: a bureau's own; for the Centre counts, and none that is small enough to tell on somebody."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.knowledge.models import Document
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Part
from tocsin.core.errors import NotFound

from .models import Referral
from .services import LEAST_SHOWN

LAST_RECEIVED = (Part(("-received_at", "-pk")),)


def referrals_for(person: Person) -> QuerySet[Referral]:
    """Those of the person's own bureau, the newest first."""
    found = Referral.objects.select_related("delivery", "organisation").order_by(*LAST_RECEIVED[0].by)
    return found.filter(organisation=person.organisation) if may(person, "read-referrals") else found.none()


def referral_for(person: Person, number: str) -> Referral:
    """Raises NotFound whether it is absent or another's."""
    found = referrals_for(person).filter(number=number).first()
    if found is None:
        raise NotFound
    return found


def texts_of(person: Person, referral: Referral) -> list[Document]:
    """What was written, as far as the gate shows it; nothing once its term is over."""
    seen = visible_batches(viewer_of(person))
    return list(Document.objects.filter(delivery=referral.delivery_id).filter(in_seen(seen)).order_by("pk"))


def counts_of(alert: str) -> list[tuple[str, int | None]]:
    """Country → how many reports it got about this alert; None: some, and too few to say."""
    rows = Referral.objects.filter(alert=alert).order_by().values("country").annotate(rows=Count("pk"))
    found = [(each["country"], each["rows"] if each["rows"] >= LEAST_SHOWN else None) for each in rows]
    return sorted(found, key=lambda pair: (-(pair[1] or 0), pair[0]))


def count_of(alert: str) -> int | None:
    """All reports about this alert; None: too few to say."""
    count = Referral.objects.filter(alert=alert).count()
    return count if count >= LEAST_SHOWN or not count else None
