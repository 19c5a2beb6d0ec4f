"""The police edition of an alert as a document: all that a bureau reads of it, its own share and nobody else's.

Facts stand apart from the assessment, and what is likely apart from how sure the Centre is (DOMAIN 4.11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tocsin.core.words import Kind, Offence, Role

from ..report_pdf import TLP_COLOURS
from ..words import catalogue as package_texts
from .colours import palette
from .document import LONGEST_VALUE, countries_in_words
from .printable import breakable, line, paragraphs, shortened
from .record import AlertType
from .signs import defanged, kind_name
from .typesetting import pdf
from .words import Words, words

SHOWN_INDICATORS = 200


class Likelihood(StrEnum):
    """The one scale of seven steps."""

    ALMOST_NO_CHANCE = "almost-no-chance"
    VERY_UNLIKELY = "very-unlikely"
    UNLIKELY = "unlikely"
    ROUGHLY_EVEN = "roughly-even"
    LIKELY = "likely"
    VERY_LIKELY = "very-likely"
    ALMOST_CERTAIN = "almost-certain"

    @property
    def bounds(self) -> tuple[int, int]:
        """In per cent; the lower ones are those of the MISP taxonomy estimative-language."""
        bounds = (0, 5, 20, 45, 55, 80, 95, 100)
        step = list(Likelihood).index(self)
        return bounds[step], bounds[step + 1]


class Confidence(StrEnum):
    """How well the assessment is founded."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class PoliceIndicator:
    """One line of the table."""

    value: str
    kind: Kind
    role: Role
    grade: str = ""
    valid_until: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PoliceAction:
    """What the bureau is asked to do, by whom, and until when."""

    text: str
    owner: str = ""
    due: datetime | None = None
    basis: str = ""
    """The law that allows it, as a hint."""


@dataclass(frozen=True, slots=True)
class PolicePerson:
    """Who is to be watched for: with the part that the person has in the case, always."""

    name: str
    status: str
    facts: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Affected:
    """How many of what, in the reader's country."""

    name: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliceDocument:
    """One version for one reader. Texts are in `language`; a blank line parts paragraphs."""

    number: str
    version: int
    language: str
    type: AlertType
    offence: Offence
    issuer: str
    dated: datetime
    expires: datetime | None = None
    tlp: str
    pap: str
    codes: tuple[str, ...] = ()
    """H0, H1, H2, H3."""
    restrictions: tuple[str, ...] = ()
    """What H3 stands for, in the words of the source: read before the rest."""
    purposes: tuple[str, ...] = ()
    addressed_to: str
    title: str
    bottom_line: str
    happened: str = ""
    countries: tuple[str, ...] = ()
    affected_text: str = ""
    """Of the reader's own country, like the counts."""
    affected: tuple[Affected, ...] = ()
    indicators: tuple[PoliceIndicator, ...] = ()
    techniques: tuple[tuple[str, str], ...] = ()
    """ATT&CK identifier and name."""
    attack_version: str = ""
    facts: str = ""
    assessment: str = ""
    likelihood: Likelihood | None = None
    confidence: Confidence | None = None
    persons: tuple[PolicePerson, ...] = ()
    actions: tuple[PoliceAction, ...] = ()
    never: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    contact: str = ""
    answer_by: datetime | None = None
    answer_at: str = ""
    """The address at which the bureau acknowledges, answers and asks."""
    annexes: tuple[tuple[str, str], ...] = ()
    """Name of a file, and what it holds."""
    is_exercise: bool = False
    cancelled_at: datetime | None = None
    reason: str = ""
    """Why it was cancelled, or what this version changes."""


def police_pdf(edition: PoliceDocument) -> bytes:
    """The PDF. The same values give the same bytes."""
    return pdf("police.typ", told_of(edition), edition.dated)


def told_of(edition: PoliceDocument) -> dict[str, Any]:
    """All that the document shows, as plain texts."""
    say = words(edition.language)
    colours = palette(edition.type, edition.cancelled_at is not None)
    title = shortened(line(edition.title), 180) or edition.number
    shown = edition.indicators[:SHOWN_INDICATORS]
    return {
        "language": edition.language.split("-")[0],
        "direction": say.direction,
        "colours": {"deep": colours.deep, "edge": colours.edge, "tint": colours.tint},
        "issuer": (issuer := line(edition.issuer)),
        "short_issuer": shortened(issuer, 56),
        "number": edition.number,
        "type": say(f"type.{edition.type.value}"),
        "tlp": edition.tlp,
        "tlp_colour": TLP_COLOURS.get(edition.tlp, "#ffffff"),
        "marks": " ".join([*edition.codes, edition.pap]),
        "title": title,
        "title_size": 21 if len(title) <= 60 else 18 if len(title) <= 100 else 16,
        "across": say("print.exercise") if edition.is_exercise else say("cancelled") if edition.cancelled_at else "",
        "exercise_note": say("print.exercise_note") if edition.is_exercise else "",
        "cancelled_on": say("print.cancelled_on", day=say.day(edition.cancelled_at)) if edition.cancelled_at else "",
        "no_longer": say("print.no_longer"),
        "reason": paragraphs(edition.reason),
        "facts_above": _facts(edition, say),
        "restrictions": [line(each) for each in edition.restrictions],
        "affected": [{"name": line(each.name), "count": line(each.count)} for each in edition.affected],
        **{name: paragraphs(text) for name, text in _prose(edition)},
        **_judgement(edition, say),
        "indicators": [_indicator(each, say) for each in shown],
        "indicators_more": say("police.indicators_more", shown=len(shown), count=len(edition.indicators))
        if len(shown) < len(edition.indicators) else "",
        "techniques": [{"id": line(number), "name": line(name)} for number, name in edition.techniques],
        "persons": [_person(each, say) for each in edition.persons],
        "actions": [_action(each, say) for each in edition.actions],
        "never": [line(each) for each in edition.never if line(each)],
        "questions": [line(each) for each in edition.questions if line(each)],
        "contact": line(edition.contact),
        "answer_by": say.moment(edition.answer_by) if edition.answer_by else "",
        "answer_at": edition.answer_at,
        "annexes": [{"name": line(name), "text": line(text)} for name, text in edition.annexes],
        "page_of": say("print.page_of", page="{page}", pages="{pages}"),
        "words": _headings(edition, say),
    }  # fmt: skip


_HEADINGS = (
    "edition", "bottom_line", "happened", "affected", "affected_none", "facts", "assessment", "assessment_note",
    "indicators", "value", "role", "grade", "valid_until", "persons", "actions", "owner", "due", "basis", "never",
    "questions", "contact", "answer_by", "annexes", "not_evidence", "restriction",
)  # fmt: skip


def _headings(edition: PoliceDocument, say: Words) -> dict[str, str]:
    techniques = say("police.techniques", version=edition.attack_version).replace("()", "").replace("K )", "K)")
    return {
        **{name: say(f"police.{name}") for name in _HEADINGS},
        "techniques": techniques.strip(),
        "changes": say("print.changes"),
        "not_clickable": say("print.not_clickable"),
    }


def _prose(edition: PoliceDocument) -> tuple[tuple[str, str], ...]:
    return (
        ("bottom_line", edition.bottom_line),
        ("happened", edition.happened),
        ("affected_text", edition.affected_text),
        ("facts", edition.facts),
        ("assessment", edition.assessment),
    )


def _facts(edition: PoliceDocument, say: Words) -> list[dict[str, Any]]:
    facts = [
        (say("version", number=edition.version), edition.number, True),
        (say("police.date"), say.moment(edition.dated), False),
        *([(say("expires"), say.moment(edition.expires), False)] if edition.expires else []),
        (say("police.label"), edition.tlp, True),
        (say("police.handling"), " ".join([*edition.codes, edition.pap]), True),
        (say("police.purposes"), _joined([_package_word(each, say) for each in edition.purposes], say), False),
        *([] if edition.offence is Offence.NONE
          else [(say("print.offence"), say(f"offence.{edition.offence.value}"), False)]),
        (say("print.countries"), countries_in_words(edition.countries, say), False),
        (say("police.addressed"), edition.addressed_to, False),
    ]  # fmt: skip
    return [{"name": name, "text": line(text), "technical": technical} for name, text, technical in facts if text]


def _judgement(edition: PoliceDocument, say: Words) -> dict[str, str]:
    """Two lines of their own: whoever reads both in one sentence takes one for the other."""
    likelihood, confidence = "", ""
    if edition.likelihood is not None:
        low, high = edition.likelihood.bounds
        likelihood = f"{say(f'likelihood.{edition.likelihood.value}')} ({low}–{high} %)"
    if edition.confidence is not None:
        confidence = say(f"confidence.{edition.confidence.value}")
    return {
        "likelihood": likelihood,
        "likelihood_name": say("police.likelihood"),
        "confidence": confidence,
        "confidence_name": say("police.confidence"),
    }


def _indicator(each: PoliceIndicator, say: Words) -> dict[str, str]:
    return {
        "kind": kind_name(each.kind, say),
        "value": breakable(line(defanged(each.value, each.kind)), LONGEST_VALUE // 2),
        "note": line(each.note),
        "role": _package_word(each.role.value, say),
        "grade": line(each.grade),
        "valid_until": say.day(each.valid_until) if each.valid_until else "",
    }


def _person(each: PolicePerson, say: Words) -> dict[str, str]:
    known = [line(each.status), say.country(each.country) if each.country else ""]
    return {"name": line(each.name), "facts": line(each.facts), "status": _joined([one for one in known if one], say)}


def _action(each: PoliceAction, say: Words) -> dict[str, str]:
    due = say.moment(each.due) if each.due else ""
    return {"text": line(each.text), "owner": line(each.owner), "due": due, "basis": line(each.basis)}


def _package_word(name: str, say: Words) -> str:
    """What packages call it: the same word in both."""
    entry = package_texts().get(name, {})
    return entry.get(say.language) or entry.get("en") or name


def _joined(texts: list[str], say: Words) -> str:
    return ("، " if say.direction == "rtl" else ", ").join(texts)


_SURE = {
    "en": re.compile(r"\bconfidence\b"),
    "fr": re.compile(r"\bconfiance\b"),
    "es": re.compile(r"\bconfianza\b"),
    "ar": re.compile("ثقة"),
}


def mixed_sentences(text: str, language: str) -> list[str]:
    """The sentences that speak of likelihood and of confidence at once: they are to be parted before review."""
    say = words(language)
    likely = sorted((say(f"likelihood.{each.value}").casefold() for each in Likelihood), key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in likely))
    sure = _SURE.get(language, _SURE["en"])
    sentences = (part.strip() for part in re.split(r"(?<=[.!?؟。])\s+|\n+", text))
    return [each for each in sentences if pattern.search(each.casefold()) and sure.search(each.casefold())]
