"""Zeek: logs in tab-separated form and lists for its Intelligence Framework, told by their #fields line.

In a log the value is the responding side and the other side the originator, both in unknown roles: a log says
who spoke with whom, not who did wrong. Logs cut off in the middle of a line are read up to there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import EventType

from ._mapping import Plan, draft_rows
from ._tables import BLOCK_BYTES, NULL_WORDS, Layout, read_tables

SAMPLE_BYTES = 64 << 10

_INTEL = {
    "indicator": "value",
    "indicator_type": "kind",
    "meta.desc": "note",
    "meta.url": "reference",
    "meta.source": "label",
    "meta.confidence": "confidence",
    "meta.severity": "severity",
}
_LOG = {
    "ts": "first_at",
    "id.resp_h": "value",
    "id.resp_p": "port",
    "id.orig_h": "peer",
    "id.orig_p": "peer_port",
    "proto": "protocol",
    "host": "hostname",
    "server_name": "hostname",
}
_LOG_OF_PATH = {
    "dns": {"ts": "first_at", "query": "value", "id.orig_h": "peer", "id.orig_p": "peer_port", "proto": "protocol"},
    "intel": {"ts": "first_at", "seen.indicator": "value", "seen.indicator_type": "kind", "id.orig_h": "peer"},
    "files": {"ts": "first_at", "sha256": "value", "filename": "note"},
}


def _header(head: bytes) -> dict[str, str]:
    """The # lines of the beginning, by name."""
    found: dict[str, str] = {}
    for line in head.decode("utf-8-sig", errors="replace").splitlines()[:40]:
        if match := re.match(r"#(separator|fields|path|unset_field|empty_field|types|open)[\t ](.*)", line):
            found.setdefault(match[1], match[2])
    return found


def recognise(sample: Sample) -> int:
    """A #fields line with tab-separated names is Zeek's alone."""
    start = sample.head.lstrip(b"\xef\xbb\xbf")
    if start.startswith((b"#separator", b"#fields\t")):
        return 95 if "fields" in _header(sample.head) or start.startswith(b"#separator") else 0
    return 0


def read(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
    """Draft rows of a log or list; one with its header only is an empty delivery."""
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
    header = _header(head)
    if "fields" not in header:
        if not head.strip():
            raise InputError("empty-file")
        if head.lstrip().startswith(b"#separator"):
            # Cut off inside its own header: nothing was logged.
            yield Heading(title="Zeek", stated_count=0)
            return
        raise InputError("missing-columns", field="#fields")
    names = tuple(header["fields"].rstrip("\r").split("\t"))
    path = header.get("path", "intel-list" if "indicator" in names else "")
    yield Heading(title=f"Zeek {path}".strip(), report_type=f"zeek-{path}" if path else "zeek")
    meaning = _INTEL if "indicator" in names else _LOG_OF_PATH.get(path, _LOG)
    taken: dict[str, int] = {}
    for name, draft in meaning.items():
        if name in names and draft not in taken:
            taken[draft] = names.index(name)
    if "value" not in taken:
        raise InputError("missing-columns", field="id.resp_h", excerpt="\t".join(names)[:120])
    dropped = {index for index, name in enumerate(names) if name in {"meta.do_notice", "uid"}}
    nulls = tuple({*NULL_WORDS, header.get("unset_field", "-"), header.get("empty_field", "(empty)")})
    layout = Layout("\t", len(names), quote="", comments=("#",), null_words=nulls)
    # What an intelligence list names is what its maker wants to be told of.
    constants = {"type": EventType.BLACKLIST.value} if meaning is _INTEL else {}
    plan = Plan(names=names, taken=taken, dropped=frozenset(dropped), constants=constants)
    with source.open() as stream:
        if head.startswith(b"\xef\xbb\xbf"):
            stream.seek(3)
        for item in read_tables(stream, layout, block_bytes):
            if isinstance(item, Rejection):
                yield item
            else:
                yield from draft_rows(item, plan)


FORMAT = Format(
    name="zeek",
    title="Zeek log or intelligence list",
    recognise=recognise,
    read=read,
    extensions=(".log", ".intel"),
)
