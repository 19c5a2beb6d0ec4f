"""What must stand in no alert: looked for before the law passes it, and before anybody but the Centre reads it.

A finding stops all languages and all outputs. Nobody's role is asked: what is found is written otherwise, or its source
agrees (W03). A finding names language, field or file and the reason, and never the value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Person
from tocsin.core.errors import Refused
from tocsin.core.typed import recognise_value
from tocsin.core.words import VICTIM_LIKE, Kind, Role
from tocsin.handling import Derived
from tocsin.handling.attribution import attributions_to_a_state
from tocsin.handling.disguises import views_of
from tocsin.handling.leaks import Finding, Place, Protected, Secret, Text, form_of
from tocsin.handling.publishing import Sign, may_be_published
from tocsin.products.alerts.draft import PUBLIC, Draft, Indicator, texts_of
from tocsin.products.alerts.record import PublicEdition, PublicSign

from . import grounds, written
from .grounds import Holding
from .models import Attached, Version
from .selectors import content_of

LEAKS = "alert-leaks"
EXERCISE = "alert-exercise"
MOST_CANDIDATES = 3_000
"""Values in its texts that are looked up in all that is held; a text with more is no warning."""
_TOKEN = re.compile(r"[^\s\"'<>,;()«»\[\]{}|]{4,300}")
_ENDS = ".:!?؟،؛"


@dataclass
class StateNamed(Refused):
    """A text puts the deed down to a State (W17). Nobody can waive it."""

    found: tuple[tuple[str, str, str], ...] = ()
    """Language, field, the words."""


@dataclass
class LeaksFound(Refused):
    """What was found in what was to be published. All languages stay unpublished."""

    findings: tuple[Finding, ...] = ()

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({each.place.language for each in self.findings}))

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        """Language, field or file, and the reason, each once."""
        return tuple(dict.fromkeys(
            (each.place.language, each.place.attachment or each.place.field, each.why.value) for each in self.findings
        ))  # fmt: skip

    def __str__(self) -> str:
        said = "; ".join(f"{language or '-'} {where}: {why}" for language, where, why in self.places[:20])
        return f"{self.rule}. {said}"


def require_lawful(version: Version) -> None:
    """Raises StateNamed where a text in any language attributes the deed to a State."""
    draft = content_of(version)
    said = [(draft.language, draft.texts)]
    said += [(each.language, texts_of(each.content)) for each in version.translations.all()]
    passages = [(language, name, text) for language, texts in said for name, text in texts.passages()]
    passages += [(draft.language, f"persons.{number}", each.facts) for number, each in enumerate(draft.persons, 1)]
    passages += [(draft.language, f"indicators.{each.value}", each.note) for each in draft.indicators if each.note]
    passages += [(language, "cancel_reasons", str(text)) for language, text in version.cancel_reasons.items()]
    wanted = [each.name for each in draft.annexes]
    for attached in Attached.objects.filter(alert=version.alert, name__in=wanted) if wanted else ():
        passages += [(draft.language, attached.name, each.text) for each in _said_in(attached)]
    found = tuple(
        (language, name, words) for language, name, text in passages for words in attributions_to_a_state(text)
    )
    if found:
        raise StateNamed("alert-state-named", found=found)


def derived(version: Version, at: datetime | None = None) -> Derived:
    """Under what its police edition stands: what all that it rests on allows, narrowed by its own label."""
    return grounds.derived_of(version, at or _now())


def signs_of(version: Version, at: datetime) -> list[Sign]:
    """The technical values that it rests on. What anybody handed over is judged by what its source laid down, whatever
    the draft says of it; what the Centre alone knows, by the draft."""
    draft = content_of(version)
    held = grounds.holdings([(each.kind, each.value) for each in draft.indicators])
    return [_sign(each, held.get(each.value), at) for each in draft.indicators]


def _sign(indicator: Indicator, holding: Holding | None, at: datetime) -> Sign:
    if holding is None:
        own = (indicator.pap, indicator.has_consent) if not indicator.batch else ("PAP:AMBER", False)
        return Sign(indicator.value, indicator.kind, indicator.role, indicator.is_marked, *own)
    role = Role.VICTIM if Role.VICTIM.value in holding.roles else indicator.role
    if not holding.roles - {each.value for each in VICTIM_LIKE}:
        role = Role.VICTIM if role is Role.VICTIM else Role.UNKNOWN  # An officer's word gives nobody a role.
    has_consent = bool(grounds.agreed_by(holding.batches, at))
    pap = "PAP:CLEAR" if has_consent else "PAP:AMBER"
    return Sign(indicator.value, indicator.kind, role, indicator.is_marked, pap, has_consent)


def publishable_signs(version: Version, at: datetime) -> tuple[PublicSign, ...]:
    """Those of its technical values that the public may read: marked, PAP:CLEAR, agreed, and nobody's who suffered."""
    notes = {each.value: each.note for each in content_of(version).indicators}
    return tuple(
        PublicSign(each.value, each.kind or Kind.OTHER, notes.get(each.value, ""))
        for each in signs_of(version, at) if each.is_publishable
    )  # fmt: skip


def protected_of(version: Version, at: datetime) -> tuple[list[Protected], list[Sign]]:
    """All that no text of it may hold, and the signs it rests on. Large: `require_publishable` takes it in parts."""
    texts = list(_own_texts(version, content_of(version)))
    found = [each for part in _protected_parts(version, texts, frozenset(), at) for each in part]
    return list(dict.fromkeys(found)), signs_of(version, at)


def _protected_parts(
    version: Version, texts: Sequence[Text], own_hosts: Collection[str], at: datetime
) -> Iterator[list[Protected]]:
    """What is protected, some thousands at a time: from what it rests on, then from all else that is held."""
    draft, resting = content_of(version), grounds.resting_of(version, at)
    people = [Protected(each.name, Secret.PERSONAL) for each in draft.persons if each.name.strip()]
    yield people
    yield from grounds.protected_names(resting)
    yield from grounds.protected_values(resting)
    yield _held_elsewhere(texts, resting.all, own_hosts, at)


def _held_elsewhere(
    texts: Sequence[Text], resting: Collection[int], own_hosts: Collection[str], at: datetime
) -> list[Protected]:
    """Values in the texts of which something else that is held says that somebody suffered there, or which others
    handed over for other eyes. What stands on lists of everyday addresses is a secret only where it is a victim's."""
    found = candidates_in(texts)
    made = []
    for value, holding in grounds.holdings(list(found)).items():
        kind = next(each for each, text in found if text == value)
        if value in own_hosts or _host_in(kind, value) in own_hosts:
            continue  # The issuer's own addresses stand in every output, whatever somebody says of them.
        others = holding.batches - set(resting)
        if Role.VICTIM.value in holding.roles:
            made.append(Protected(value, Secret.VICTIM, kind))
        elif others and not grounds.agreed_by(holding.batches, at) and not grounds.is_everyday(kind, value):
            made.append(Protected(value, Secret.RESTRICTED, kind))
    return made


def candidates_in(texts: Iterable[Text]) -> list[tuple[Kind, str]]:
    """What looks like a value in these texts, however it is written. Raises Refused for more than can be looked up."""
    found: dict[tuple[Kind, str], None] = {}
    known: set[str] = set()
    for text in texts:
        for view in views_of(text.text):
            for token in _TOKEN.findall(view.text):
                if token in known:
                    continue
                known.add(token)
                recognised = recognise_value(token.strip(_ENDS))
                if recognised is not None:
                    found[recognised] = None
                    if recognised[0] is Kind.URL and (host := _host_in(*recognised)):
                        found |= dict.fromkeys(each for each in [recognise_value(host)] if each is not None)
        if len(found) > MOST_CANDIDATES:
            raise Refused("alert-too-many-values")
    return list(found)


def _host_in(kind: Kind, value: str) -> str:
    if kind is Kind.URL:
        return urlsplit(value).hostname or ""
    return value.rpartition("@")[2] if kind is Kind.EMAIL else value


def require_publishable(
    version: Version, edition: PublicEdition, files: Collection[written.Rendered], at: datetime
) -> None:
    """Raises LeaksFound, StateNamed or Refused where anything of this edition must not be read by everybody.

    Reads each field in each language, the images and what their files carried, and the texts of every rendered output.
    """
    if version.alert.is_exercise or edition.is_exercise:
        raise Refused(EXERCISE)
    require_lawful(version)
    draft = content_of(version)
    texts = [*_own_texts(version, draft, public_only=True), *edition_texts(edition), *_image_texts(version, edition)]
    texts += _annex_texts(version, edition)
    rendered = list(written.texts_of_all(files, [each.body for each in edition.annexes]))
    signs = signs_of(version, at)
    wrong = [Place("signs", "", each.value) for each in _not_allowed(edition, signs)]
    found: dict[Finding, None] = {Finding(replace(each, attachment=""), Secret.NOT_PUBLISHABLE): None for each in wrong}
    hosts = own_hosts(edition)
    for protected in _protected_parts(version, [*texts, *rendered], hosts, at):
        verdict = may_be_published([*texts, *rendered], protected, signs)
        found |= dict.fromkeys(replace(each, number=-1) for each in verdict.findings)
    if found:
        raise LeaksFound(LEAKS, findings=tuple(found))


def _not_allowed(edition: PublicEdition, signs: Sequence[Sign]) -> list[PublicSign]:
    """Signs of the edition that are none, or may not be published."""
    allowed = {
        form_of(Protected(each.value, Secret.NOT_PUBLISHABLE, each.kind)) for each in signs if each.is_publishable
    }
    return [
        each for each in edition.signs
        if form_of(Protected(each.value, Secret.NOT_PUBLISHABLE, each.kind)) not in allowed
    ]  # fmt: skip


def _own_texts(version: Version, draft: Draft, *, public_only: bool = False) -> Iterator[Text]:
    """The words of a version in all its languages, whether or not they are in an edition yet."""
    said = [(draft.language, draft.texts)]
    said += [(each.language, texts_of(each.content)) for each in version.translations.all()]
    for language, texts in said:
        for name, text in texts.passages():
            if not public_only or name.partition(".")[0] in PUBLIC:
                yield Text(Place(name, language), text)
    for language, text in version.cancel_reasons.items():
        yield Text(Place("reason", language), str(text))


def edition_texts(edition: PublicEdition, *, with_signs: bool = True) -> Iterator[Text]:
    """The words of an edition in each language, and its technical values."""
    for each in edition.texts:
        for name, text in each.passages():
            yield Text(Place(name, each.language), text)
    for language, reason in edition.reasons.items():
        yield Text(Place("reason", language), reason)
    for number, sign in enumerate(edition.signs if with_signs else (), 1):
        yield Text(Place(f"signs.{number}"), f"{sign.value}\n{sign.note}")


def _image_texts(version: Version, edition: PublicEdition) -> Iterator[Text]:
    """What the files of its images said beside their points, and what the images made of them say now."""
    names = {each.name for each in edition.images} | {each.name for each in content_of(version).images}
    for attached in Attached.objects.filter(alert=version.alert, name__in=names):
        said = attached.said
        yield Text(
            Place("image", "", attached.name), "\n".join(_leaves(said)), has_position=bool(said.get("has_position"))
        )  # fmt: skip
    for image in edition.images:
        yield from written.texts_of(_ImageFile(f"images/{image.name}", image.media_type, image.body))


def _annex_texts(version: Version, edition: PublicEdition) -> Iterator[Text]:
    """What its documents say, as the sandbox read it from the very files that are published."""
    wanted = {each.name for each in edition.annexes}
    for attached in Attached.objects.filter(alert=version.alert, name__in=wanted).order_by("name"):
        yield from _said_in(attached)


def _said_in(attached: Attached) -> Iterator[Text]:
    for each in attached.said.get("pages", []):
        place = Place("annex", "", attached.name, int(each["page"]))
        yield Text(place, str(each["text"]), unreadable=str(each["unreadable"]))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)


@dataclass(frozen=True, slots=True)
class _ImageFile:
    path: str
    media_type: str
    body: bytes
    language: str = ""


def own_hosts(edition: PublicEdition) -> frozenset[str]:
    """Addresses of the issuer itself, which stand in every output."""
    issuer = edition.issuer
    found = {issuer.sender.lower(), urlsplit(issuer.origin).hostname or ""}
    contact = recognise_value(issuer.media_contact) if issuer.media_contact else None
    if contact is not None:
        found |= {contact[1], _host_in(*contact)}
    return frozenset(found - {""})


def note_blocked(version: Version, found: Refused, *, by: Person | None, at: datetime) -> None:
    """The log of a publication that was stopped: how many findings of which sort, and neither fields nor values. For
    after the transaction that it ended."""
    facts: dict[str, object] = {"rule": found.rule, "version": version.number}
    if isinstance(found, LeaksFound):
        why = sorted({each.why.value for each in found.findings})
        facts |= {"findings": len(found.findings), "why": why, "languages": list(found.languages)}
    record(by.login if by else "system", "alert.blocked", f"alert:{version.alert.reference}", facts, at=at)


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()
