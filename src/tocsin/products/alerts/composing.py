"""A draft of what was found: ready sentences, proposed values with their reasons. Pure; an officer writes the rest.

What the public will read is left open where only an officer can say it; the police's part says what is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tocsin.core.words import OFFENCE_OF_TYPE, EventType, Offence, Role
from tocsin.products.words import actions_for
from tocsin.products.words import words as product_words

from .draft import LONGEST_TITLE, Draft, Indicator, Task, Texts
from .record import AlertType, Certainty, Severity, Urgency
from .words import words

VALID_DAYS = 90
FRESH_DAYS, OLD_DAYS = 7, 90
MANY_ROWS = 1_000
LONGEST_SAID = 4_000
MOST_NAMES = 8
CONFIRMED_BY = 2
_GRAVE = frozenset({Offence.RANSOMWARE, Offence.CHILD_ABUSE_MATERIAL, Offence.SYSTEM_INTERFERENCE})
_TYPE_OF_OFFENCE: Mapping[Offence, str] = {
    Offence.RANSOMWARE: "infected-system", Offence.ILLEGAL_ACCESS: "system-compromise", Offence.FRAUD: "phishing",
    Offence.MISUSE_OF_DEVICES: "malware-distribution", Offence.SYSTEM_INTERFERENCE: "ddos",
    Offence.FORGERY: "masquerade", Offence.MONEY_LAUNDERING: "phishing", Offence.DATA_INTERFERENCE: "system-compromise",
}  # fmt: skip
"""By which type of event actions are chosen where an offence is known and no rows are."""
_STEPS: Mapping[Offence, tuple[str, ...]] = {
    Offence.RANSOMWARE: ("backup", "update", "link"), Offence.FRAUD: ("check", "link", "factor"),
    Offence.FORGERY: ("link", "check", "factor"), Offence.MONEY_LAUNDERING: ("check", "link"),
    Offence.ILLEGAL_ACCESS: ("update", "factor", "password"), Offence.SYSTEM_INTERFERENCE: ("update", "password"),
}  # fmt: skip
_ANY_STEPS = ("update", "link", "factor")
_NAMES_OF_RANSOM = ("ransom", "locker", "crypt", "lockbit")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found, as far as whoever starts the alert may see it."""

    indicators: tuple[Indicator, ...] = ()
    rows: int = 0
    victims: int | None = None
    """Rows of those who may have suffered; None: too few of them to be told, or none."""
    types: Mapping[str, int] = field(default_factory=dict)
    """Type of event → rows."""
    offences: Mapping[str, int] = field(default_factory=dict)
    families: tuple[str, ...] = ()
    """Names of malware, most seen first."""
    countries: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    sources: int = 1
    best_grade: str = ""
    is_confirmed: bool = False
    """Whether somebody graded it as confirmed or probably true."""
    said: tuple[str, ...] = ()
    """Descriptions, as sources wrote them: for the police's facts."""
    title: str = ""
    is_ransomware: bool = False


def offence_of(found: Findings) -> Offence:
    """What it is, by what sources said, else by the types of event; none where neither says it."""
    if found.is_ransomware or any(part in name.lower() for name in found.families for part in _NAMES_OF_RANSOM):
        return Offence.RANSOMWARE
    counts: dict[Offence, int] = {}
    for word, rows in found.offences.items():
        if word in set(Offence) and word != Offence.NONE:
            counts[Offence(word)] = counts.get(Offence(word), 0) + rows
    if not counts:
        for name, rows in found.types.items():
            offence = OFFENCE_OF_TYPE.get(EventType(name)) if name in set(EventType) else None
            if offence is not None:
                counts[offence] = counts.get(offence, 0) + rows
    if not counts:
        return Offence.MISUSE_OF_DEVICES if found.families else Offence.NONE
    return min(counts, key=lambda each: (-counts[each], each.value))


def severity_of(found: Findings, offence: Offence) -> Severity:
    if offence is Offence.NONE and not found.rows:
        return Severity.UNKNOWN
    if offence in _GRAVE:
        return Severity.SEVERE if found.rows < MANY_ROWS else Severity.EXTREME
    return Severity.MODERATE if found.rows < MANY_ROWS else Severity.SEVERE


def urgency_of(found: Findings, at: datetime) -> Urgency:
    if found.last_at is None:
        return Urgency.UNKNOWN
    age = (at - found.last_at).days
    if age <= FRESH_DAYS:
        return Urgency.IMMEDIATE
    return Urgency.EXPECTED if age <= OLD_DAYS else Urgency.PAST


def certainty_of(found: Findings) -> Certainty:
    if found.is_confirmed and found.sources >= CONFIRMED_BY:
        return Certainty.OBSERVED
    if found.is_confirmed or found.sources >= CONFIRMED_BY:
        return Certainty.LIKELY
    return Certainty.POSSIBLE if found.rows or found.indicators else Certainty.UNKNOWN


def draft_of_findings(found: Findings, language: str, at: datetime) -> Draft:
    """The draft with which an alert begins: METHOD, for both editions, valid for three months."""
    offence = offence_of(found)
    severity, urgency, certainty = severity_of(found, offence), urgency_of(found, at), certainty_of(found)
    return Draft(
        type=AlertType.METHOD, offence=offence, severity=severity, urgency=urgency, certainty=certainty,
        expires=(at + timedelta(days=VALID_DAYS)).replace(microsecond=0), countries=found.countries,
        techniques=found.techniques, language=language, indicators=found.indicators,
        texts=_texts(found, offence, (severity, urgency, certainty), language, at),
    )  # fmt: skip


def _texts(
    found: Findings, offence: Offence, proposed: tuple[Severity, Urgency, Certainty], language: str, at: datetime
) -> Texts:
    say = words(language)
    victim = f"draft.victim.{offence.value}"
    steps = _STEPS.get(offence, _ANY_STEPS)
    return Texts(
        title=_title(found, offence, language), do_now=tuple(say(f"draft.do.{each}") for each in steps),
        if_victim=say(victim if offence in {Offence.RANSOMWARE, Offence.FRAUD} else "draft.victim"),
        bottom_line=_bottom_line(found, language, at), facts=_facts(found, language),
        assessment="\n\n".join(_why(found, offence, proposed, language, at)),
        tasks=tasks_for(found.types, offence, language, at), never=_never(found, language),
        questions=(say("draft.question.1"), say("draft.question.2")),
    )  # fmt: skip


def _title(found: Findings, offence: Offence, language: str) -> str:
    say = words(language)
    if found.title:
        made = " ".join(found.title.split())
    elif found.families:
        made = say("draft.title.family", name=found.families[0])
    elif offence is not Offence.NONE:
        made = say("draft.title.offence", offence=say(f"offence.{offence.value}"))
    else:
        return ""
    return made if len(made) <= LONGEST_TITLE else f"{made[: LONGEST_TITLE - 1]}…"


def _bottom_line(found: Findings, language: str, at: datetime) -> str:
    say = words(language)
    if not found.indicators:
        return say("draft.bottom_line.none")
    return say("draft.bottom_line", count=_count(len(found.indicators), language), day=say.day(found.last_at or at))


def _facts(found: Findings, language: str) -> str:
    say, name_of = words(language), product_words(language)
    parts = []
    if found.rows and found.first_at and found.last_at:
        parts.append(say("draft.facts.counts", rows=_count(found.rows, language), first=say.day(found.first_at),
                         last=say.day(found.last_at)))  # fmt: skip
    if found.types:
        listed = sorted(found.types, key=lambda each: (-found.types[each], each))[:MOST_NAMES]
        parts.append(say("draft.facts.types", types=", ".join(name_of.of("type-", each) for each in listed)))
    if found.families:
        parts.append(say("draft.facts.families", names=", ".join(found.families[:MOST_NAMES])))
    if found.victims:
        parts.append(say("draft.facts.victims", rows=_count(found.victims, language)))
    return "\n\n".join([*parts, *(each.strip()[:LONGEST_SAID] for each in found.said if each.strip())])


def _why(
    found: Findings, offence: Offence, proposed: tuple[Severity, Urgency, Certainty], language: str, at: datetime
) -> list[str]:
    """Why these three are proposed: whoever keeps them has read the reason."""
    say = words(language)
    severity, urgency, certainty = proposed
    made = []
    if severity is not Severity.UNKNOWN and offence is not Offence.NONE:
        made.append(say("draft.why.severity", word=say(f"severity.{severity.value}"), rows=_count(found.rows, language),
                        offence=say(f"offence.{offence.value}")))  # fmt: skip
    if found.last_at is not None:
        days = _count(max(0, (at - found.last_at).days), language)
        word = say(f"draft.urgency.{urgency.value}")
        made.append(say("draft.why.urgency", word=word, days=days))
    if certainty is not Certainty.UNKNOWN:
        word, grade = say(f"draft.certainty.{certainty.value}"), found.best_grade or "-"
        made.append(say("draft.why.certainty", word=word, sources=_count(found.sources, language), grade=grade))
    return made


def tasks_for(types: Mapping[str, int], offence: Offence, language: str, at: datetime) -> tuple[Task, ...]:
    """What bureaus are asked to do, by the types of event, else by the offence."""
    chosen = dict(types) or ({_TYPE_OF_OFFENCE[offence]: 1} if offence in _TYPE_OF_OFFENCE else {})
    if not chosen:
        return ()
    begin = at.replace(minute=0, second=0, microsecond=0)
    short = product_words(language).language
    return tuple(
        Task(f"{each.title}. {each.text}", each.owner, begin + timedelta(hours=each.hours))
        for each in actions_for(chosen, short)
    )  # fmt: skip


def _never(found: Findings, language: str) -> tuple[str, ...]:
    say = words(language)
    names = ["contact"] if found.indicators else []
    names += ["hacked"] if any(each.role is Role.COMPROMISED_THIRD_PARTY for each in found.indicators) else []
    return tuple(say(f"draft.never.{each}") for each in [*names, "evidence"])


def _count(number: int, language: str) -> str:
    return product_words(language).number(number)


def listed_once(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in texts if each))
