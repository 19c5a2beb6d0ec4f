"""The acts of SM-3 that publish. All that the public reads of a version is made and looked through first; then one
transaction switches rows, state, steps and the log together, so that nothing is ever half published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from tocsin.centre.intake.models import Batch
from tocsin.centre.members.models import Person
from tocsin.centre.recall import services as recalls
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.products.alerts.draft import Draft, Texts
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import LANGUAGES, Message, PublicEdition
from tocsin.products.alerts.soundness import require_plain

from . import editions, files, guarding, telling
from .models import Alert, PublicFile, PublicState, Series, Version
from .rules import LANGUAGES_WITHIN, STANDING, Act, State, may_be_public, missing_languages, wrong_times
from .selectors import content_of, facts_of, versions_of
from .services import LONGEST_REASON, copy_translations, locked, note, require

if TYPE_CHECKING:
    from .making import Made

TRIES = 5
"""How often the shared pages are made anew because another alert was published meanwhile."""


# Approval and the police edition.


def approve(version: Version, *, by: Person, at: datetime) -> Version:
    """Let it go: to the police, or, for a prevention message without a police edition, to the public.

    Raises Refused, InputError, and what stands in its text (`guarding`).
    """
    from . import police

    draft = content_of(version)
    _require_times(draft, at)
    if not draft.is_for_police:
        return publish_public(version, by=by, at=at)
    try:
        with transaction.atomic():
            version = locked(version)
            require(Act.APPROVE, version, by)
            guarding.require_lawful(version)
            _number(version, at)
            version.approved_by, version.approved_at, version.expires_at = by, at, draft.expires
            missing = missing_languages(facts_of(version))
            version.languages_due_at = at + LANGUAGES_WITHIN if missing else None
            derived = guarding.derived(version, at)
            version.delivery = police.send(version, police.police_bundle(version, derived, at), derived, at)
            was, version.state = version.state, State.SENDING
            version.save()
            note(version, Act.APPROVE, was, by, at, facts={"languages_missing": list(missing)})
    except Refused as found:
        _noted_blocked(version, found, by, at)
        raise
    return version


def police_arrived(version: Version, at: datetime) -> None:
    """Its police edition was read, and is open to its readers. Called in the transaction of that commit."""
    from . import watching

    was, version.state, version.police_at = version.state, State.POLICE, at
    version.watched = watching.latest_change()
    version.save(update_fields=["state", "police_at", "watched"])
    note(version, "published-police", was, None, at)
    telling.sent_to_police(version, at)
    earlier = versions_of(version.alert).filter(state=State.POLICE, number__lt=version.number)
    for each in earlier:
        _replaced(each, at)


def _replaced(version: Version, at: datetime) -> None:
    was, version.state, version.over_at = version.state, State.REPLACED, at
    version.save(update_fields=["state", "over_at"])
    note(version, "replaced", was, None, at)


def _number(version: Version, at: datetime) -> None:
    """Its number, given once: the next of its type and year."""
    alert = Alert.objects.select_for_update().get(pk=version.alert_id)
    if alert.number is None:
        series, _ = Series.objects.get_or_create(type=_series(alert), year=at.year)
        series = Series.objects.select_for_update().get(pk=series.pk)
        series.last += 1
        series.save(update_fields=["last"])
        alert.number = f"{series.type}-{series.year}-{series.last:04d}"
        alert.save(update_fields=["number"])
    version.alert = alert


def _series(alert: Alert) -> str:
    """Exercises count apart: they take no number from what is real (W31)."""
    return f"EXERCISE-{alert.type}" if alert.is_exercise else alert.type


# The public edition.


def publish_public(version: Version, *, by: Person, at: datetime) -> Version:
    """Let the public read it. Raises Refused, InputError, and what stands in its texts (`guarding.LeaksFound`)."""
    act = Act.PUBLISH if content_of(version).is_for_police else Act.APPROVE
    try:
        require(act, version, by)
        _require_public(version, at)
        if version.alert.number is None:  # It comes without a police edition.
            with transaction.atomic():
                _number(version, at)
        return _published(version, by, at, act)
    except Refused as found:
        _noted_blocked(version, found, by, at)
        raise


def _require_public(version: Version, at: datetime) -> None:
    draft = content_of(version)
    _require_times(draft, at)
    if version.alert.is_exercise:
        raise Refused("alert-exercise")
    if rule := may_be_public(draft, at):
        raise Refused(rule)
    if version.grounds.exclude(closed_at=None).exists():
        raise Refused("alert-recall-running")


def _require_times(draft: Draft, at: datetime) -> None:
    if rule := wrong_times(draft, at):
        raise InputError(rule, field="expires")


def _published(version: Version, by: Person | None, at: datetime, act: str) -> Version:
    """Make all of it, look through all of it, and switch."""
    from . import making, watching

    since = watching.latest_change()
    edition = editions.edition_of(version, at)
    made = making.made_of(edition, at)
    guarding.require_publishable(version, edition, made.files, at)

    def switch() -> Version:
        now = locked(version)
        if watching.is_known_since(version, edition, since):
            # Handed over while the files were made and looked through: what is known now decides.
            guarding.require_publishable(version, edition, made.files, at)
        if by is not None:
            require(act if isinstance(act, Act) else Act.PUBLISH, now, by)
        if (now.revision, now.content) != (version.revision, version.content) or editions.words_of(
            now
        ) != edition.texts:
            raise Conflict("somebody wrote meanwhile")  # What was looked through is not what would stand there.
        if now.grounds.exclude(closed_at=None).exists():
            raise Refused("alert-recall-running")
        was, now.state, now.public_at = now.state, State.PUBLIC, edition.sent
        now.approved_by, now.approved_at = now.approved_by or by, now.approved_at or at
        now.expires_at, now.languages, now.named = edition.expires, list(edition.languages), {}
        now.watched = since
        now.public_signs = [f"{each.kind.value}:{each.value}" for each in edition.signs]
        missing = [each for each in LANGUAGES if each not in edition.languages]
        now.languages_due_at = (now.languages_due_at or at + LANGUAGES_WITHIN) if missing else None
        now.save()
        for each in versions_of(now.alert).filter(state__in=[State.PUBLIC, State.POLICE], number__lt=now.number):
            _replaced(each, at)
        note(now, act, was, by, at, facts={"languages": list(edition.languages), "sent": edition.sent.isoformat()})
        telling.published(now, at)
        return now

    return switch_site(version.alert, edition, made, at, switch)


def switch_site(
    alert: Alert | None, edition: PublicEdition | None, made: Made, at: datetime, switch: Callable[[], Version]
) -> Version:
    """Put these files on the public site, with the pages and feeds that all alerts share, and do `switch`, in one
    transaction. What others published meanwhile is in the shared pages, or they are made anew."""
    own = {each.path for each in made.files}
    gone = {path: each for path, each in made.gone.items() if path not in own}
    digests = _kept([*made.files, *gone.values()])
    from . import making

    for _ in range(TRIES):
        changes = state().changes
        shared = making.shared_files(edition, made.files, at)
        shared_digests = _kept(shared)
        with transaction.atomic():
            row = PublicState.objects.select_for_update().get(pk=state().pk)
            if row.changes != changes:
                continue
            done = switch()
            _entered(made.files, alert, edition, at, digests)
            _entered(shared, None, None, at, shared_digests)
            for path, each in gone.items():
                PublicFile.objects.filter(path=path).update(
                    sha256=digests[each.path], size=len(each.body), media_type=each.media_type, is_gone=True,
                    published_at=at,
                )  # fmt: skip
            PublicState.objects.filter(pk=row.pk).update(changes=F("changes") + 1)
        return done
    raise Conflict("other alerts are being published at the same time")


def _kept(made: Iterable[File]) -> dict[str, str]:
    """Keep all of these; gives the digest of what lies at each address. Durable when this returns, names included."""
    bodies = {each.path: each.body for each in made}
    digests = dict(zip(bodies, files.keep_all(bodies.values()), strict=True))
    files.settle(digests.values())
    return digests


def state() -> PublicState:
    return PublicState.objects.get_or_create(pk=1)[0]


def _entered(
    of: Iterable[File], alert: Alert | None, edition: PublicEdition | None, at: datetime, digests: Mapping[str, str]
) -> None:
    rows = [
        PublicFile(
            path=each.path, alert=alert, version=edition.version if edition else 0, language=each.language,
            media_type=each.media_type, sha256=digests[each.path], size=len(each.body), published_at=at, is_gone=False,
        )
        for each in {each.path: each for each in of}.values()
    ]  # fmt: skip
    known = dict(PublicFile.objects.filter(path__in=[each.path for each in rows]).values_list("path", "sha256"))
    changed = [each for each in rows if known.get(each.path) != each.sha256 or alert is not None]
    PublicFile.objects.bulk_create(
        changed, batch_size=200, update_conflicts=True, unique_fields=["path"],
        update_fields=["alert", "version", "language", "media_type", "sha256", "size", "published_at", "is_gone"],
    )  # fmt: skip


# Cancelling.


def ask_cancel(version: Version, reasons: Mapping[str, str], *, by: Person, at: datetime) -> Version:
    """Ask that it is cancelled, with the reason as the public will read it in each language."""
    said = {language: " ".join(str(text).split()) for language, text in reasons.items() if str(text).strip()}
    for language in LANGUAGES:
        if language not in said:
            raise InputError("missing-field", field=f"reason.{language}")
        if len(said[language]) > LONGEST_REASON:
            raise InputError("alert-too-long", field=f"reason.{language}")
        require_plain(Texts(reason=said[language]), f"reason.{language}")
    with transaction.atomic():
        version = locked(version)
        require(Act.CANCEL, version, by)
        version.cancel_asked_by, version.cancel_asked_at, version.cancel_reasons = by, at, said
        version.save(update_fields=["cancel_asked_by", "cancel_asked_at", "cancel_reasons"])
        note(version, Act.CANCEL, version.state, by, at)
    return version


def confirm_cancel(version: Version, *, by: Person, at: datetime) -> Version:
    """A second person cancels it: everywhere, with the reason (W26)."""
    try:
        require(Act.CONFIRM_CANCEL, version, by)
        before = editions.published(version.alert)
        if not before:
            with transaction.atomic():
                return _cancelled(version, None, by, at)
        from . import making

        edition = editions.cancelling(version, before, _next_number(version), at)
        made = making.made_of(edition, at)
        guarding.require_publishable(version, edition, made.files, at)
    except Refused as found:
        _noted_blocked(version, found, by, at)
        raise
    return switch_site(version.alert, edition, made, at, lambda: _cancelled(version, edition, by, at))


def _cancelled(version: Version, edition: PublicEdition | None, by: Person, at: datetime) -> Version:
    """The version that cancels all before it."""
    now = locked(version)
    require(Act.CONFIRM_CANCEL, now, by)
    if edition is not None and edition.version != _next_number(now):
        raise Conflict("another version was begun meanwhile")
    made = Version.objects.create(
        alert=now.alert, number=_next_number(now), message=Message.CANCEL.value, state=State.CANCELLED,
        content=now.content, cancel_reasons=now.cancel_reasons, over_at=at, approved_by=by, approved_at=at,
        police_at=at, public_at=edition.sent if edition else None, expires_at=now.expires_at,
        languages=list(edition.languages) if edition else [], cancel_asked_by=now.cancel_asked_by,
        cancel_asked_at=now.cancel_asked_at,
    )  # fmt: skip
    copy_translations(now, made)
    standing = list(versions_of(now.alert).filter(state__in=STANDING))
    for each in standing:
        _replaced(each, at)
    # Of every version: what an earlier one brought would else be the newest that programs find (W26).
    for each in versions_of(now.alert).exclude(delivery=None):
        _take_back(each, made, by, at)
    note(made, Act.CONFIRM_CANCEL, now.state, by, at)
    telling.published(made, at)
    return made


def _take_back(version: Version, cancelling: Version, by: Person, at: datetime) -> None:
    """Recall its police edition from whoever has it (W26)."""
    if version.delivery is None or not Batch.objects.filter(delivery=version.delivery, hidden_at=None).exists():
        return
    note_to_them = str(cancelling.cancel_reasons.get("en", ""))
    recalls.recall(version.delivery, by=by, reason="wrong-data", action="destroy", note=note_to_them, at=at)


def _next_number(version: Version) -> int:
    newest = Version.objects.filter(alert=version.alert).order_by("-number").values_list("number", flat=True)
    return newest[0] + 1


# What the clock does.


def tick(now: datetime) -> None:
    """What is over is said to be over."""
    for version in versions_of_over(now):
        expire(version, now)


def versions_of_over(now: datetime) -> list[Version]:
    due = Version.objects.filter(state__in=[State.POLICE, State.PUBLIC], expires_at__lte=now).select_related("alert")
    return list(due.order_by("expires_at")[:50])


def expire(version: Version, at: datetime) -> None:
    """Its time is over: its pages say so."""

    def switch() -> Version:
        now = locked(version)
        if now.state in {State.POLICE, State.PUBLIC}:
            was, now.state, now.over_at = now.state, State.EXPIRED, at
            now.save(update_fields=["state", "over_at"])
            note(now, "expire", was, None, at)
        return now

    if version.public_at is None:
        with transaction.atomic():
            switch()
        return
    from . import making

    edition = editions.published(version.alert)[-1]
    switch_site(version.alert, edition, making.pages_again(edition, at), at, switch)


def preview(version: Version, at: datetime) -> list[File]:
    """What would be published of it now, unsigned and looked through. Raises what publishing would raise."""
    from . import making

    edition = editions.edition_of(version, at)
    own = making.own_files(edition)
    guarding.require_publishable(version, edition, own, at)
    return own


def _noted_blocked(version: Version, found: Refused, by: Person, at: datetime) -> None:
    with transaction.atomic():
        guarding.note_blocked(version, found, by=by, at=at)
