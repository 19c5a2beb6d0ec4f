"""Public editions from rows: what was published of an alert, and what would be now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from tocsin.products.alerts.draft import Draft, Texts, texts_of
from tocsin.products.alerts.record import (
    LANGUAGES,
    Annex,
    Earlier,
    Image,
    Issuer,
    Made,
    Message,
    PublicEdition,
    PublicSign,
    Text,
)

from . import files, guarding
from .models import Alert, Attached, Version
from .selectors import content_of

SITE = "/alerts"
"""Where the portal serves the public site."""


def issuer() -> Issuer:
    """The organisation that runs the installation, as its settings name it."""
    made: Any = settings.INSTALLATION
    said: Any = made.extra.get("alerts", {}) if isinstance(made.extra.get("alerts"), dict) else {}
    names = said.get("names") if isinstance(said.get("names"), dict) else {}
    origin = str(said.get("origin") or f"{made.public_origin.rstrip('/')}{SITE}").rstrip("/")
    return Issuer(
        names={"en": made.organisation, **{str(key): str(value) for key, value in names.items()}},
        sender=str(said.get("sender") or urlsplit(origin).hostname or "localhost"), origin=origin,
        media_contact=str(said.get("media_contact", "")),
    )  # fmt: skip


def published(alert: Alert) -> list[PublicEdition]:
    """Every version that the public had, oldest first, as it was."""
    found: list[PublicEdition] = []
    for each in alert.versions.exclude(public_at=None).select_related("alert").order_by("number"):
        assert each.public_at is not None
        found.append(edition_of(each, each.public_at, found))
    return found


def edition_of(version: Version, at: datetime, earlier: Sequence[PublicEdition] | None = None) -> PublicEdition:
    """What the public reads of a version that is published at that moment.

    Whatever language is not there as the text is written now is left out; the original comes first among equals.
    """
    draft = content_of(version)
    before = published(version.alert) if earlier is None else earlier
    before = [each for each in before if each.version < version.number]
    sent = _after(at, before)
    texts = _texts(version, draft)
    signs = _signs(version, at)
    message = Message(version.message)
    return PublicEdition(
        number=str(version.alert), version=version.number,
        message=message if before or message is Message.CANCEL else Message.ALERT, type=draft.type,
        offence=draft.offence, severity=draft.severity, urgency=draft.urgency, certainty=draft.certainty,
        issued=before[0].issued if before else sent, sent=sent, expires=_whole(draft.expires or at), texts=texts,
        issuer=issuer(), onset=None if draft.onset is None else _whole(draft.onset),
        countries=tuple(sorted(set(draft.countries))), signs=signs, former_signs=_former(before, signs),
        images=_images(version, draft), annexes=_annexes(version, draft),
        earlier=tuple(Earlier(each.version, each.message, each.sent) for each in before),
        reasons=reasons_of(version, draft), is_exercise=version.alert.is_exercise,
    )  # fmt: skip


def cancelling(version: Version, before: Sequence[PublicEdition], number: int, at: datetime) -> PublicEdition:
    """The edition that takes back all before it, with the reasons that were asked for."""
    last = before[-1]
    earlier = tuple(Earlier(each.version, each.message, each.sent) for each in before)
    return replace(
        last, version=number, message=Message.CANCEL, sent=_after(at, before), signs=(),
        former_signs=_former(before, ()), images=(), annexes=(), earlier=earlier, reasons=_said(version),
    )  # fmt: skip


def reasons_of(version: Version, draft: Draft) -> Mapping[str, str]:
    """Language → what an update changes, or why it was cancelled."""
    if version.message == Message.CANCEL:
        return _said(version)
    found = {draft.language: draft.texts.reason} | {
        language: texts.reason for language, texts, _ in _current(version, draft)
    }
    return {language: reason for language, reason in found.items() if reason}


def _said(version: Version) -> dict[str, str]:
    return {str(language): str(reason) for language, reason in version.cancel_reasons.items()}


def words_of(version: Version) -> tuple[Text, ...]:
    """What the public would read of it now, in each language."""
    return _texts(version, content_of(version))


def _texts(version: Version, draft: Draft) -> tuple[Text, ...]:
    found = {draft.language: _public(draft, draft.texts, draft.language, Made.ORIGINAL)}
    found |= {language: _public(draft, texts, language, made) for language, texts, made in _current(version, draft)}
    order = [*LANGUAGES, *sorted(set(found) - set(LANGUAGES))]
    return tuple(found[each] for each in order if each in found)


def _public(draft: Draft, texts: Texts, language: str, made: Made) -> Text:
    """Without the titles of what the police alone gets."""
    found = texts.public(language, made)
    hidden = {each.name for each in draft.annexes if not each.is_public}
    if not hidden:
        return found
    return replace(found, image_texts={name: each for name, each in found.image_texts.items() if name not in hidden})


def _current(version: Version, draft: Draft) -> list[tuple[str, Texts, Made]]:
    """Translations of the text as it is, checked by a second person (W22, I8)."""
    made = version.translations.filter(source_digest=draft.source_digest).exclude(checked_by=None)
    return [(each.language, texts_of(each.content), Made(each.made)) for each in made.order_by("language")]


def _signs(version: Version, at: datetime) -> tuple[PublicSign, ...]:
    if version.message == Message.CANCEL:
        return ()
    if version.public_at is not None:
        # What was published is told as it was: whether it still may be, `guarding` asks before the next publication.
        return tuple(PublicSign(each.value, each.kind, each.note) for each in _marked(version))
    return guarding.publishable_signs(version, at)


def _marked(version: Version) -> list[Any]:
    names = set(version.public_signs)
    return [each for each in content_of(version).indicators if f"{each.kind.value}:{each.value}" in names]


def _former(before: Sequence[PublicEdition], signs: tuple[PublicSign, ...]) -> tuple[PublicSign, ...]:
    now = {(each.kind, each.value) for each in signs}
    gone = {(each.kind, each.value): each for edition in before for each in edition.signs}
    return tuple(each for key, each in gone.items() if key not in now)


def _images(version: Version, draft: Draft) -> tuple[Image, ...]:
    if version.message == Message.CANCEL:
        return ()
    wanted = {each.name for each in draft.images}
    return tuple(
        Image(each.name, each.media_type, files.read(each.sha256), each.width, each.height)
        for each in Attached.objects.filter(alert=version.alert, name__in=wanted).order_by("name")
    )


def _annexes(version: Version, draft: Draft) -> tuple[Annex, ...]:
    """Those for everybody: of the others neither the file nor the title is here."""
    if version.message == Message.CANCEL:
        return ()
    wanted = {each.name: each for each in draft.annexes if each.is_public}
    return tuple(
        Annex(each.name, files.read(each.sha256), wanted[each.name].pages)
        for each in Attached.objects.filter(alert=version.alert, name__in=wanted).order_by("name")
    )


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _after(at: datetime, before: Sequence[PublicEdition]) -> datetime:
    """That moment in whole seconds, and later than each version before: readers order them by it."""
    sent = _whole(at)
    last = max((each.sent for each in before), default=None)
    return sent if last is None or sent > last else last + timedelta(seconds=1)
