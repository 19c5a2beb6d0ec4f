"""The activity report: what a country reads. Composed once as plain texts, then set as HTML and as PDF.

Facts only: figures, and the sources' statements. It draws no conclusion, so it holds no word of likelihood.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from .charts import Day, timeline
from .order import Order
from .text_safety import visible
from .words import Action, Words, actions_for, words

SHOWN_VALUES = 12
FILES = (
    ("report.pdf, report.html", "file_report"),
    ("observations.csv.gz", "file_csv"),
    ("observations.jsonl.gz", "file_jsonl"),
    ("observations.parquet", "file_parquet"),
    ("stix.json", "file_stix"),
    ("misp.json", "file_misp"),
    ("difference.json", "file_difference"),
    ("manifest.json, manifest.sig", "file_manifest"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a bar table."""

    name: str
    number: str
    share: float
    technical: bool = False
    """Whether the name is a technical value, always written from left to right."""


@dataclass(frozen=True, slots=True)
class Bars:
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the two editions show, in the order in which they show it."""

    language: str
    direction: str
    titles: dict[str, str]
    organisation: str
    tlp: str
    number: str
    country: str
    addressed: str
    facts: tuple[Fact, ...]
    bottom_line: tuple[str, ...]
    tiles: tuple[Fact, ...]
    changes: tuple[Fact, ...]
    new_values: tuple[tuple[str, str, str], ...]
    timeline: str
    timeline_note: str
    bars: tuple[Bars, ...]
    actions: tuple[Action, ...]
    never: tuple[str, ...]
    answer: tuple[str, ...]
    glossary: tuple[str, ...]
    files: tuple[Fact, ...]
    notes: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        return asdict(self)


def compose(order: Order, summary: dict[str, Any], difference: dict[str, Any], left_out: int = 0) -> Report:
    """The report of one package in the order's language."""
    say = words(order.language)
    counts = difference["counts"]
    number = say.number
    rows_by_type = {row["type"] or "undetermined": row["rows"] for row in summary["by_type"]}
    days = [
        Day(say.short_day(date.fromisoformat(row["day"])), row["rows"], row["affected"]) for row in summary["by_day"]
    ]
    label = order.label
    return Report(
        language=say.language,
        direction=say.direction,
        titles={name: say(name) for name in _TITLES},
        organisation=order.centre.name,
        tlp=label.tlp.value,
        number=order.number,
        country=say.country(order.country),
        addressed=say("addressed", country=say.country(order.country)),
        facts=_facts(order, say),
        bottom_line=_bottom_line(order, summary, counts, say),
        tiles=(
            Fact(say("affected"), number(summary["affected"])),
            Fact(say("hostile"), number(summary["hostile"])),
            Fact(say("observations"), number(summary["rows"])),
            Fact(say("sightings"), number(summary["sightings"])),
        ),
        changes=tuple(Fact(say(name), number(counts[name])) for name in ("new", "continuing", "gone")),
        new_values=tuple(
            (visible(row["value"])[:90], say.of("", row["role"] or ""), number(row["sightings"]))
            for row in difference["new"]["values"][:SHOWN_VALUES]
        ),
        timeline=timeline(days, say("timeline"), [number(day.rows) for day in days]),
        timeline_note=say("timeline_note"),
        bars=_all_bars(summary, say),
        actions=tuple(actions_for(rows_by_type, say.language)),
        never=(
            say(f"never_{label.pap.removeprefix('PAP:').lower()}"),
            say("never_evidence"),
            say("never_share"),
        ),
        answer=(say("answer_ack", number=order.number), say("answer_outcome"), say("answer_wrong")),
        glossary=tuple(say(f"glossary_{name}") for name in ("value", "observation", "network", "c2", "country")),
        files=(
            *(Fact(_shortest(each.files), each.line) for each in order.enclosed),
            *(Fact(name, say(text)) for name, text in FILES),
        ),
        notes=_notes(order, left_out, say),
    )


def _shortest(files: Iterable[str]) -> str:
    """Which of the files of one thing is for people: the document, or where there is none the text."""
    return min(files, key=lambda name: (not name.endswith(".pdf"), not name.endswith(".txt"), name))


_TITLES = (
    "title", "package", "bottom_line", "whats_new", "new_values_table", "value", "role", "sightings", "who",
    "who_note", "timeline", "todo", "owner", "due", "basis", "never", "answer", "glossary", "files", "observations",
    "check", "key",
)  # fmt: skip


def due(action: Action, language: str) -> str:
    say = words(language)
    if action.hours > 72:
        return say("days", days=say.number(action.hours // 24))
    return say("hours", hours=say.number(action.hours))


def _facts(order: Order, say: Words) -> tuple[Fact, ...]:
    label = order.label
    return (
        Fact(say("number"), order.number),
        Fact(say("issued"), say.day(order.created_at)),
        Fact(
            say("span"),
            say("span_value", start=say.day(order.arrived_from), end=say.day(order.arrived_until)),
        ),
        Fact(say("label"), label.tlp.value),
        Fact(say("handling"), " ".join([*label.codes, label.pap])),
        *(Fact(say("restriction"), visible(each)) for each in label.restrictions),
        Fact(
            say("purposes"),
            "، ".join(map(say, label.purposes)) if say.language == "ar" else ", ".join(map(say, label.purposes)),
        ),
        Fact(say("review"), say.day(label.review_on)),
        Fact(say("expiry"), say.day(label.expires_on)),
    )


def _bottom_line(order: Order, summary: dict[str, Any], counts: dict[str, int], say: Words) -> tuple[str, ...]:
    if not summary["rows"]:
        return (say("bottom_line_none"),)
    number = say.number
    first = say(
        "bottom_line_affected" if summary["hostile"] or not summary["affected"] else "bottom_line_victims",
        affected=number(summary["affected"]),
        hostile=number(summary["hostile"]),
    )
    written = {name: number(count) for name, count in counts.items()}
    if order.previous is None:
        return first, say("bottom_line_first", new=written["new"])
    return first, say("bottom_line_new", previous=order.previous.number, **written)


def _all_bars(summary: dict[str, Any], say: Words) -> tuple[Bars, ...]:
    def bars(title: str, rows: list[dict[str, Any]], column: str, technical: bool = False) -> Bars:
        most = max((row["rows"] for row in rows), default=1)
        name = {
            "role": lambda word: say.of("", word or "UNKNOWN"),
            "type": lambda word: say.of("type-", word or "undetermined"),
            "asn": lambda number: f"AS{number}",
            "country": say.country,
        }.get(column, lambda word: visible(str(word))[:60])
        return Bars(
            say(title),
            tuple(Line(name(row[column]), say.number(row["rows"]), row["rows"] / most, technical) for row in rows),
        )

    found = (
        bars("by_role", summary["by_role"], "role"),
        bars("by_type", summary["by_type"][:10], "type"),
        bars("by_malware", summary["by_malware"], "malware", technical=True),
        bars("affected_networks", summary["affected_networks"], "asn", technical=True),
        bars("hosting_networks", summary["hosting_networks"], "asn", technical=True),
        bars("host_countries", summary["host_countries"], "country"),
    )
    return tuple(each for each in found if each.lines)


def _notes(order: Order, left_out: int, say: Words) -> tuple[str, ...]:
    notes = []
    if left_out:
        notes.append(say("left_out", cap=say.number(order.values_cap), left_out=say.number(left_out)))
    if order.data_dates:
        dates = ", ".join(f"{name} {day}" for name, day in sorted(order.data_dates.items()))
        notes.append(f"{say('data_dates')} {dates}.")
    return (*notes, say("country_note"))
