"""Lists with one value a line: addresses, networks, domains, web addresses, digests, wallets.

Hosts files, filter lists, "value<TAB>count", "digest  name" and remarks behind a value are read too. A line
of anything else goes on as it is, for the kernel to refuse with its reason. Prose is not claimed: the share
of lines that are values decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import polars as pl
from dateutil import parser as dateutil

from tocsin.core.observations import DRAFT
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Rows, Sample, Source, Stretch
from tocsin.core.words import Kind, Unit

from ._banners import feed_of
from ._ranges import as_networks
from ._sniffing import VALUE_CONTENT, content_of, lines_of
from ._tables import BLOCK_BYTES, LINE_LIMIT_BYTES, Feed

SAMPLE_BYTES = 256 << 10
SAMPLE_LINES = 2_000
BOM = b"\xef\xbb\xbf"

_HOSTS = r"^(?:0\.0\.0\.0|127\.0\.0\.1|255\.255\.255\.255|::1?|fe80::1%lo0)\s+(\S+)"
_FILTER = r"^(?:@@)?\|\|?([^\^/$|]+)\^?(?:\$.*)?$"
_BEHIND = r"^(\S+?)(?:\s+(?:#|//|;)|\s*;(?:\s|$)|#\s|\s+)\s*(.*)$"
_ADDRESS_AND_PORT = r"^(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$"
_ADDRESS_SPACED_RANGE = r"^(\d{1,3}(?:\.\d{1,3}){3})\s+-\s+(\d{1,3}(?:\.\d{1,3}){3})$"
_NETWORK_AND_NAME = r"^\d{1,3}(?:\.\d{1,3}){3}/\d{1,2},"
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback")
_STATED = re.compile(r"(?im)^[#;/\s]*(?:entries|number of entries|total entries|count|total)\s*[:=]\s*([\d,.]+)")
_CLOSING = re.compile(r"(?im)^[#;/\s]*END \(?(\d+)\)? entries")
_BANNER = re.compile(
    r"(?i)\b(?:ipset|block ?lists?|feeds?|entries|updated|generated|maintainer|category|fields|list|addresses)\b"
)
"""Words of the banners of lists; a ransom note framed by # has none of them."""
_BLOCKLIST = re.compile(
    r"(?im)^#\s*category\s*:\s*(?:attacks|malware|reputation|abuse|spam)\s*$|\b(?:block|black) ?list\b"
)
"""A banner that says that what is listed is somebody's who attacks."""
_DATED = re.compile(
    r"(?im)^[#;/]+\s*(?:source file date|last[ -]updated?|last[ -]modified|generated on)\s*[:=]\s*(.{8,60})$"
)
_TITLE = re.compile(r"[#;/!\s]*(.*?)[#\s]*$")


def is_value_line(line: str) -> bool:
    """Whether a line holds one value, with at most a remark behind it."""
    text = line.strip()
    if re.match(_NETWORK_AND_NAME, text):
        return False
    if found := re.match(_HOSTS, text):
        return found[1] in _LOCAL_NAMES or content_of(found[1]) == "domain"
    if found := re.match(_FILTER, text):
        return content_of(found[1]) in VALUE_CONTENT
    if content_of(text) in VALUE_CONTENT or re.match(_ADDRESS_SPACED_RANGE, text):
        return True
    if re.fullmatch(r"[0-9a-fA-F]{62}|[0-9a-fA-F]{56}|[0-9a-fA-F]{96}|AS\d{1,10}", text):
        return True
    first, *rest = text.split(None, 1)
    first = first.rstrip(";,")
    if not rest:
        bare = first.split("/", 1)[0]
        return content_of(first) in VALUE_CONTENT or content_of(bare) in {"domain", "ip"} or _is_wallet(first)
    if content_of(first) not in VALUE_CONTENT and not re.fullmatch(r"AS\d{1,10}", first):
        return False
    return rest[0][:1] in "#;/" or rest[0].isdigit() or len(rest[0].split()) <= 4


def _is_wallet(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9]{25,110}|(?:bitcoincash|bc1|ltc1|addr1)[:0-9a-z]{20,110}", text)) and bool(
        re.search(r"\d", text)
    )


def _share_of_values(lines: list[str]) -> tuple[float, int]:
    body = [line for line in lines if line.strip() and not _is_remark(line)][:SAMPLE_LINES]
    if not body:
        return 0.0, 0
    return sum(map(is_value_line, body)) / len(body), len(body)


def _is_remark(line: str) -> bool:
    return line.lstrip().startswith(("#", ";", "//", "!", "[Adblock"))


def recognise(sample: Sample) -> int:
    """Sure where nearly every line is a value; a banner of a known list without a line is an empty one."""
    head = sample.head
    if b"\x00" in head[:4096]:
        return 0
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"<", b"#fields", b"#separator")):
        return 0
    if start.startswith(b"[") and not start.startswith(b"[Adblock"):
        return 0
    lines = lines_of(head, sample.size_bytes)
    share, count = _share_of_values(lines)
    if not count:
        remarks = [line for line in lines if line.strip()]
        if not remarks or not all(map(_is_remark, remarks)):
            return 0
        return 45 if len(set(map(str.lower, _BANNER.findall("\n".join(remarks[:60]))))) >= 3 else 20
    if b"Maltrail developers" in head[:2048] and not any(re.match(_NETWORK_AND_NAME, line) for line in lines):
        return 70
    sure = 65 if share >= 0.9 else 52 if share >= 0.75 else 30 if share >= 0.55 and count >= 5 else 0
    return min(sure, 40) if _is_table(lines) else sure


def _is_table(lines: list[str]) -> bool:
    """Whether all lines have the same cells behind a heading without a value: a table whose first cell is a value."""
    shown = [line for line in lines if line.strip() and not _is_remark(line)][:200]
    if len(shown) < 2 or _share_of_values(shown[:1])[0] > 0:
        return False
    return any(len({line.count(mark) for line in shown}) == 1 and mark in shown[0] for mark in ",;\t|")


def read(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
    """Rows block by block; position is the line number."""
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
    heading = _heading(head, source.name)
    yield heading
    constants = _said_of_all(head, source.name)
    reference: str | None = None
    marks = _marks(profile)
    with source.open() as stream:
        feed = Feed(stream)
        if head.startswith(BOM):
            stream.seek(len(BOM))
        while data := feed.block(block_bytes):
            end = len(data) if feed.ended else data.rfind(b"\n") + 1
            if not end:
                feed.put_back(data)
                if len(data) > LINE_LIMIT_BYTES:
                    feed.take_line()
                    yield Rejection(feed.line, Unit.LINE, "line-too-long")
                block_bytes = max(block_bytes, min(len(data), LINE_LIMIT_BYTES))
                continue
            feed.put_back(data[end:])
            frame, reference = _rows(data[:end], feed.line, marks, reference)
            feed.line += _lines_in(data, end)
            yield from _told(frame, constants)


def cut(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> list[Stretch] | None:
    """The blocks of the list. None where remarks name references, which hold for what follows them, or a line is too
    long."""
    found: list[Stretch] = []
    with source.open() as stream:
        at = len(BOM) if stream.read(len(BOM)) == BOM else 0
        stream.seek(at)
        feed = Feed(stream)
        while data := feed.block(block_bytes):
            end = len(data) if feed.ended else data.rfind(b"\n") + 1
            if not end or b"eference:" in data:
                return None
            found.append(Stretch(at, at + end, feed.line, is_first=not found))
            feed.put_back(data[end:])
            feed.line += _lines_in(data, end)
            at += end
    return found


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
        constants, marks = _said_of_all(head, source.name), _marks(profile)
        for each in stretches:
            if each.is_first:
                yield _heading(head, source.name)
            stream.seek(each.start)
            frame, _ = _rows(stream.read(each.end - each.start), each.line, marks, None)
            yield from _told(frame, constants)


def _lines_in(data: bytes, end: int) -> int:
    return data.count(b"\n", 0, end) + (data[end - 1 : end] != b"\n")


def _marks(profile: Profile) -> tuple[str, ...]:
    return (profile.comment,) if profile.comment else ("#", ";", "//", "!")


def _told(frame: pl.DataFrame, constants: Mapping[str, str]) -> Iterator[Rows]:
    if frame.height:
        yield Rows(frame.with_columns(pl.lit(text).alias(name) for name, text in constants.items()), unit=Unit.LINE)


def _rows(block: bytes, line: int, marks: tuple[str, ...], reference: str | None) -> tuple[pl.DataFrame, str | None]:
    """Draft rows of one block, and the last reference that its remarks named."""
    text = block.decode("utf-8", errors="replace").replace("\x00", "")
    lines = pl.Series("line", [text]).str.split("\n").explode().str.strip_chars()
    frame = pl.DataFrame({"line": lines}).with_columns(
        pl.int_range(line + 1, line + 1 + len(lines), dtype=pl.Int64).alias("position")
    )
    remark = pl.any_horizontal(pl.col("line").str.starts_with(mark) for mark in marks)
    if "Reference:" in text or "reference:" in text or reference:
        said = pl.when(remark).then(pl.col("line").str.extract(r"(?i)reference:\s*(\S+)"))
        carried = pl.lit(reference, pl.String)
        frame = frame.with_columns(pl.coalesce(said.forward_fill(), carried).alias("reference"))
        reference = frame["reference"].tail(1).item() if frame.height else reference
    frame = frame.filter((pl.col("line") != "") & ~remark & ~pl.col("line").str.starts_with("[Adblock"))
    if not frame.height:
        return frame.drop("line"), reference
    frame = _values(frame)
    fingerprint = pl.col("value").str.contains(r"^[0-9a-f]{62}$")
    if frame.select((pl.col("value").str.len_bytes() == 62).any()).item():
        frame = frame.with_columns(pl.when(fingerprint).then(pl.lit(Kind.JARM.value)).alias("kind"))
    order = [
        name for name in ("position", "value", "kind", "port", "count", "note", "reference") if name in frame.columns
    ]
    return as_networks(frame.filter(~pl.col("value").is_in(_LOCAL_NAMES)).select(order)), reference


def _values(frame: pl.DataFrame) -> pl.DataFrame:
    """Value, and what stands behind it: a count, a port, a note."""
    column = pl.col("line")
    has_blank = frame.select(column.str.contains(r"[\s;|^]").any()).item()
    if not has_blank and not frame.select(column.str.contains("#", literal=True).any()).item():
        return _ports(frame.rename({"line": "value"}))
    hosts = column.str.extract(_HOSTS, 1)
    filtered = column.str.extract(_FILTER, 1)
    spaced = column.str.replace(_ADDRESS_SPACED_RANGE, "${1}-${2}")
    frame = frame.with_columns(spaced.alias("line"), hosts.alias("hosts"), filtered.alias("filtered"))
    # The part in front of a blank or a remark; a web address may hold # and ; itself.
    front = pl.coalesce(pl.col("line").str.extract(_BEHIND, 1), "line").str.strip_chars_end(";,")
    behind = pl.col("line").str.extract(_BEHIND, 2).str.strip_chars(" \t#;/|")
    frame = frame.with_columns(
        pl.coalesce("hosts", "filtered", front).alias("value"),
        pl.when(pl.col("hosts").is_null() & pl.col("filtered").is_null() & (behind != "")).then(behind).alias("behind"),
    )
    whole = _is_prose()
    count = pl.col("behind").str.extract(r"^(\d{1,9})$")
    frame = frame.with_columns(
        pl.when(whole).then(pl.col("line")).otherwise(pl.col("value")).alias("value"),
        count.alias("count"),
        pl.when(~whole & count.is_null()).then(pl.col("behind")).alias("note"),
    ).drop("line", "hosts", "filtered", "behind")
    empty = [name for name in ("count", "note") if frame[name].null_count() == frame.height]
    return _ports(frame.drop(empty))


def _is_prose() -> pl.Expr:
    """A line of words, whose first word is no value: it goes on whole, to be refused as it was written."""
    return pl.col("behind").is_not_null() & ~pl.col("value").str.contains(
        r"[.:]\S|^[0-9a-fA-F]{32,}$|^(?i:as)\d+$|[A-Za-z0-9]{25,}"
    )


def _ports(frame: pl.DataFrame) -> pl.DataFrame:
    joined = pl.col("value").str.contains(":", literal=True) & pl.col("value").str.contains(_ADDRESS_AND_PORT)
    if not frame.select(joined.any()).item():
        return frame
    return frame.with_columns(
        pl.col("value").str.extract(_ADDRESS_AND_PORT, 2).alias("port"),
        pl.coalesce(pl.col("value").str.extract(_ADDRESS_AND_PORT, 1), "value").alias("value"),
    )


def _said_of_all(head: bytes, name: str) -> dict[str, str]:
    """Draft columns that the banner fills for every line: family, type of a blocklist, and the date of the list."""
    if (known := feed_of(head, FORMAT.name)) is not None:
        return {name: word for name, word in known.profile.defaults.items() if name in DRAFT}
    if b"Maltrail developers" in head[:2048]:
        label = {"label": name.rsplit("/", 1)[-1].split(".")[0]}
        # Its lists of networks say who owns an address (a hoster, a CDN, nobody), not who attacks.
        return label if _are_networks(lines_of(head)) else {**label, "type": "blacklist"}
    banner = "\n".join(line for line in lines_of(head)[:200] if _is_remark(line))
    said = {}
    if _BLOCKLIST.search(banner):
        said["type"] = "blacklist"
    if found := _DATED.search(banner):
        with suppress(ValueError, OverflowError):
            said["first_at"] = dateutil.parse(found[1].strip()).isoformat()
    return said


def _are_networks(lines: list[str]) -> bool:
    shown = [content_of(line.split("#")[0]) for line in lines if line.strip() and not _is_remark(line)][:SAMPLE_LINES]
    return shown.count("network") > 0.5 * len(shown)


def _heading(head: bytes, name: str) -> Heading:
    """Title and stated number of entries from the banner."""
    title, stated = "", None
    lines = lines_of(head)
    banner = []
    for line in lines[:400]:
        if line.strip() and not _is_remark(line):
            break
        banner.append(line)
        found = _TITLE.match(line)
        if not title and found and len(found[1]) > 3:
            title = found[1][:200]
    text = "\n".join(banner)
    if found := _STATED.search(text) or _CLOSING.search(text):
        stated = int(re.sub(r"\D", "", found[1]) or 0)
    return Heading(title=title, stated_count=stated)


FORMAT = Format(
    name="plain-list",
    title="List with one value a line",
    recognise=recognise,
    read=read,
    media_types=("text/plain",),
    extensions=(".txt", ".list", ".ipset", ".netset", ".hosts", ".md5", ".sha1", ".sha256"),
    cut=cut,
    read_cut=read_cut,
)

__all__ = ["FORMAT", "is_value_line", "read", "recognise"]
