"""The acts of SM-3 up to the approval. Each is checked, done, noted as a step and recorded, in one transaction.

What publishes is in `publishing.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import abilities_of, side_of
from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.handling import HandlingSet
from tocsin.handling.sets import require_said
from tocsin.products.alerts import locked as locked_values
from tocsin.products.alerts.draft import (
    Draft,
    differences,
    draft_of,
    merged,
    texts_of,
    to_json,
)
from tocsin.products.alerts.record import Made, Message
from tocsin.products.alerts.soundness import LANGUAGE, LONGEST_TAG, require_plain, require_sound

from .models import Alert, Ground, Revision, Step, Translation, Version
from .rules import WRITABLE, Act, State, after_change, refusal_of, stage_of, wrong_times
from .selectors import content_of, facts_of

LONGEST_REASON = 2_000


@dataclass
class EditConflict(Conflict):
    """Somebody wrote meanwhile. Nothing is lost: both texts are here, and what could be brought together."""

    revision: int
    """The one that is there now."""
    theirs: tuple[tuple[str, Any, Any], ...] = ()
    """What the other changed: field, before, now."""
    merged: Mapping[str, Any] | None = None
    """Both changes together; where both changed a field, what the other wrote."""
    contested: tuple[str, ...] = ()
    """Fields that both changed."""

    def __str__(self) -> str:
        return "somebody else wrote meanwhile"


BY_PEOPLE = frozenset({Act.APPROVE, Act.PUBLISH, Act.CONFIRM_CANCEL})
"""What changes what the world reads. A person does it who just proved who that is; a key proves nothing of the kind."""


def require(act: Act, version: Version, by: Person) -> None:
    """Raises Refused with the word of the rule that says no."""
    if not by.organisation.is_centre:
        raise Refused("alert-centre-only")
    if act in BY_PEOPLE and by.through is not None:
        raise Refused("alert-by-key")
    abilities = abilities_of(side_of(by.organisation), by.roles) if by.is_active else frozenset[str]()
    if rule := refusal_of(act, facts_of(version), by.pk, abilities):
        raise Refused(rule)


def locked(version: Version) -> Version:
    """The version as it stands now, until the transaction ends."""
    return Version.objects.select_for_update(of=("self",)).select_related("alert").get(pk=version.pk)


def checked(draft: Draft) -> Draft:
    """The same draft. Raises InputError for what no alert can say: too much, signs that turn a text around, moments
    without a zone, a label that contradicts itself."""
    require_sound(draft)
    _require_consistent(draft.label)
    return draft


LABEL = frozenset({
    "tlp", "audience", "exclusions", "codes", "restrictions", "pap", "purposes", "classification", "attribution",
})  # fmt: skip
"""Fields of a handling set that an alert's own label may lay down."""


def _require_consistent(label: Mapping[str, Any]) -> None:
    """Raises InputError that names the field, for a label that no handling set could have."""
    said = {name: value for name, value in label.items() if value}
    if strange := sorted(set(said) - LABEL):
        raise InputError("invalid-object", field="label", excerpt=strange[0][:80])
    for name in ("audience", "exclusions", "codes", "restrictions", "purposes"):
        value = said.get(name, [])
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise InputError("invalid-object", field=name)
    try:
        require_said(HandlingSet.from_json({**HandlingSet().as_json(), **said}))
    except InputError as error:
        raise InputError("relabel-contradiction", field=error.field) from None
    except (ValueError, TypeError) as error:
        raise InputError("invalid-object", field="tlp") from error


def start(
    *, by: Person, draft: Draft, at: datetime, batches: Collection[int] = (), begun_from: str = "",
    is_exercise: bool = False,
) -> Version:  # fmt: skip
    """Begin an alert as a draft that rests on these batches. Raises Refused and InputError."""
    abilities = abilities_of(side_of(by.organisation), by.roles)
    if not by.organisation.is_centre or "write-alerts" not in abilities:
        raise Refused("alert-centre-only" if not by.organisation.is_centre else "alert-role")
    checked(draft)
    with transaction.atomic():
        alert = Alert.objects.create(
            reference=drawn_number("A", at), type=draft.type.value, is_exercise=is_exercise, created_by=by,
            created_at=at, begun_from=begun_from,
        )  # fmt: skip
        version = Version.objects.create(alert=alert, number=1, state=State.DRAFT, content=to_json(draft))
        _kept(version, by, at)
        Ground.objects.bulk_create(Ground(version=version, batch_id=each) for each in sorted(set(batches)))
        _noted(version, "start", "", by, at)
    return version


def write(version: Version, content: Mapping[str, Any], *, base: int, by: Person, at: datetime) -> Version:
    """Write what a draft says, over revision `base`. A change sends it back to the review that has not passed it.

    Raises EditConflict where somebody else wrote since: nothing is overwritten.
    """
    draft = checked(draft_of(content))
    with transaction.atomic():
        version = locked(version)
        require(Act.WRITE, version, by)
        if version.revision != base:
            raise _conflict(version, base, to_json(draft))
        if to_json(draft) == version.content:
            return version
        version.content = to_json(draft)
        version.revision += 1
        version.alert.type = draft.type.value
        if version.alert.number is not None and not version.alert.number.startswith(f"{draft.type.value}-"):
            raise Refused("alert-type-published")
        version.alert.save(update_fields=["type"])
        version.save(update_fields=["content", "revision"])
        _kept(version, by, at)
        _moved(version, "write", by, at)
    return version


def _conflict(version: Version, base: int, mine: dict[str, Any]) -> EditConflict:
    read = Revision.objects.filter(version=version, number=base).first()
    before = {} if read is None else read.content
    both, contested = merged(before, mine, version.content)
    return EditConflict(version.revision, tuple(differences(before, version.content)), both, tuple(contested))


def submit(version: Version, *, by: Person, at: datetime) -> Version:
    """Hand a draft in for its reviews. Raises InputError where it would be over before anybody had read it."""
    if rule := wrong_times(content_of(version), at):
        raise InputError(rule, field="expires")
    return _act(version, Act.SUBMIT, by, at)


def pass_quality(version: Version, *, by: Person, at: datetime) -> Version:
    """What it says now is right, and written so that it is understood."""
    with transaction.atomic():
        version = locked(version)
        require(Act.QUALITY_PASSED, version, by)
        version.quality_text, version.quality_by = content_of(version).text_digest, by
        version.save(update_fields=["quality_text", "quality_by"])
        _moved(version, Act.QUALITY_PASSED, by, at)
    return version


def pass_legal(version: Version, *, by: Person, at: datetime) -> Version:
    """What it says now, and who may read it, is lawful. What the law refuses in a text, `guarding` finds first."""
    from .guarding import require_lawful

    with transaction.atomic():
        version = locked(version)
        require(Act.LEGAL_PASSED, version, by)
        require_lawful(version)
        draft = content_of(version)
        version.legal_text, version.legal_label, version.legal_by = draft.text_digest, draft.label_digest, by
        version.save(update_fields=["legal_text", "legal_label", "legal_by"])
        _moved(version, Act.LEGAL_PASSED, by, at)
    return version


def send_back(version: Version, *, reason: str, by: Person, at: datetime) -> Version:
    """Give it back to its author, with what has to be otherwise."""
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    with transaction.atomic():
        version = locked(version)
        require(Act.RETURN, version, by)
        was, version.state = version.state, State.DRAFT
        version.save(update_fields=["state"])
        _noted(version, Act.RETURN, was, by, at, reason)
    return version


def drop(version: Version, *, reason: str, by: Person, at: datetime) -> Version:
    """Give it up before it is published."""
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    with transaction.atomic():
        version = locked(version)
        require(Act.DROP, version, by)
        was, version.state, version.over_at = version.state, State.DROPPED, at
        version.save(update_fields=["state", "over_at"])
        _noted(version, Act.DROP, was, by, at, reason)
    return version


def keep(version: Version, *, by: Person, at: datetime) -> Version:
    """Take back that it is to be cancelled."""
    with transaction.atomic():
        version = locked(version)
        require(Act.KEEP, version, by)
        version.cancel_asked_by = version.cancel_asked_at = None
        version.cancel_reasons = {}
        version.save(update_fields=["cancel_asked_by", "cancel_asked_at", "cancel_reasons"])
        _noted(version, Act.KEEP, version.state, by, at)
    return version


def translate(
    version: Version, language: str, content: Mapping[str, Any], *, base: int, made: Made, by: Person, at: datetime
) -> Translation:
    """Write the words in another language, over revision `base` of that translation (0: there is none yet)."""
    texts = texts_of(content)
    require_plain(texts)
    with transaction.atomic():
        version = locked(version)
        require(Act.TRANSLATE, version, by)
        draft = content_of(version)
        if language == draft.language or not LANGUAGE.fullmatch(language) or len(language) > LONGEST_TAG:
            raise InputError("invalid-object", field="language", excerpt=language[:80])
        known = Translation.objects.filter(version=version, language=language).first()
        if (known.revision if known else 0) != base:
            theirs = {} if known is None else known.content
            raise EditConflict(known.revision if known else 0, tuple(differences(to_json(texts), theirs)), theirs)
        translation = known or Translation(version=version, language=language, revision=0)
        translation.content, translation.source_digest = to_json(texts), draft.source_digest
        translation.made, translation.made_by, translation.made_at = made.value, by, at
        translation.checked_by = translation.checked_at = None
        translation.revision += 1
        translation.save()
        _moved(version, Act.TRANSLATE, by, at, {"language": language, "made": made.value})
    return translation


def check(translation: Translation, *, by: Person, at: datetime) -> Translation:
    """Somebody else read the translation beside its source."""
    with transaction.atomic():
        version = locked(translation.version)
        require(Act.CHECK, version, by)
        translation = Translation.objects.select_for_update().get(pk=translation.pk)
        if translation.made_by_id == by.pk:
            raise Refused("alert-same-person")
        draft = content_of(version)
        if translation.source_digest != draft.source_digest:
            raise Refused("alert-translation-old")
        if wrong := [
            each for each in locked_values.differences(draft.texts, texts_of(translation.content)) if each.is_fault
        ]:
            raise Refused("alert-values-changed", remedy=", ".join(dict.fromkeys(each.value for each in wrong)))
        translation.made, translation.checked_by, translation.checked_at = Made.CHECKED.value, by, at
        translation.save(update_fields=["made", "checked_by", "checked_at"])
        _moved(version, Act.CHECK, by, at, {"language": translation.language})
    return translation


def update(version: Version, *, by: Person, at: datetime) -> Version:
    """Begin the next version of what is published, with what it says, its translations and what was passed of it: a
    language that is added goes straight to approval, a changed text to all. The former version stays."""
    with transaction.atomic():
        version = locked(version)
        require(Act.UPDATE, version, by)
        following = Version.objects.filter(alert=version.alert, number__gt=version.number)
        if following.exclude(state=State.DROPPED).exists():
            raise Conflict("the next version is begun already")
        last = Version.objects.filter(alert=version.alert).order_by("-number").values_list("number", flat=True)[0]
        made = Version.objects.create(
            alert=version.alert, number=last + 1, message=Message.UPDATE.value, state=State.DRAFT,
            content=version.content, quality_text=version.quality_text, quality_by=version.quality_by,
            legal_text=version.legal_text, legal_label=version.legal_label, legal_by=version.legal_by,
        )  # fmt: skip
        _kept(made, by, at)
        copy_translations(version, made)
        grounds = version.grounds.filter(closed_at=None).values_list("batch", flat=True)
        Ground.objects.bulk_create(Ground(version=made, batch_id=each) for each in grounds)
        _noted(made, Act.UPDATE, "", by, at)
    return made


def copy_translations(version: Version, to: Version) -> None:
    for each in version.translations.all():
        each.pk, each.version = None, to
        each._state.adding = True
        each.save()


def _act(version: Version, act: Act, by: Person, at: datetime) -> Version:
    with transaction.atomic():
        version = locked(version)
        require(act, version, by)
        was, version.state = version.state, stage_of(facts_of(version))
        version.save(update_fields=["state"])
        _noted(version, act, was, by, at)
    return version


def _kept(version: Version, by: Person, at: datetime) -> None:
    Revision.objects.create(version=version, number=version.revision, content=version.content, by=by, at=at)


def _moved(version: Version, act: str, by: Person, at: datetime, facts: Mapping[str, object] | None = None) -> None:
    """Put it where it belongs after that act."""
    was, version.state = version.state, after_change(facts_of(version))
    if version.state != was:
        version.save(update_fields=["state"])
    _noted(version, act, was, by, at, facts=facts)


def _noted(
    version: Version, act: str, was: str, by: Person | None, at: datetime, reason: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    """A step on the alert's page, and an entry of the log without content."""
    Step.objects.create(
        version=version, act=act, from_state=was, to_state=version.state, by=by, at=at,
        reason=reason.strip()[:LONGEST_REASON],
    )  # fmt: skip
    said = {"version": version.number, "from": was, "to": version.state, **(facts or {})}
    record(by.login if by else "system", f"alert.{act}", f"alert:{version.alert.reference}", said, at=at)


note = _noted
"""For the acts that publish."""


def is_writable(version: Version) -> bool:
    return version.state in WRITABLE
