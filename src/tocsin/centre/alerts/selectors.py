"""Reads of alerts: who at the Centre sees which, and a version as the rules see it."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet
from django.utils import timezone

from tocsin.centre.intake.register import held_of
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import NotFound
from tocsin.handling import may_see
from tocsin.products.alerts.draft import Draft, draft_of

from .models import Alert, Ground, Proposal, Revision, Version
from .rules import STANDING, Facts, Passed, State, Translated


def alerts_for(person: Person) -> QuerySet[Alert]:
    """The alerts of the desk, the newest first; none for who does not work there.

    What rests on something that the gate does not open to a person does not exist for it, whatever it does at the desk:
    an exclusion reaches a secondee in a seat here, and TLP:RED names its readers (I3). What was recalled since stays
    with those who have to write it anew. A translator reads the words of alerts, and nothing of what they rest on.
    """
    if not (person.organisation.is_centre and may(person, "read-alerts")):
        return Alert.objects.none()
    found = Alert.objects.order_by("-created_at", "-pk")
    viewer, now = viewer_of(person, "read-alerts"), timezone.now()
    terms = set(Ground.objects.order_by().values_list("batch__terms", flat=True).distinct())
    closed = [each.number for each in held_of(terms).values() if not may_see(viewer, each.handling, each.facts, now)]
    if closed:
        found = found.exclude(pk__in=Ground.objects.filter(batch__terms__in=closed).values("version__alert"))
    return found


def alert_for(person: Person, reference: str) -> Alert:
    """By its reference or its number. Raises NotFound."""
    found = alerts_for(person).filter(Q(reference=reference) | Q(number=reference)).first()
    if found is None:
        raise NotFound
    return found


def versions_of(alert: Alert) -> QuerySet[Version]:
    """Its versions, the newest first."""
    people = ("quality_by", "legal_by", "approved_by", "cancel_asked_by", "delivery")
    return Version.objects.filter(alert=alert).select_related("alert", *people).order_by("-number")


def newest(alert: Alert) -> Version:
    """The version that is worked on, or that stands where none is."""
    return versions_of(alert).exclude(state=State.DROPPED).first() or versions_of(alert)[0]


def standing(alert: Alert) -> Version | None:
    """The version that recipients have."""
    return versions_of(alert).filter(state__in=STANDING).first()


def content_of(version: Version) -> Draft:
    return draft_of(version.content)


def facts_of(version: Version, authors: Collection[int] | None = None) -> Facts:
    """What the rules ask of it. A list knows the authors of all its versions already."""
    translations = {
        each.language: Translated(each.source_digest, each.made_by_id, each.checked_by_id or 0)
        for each in version.translations.all()
    }
    if authors is None:
        authors = Revision.objects.filter(version=version).order_by().values_list("by", flat=True).distinct()
    return Facts(
        state=State(version.state), draft=content_of(version), authors=frozenset(authors),
        quality=Passed(text=version.quality_text, by=version.quality_by_id or 0),
        legal=Passed(text=version.legal_text, label=version.legal_label, by=version.legal_by_id or 0),
        translations=translations, is_cancelling=version.cancel_asked_by_id is not None,
        cancel_asked_by=version.cancel_asked_by_id or 0,
    )  # fmt: skip


def proposals_for(person: Person) -> QuerySet[Proposal]:
    """What one's own organisation proposed; at the Centre, what all did. The newest first."""
    found = Proposal.objects.select_related("organisation", "by", "alert").order_by("-at", "-pk")
    if person.organisation.is_centre:
        return found if may(person, "read-alerts") else found.none()
    return found.filter(organisation=person.organisation) if may(person, "propose-alerts") else found.none()
