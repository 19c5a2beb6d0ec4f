"""How a table that nobody described is cut, and what its columns mean: by headings and by content."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field, replace

from tocsin.core.profiles import Profile
from tocsin.core.words import Kind

from ._columns import KIND_WORDS, NOT_INDICATORS, SYNONYMS, VALUE_HEADINGS, kind_of_word, known_share, normal
from ._tables import NULL_WORDS, Layout

DELIMITERS = (",", "\t", ";", "|")
SAMPLE_RECORDS = 500

_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = rf"{_OCTET}(?:{_DOT}{_OCTET}){{3}}"
_CONTENT: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("ip", rf"{_IPV4}(?::\d{{1,5}})?"),
        ("network", rf"{_IPV4}\s*(?:/\d{{1,2}}|-\s*{_IPV4})|[0-9a-f:]+:[0-9a-f:]*/\d{{1,3}}"),
        ("date", r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].*)?|\d{1,2}[-/.]\w{1,9}[-/.]\d{2,4}(?:[:T ].*)?|"
                 r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?"),
        ("ip", r"(?=.*:.*:)[0-9a-f:]{2,39}(?:\.\d+){0,3}"),
        ("url", r"(?:h(?:xx|tt|XX)ps?|ftps?|tcp|udp|wss?)(?:\[)?:(?:\])?//\S+.*"),
        ("md5", r"[0-9a-f]{32}"),
        ("sha1", r"[0-9a-f]{40}"),
        ("sha256", r"[0-9a-f]{64}"),
        ("sha512", r"[0-9a-f]{128}"),
        ("epoch", r"1[0-9]{9}(?:\.\d+)?|1[0-9]{12}"),
        ("cve", r"CVE-\d{4}-\d{4,}"),
        ("asn", r"AS\s?\d{1,10}"),
        ("integer", r"-?\d{1,15}"),
        ("number", r"-?\d+[.,]\d+"),
        ("email", r"[^@\s]+(?:@|\[@\]|\[at\])[\w.\[\]-]+"),
        ("wallet", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[0-9a-z]{25,60}|0x[0-9a-f]{40}|T[1-9A-HJ-NP-Za-km-z]{33}"),
        ("domain", rf"(?:[\w*-]{{1,63}}{_DOT})+(?:xn--[\w-]+|[^\W\d]{{2,24}})\.?"),
        ("country", r"[A-Z]{2}"),
    )
)  # fmt: skip
VALUE_CONTENT = frozenset(
    {"ip", "network", "url", "md5", "sha1", "sha256", "sha512", "email", "wallet", "domain", "cve"}
)
_HASHES = ("sha256", "sha512", "sha1", "md5")
_NAMES_HOST = re.compile(r"(?i)domain|host|dns|c2|c&c|server|address|ioc|indicator|url|value")
_FILE_ENDINGS = re.compile(
    r"(?i)\.(exe|dll|sys|bat|ps1|txt|doc|docx|xls|xlsx|pdf|zip|rar|js|vbs|apk|jar|php|tmp|dat|bin|lnk|py|sh|log|ini|bmp|xml)$"
)
_DATE_WORDS = ("date", "time", "seen", "fecha", "datum")


def content_of(cell: str) -> str:
    """What a cell looks like: a name of content, or "text"."""
    text = cell.strip().strip('"')
    for name, pattern in _CONTENT:
        if pattern.fullmatch(text):
            if name == "domain" and _FILE_ENDINGS.search(text):
                return "filename"
            return name
    return "text"


@dataclass(slots=True)
class Shape:
    """How a sample is cut: the layout, its records with line numbers, and the headings if it has any."""

    layout: Layout
    headings: tuple[str, ...]
    has_header: bool
    records: list[tuple[int, list[str]]]
    consistency: float
    """Share of the records that have the full width, in [0, 1]."""


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


def lines_of(head: bytes, size_bytes: int = 0) -> list[str]:
    """The whole lines of the beginning of a file, without a byte order mark."""
    text = head.decode("utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > 1 and (not lines[-1] or size_bytes > len(head) or len(head) >= 256 << 10):
        lines.pop()
    return lines[:20_000]


def comment_marks(lines: list[str], profile: Profile, delimiter: str) -> tuple[str, ...]:
    """What starts a remark line: said by the profile, or any of the usual signs that occur."""
    if profile.comment:
        return (profile.comment,)
    marks = ["#"]
    if delimiter != ";" and any(line.startswith(";") for line in lines[:50]):
        marks.append(";")
    if any(line.startswith("//") for line in lines[:50]):
        marks.append("//")
    return tuple(marks)


def cut_line(line: str, delimiter: str, quote: str, blank_before_quote: bool = False) -> list[str]:
    """The cells of one line, quotes taken off."""
    if not quote or quote not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, quotechar=quote, skipinitialspace=blank_before_quote), [])
    except csv.Error:
        return line.split(delimiter)


def shape_of(head: bytes, profile: Profile, size_bytes: int = 0) -> Shape | None:
    """How the sample is cut, or None when it is no table."""
    lines = lines_of(head, size_bytes)
    best: Shape | None = None
    score = 0.0
    for delimiter in (profile.delimiter,) if profile.delimiter else DELIMITERS:
        shape = _shape(lines, profile, delimiter)
        if shape is None:
            continue
        wide = shape.layout.width > 1
        points = (shape.consistency + known_share(shape.headings) * shape.has_header) * wide + 0.001 * min(
            shape.layout.width, 40
        )
        if points > score:
            best, score = shape, points
    return best


def _records(
    lines: list[str], marks: tuple[str, ...], delimiter: str, quote: str, blank: bool
) -> list[tuple[int, list[str]]]:
    """Records of the sample, line breaks inside quotes respected, with the number of their first line."""
    records: list[tuple[int, list[str]]] = []
    index = 0
    while index < len(lines) and len(records) < SAMPLE_RECORDS:
        line, number = lines[index], index + 1
        index += 1
        if not line.strip() or line.lstrip().startswith(marks):
            continue
        if quote and line.count(quote) % 2:
            taken = index
            whole = line
            while taken < len(lines) and taken - index < 100 and whole.count(quote) % 2:
                whole += "\n" + lines[taken]
                taken += 1
            if whole.count(quote) % 2 == 0:
                line, index = whole, taken
        cells = _cut_record(line, delimiter, quote, blank)
        records.append((number, cells))
    return records


def _cut_record(line: str, delimiter: str, quote: str, blank: bool) -> list[str]:
    if quote and "\n" in line:
        try:
            return next(csv.reader(line.splitlines(keepends=True), delimiter=delimiter, quotechar=quote), [])
        except csv.Error:
            return line.split(delimiter)
    return cut_line(line, delimiter, quote, blank)


def _shape(lines: list[str], profile: Profile, delimiter: str) -> Shape | None:
    marks = comment_marks(lines, profile, delimiter)
    quote = profile.quote if any(profile.quote in line for line in lines) else profile.quote
    blank = any(f"{delimiter} {quote}" in line for line in lines[:200])
    body = lines[profile.skip_rows :]
    records = [(n + profile.skip_rows, cells) for n, cells in _records(body, marks, delimiter, quote, blank)]
    if not records:
        return _only_header(lines, marks, delimiter, quote, profile)
    widths = Counter(len(_trimmed(cells)) for _, cells in records)
    full = Counter(len(cells) for _, cells in records)
    common = full.most_common(1)[0][0]
    width = max(common, max((w for w, n in widths.items() if n >= 0.2 * len(records)), default=1))
    first = 0
    while first < len(records) - 1 and len(records[first][1]) < width and not _like_values(records[first][1]):
        first += 1
    if first > 10:
        first = 0
    commented = _commented_header(lines, records[first][0], marks, delimiter, quote, width)
    header, has_header = commented, commented is not None
    first_line = records[first][0]
    if profile.header is True or (profile.header is None and not has_header and _is_header(records, first)):
        header, has_header = records[first][1], True
        width = max(width, len(_trimmed(header)))
        first += 1
        first_line = records[first][0] if first < len(records) else len(lines) + 1
    elif profile.header is False:
        header, has_header = None, False
    names = [text.strip() for text in (header or [])][:width]
    names += [""] * (width - len(names))
    data = records[first:]
    fitting = sum(1 for _, cells in data if len(_trimmed(cells)) <= width and len(cells) >= min(width, common))
    layout = Layout(delimiter, width, quote, marks, first_line - 1, blank)
    return Shape(layout, tuple(names), has_header, data, fitting / len(data) if data else 1.0)


def _only_header(
    lines: list[str], marks: tuple[str, ...], delimiter: str, quote: str, profile: Profile
) -> Shape | None:
    header = _commented_header(lines, len(lines) + 1, marks, delimiter, quote, 0)
    if header is None or len(header) < 2:
        return None
    return Shape(Layout(delimiter, len(header), quote, marks, len(lines)), tuple(header), True, [], 1.0)


def _trimmed(cells: list[str]) -> list[str]:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _like_values(cells: list[str]) -> bool:
    return any(content_of(cell) in VALUE_CONTENT | {"date", "epoch"} for cell in cells if cell.strip())


def _commented_header(
    lines: list[str], before_line: int, marks: tuple[str, ...], delimiter: str, quote: str, width: int
) -> list[str] | None:
    """The heading row that stands in a remark just above the data, as in dumps of abuse.ch."""
    for line in reversed(lines[max(0, before_line - 60) : before_line - 1]):
        text = line.strip()
        if not text.startswith(marks):
            continue
        for mark in marks:
            text = text.removeprefix(mark)
        text = re.sub(r"^[#\s]*(?:format|fields|columns)\s*:\s*", "", text.strip("# "), flags=re.IGNORECASE)
        cells = [cell.strip().strip(quote or " ") for cell in cut_line(text, delimiter, quote, True)]
        named = [cell for cell in cells if cell]
        if len(cells) < 2 or (width and not 0.6 * width <= len(cells) <= width):
            continue
        if max(map(len, named), default=99) <= 40 and not _like_values(cells) and known_share(named) >= 0.34:
            return cells
    return None


def _is_header(records: list[tuple[int, list[str]]], first: int) -> bool:
    """Whether the first record names the columns instead of filling them."""
    head = records[first][1]
    filled = [cell for cell in head if cell.strip()]
    if not filled or _like_values(head):
        return False
    known = known_share(filled)
    if any(content_of(cell) in {"integer", "number"} for cell in filled) and known < 0.15:
        return False
    if known >= 0.5:
        # A type word in the first cell of a table without header ("Host,example.org") is no heading.
        return not (len(filled) == 1 and len(head) > 1)
    below = [cells for _, cells in records[first + 1 : first + 60]]
    if not below:
        return known > 0
    for index in range(len(head)):
        contents = Counter(content_of(cells[index]) for cells in below if index < len(cells) and cells[index].strip())
        plain = contents["text"]
        if head[index].strip() and sum(contents.values()) > plain * 3 and sum(contents.values()) >= 1:
            return True
    return known > 0 or head[0].rstrip().endswith(":")


def columns_of(shape: Shape) -> list[Column]:
    """Each column with what its content looks like."""
    nulls = frozenset(NULL_WORDS)
    columns = []
    for index in range(shape.layout.width):
        cells = [row[index].strip() for _, row in shape.records if index < len(row) and row[index].strip() not in nulls]
        listed = [
            cell for cell in cells if "|" in cell and all(content_of(p) in VALUE_CONTENT for p in cell.split("|"))
        ]
        counted = Counter(content_of(cell.split("|")[0] if listed else cell) for cell in cells)
        content, hits = counted.most_common(1)[0] if counted else ("empty", 0)
        values = sum(count for name, count in counted.items() if name in VALUE_CONTENT)
        if (content not in VALUE_CONTENT and values > 0.5 * len(cells)) or (
            content in VALUE_CONTENT and hits < 0.9 * len(cells) and values > hits
        ):
            content, hits = "mixed", values
        share = hits / len(cells) if cells else 0.0
        words = Counter(normal(cell) for cell in cells)
        separator = "|" if listed else ""
        columns.append(Column(index, shape.headings[index], cells, content, share, words=words, separator=separator))
    return columns


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


def day_comes_first(columns: list[Column]) -> bool:
    """Whether times such as 13/4/2025 occur, and none such as 4/13/2025."""
    first = second = False
    for column in columns:
        if column.content != "date":
            continue
        for cell in column.cells:
            if found := re.match(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}", cell):
                first |= int(found[1]) > 12
                second |= int(found[2]) > 12
    return first and not second


def tag_separator(cells: list[str]) -> str:
    """What separates tags in these cells; empty when nothing does."""
    for separator in ("; ", ";", ",", "|"):
        if sum(separator in cell for cell in cells) > 0.1 * len(cells):
            return "" if separator == "; " else separator
    hashes = sum(" #" in cell for cell in cells)
    return " " if hashes else ""


def profile_of(shape: Shape, columns: list[Column], profile: Profile) -> Profile:
    """The profile that reads the file as guessed, with what the given profile already says."""

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
        day_first=profile.day_first or day_comes_first(columns),
    )
