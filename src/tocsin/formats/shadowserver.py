"""Reports of the Shadowserver Foundation: what each report type's rows mean is data, in a table beside this file.

The report type is told by the file name, else by columns that only one type has. A type without an entry is
not guessed at: the delivery is set aside until somebody maps it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Sample, Source, Stretch

from ._columns import normal
from ._mapping import Plan
from ._sniffing import Shape, shape_of
from ._stretches import Ready
from ._tables import BLOCK_BYTES

SAMPLE_BYTES = 256 << 10

_SIDES = (
    # (prefix of the value's columns, prefixes of the other side's columns)
    ("src_", ("dst_", "cc_", "dest_")),
    ("dst_", ("src_",)),
    ("http_referer_", ("dst_",)),
    ("", ("cc_", "dst_", "dest_", "src_")),
)
_ENDINGS = {
    "ip": "value",
    "port": "port",
    "asn": "asn",
    "geo": "stated_country",
    "hostname": "hostname",
}
_PEER_ENDINGS = {"ip": "peer", "port": "peer_port", "geo": "peer_country"}
_PLAIN = {
    "timestamp": "first_at",
    "end_time": "last_at",
    "severity": "severity",
    "protocol": "protocol",
    "tag": "tags",
    "count": "count",
    "source_url": "reference",
}
_MALWARE = ("family", "infection", "malware", "type")


@dataclass(frozen=True, slots=True)
class Report:
    """The meaning of one report type."""

    name: str
    title: str
    type: str
    severity: str
    role: str = "VICTIM"
    peer_role: str = "UNKNOWN"
    value: str = ""
    """Column of the main value where it is not the source address."""
    offence: str = ""
    aliases: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    note: str = ""


@cache
def reports() -> dict[str, Report]:
    """Every known report type by its name."""
    path = Path(__file__).with_name("shadowserver_types.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Report(
            name=name,
            aliases=tuple(entry.pop("aliases", ())),
            marks=tuple(entry.pop("marks", ())),
            **entry,
        )
        for name, entry in table.items()
    }


def report_type(name: str, headings: tuple[str, ...]) -> Report | None:
    """The report type by file name, else by columns that only it has; None when neither tells."""
    text = "_" + normal(name.rsplit("/", 1)[-1].removesuffix(".csv")) + "_"
    text = re.sub(r"_(event|scan|population|sinkhole)[46]_", r"_\1_", text)
    text = re.sub(r"_(compromised_(?:iot|website)|targeted_host|device_id)6_", r"_\1_", text)
    found = [
        (len(word), report)
        for report in reports().values()
        for word in (report.name, *report.aliases)
        if f"_{word}_" in text
    ]
    if found:
        return max(found, key=lambda pair: pair[0])[1]
    if re.search(r"_(?:event|scan|population|compromised|sandbox)_", text):
        return None
    present = frozenset(headings)
    marked = [
        (len(report.marks), report) for report in reports().values() if report.marks and present >= set(report.marks)
    ]
    return max(marked, key=lambda pair: pair[0])[1] if marked else None


def is_report(headings: tuple[str, ...]) -> bool:
    """Whether the headings are those of a report: time, address, network and country as Shadowserver writes them."""
    present = frozenset(headings)
    if "timestamp" not in present or not headings or headings[0] != "timestamp":
        return False
    plain = {"ip", "asn", "geo"} <= present
    sided = {"src_ip", "src_asn", "src_geo"} <= present or {"dst_ip", "dst_asn", "dst_geo"} <= present
    return (
        (plain and bool({"region", "naics", "http_agent", "md5", "p0f_genre"} & present))
        or (sided and bool({"src_region", "dst_region", "tag", "http_agent"} & present))
        or {"md5hash", "request", "response"} <= present
    )


def recognise(sample: Sample) -> int:
    """By the columns; the name alone proves nothing."""
    start = sample.head.lstrip(b"\xef\xbb\xbf")[:16].lstrip(b'"')
    if not start.startswith(b"timestamp"):
        return 0
    shape = shape_of(sample.head, Profile(delimiter=",", header=True), sample.size_bytes)
    if shape is None or not is_report(tuple(map(normal, shape.headings))):
        return 0
    return 92


def columns_for(report: Report, headings: tuple[str, ...]) -> dict[str, int]:
    """Draft column → column number, for a report of this type with these headings."""
    place = {name: index for index, name in reversed(list(enumerate(headings)))}
    taken: dict[str, int] = {}
    value = report.value
    if not value:
        value = "src_ip" if "src_ip" in place else "ip"
    if value not in place:
        raise InputError("missing-columns", field=value, excerpt=",".join(headings)[:120])
    prefix = value.removesuffix("ip") if value.endswith("ip") else ""
    for ending, draft in _ENDINGS.items():
        for name in (prefix + ending, ending, "host" if ending == "hostname" and not prefix else ending):
            if name in place and draft not in taken:
                taken[draft] = place[name]
                break
    if prefix == "" and "src_port" in place and "port" not in place:
        taken["port"] = place["src_port"]
    if not value.endswith("ip"):
        if taken.get("value") is not None:
            taken["peer"] = taken["value"]
        taken["value"] = place[value]
    _other_side(place, prefix, taken)
    for name, draft in _PLAIN.items():
        if name in place and draft not in taken and place[name] not in taken.values():
            taken[draft] = place[name]
    if report.name == "sandbox_url" and "url" in place:
        # Elsewhere the column holds a request line such as "GET / HTTP/1.1", not a web address.
        taken["url"] = place["url"]
    for name in _MALWARE if report.type in {"infected-system", "c2-server", "malware", "malware-distribution"} else ():
        if name in place and "malware" not in taken:
            taken["malware"] = place[name]
    return taken


def _other_side(place: dict[str, int], prefix: str, taken: dict[str, int]) -> None:
    others = next(others for side, others in _SIDES if side == prefix)
    for other in others:
        for ending, draft in _PEER_ENDINGS.items():
            name = other + ending
            if name in place and draft not in taken and place[name] not in taken.values():
                taken[draft] = place[name]
    if "peer" not in taken and "cc" in place:
        taken["peer"] = place["cc"]


def plan_for(report: Report, shape: Shape) -> Plan:
    """How rows of this report become drafts: columns, roles, type."""
    headings = tuple(map(normal, shape.headings))
    taken = columns_for(report, headings)
    constants = {"type": report.type, "role": report.role, "severity": report.severity}
    if "peer" in taken:
        constants["peer_role"] = report.peer_role
    if report.offence:
        constants["offence"] = report.offence
    return Plan(
        names=tuple(name or f"column {index + 1}" for index, name in enumerate(shape.headings)),
        taken=taken,
        lists={"tags": ";"},
        constants=constants,
        headings=frozenset({shape.headings[taken["value"]]}),
    )


def read(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
    """Draft rows of a report. Raises InputError("unmapped-report-type") for a type without an entry."""
    yield from _ready(source, profile).items(source, block_bytes)


def cut(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> list[Stretch] | None:
    """The stretches that the report can be read by."""
    return _ready(source, profile).stretches(source, block_bytes)


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    yield from _ready(source, profile).items_of(source, stretches)


def _ready(source: Source, profile: Profile) -> Ready:
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
    if not head.strip():
        raise InputError("empty-file")
    shape = shape_of(head, Profile(delimiter=",", header=True), source.size_bytes)
    if shape is None:
        raise InputError("unknown-format")
    headings = tuple(map(normal, shape.headings))
    report = reports().get(profile.name) or report_type(source.name, headings)
    if report is None:
        raise InputError("unmapped-report-type", excerpt=source.name[-120:])
    told = Heading(title=report.title, producer="The Shadowserver Foundation", report_type=report.name)
    return Ready(shape.layout, plan_for(report, shape), 3 if head.startswith(b"\xef\xbb\xbf") else 0, (told,))


FORMAT = Format(
    name="shadowserver",
    title="Shadowserver report (CSV)",
    recognise=recognise,
    read=read,
    media_types=("text/csv",),
    extensions=(".csv",),
    cut=cut,
    read_cut=read_cut,
)
