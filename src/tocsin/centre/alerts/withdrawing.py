"""Takes recalled values off the public edition at once: that waits for nobody, since it only makes it say less (W04).

The edition is made anew without them, as an update with a ready reason in every language, and looked through as every
publication is. Where its words hold such a value as well, or somebody writes the next version already, all of it is
cancelled, and what follows begins as the draft of another alert: a cancelled one is never taken up again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from django.db import transaction

from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import Texts, texts_of, to_json
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import LANGUAGES, Message, PublicEdition
from tocsin.products.alerts.words import words

from . import grounds, guarding, telling
from .models import Alert, Ground, PublicFile, Revision, Version
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
    from . import editions, making, publishing, watching

    since = watching.latest_change()
    made = _next(version, gone, at)
    try:
        edition = editions.edition_of(made, at)
        found = making.made_of(edition, at)
        guarding.require_publishable(made, edition, found.files, at)
        found.gone |= _earlier_messages(version, found.files, found.gone, edition)

        def switch() -> Version:
            made.state, made.public_at, made.languages = State.PUBLIC, edition.sent, list(edition.languages)
            made.expires_at, made.watched = edition.expires, since
            made.public_signs = [f"{each.kind.value}:{each.value}" for each in edition.signs]
            made.save()
            _replaced(version, at)
            note(made, NARROWED, "", None, at, facts={"signs": len(gone)})
            telling.published(made, at)
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
        alert=version.alert, number=last + 1, message=Message.UPDATE.value, state=State.APPROVAL,
        content=to_json(draft), approved_by=version.approved_by, approved_at=version.approved_at,
        police_at=version.police_at, delivery=version.delivery, expires_at=version.expires_at,
        quality_by=version.quality_by, legal_by=version.legal_by, languages_due_at=version.languages_due_at,
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


def withhold(version: Version, at: datetime) -> Version:
    """Cancel it for everybody, with the ready reason and none of its words, and begin the alert that follows it."""
    from . import editions, making, publishing

    made = _cancelling(version, at)
    before = editions.published(version.alert)
    edition = editions.edition_of(made, at, before)
    found = making.made_of(edition, at)
    guarding.require_publishable(made, edition, found.files, at)
    found.gone |= _earlier_messages(version, found.files, found.gone, edition)

    def switch() -> Version:
        made.state, made.public_at, made.over_at = State.CANCELLED, edition.sent, at
        made.languages = list(edition.languages)
        made.save()
        _replaced(version, at)
        note(made, WITHHELD, "", None, at)
        _following(version, at)
        telling.published(made, at)
        return made

    return publishing.switch_site(version.alert, edition, found, at, switch)


@transaction.atomic
def _cancelling(version: Version, at: datetime) -> Version:
    """The version that cancels: of the words only that something was taken back, in every language there was."""
    reasons = {language: words(language)("draft.withheld") for language in (*LANGUAGES, *version.languages)}
    draft = content_of(version)
    draft = msgspec.structs.replace(
        draft, texts=_bare(version, draft.language), indicators=(), images=(), annexes=(), persons=()
    )  # fmt: skip
    made = Version.objects.create(
        alert=version.alert, number=versions_of(version.alert)[0].number + 1, message=Message.CANCEL.value,
        state=State.APPROVAL, content=to_json(draft), cancel_reasons=reasons, expires_at=version.expires_at,
        police_at=version.police_at, approved_by=version.approved_by, approved_at=version.approved_at,
    )  # fmt: skip
    made.grounds.model.objects.bulk_create(
        made.grounds.model(version=made, batch_id=each) for each in version.grounds.values_list("batch", flat=True)
    )
    copy_translations(version, made)
    for each in made.translations.all():
        each.content, each.source_digest = to_json(_bare(version, each.language)), draft.source_digest
        each.save(update_fields=["content", "source_digest"])
    return made


def _bare(version: Version, language: str) -> Texts:
    say = words(language)
    return Texts(title=f"{say(f'type.{version.alert.type}')} {version.alert}", happening=say("draft.withheld"))


def _following(version: Version, at: datetime) -> Version:
    """The alert that says the same without what was taken back, as a draft: a cancelled one is never taken up again."""
    newest = versions_of(version.alert).filter(number__gt=version.number, state__in=WRITABLE).exclude(
        message=Message.CANCEL.value
    ).first()  # fmt: skip
    source = newest or version
    author = source.revisions.order_by("-number").select_related("by").first()
    by = author.by if author is not None else version.alert.created_by
    alert = Alert.objects.create(
        reference=drawn_number("A", at), type=version.alert.type, is_exercise=version.alert.is_exercise, created_by=by,
        created_at=at, begun_from=f"alert:{version.alert}",
    )  # fmt: skip
    draft = content_of(source)
    gone = set(grounds.closed_among(version, at))
    kept = tuple(each for each in draft.indicators if each.batch not in gone)
    made = Version.objects.create(
        alert=alert, number=1, state=State.DRAFT, content=to_json(msgspec.structs.replace(draft, indicators=kept))
    )
    Revision.objects.create(version=made, number=1, content=made.content, by=by, at=at)
    left = source.grounds.exclude(batch__in=gone).values_list("batch", flat=True)
    Ground.objects.bulk_create(Ground(version=made, batch_id=each) for each in left)
    copy_translations(source, made)
    note(made, "returned-by-recall", "", None, at, facts={"grounds": len(gone)})
    if newest is not None:
        _dropped(newest, at)
    return made
