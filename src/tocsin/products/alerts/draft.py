"""All that the Centre writes into one version of an alert: both editions are composed of it, none is cut down from it.

The texts are apart from the rest, because they are what is translated. Pure: structures, their bytes, and digests by
which a review knows what it passed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import orjson

from tocsin.core.errors import InputError
from tocsin.core.words import Kind, Offence, Role

from .record import AlertType, Certainty, Made, Severity, Text, Urgency

_T = TypeVar("_T")
LONGEST_TITLE = 140
LONGEST_PASSAGE = 20_000
MOST_LINES = 30
MOST_INDICATORS = 2_000
MOST_COUNTRIES = 250


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bureau is asked to do."""

    text: str
    owner: str = ""
    """Who of them, in words: the cybercrime unit, the CERT."""
    due: datetime | None = None


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The words of a version in one language: what a translation replaces. A blank line parts paragraphs."""

    # What the public reads.
    title: str = ""
    happening: str = ""
    at_risk: str = ""
    recognise: tuple[str, ...] = ()
    do_now: tuple[str, ...] = ()
    if_victim: str = ""
    image_texts: dict[str, str] = {}
    """Name of an image or an annex → what it shows, or is."""
    reason: str = ""
    """What an update changes."""
    # What the police reads beside it.
    bottom_line: str = ""
    facts: str = ""
    assessment: str = ""
    """Apart from the facts; likelihood and confidence never stand in one sentence."""
    tasks: tuple[Task, ...] = ()
    never: tuple[str, ...] = ()
    """What not to do."""
    questions: tuple[str, ...] = ()

    def passages(self) -> Iterator[tuple[str, str]]:
        """Each text that says something, with the name of its field."""
        for name, value in msgspec.structs.asdict(self).items():
            if isinstance(value, str):
                if value:
                    yield name, value
            elif isinstance(value, dict):
                yield from ((f"{name}.{key}", each) for key, each in sorted(value.items()) if each)
            else:
                for number, each in enumerate(value, 1):
                    said = f"{each.text} {each.owner}".strip() if isinstance(each, Task) else each
                    if said:
                        yield f"{name}.{number}", said

    def public(self, language: str, made: Made) -> Text:
        """What of it the public reads."""
        return Text(
            language=language, title=self.title, happening=self.happening, at_risk=self.at_risk,
            recognise=self.recognise, do_now=self.do_now, if_victim=self.if_victim, made=made,
            image_texts=dict(self.image_texts),
        )  # fmt: skip


PUBLIC = frozenset({"title", "happening", "at_risk", "recognise", "do_now", "if_victim", "image_texts", "reason"})
"""Fields of `Texts` that the public reads."""


class Indicator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A technical value that the alert rests on."""

    value: str
    kind: Kind
    role: Role = Role.UNKNOWN
    grade: str = ""
    """As its source wrote it."""
    valid_until: datetime | None = None
    note: str = ""
    batch: int = 0
    """Where it stands; 0: an officer typed it in."""
    is_marked: bool = False
    """Whether an analyst marked it as fit for the public."""
    pap: str = "PAP:AMBER"
    has_consent: bool = False
    """Whether its source agreed that the public reads exactly this."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person in an alert to the police; never in a public edition."""

    name: str
    status: str
    """What the person is in the case: suspect, convicted, victim, witness, missing."""
    facts: str = ""
    country: str = ""


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An image that was taken in, by the digest of what was made of it."""

    name: str
    sha256: str
    media_type: str
    width: int
    height: int


class Annex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document that was taken in, by the digest of what was made of it. Its title stands with those of images."""

    name: str
    sha256: str
    pages: int
    is_public: bool = False
    """Whether everybody may read it, or the police alone."""


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version, as it is written."""

    type: AlertType = AlertType.METHOD
    offence: Offence = Offence.NONE
    severity: Severity = Severity.UNKNOWN
    urgency: Urgency = Urgency.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    onset: datetime | None = None
    expires: datetime | None = None
    countries: tuple[str, ...] = ()
    """Those concerned; none: all."""
    techniques: tuple[str, ...] = ()
    """ATT&CK identifiers."""
    language: str = "en"
    """Of `texts`."""
    texts: Texts = Texts()
    likelihood: str = ""
    """A word of the seven-step scale."""
    confidence: str = ""
    contact: str = ""
    answer_by: datetime | None = None
    indicators: tuple[Indicator, ...] = ()
    persons: tuple[Named, ...] = ()
    images: tuple[Picture, ...] = ()
    annexes: tuple[Annex, ...] = ()
    is_public: bool = True
    """Whether a public edition is wanted."""
    is_for_police: bool = True
    """Only a prevention message may do without."""
    label: dict[str, Any] = {}
    """Fields of the handling set that narrow what follows from the sources."""
    embargo_until: datetime | None = None

    @property
    def text_digest(self) -> str:
        """Changes with every word and every technical statement: what a quality review passes."""
        said = [self.language, self.texts, self.type, self.offence, self.severity, self.urgency, self.certainty,
                self.onset, self.expires, self.countries, self.techniques, self.likelihood, self.confidence,
                self.contact, self.answer_by, [(i.value, i.kind, i.role, i.grade, i.valid_until, i.note)
                                               for i in self.indicators], self.images]  # fmt: skip
        # What was passed before there were annexes stays passed: of none of them, nothing is said.
        said += [self.annexes] if self.annexes else []
        return _digest(said)

    @property
    def label_digest(self) -> str:
        """Changes with who may read it, and with every person in it: what a legal officer passes beside the text."""
        marks = [(i.value, i.kind, i.is_marked, i.pap, i.has_consent, i.batch) for i in self.indicators]
        said = [self.label, self.persons, marks, self.is_public, self.is_for_police, self.embargo_until, self.type]
        said += [[(each.sha256, each.is_public) for each in self.annexes]] if self.annexes else []
        return _digest(said)

    @property
    def source_digest(self) -> str:
        """What a translation is bound to: the words alone, in their language (W22)."""
        return _digest([self.language, self.texts])


def _digest(said: object) -> str:
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def to_json(draft: Draft | Texts) -> dict[str, Any]:
    """Plain values, for storage and for programs: lists, as they are read back, so that equal drafts are equal."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(draft))
    return made


def draft_of(said: Mapping[str, Any]) -> Draft:
    """What `to_json` made. Raises InputError that names the field, for unknown names and for values that are none."""
    return _converted(said, Draft)


def texts_of(said: Mapping[str, Any]) -> Texts:
    return _converted(said, Texts)


def _converted(said: Mapping[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(dict(said), kind)
    except msgspec.ValidationError as error:
        what, _at, where = str(error).partition(" - at `$")
        raise InputError("invalid-object", field=where.strip(".`"), excerpt=what[:200]) from error


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Field by field what differs between two drafts as JSON, in the order of the new one."""
    found = []
    for name in dict.fromkeys([*new, *old]):
        mine, theirs = old.get(name), new.get(name)
        if mine == theirs:
            continue
        if isinstance(mine, dict) and isinstance(theirs, dict):
            found += differences(mine, theirs, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", mine, theirs))
    return found


def merged(
    base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Both changes to `base` together, and the fields that both changed to different things: there theirs stays."""
    made, contested = dict(theirs), []
    for name in mine:
        if mine[name] == base.get(name) or mine[name] == theirs.get(name):
            continue
        if all(isinstance(each.get(name), dict) for each in (base, mine, theirs)):
            made[name], inner = merged(base[name], mine[name], theirs[name])
            contested += [f"{name}.{each}" for each in inner]
        elif theirs.get(name) == base.get(name):
            made[name] = mine[name]
        else:
            contested.append(name)
    return made, contested


def canonical(draft: Draft | Texts) -> bytes:
    """The same bytes for the same content."""
    return orjson.dumps(to_json(draft), option=orjson.OPT_SORT_KEYS)
