"""What the columns of a table mean, by their headings and by what their cells look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tocsin.core.profiles import Profile
from tocsin.core.words import Kind

from ._columns import KIND_WORDS, NOT_INDICATORS, SYNONYMS, VALUE_HEADINGS, kind_of_word, normal
from ._sniffing import VALUE_CONTENT, Shape, content_of
from ._tables import NULL_WORDS

_HASHES = ("sha256", "sha512", "sha1", "md5")
_NAMES_HOST = re.compile(r"(?i)domain|host|dns|c2|c&c|server|address|ioc|indicator|url|value")
_DATE_WORDS = ("date", "time", "seen", "fecha", "datum")
_SLASHED = re.compile(r"(?<![\d./-])(\d{1,2})[/.-](\d{1,2})[/.-](?:\d{4}|\d{2})(?![\d./-])")


@dataclass(slots=True)
class Column:
    """One column of a sample and what is thought of it."""

    index: int
    name: str
    cells: list[str]
    content: str
    share: float
    draft: str = ""
    kind: str = ""
    confidence: float = 0.0
    words: Counter[str] = field(default_factory=Counter)
    separator: str = ""
    """What separates several values in one cell, where that occurs."""


def columns_of(shape: Shape) -> list[Column]:
    """Each column with what its content looks like."""
    nulls = frozenset(NULL_WORDS)
    columns = []
    for index in range(shape.layout.width):
        cells = [row[index].strip() for _, row in shape.records if index < len(row) and row[index].strip() not in nulls]
        separator = _separator(cells)
        counted = Counter(content_of(cell.split(separator)[0] if separator else cell) for cell in cells)
        content, hits = counted.most_common(1)[0] if counted else ("empty", 0)
        values = sum(count for name, count in counted.items() if name in VALUE_CONTENT)
        if (content not in VALUE_CONTENT and values > 0.5 * len(cells)) or (
            content in VALUE_CONTENT and hits < 0.9 * len(cells) and values > hits
        ):
            content, hits = "mixed", values
        share = hits / len(cells) if cells else 0.0
        words = Counter(normal(cell) for cell in cells)
        columns.append(Column(index, shape.headings[index], cells, content, share, words=words, separator=separator))
    return columns


def _separator(cells: list[str]) -> str:
    """What separates several values in one cell, where that occurs: "a|b", "a,b", and "host,/path,host,/path"."""
    for separator in "|", ",":
        for cell in cells:
            first, *rest = cell.split(separator)
            if rest and content_of(first) in VALUE_CONTENT and all(_goes_on(part) for part in rest):
                return separator
    return ""


def _goes_on(part: str) -> bool:
    return part.startswith("/") or content_of(part) in VALUE_CONTENT


def assign(columns: list[Column]) -> None:
    """Decide the draft column (or the Kind of a further value) of each column, in place."""
    for column in columns:
        _by_heading(column)
    _kind_column(columns)
    candidates = [column for column in columns if _can_be_value(column)]
    main = min(candidates, key=lambda column: _rank(column, columns), default=None)
    if main is None:
        # A table of one side only, called the destination: it is the value.
        for column in columns:
            if column.draft == "peer" and column.content in VALUE_CONTENT | {"mixed"}:
                main = column
        for column in columns:
            if main is not None and column.draft in {"peer_port", "peer_country"}:
                column.draft = {"peer_port": "port", "peer_country": "stated_country"}[column.draft]
    if main is not None:
        _place_values(main, candidates, columns)
    for column in columns:
        if column not in candidates:
            column.kind = ""
    _by_content(columns)
    _settle_doubles(columns)


def _by_heading(column: Column) -> None:
    key = normal(column.name)
    column.draft = SYNONYMS.get(key, "")
    column.kind = VALUE_HEADINGS.get(key, "")
    if column.draft or column.kind:
        column.confidence = 0.9 if column.cells else 0.6
    elif key:
        tokens = key.split("_")
        if any(token.endswith(_DATE_WORDS) for token in tokens) and column.content in {"date", "epoch"}:
            column.draft, column.confidence = "first_at", 0.6
        for token in (tokens[0], tokens[-1]):
            if tokens[0] in {"pubkey", "cert", "tls", "ssl", "key"}:
                break
            if token in VALUE_HEADINGS and not column.draft and column.content in VALUE_CONTENT | {"mixed"}:
                column.kind, column.confidence = VALUE_HEADINGS[token], 0.6
    wrong_time = column.draft in {"first_at", "last_at"} and column.content not in {
        "date",
        "epoch",
        "empty",
        "integer",
        "text",
    }
    if wrong_time or (column.draft == "port" and column.content not in {"integer", "empty"}):
        column.draft, column.confidence = "", 0.0


def _kind_column(columns: list[Column]) -> None:
    """Find the column whose cells are words for sorts of values; a "type" column of other words is a label."""
    best: Column | None = None
    for column in columns:
        if not column.words or column.content in VALUE_CONTENT:
            continue
        total = sum(column.words.values())
        known = sum(
            count for word, count in column.words.items() if kind_of_word(word) is not None or word in NOT_INDICATORS
        )
        real = sum(count for word, count in column.words.items() if word in KIND_WORDS or kind_of_word(word) == "")
        share = known / total
        if real and share >= 0.6 and len(column.words) <= 40 and (best is None or column.draft == "kind"):
            best = column
        if column.draft == "kind" and share < 0.3:
            column.draft = "label"
    if best is not None:
        for column in columns:
            if column.draft == "kind":
                column.draft = ""
        best.draft, best.kind, best.confidence = "kind", "", 0.95


def _can_be_value(column: Column) -> bool:
    if column.draft in {"kind", "reference", "note", "first_at", "last_at", "peer", "tags"} or not (
        column.cells or column.draft == "value" or column.kind
    ):
        return False
    if normal(column.name).split("_")[0] in {"pubkey", "cert", "tls", "ssl", "key"}:
        return False
    if column.kind and column.cells and column.content not in VALUE_CONTENT | {"mixed"}:
        return column.kind in {Kind.SSDEEP, Kind.TLSH, Kind.IMPHASH, Kind.JA3, Kind.JARM, Kind.EMAIL}
    if column.draft in {"value", "url", "hostname"} or column.kind:
        return column.content not in {"integer", "date", "epoch", "country"} or column.draft == "value"
    if column.name and column.content in {"domain", "mixed", "url"} and not _NAMES_HOST.search(column.name):
        return False
    return column.content in VALUE_CONTENT | {"mixed"} and column.share >= 0.6 and column.draft == ""


def _rank(column: Column, columns: list[Column]) -> tuple[float, int]:
    """Which value column is the main one: lowest wins."""
    typed = any(other.draft == "kind" for other in columns)
    content = column.content
    generic = column.draft == "value" and normal(column.name) in _GENERIC
    if typed and generic:
        order = 0.0
    elif content in {"ip", "network"} and column.kind == "":
        order = 1.0
    elif column.draft == "value":
        order = 2.0 if content in VALUE_CONTENT | {"mixed"} else 8.5
    elif content == "mixed" or (typed and column.kind == "" and content in VALUE_CONTENT):
        order = 3.0
    elif content == "domain" and column.draft != "hostname":
        order = 4.0
    elif content == "url":
        order = 5.0
    elif content in _HASHES:
        order = 6.0 + _HASHES.index(content) / 10
    elif content == "domain":
        order = 7.0
    else:
        order = 8.0 if content in VALUE_CONTENT else 9.0
    return order, column.index


_GENERIC = frozenset(
    map(
        normal,
        [
            "value",
            "indicator",
            "indicators",
            "ioc",
            "iocs",
            "ioc_value",
            "indicator_value",
            "observable",
            "data",
            "artifact",
            "entity",
            "trail",
            "selector",
            "valor",
            "valeur",
            "wert",
        ],
    )
)


def _place_values(main: Column, candidates: list[Column], columns: list[Column]) -> None:
    """The main value, and for each other value column its place beside it or a row of its own."""
    main_kind = main.content
    taken = {column.draft for column in columns if column not in candidates}
    main.draft, main.kind = "value", ""
    main.confidence = max(main.confidence, 0.5 + 0.4 * main.share)
    for column in candidates:
        if column is main:
            continue
        said, content = column.draft, column.content
        if said == "value" and content not in VALUE_CONTENT | {"mixed"}:
            # A heading such as "source" that names no address here: the cells stay beside the row.
            column.draft, column.kind = "", ""
            continue
        column.confidence = max(column.confidence, 0.4 + 0.4 * column.share)
        if said == "value" or not said or said in {"url", "hostname"}:
            column.draft = ""
        if column.separator:
            column.kind = "*"  # Several values in a cell: each a row of its own.
            continue
        if content == "url" and not column.name and "reference" not in taken:
            column.draft = "reference"
        elif content == "url" and "url" not in taken and main_kind != "url":
            column.draft = "url"
        elif content == "domain" and main_kind in {"ip", "network"} and "hostname" not in taken:
            column.draft = "hostname"
        elif said in {"url", "hostname"} and said not in taken and main_kind != content:
            column.draft = said
        if column.draft:
            taken.add(column.draft)
            column.kind = ""
        else:
            column.kind = _kind_of_content(content) or (column.kind if column.kind != Kind.OTHER else "") or "*"


def _kind_of_content(content: str) -> str:
    return {"ip": "*", "network": "*", "mixed": "*"}.get(content, content if content in VALUE_CONTENT else "")


def _by_content(columns: list[Column]) -> None:
    """Columns whose heading said nothing, by what their cells look like."""
    taken = {column.draft for column in columns}
    for column in columns:
        if column.draft or column.kind or column.share < 0.8:
            continue
        draft = {"date": "first_at", "country": "stated_country", "asn": "asn"}.get(column.content, "")
        if column.content == "epoch":
            draft = "first_at"
        if draft and column.content == "country" and column.name:
            draft = ""
        if draft == "first_at" and "first_at" in taken:
            draft = "last_at" if not column.name else ""
        if draft and draft not in taken:
            column.draft, column.confidence = draft, 0.5 * column.share
            taken.add(draft)
    if not any(column.name for column in columns):
        _free_text(columns, taken)


def _free_text(columns: list[Column], taken: set[str]) -> None:
    """Without headings: a column of web addresses of reports, then one of text."""
    for column in columns:
        if column.draft or not column.cells or column.content != "text" or column.kind:
            continue
        marked = sum(cell.startswith("#") for cell in column.cells) > 0.5 * len(column.cells)
        draft = "tags" if marked else "note"
        if draft not in taken:
            column.draft, column.confidence = draft, 0.3
            taken.add(draft)


def _settle_doubles(columns: list[Column]) -> None:
    """One column for each draft name: the surest, filled one; the others stay in `extra`."""
    for draft in {column.draft for column in columns if column.draft}:
        rivals = [column for column in columns if column.draft == draft]
        keep = max(rivals, key=lambda column: (bool(column.cells), column.confidence, -column.index))
        for column in rivals:
            if column is not keep:
                column.draft, column.confidence = "", 0.0
    if any(column.draft == "last_at" for column in columns) and not any(c.draft == "first_at" for c in columns):
        next(column for column in columns if column.draft == "last_at").draft = "first_at"


def day_comes_first(texts: Iterable[str]) -> bool | None:
    """Whether times name the day before the month: 13/4/2025 occurs, and none such as 4/13/2025; None where no text
    decides it."""
    first = second = False
    for text in texts:
        for day, month in _SLASHED.findall(text):
            first |= int(day) > 12
            second |= int(month) > 12
    return None if first == second else first


def tag_separator(cells: list[str]) -> str:
    """What separates tags in these cells; empty when nothing does."""
    for separator in ("; ", ";", ",", "|"):
        if sum(separator in cell for cell in cells) > 0.1 * len(cells):
            return "" if separator == "; " else separator
    hashes = sum(" #" in cell for cell in cells)
    return " " if hashes else ""


def profile_of(shape: Shape, columns: list[Column], profile: Profile, tail: str = "") -> Profile:
    """The profile that reads the file as guessed, with what the given profile already says.

    `tail` is the end of the file: a table that begins with the first days of a month may tell the order there.
    """

    def place(column: Column) -> str | int:
        unique = shape.has_header and column.name and shape.headings.count(column.name) == 1
        return column.name if unique else column.index + 1

    drafts: dict[str, str | int] = {column.draft: place(column) for column in columns if column.draft}
    further: dict[str, str | int] = {}
    for column in columns:
        if column.kind and not column.draft and column.cells:
            key = column.kind
            while key in further:
                key += "*"
            further[key] = place(column)
    lists = {
        column.draft: separator
        for column in columns
        if column.draft in {"tags", "value"}
        and (separator := tag_separator(column.cells) if column.draft == "tags" else column.separator)
    }
    return replace(
        profile,
        format=profile.format or "delimited",
        columns=drafts,
        further=further,
        lists=profile.lists or lists,
        delimiter=shape.layout.delimiter,
        header=shape.has_header,
        day_first=profile.day_first or _names_day_first(shape, columns, tail),
    )


def _names_day_first(shape: Shape, columns: list[Column], tail: str) -> bool:
    dates = [cell for column in columns if column.content == "date" for cell in column.cells]
    if not any(map(_SLASHED.match, dates)):
        return False
    found = day_comes_first(dates)
    if found is None:
        found = day_comes_first([tail])
    # Semicolons separate where the comma is a decimal sign, and there the day comes first.
    return shape.layout.delimiter == ";" if found is None else found
