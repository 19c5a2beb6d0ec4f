"""Takes recalled values off the public edition at once: that waits for nobody, since it only makes it say less (W04).

The edition is made anew without them, as an update with a ready reason in every language, and looked through as every
publication is. Where its words hold such a value as well, or somebody writes the next version already, all of it is
taken off until that version is published.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

import msgspec
from django.db import transaction

from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import texts_of, to_json
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import LANGUAGES, Message, PublicEdition
from tocsin.products.alerts.words import words

from . import guarding
from .models import PublicFile, Version
from .rules import WRITABLE, State
from .selectors import content_of, versions_of
from .services import copy_translations, note

NARROWED, WITHHELD = "signs-taken-off", "public-withheld"


def from_public(version: Version, at: datetime) -> None:
    """Take off what may not be published any more; nothing where all of it still may be."""
    gone = withdrawn_signs(version, at)
    if not gone:
        return
    if versions_of(version.alert).filter(number__gt=version.number, state__in=WRITABLE).exists():
        withhold(version, at)
        return
    try:
        _narrow(version, gone, at)
    except (Refused, InputError):
        withhold(version, at)


def withdrawn_signs(version: Version, at: datetime) -> frozenset[str]:
    """Those of its published signs, as `kind:value`, that nobody may publish now."""
    may = {f"{each.kind.value}:{each.value}" for each in guarding.publishable_signs(version, at)}
    return frozenset(version.public_signs) - may


def _narrow(version: Version, gone: Collection[str], at: datetime) -> None:
    from . import editions, making, publishing

    made = _next(version, gone, at)
    try:
        edition = editions.edition_of(made, at)
        found = making.made_of(edition, at)
        guarding.require_publishable(made, edition, found.files, at)
        found.gone |= _earlier_messages(version, found.files, found.gone, edition)

        def switch() -> Version:
            made.state, made.public_at, made.languages = State.PUBLIC, edition.sent, list(edition.languages)
            made.expires_at = edition.expires
            made.public_signs = [f"{each.kind.value}:{each.value}" for each in edition.signs]
            made.save()
            _replaced(version, at)
            note(made, NARROWED, "", None, at, facts={"signs": len(gone)})
            return made

        publishing.switch_site(version.alert, edition, found, at, switch)
    except (Refused, InputError):
        _dropped(made, at)
        raise


@transaction.atomic
def _next(version: Version, gone: Collection[str], at: datetime) -> Version:
    """The version that says the same but for these values, and why it does."""
    last = versions_of(version.alert)[0].number
    draft = content_of(version)
    kept = tuple(each for each in draft.indicators if f"{each.kind.value}:{each.value}" not in gone)
    texts = msgspec.structs.replace(draft.texts, reason=words(draft.language)("draft.recalled"))
    draft = msgspec.structs.replace(draft, indicators=kept, texts=texts)
    made = Version.objects.create(
        alert=version.alert, number=last + 1, message=Message.UPDATE.value, state=State.APPROVAL, content=to_json(draft),
        approved_by=version.approved_by, approved_at=version.approved_at, police_at=version.police_at,
        delivery=version.delivery, expires_at=version.expires_at, quality_by=version.quality_by,
        legal_by=version.legal_by, languages_due_at=version.languages_due_at,
    )  # fmt: skip
    made.grounds.model.objects.bulk_create(
        made.grounds.model(version=made, batch_id=each) for each in version.grounds.values_list("batch", flat=True)
    )
    before = content_of(version).source_digest
    copy_translations(version, made)
    for each in made.translations.filter(source_digest=before):
        said = msgspec.structs.replace(texts_of(each.content), reason=words(each.language)("draft.recalled"))
        each.content, each.source_digest = to_json(said), draft.source_digest
        each.save(update_fields=["content", "source_digest"])
    note(made, "update", "", None, at)
    return made


def _replaced(version: Version, at: datetime) -> None:
    now = Version.objects.select_for_update().get(pk=version.pk)
    was, now.state, now.over_at = now.state, State.REPLACED, at
    now.save(update_fields=["state", "over_at"])
    note(now, "replaced", was, None, at)


@transaction.atomic
def _dropped(made: Version, at: datetime) -> None:
    was, made.state, made.over_at = made.state, State.DROPPED, at
    made.save(update_fields=["state", "over_at"])
    note(made, "drop", was, None, at)


def _earlier_messages(
    version: Version, files: Collection[File], gone: Mapping[str, File], edition: PublicEdition
) -> dict[str, File]:
    """What earlier versions left for programs still holds the values: its addresses say that it is gone."""
    made = {each.path for each in files} | set(gone)
    said = {language: words(language)("draft.recalled") for language in LANGUAGES}
    left = PublicFile.objects.filter(alert=version.alert, is_gone=False).exclude(path__in=made)
    return {path: _notice(path, edition.number, said) for path in left.values_list("path", flat=True)}


def _notice(path: str, number: str, said: Mapping[str, str]) -> File:
    body = "\n".join([number, *said.values(), ""]).encode()
    return File(path, "text/plain; charset=utf-8", body, "")


def withhold(version: Version, at: datetime) -> None:
    """Every address of the alert says that a corrected version follows, until that is published."""
    from . import editions, making, publishing, site

    before = editions.published(version.alert)
    reasons = {language: words(language)("draft.withheld") for language in (*LANGUAGES, *before[-1].languages)}
    shown = replace(before[-1], message=Message.CANCEL, signs=(), former_signs=(), images=(), reasons=reasons)
    _pages, gone = site.pages_of(shown, before[:-1], [], at)
    left = PublicFile.objects.filter(alert=version.alert, is_gone=False).exclude(path__in=list(gone))
    gone |= {path: _notice(path, str(version.alert), reasons) for path in left.values_list("path", flat=True)}

    def switch() -> Version:
        now = Version.objects.select_for_update(of=("self",)).select_related("alert").get(pk=version.pk)
        note(now, WITHHELD, now.state, None, at)
        return now

    publishing.switch_site(version.alert, None, making.Made([], gone), at, switch)


def is_withheld(version: Version) -> bool:
    """Whether the public reads nothing of it for now, since something of it was taken back."""
    shown = PublicFile.objects.filter(alert=version.alert, is_gone=False)
    return version.state == State.PUBLIC and not shown.exists()

