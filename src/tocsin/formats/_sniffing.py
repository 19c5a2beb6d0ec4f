"""How a table that nobody described is cut: delimiter, banner, header, width; and what a cell looks like."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

from tocsin.core.profiles import Profile

from ._columns import known_share
from ._tables import Layout

DELIMITERS = (",", "\t", ";", "|")
SAMPLE_RECORDS = 500
MOST_COLUMNS = 1_000
"""No partner's table is wider; a text of many commas without line ends is none."""
LONGEST_LOOK = 4_096
"""Characters of a cell up to which its content is looked at."""

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
_FILE_ENDINGS = re.compile(
    r"(?i)\.(exe|dll|sys|bat|ps1|txt|doc|docx|xls|xlsx|pdf|zip|rar|js|vbs|apk|jar|php|tmp|dat|bin|lnk|py|sh|log|ini|bmp|xml)$"
)


def content_of(cell: str) -> str:
    """What a cell looks like: a name of content, or "text"."""
    text = cell.strip().strip('"')
    if len(text) > LONGEST_LOOK:
        return "url" if text[:8].lower().startswith(("http", "hxxp", "ftp")) else "text"
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
    quote = profile.quote
    blank = any(f"{delimiter} {quote}" in line for line in lines[:200])
    body = lines[profile.skip_rows :]
    records = [(n + profile.skip_rows, cells) for n, cells in _records(body, marks, delimiter, quote, blank)]
    if not records:
        return _only_header(lines, marks, delimiter, quote, profile)
    widths = Counter(len(_trimmed(cells)) for _, cells in records)
    full = Counter(len(cells) for _, cells in records)
    common = full.most_common(1)[0][0]
    width = max(common, max((w for w, n in widths.items() if n >= max(2, 0.2 * len(records))), default=1))
    if width > MOST_COLUMNS:
        return None
    first = 0
    while first < len(records) - 1 and len(records[first][1]) < width and not _like_values(records[first][1]):
        first += 1
    if first > 10:
        first = 0
    commented = _commented_header(lines, records[first][0], marks, delimiter, quote, width)
    header, has_header = commented, commented is not None
    first_line = records[first][0]
    names_columns = profile.header is None and (_is_named(profile, records[first][1]) or _is_header(records, first))
    if profile.header is True or (names_columns and not has_header):
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


def _is_named(profile: Profile, cells: list[str]) -> bool:
    """Whether a record holds headings that the column map asks for."""
    asked = {place for place in [*profile.columns.values(), *profile.further.values()] if isinstance(place, str)}
    return bool(asked & {cell.strip() for cell in cells})


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
