"""With a publication, in its transaction: those who asked to be told are told, by jobs that whoever tells takes up
(`subscribers`). A publication that stands is therefore told, whatever dies behind it."""

from __future__ import annotations

from datetime import datetime

from tocsin.centre.jobs import services as jobs
from tocsin.products.alerts.notice import LONGEST_LEAD, Notice, Said, shortened, to_json
from tocsin.products.alerts.record import AlertType, PublicEdition, Text

from . import editions
from .models import Version

TELL = "tell-subscribers"
TELL_BUREAUS = "tell-bureaus"
URGENT = 5
"""An alert of something that happens now goes before other work."""


def published(version: Version, at: datetime) -> None:
    """A public edition was published, replaced or cancelled. Nobody is told of an exercise (W31), nor of a version that
    the public never had."""
    edition = next((each for each in editions.published(version.alert) if each.version == version.number), None)
    if edition is None or edition.is_exercise:
        return
    notice = notice_of(edition)
    priority = URGENT if notice.type is AlertType.IMMINENT else 0
    subject = f"{notice.number}-v{notice.version}"
    jobs.enqueue(TELL, subject, {"notice": to_json(notice)}, at=at, priority=priority)


def sent_to_police(version: Version, at: datetime) -> None:
    """The police edition is open to its audience: bureaus hear that it is there, and nothing of what it says."""
    jobs.enqueue(TELL_BUREAUS, f"alert-version:{version.pk}", {"version": version.pk}, at=at, priority=URGENT)


def notice_of(edition: PublicEdition) -> Notice:
    """What of an edition is told: a function of it, as every other output is."""
    return Notice(
        number=edition.number, version=edition.version, message=edition.message, type=edition.type,
        offence=edition.offence, severity=edition.severity, sent=edition.sent, countries=edition.countries,
        texts={each.language: _said(edition, each) for each in edition.texts},
        earlier=tuple(each.version for each in edition.earlier),
    )  # fmt: skip


def _said(edition: PublicEdition, text: Text) -> Said:
    reason = edition.reasons.get(text.language, "")
    return Said(text.title, shortened(text.happening, LONGEST_LEAD), text.do_now, reason)
