"""Plain text: reports, Markdown, AsciiDoc, ransom notes, forum posts. Indicators are proposals, never rows."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Sample, Source

from ._documents import TEXT_CHARACTERS, completed
from ._extraction import propose

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 16 << 20
FRONT_MATTER_CHARACTERS = 32 << 10
TABLE_LINES = 200
TABLE_SIGNS = {"\t": 1, ";": 1, "|": 1, ",": 2}
"""What cuts lines into cells → how often at least: one comma in every line may be a sentence's."""
CELL_CHARACTERS = 20
WORD = re.compile(r"[^\W\d_]{2,}")
MARKUP = re.compile(r"^(?:#{1,6} \S|={1,5} \S|\|====|\[options=|```|---$|\* \S|[-=]{4,}$)", re.MULTILINE)
ASCIIDOC = re.compile(r"^(?:={1,5} \w|\|===+$|\[(?:options|cols)=)", re.MULTILINE)
"""Of a report in AsciiDoc: its tables are proposals too, so that a person sees the words around them."""
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
TITLE = re.compile(r"^(?:#|=)\s+(?P<marked>.{1,300}?)\s*#*$|^(?P<above>\S.{1,200})\n(?:={4,}|-{4,})\s*$", re.MULTILINE)


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Proposals in file order with offsets from the beginning of the text, then the heading.

    Raises InputError("unknown-format") for a table without anything known: a person must say what its columns are.
    """
    seen: set[tuple[str, str]] = set()
    kept: list[str] = []
    offset = 0
    for text in chunks_of(source):
        for proposal in propose(text):
            if (proposal.kind, proposal.value) not in seen:
                seen.add((proposal.kind, proposal.value))
                yield replace(proposal, offset=offset + proposal.offset)
        if offset < TEXT_CHARACTERS:
            kept.append(text)
        offset += len(text)
    whole = "".join(kept)[:TEXT_CHARACTERS]
    if not seen and is_table(whole):
        raise InputError("unknown-format", excerpt=whole.lstrip()[:80].splitlines()[0])
    yield completed(Heading(title=title_of(whole), text=whole))


def is_table(text: str) -> bool:
    """Whether every line is cut into the same number of short cells."""
    lines = [line for line in text.split("\n", TABLE_LINES)[:TABLE_LINES] if line.strip()]
    if len(lines) < 3:
        return False
    for sign, fewest in TABLE_SIGNS.items():
        counts = {line.count(sign) for line in lines}
        if len(counts) == 1 and (count := counts.pop()) >= fewest:
            return sum(map(len, lines)) <= CELL_CHARACTERS * len(lines) * (count + 1)
    return False


def chunks_of(source: Source) -> Iterator[str]:
    """The text in pieces of about a mebibyte, cut at line ends; a very long line is cut hard."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest = ""
    with source.open() as stream:
        while chunk := stream.read(CHUNK_BYTES):
            text = rest + decoder.decode(chunk).replace("\0", " ")
            seam = max(text.rfind("\n"), text.rfind("\r")) + 1
            rest = text[seam:]
            yield from _cut(text[:seam])
            if len(rest) > LONGEST_LINE:
                raise InputError("line-too-long", excerpt=rest[:80])
    yield from _cut(rest + decoder.decode(b"", True))


def _cut(text: str) -> Iterator[str]:
    """In one piece, but for a line of many mebibytes."""
    size = len(text) if len(text) <= 3 * CHUNK_BYTES else 2 * CHUNK_BYTES
    for start in range(0, len(text), size or 1):
        yield text[start : start + size]


def title_of(text: str) -> str:
    """The title that front matter or the first heading states, else the first line when it is short."""
    front = FRONT_MATTER.match(text[:FRONT_MATTER_CHARACTERS].replace("\r\n", "\n"))
    if front:
        import yaml  # Imported late, like all that most deliveries do not need.

        try:
            stated = yaml.safe_load(front[1])
        except (yaml.YAMLError, ValueError, RecursionError):
            stated = None
        if isinstance(stated, dict) and isinstance(stated.get("title"), str):
            return str(stated["title"])
    found = TITLE.search(text[:FRONT_MATTER_CHARACTERS].replace("\r\n", "\n"))
    if found:
        return (found["marked"] or found["above"]).strip()
    first = next((line.strip() for line in text[:4000].splitlines() if line.strip()), "")
    return first if len(first) <= 160 and WORD.search(first) else ""


def recognise(sample: Sample) -> int:
    """Low numbers: any text can be prose, and whoever knows more of it goes before."""
    if b"\0" in sample.head.rstrip(b"\0")[:4096] or sample.head.startswith(
        (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    ):
        return 0
    text = sample.head.decode("utf-8-sig", errors="replace").replace("\0", "")
    lines = [line for line in re.split(r"[\r\n]+", text[: 64 << 10]) if line.strip()]
    if not lines or text.count("\ufffd") > len(text) // 10:
        return 0
    wordy = sum(len(WORD.findall(line[:500])) >= 5 or _is_far_eastern(line) for line in lines) / len(lines)
    structured = text.lstrip()[:1] in ("{", "[", "<")
    if structured:
        return 2
    if len(ASCIIDOC.findall(text[: 64 << 10])) >= 2:
        return 70
    marked = len(MARKUP.findall(text[: 64 << 10]))
    if wordy >= 0.3 or (marked >= 2 and wordy >= 0.05):
        return 35
    return 14 if wordy >= 0.1 else 3


def _is_far_eastern(line: str) -> bool:
    return sum("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in line[:200]) >= 8


FORMAT = Format(
    name="prose",
    title="Report or note in plain text, Markdown or AsciiDoc",
    recognise=recognise,
    read=read,
    media_types=("text/plain", "text/markdown", "text/asciidoc"),
    extensions=(".txt", ".md", ".adoc", ".asciidoc", ".rst", ".text"),
)
