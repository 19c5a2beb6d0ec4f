"""After a publication: those who asked to be told are told, by jobs that whoever tells takes up (`subscribers`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tocsin.centre.jobs import services as jobs
from tocsin.products.alerts.draft import Texts, texts_of
from tocsin.products.alerts.notice import LONGEST_LEAD, Notice, Said, shortened, to_json
from tocsin.products.alerts.record import AlertType, Message

from .models import Version
from .rules import State
from .selectors import content_of

TELL = "tell-subscribers"
TELL_BUREAUS = "tell-bureaus"
URGENT = 5
"""An alert of something that happens now goes before other work."""


def published(version: Version, at: datetime) -> None:
    """A public edition was published, replaced or cancelled: call it in the transaction that does so.

    Nobody is told of an exercise (W31).
    """
    if version.alert.is_exercise or version.alert.number is None:
        return
    notice = notice_of(version, at)
    if notice.texts:
        priority = URGENT if notice.type is AlertType.IMMINENT else 0
        subject = f"{notice.number}-v{notice.version}-{notice.message}"
        jobs.enqueue(TELL, subject, {"notice": to_json(notice)}, at=at, priority=priority)


def sent_to_police(version: Version, at: datetime) -> None:
    """The police edition is open to its audience: bureaus hear that it is there, and nothing of what it says."""
    jobs.enqueue(TELL_BUREAUS, f"alert-version:{version.pk}", {"version": version.pk}, at=at, priority=URGENT)


def notice_of(version: Version, at: datetime) -> Notice:
    """What of the version is told: of its public words, in the languages in which it was published."""
    draft = content_of(version)
    is_cancelled = version.state == State.CANCELLED
    texts = {
        language: _said(each, version.cancel_reasons.get(language, "") if is_cancelled else each.reason)
        for language, each in _texts(version)
        if language in version.languages
    }
    return Notice(
        number=version.alert.number or "", version=version.number,
        message=Message.CANCEL if is_cancelled else Message(version.message), type=draft.type, offence=draft.offence,
        severity=draft.severity, sent=at.replace(microsecond=0), countries=draft.countries, texts=texts,
    )  # fmt: skip


def _texts(version: Version) -> Iterator[tuple[str, Texts]]:
    draft = content_of(version)
    yield draft.language, draft.texts
    for each in version.translations.order_by("language"):
        yield each.language, texts_of(each.content)


def _said(texts: Texts, reason: str) -> Said:
    return Said(texts.title, shortened(texts.happening, LONGEST_LEAD), texts.do_now, reason)
