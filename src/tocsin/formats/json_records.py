"""Any JSON list of records or values: by the profile's column map, a known shape, or the names of the keys.

Records come as a list, one a line, or as a list inside an object. Known shapes (KEV, OTX, CrowdSec, Zeek, …)
are data: which keys tell them, which path fills which column. Lists of plain strings name values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Stretch
from tocsin.core.typed import recognise_value
from tocsin.core.wallets import canonical_wallet
from tocsin.core.words import Unit

from . import _columns, _json, _json_outline, _records
from ._records import Made, Record, text_of, texts_of

Paths = dict[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A known sort of record."""

    keys: frozenset[str]
    """Dotted names that a record of this shape has."""
    columns: Paths
    kind: str = ""
    constants: dict[str, str] = field(default_factory=dict)
    each: str = ""
    """Member that lists the values: a row for each of its entries."""


def _shape(keys: str, columns: Paths, kind: str = "", each: str = "", **constants: str) -> Shape:
    return Shape(frozenset(keys.split()), columns, kind, constants, each)


_ZEEK: Paths = {
    "first_at": "ts",
    "port": "id.resp_p",
    "protocol": ("proto", "service"),
    "peer": "id.orig_h",
    "peer_port": "id.orig_p",
    "reference": "uid",
}
_ANUBIS: Paths = {
    "first_at": "_ts",
    "malware": ("malw.family", "trojanfamily"),
    "label": ("malw.variant", "trojanfamily"),
    "port": ("src.port", "env.remote_port"),
    "protocol": ("comm.proto", "app_proto"),
    "peer": ("dst.ip", "env.server_addr", "env.server_name"),
    "peer_port": ("dst.port", "env.server_port"),
    "hostname": "comm.http.host",
    "stated_country": ("_geo_src_ip.country_code", "_geo_env_remote_addr.country_code"),
    "asn": ("_geo_src_ip.asn", "_geo_env_remote_addr.asn"),
}
_INFECTED = {"role": "VICTIM", "type": "infected-system", "peer_role": "SINKHOLE"}
SHAPES: tuple[Shape, ...] = (
    _shape(
        "cveID dateAdded",
        {
            "value": "cveID",
            "first_at": "dateAdded",
            "label": "vendorProject",
            "note": "vulnerabilityName",
            "tags": ("product", "knownRansomwareCampaignUse"),
            "reference": "notes",
        },
        kind="cve",
        type="exploit",
    ),
    _shape(
        "alert cves",
        {"value": "", "first_at": "published_at", "reference": "alert"},
        kind="cve",
        each="cves",
        type="vulnerable-system",
        role="UNKNOWN",
    ),
    _shape(
        "indicators author_name",
        {
            "value": "indicator",
            "kind": "type",
            "first_at": ("created", "^created"),
            "label": "^name",
            "actor": "^adversary",
            "malware": "^malware_families",
            "tags": "^tags",
            "note": ("description", "^name"),
            "reference": "^references",
            "marking": ("^TLP", "^tlp"),
        },
        each="indicators",
    ),
    _shape(
        "source.value scenario",
        {
            "value": ("source.ip", "source.value"),
            "first_at": "start_at",
            "last_at": "stop_at",
            "count": "events_count",
            "label": "scenario",
            "stated_country": "source.cn",
            "asn": "source.as_number",
            "network": "source.range",
            "note": "message",
            "reference": "uuid",
        },
        type="ids-alert",
        role="ATTACKER_INFRA",
    ),
    _shape(
        "value scenario origin",
        {"value": "value", "first_at": "start_at", "label": "scenario", "tags": "origin", "note": "type"},
        type="ids-alert",
        role="ATTACKER_INFRA",
    ),
    _shape(
        "ip scenarios first_seen",
        {
            "value": "ip",
            "first_at": "first_seen",
            "last_at": "last_seen",
            "label": "scenarios",
            "tags": "tags",
            "asn": "asn",
            "network": "asn_prefix",
            "stated_country": ("country", "country_code"),
            "note": "sources",
        },
        type="ids-alert",
        role="ATTACKER_INFRA",
    ),
    _shape("id.orig_h id.resp_h query", {**_ZEEK, "value": "query", "peer": "id.orig_h"}, kind="domain"),
    _shape(
        "id.orig_h id.resp_h method host",
        {**_ZEEK, "value": "host", "url": "uri", "note": "user_agent"},
        kind="host",
    ),
    _shape("id.orig_h id.resp_h server_name", {**_ZEEK, "value": ("server_name", "id.resp_h")}, kind="host"),
    _shape("id.orig_h id.resp_h", {**_ZEEK, "value": "id.resp_h"}),
    _shape("src.ip malw.family", {"value": "src.ip", **_ANUBIS}, **_INFECTED),
    _shape("env.remote_addr trojanfamily", {"value": "env.remote_addr", **_ANUBIS}, **_INFECTED),
    _shape(
        "ip_str port timestamp",
        {
            "value": "ip_str",
            "port": "port",
            "protocol": "transport",
            "first_at": "timestamp",
            "asn": "asn",
            "hostname": "hostnames",
            "stated_country": "location.country_code",
            "note": ("product", "_shodan.module"),
        },
        type="potentially-unwanted-accessible",
        role="VICTIM",
    ),
    _shape(
        "indicatorthreattype networksourceipv4",
        {
            "value": "networksourceipv4",
            "port": "networksourceport",
            "peer": "networkdestinationipv4",
            "peer_port": "networkdestinationport",
            "first_at": "firstreporteddatetime",
            "last_at": "lastreporteddatetime",
            "label": ("externalid", "indicatorthreattype"),
            "confidence": "confidence",
            "asn": "networksourceasn",
            "note": "description",
            "marking": "tlplevel",
        },
        **_INFECTED,
    ),
    _shape(
        "DataFeed SourceIp ThreatCode",
        {
            "value": "SourceIp",
            "port": "SourcePort",
            "peer": "DestinationIp",
            "peer_port": "DestinationPort",
            "malware": "Malware",
            "label": "ThreatCode",
            "count": "TotalEncounters",
            "asn": "SourceIpInfo.SourceIpAsnNumber",
            "stated_country": "SourceIpInfo.SourceIpCountryCode",
            "hostname": "HttpInfo.HttpHost",
            "tags": "DataFeed",
            "marking": "TLP",
        },
        **_INFECTED,
    ),
    _shape(
        "IndicatorThreatType Url",
        {
            "value": "Url",
            "first_at": "FirstReportedDateTime",
            "last_at": "LastReportedDateTime",
            "label": "IndicatorThreatType",
            "asn": "NetworkDestinationAsn",
            "note": "Description",
            "tags": "Tags",
            "marking": "TLPLevel",
        },
        kind="url",
        role="ATTACKER_INFRA",
        type="blacklist",
    ),
    _shape(
        "collect fseen url",
        {"value": "url", "first_at": "fseen", "last_at": "lseen", "tags": "tags.str", "note": "description"},
        kind="host",
    ),
    _shape(
        "collect fseen domain",
        {"value": "domain", "first_at": "fseen", "last_at": "lseen", "tags": "tags.str", "note": "description"},
        kind="domain",
    ),
    _shape(
        "ip spoofable classification",
        {
            "value": "ip",
            "first_at": "first_seen",
            "last_at": "last_seen",
            "label": "tags",
            "note": "classification",
            "actor": "",
            "stated_country": "metadata.country_code",
            "asn": "metadata.asn",
            "hostname": "metadata.rdns",
        },
        type="scanner",
        role="ATTACKER_INFRA",
    ),
)

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Rows of the records, or of the strings, and why a record gave none."""
    head = _head_of(source)
    seen = _records.outline(head)
    if _is_list_of_texts(head):
        yield from _texts(source, profile)
        return
    yield from _headings(seen)
    yield from _records.converted(source, _converter(profile), _wrappers(seen))


def cut(source: Source, profile: Profile, block_bytes: int) -> list[Stretch] | None:
    """The stretches of a file with a record on each line."""
    return _records.cut_lines(source, block_bytes, _wrappers(_records.outline(_head_of(source))))


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    if any(each.is_first for each in stretches):
        yield from _headings(_records.outline(_head_of(source)))
    yield from _records.converted_cut(source, _converter(profile), stretches)


def _head_of(source: Source) -> bytes:
    with source.open() as stream:
        return _json.text_of(stream.read(_records.HEAD_BYTES))


def _wrappers(seen: _json_outline.Outline) -> tuple[str, ...]:
    return tuple(
        name
        for name in (seen.item_of, *seen.keys)
        if name and seen.keys.get(name) == b"[" and (name == seen.item_of or name == "data")
    )[:1]


def _headings(seen: _json_outline.Outline) -> Iterator[Heading]:
    title = seen.keys.get("title")
    if title and title[:1] == b'"':
        yield Heading(title=str(orjson.loads(title)) if _records.whole(title) else "")


def _converter(profile: Profile) -> Callable[[dict[str, object], int, bytes], Iterator[Made]]:
    mapped: Paths = {draft: str(path) for draft, path in profile.columns.items() if path != "*"}

    def convert(record: dict[str, object], number: int, raw: bytes) -> Iterator[Made]:
        facts = _records.flat(record)
        names = facts.keys() | record.keys()
        shape = None
        if not mapped:
            shape = next((item for item in SHAPES if item.keys <= names), None)
        columns = mapped or (shape.columns if shape else _guessed(tuple(facts)))
        facts |= {name: value for name, value in record.items() if name not in facts}
        entries: list[object] = [facts]
        if shape and shape.each:
            listed = record.get(shape.each)
            entries = listed if isinstance(listed, list) else []
        made = [row for entry in entries for row in _rows(entry, facts, columns, shape, number, profile)]
        yield from made
        if not made:
            shown = raw[:80].decode("utf-8", "replace")
            yield Rejection(number, Unit.OBJECT, "no-value", excerpt=shown)

    return convert


def _rows(
    entry: object, outer: dict[str, object], columns: Paths, shape: Shape | None, number: int, profile: Profile
) -> Iterator[Made]:
    facts = _records.flat(entry) if isinstance(entry, dict) else {"": entry}
    made: Record = {"position": number}
    for draft, paths in columns.items():
        found = _at(paths, facts, outer)
        if found is not None:
            made[draft] = found
    if shape:
        for draft, constant in shape.constants.items():
            if draft != "peer_role" or made.get("peer"):
                made.setdefault(draft, constant)
    marking = _records.marking_of(made.pop("marking", None))
    if marking is None:
        marking = _records.marking_of(facts.get("tlp") or outer.get("tlp"))
    for column in ("first_at", "last_at"):
        if isinstance(made.get(column), str):
            made[column] = _moment(str(made[column]))
    if "asn" in made:
        made["asn"] = str(made["asn"]).upper().removeprefix("AS").strip() or None
    word = made.pop("kind", None)
    values = _values(facts, columns)
    for place, value in enumerate(values):
        kind = _kind(str(word or ""), shape.kind if shape else "", value, profile)
        if kind is None:
            if len(values) == 1 or not place:
                yield Rejection(number, Unit.OBJECT, "not-a-value", "value", value[:80])
            continue
        if shape and kind == "domain" and shape.kind == "host" and str(made.get("url", "")).startswith("/"):
            made["url"] = f"http://{value}{made['url']}"
        if shape and shape.kind == "host" and kind == "url" and "://" not in value:
            value = f"http://{value}"
        yield {**made, "kind": kind, "value": value, "marking": marking}


def _values(facts: dict[str, object], columns: Paths) -> list[str]:
    """Values of a record: the first path that has any. A list gives several."""
    paths = columns.get("value", ())
    for path in (paths,) if isinstance(paths, str) else paths:
        found = texts_of(facts.get(path))
        if found:
            return found
    return []


def _at(paths: str | tuple[str, ...], facts: dict[str, object], outer: dict[str, object]) -> str | None:
    """The text at the first path that has one; a path with ^ starts at the enclosing record."""
    for path in (paths,) if isinstance(paths, str) else paths:
        value = outer.get(path[1:]) if path.startswith("^") else facts.get(path)
        if isinstance(value, list):
            named = [item.get("display_name") or item.get("name") if isinstance(item, dict) else item for item in value]
            joined = "; ".join(texts_of(named))
            if joined:
                return joined
        found = text_of(value)
        if found:
            return found
    return None


def _guessed(names: tuple[str, ...]) -> Paths:
    """Columns by the names of the keys, whole path first, then its last part; the first key of a column counts."""
    found: dict[str, str] = {}
    for place in (0, 1):
        for name in names:
            key = _columns.normal(name if place == 0 else name.rpartition(".")[2])
            if place == 1 and "." not in name:
                continue
            draft = _columns.SYNONYMS.get(key) or ("value" if key in _columns.VALUE_HEADINGS else None)
            if name.lower() in ("element", "indicator", "ioc"):
                draft = "value"
            if draft and name not in found.values() and not (draft == "value" and place == 1 and "value" in found):
                found.setdefault(draft, name)
    for second in ("url", "hostname"):
        if "value" not in found and second in found:
            found["value"] = found.pop(second)
    return dict(found)


def _kind(word: str, expected: str, value: str, profile: Profile) -> str | None:
    """Kind by the source's word, the shape, or the value itself; None when it is no value."""
    if word:
        told = profile.types.get(word.lower()) or _columns.kind_of_word(word)
        if told:
            return "network" if told in ("ipv4", "ipv6") and "/" in value else told
    if expected and expected != "host":
        return expected
    if expected == "host" and "/" in value:
        return "url"
    if expected == "host":
        return _records.kind_of_host(value)
    default = profile.defaults.get("kind")
    if default:
        return default
    return kind_of(value)


def kind_of(value: str) -> str | None:
    """The kind that a value shows by itself."""
    quick = _records.kind_of_host(value) if value[:1].isdigit() or "://" in value else ""
    if quick in ("ipv4", "ipv6", "network", "url"):
        return quick
    found = recognise_value(value)
    if found is not None:
        return found[0].value
    return "wallet" if canonical_wallet(value) is not None else None


def _moment(text: str) -> str:
    """Numbers of seconds stay as they are, without their fraction's noise; the kernel reads the rest."""
    return text.partition(".")[0] if _NUMBER.fullmatch(text) else text


def _texts(source: Source, profile: Profile) -> Iterator[Item]:
    with source.open() as stream:
        found = _json.array_items(stream)
        yield from _records.gathered(([_text_row(raw, number, profile)] for number, raw in found), Unit.ROW)


def _text_row(raw: bytes, number: int, profile: Profile) -> Record | Rejection:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, str) or not value.strip():
        return Rejection(number, Unit.ROW, "wrong-type", "value", raw[:80].decode("utf-8", "replace"))
    kind = profile.defaults.get("kind") or kind_of(value)
    if kind is None:
        return Rejection(number, Unit.ROW, "not-a-value", "value", value[:80])
    return {"position": number, "kind": kind, "value": value.strip()}


def _is_list_of_texts(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] == b'"'


def recognise(sample: Sample) -> int:
    """Low unless the shape is known, so that every format of its own comes first."""
    seen = _records.outline(sample.head)
    if not seen.kind or "spec_version" in seen.keys or "$schema" in seen.keys or "document" in seen.keys:
        return 0
    if _is_list_of_texts(sample.head):
        first = re.findall(rb'"([^"\\]{3,300})"', sample.head[:8192])[:20]
        return 30 if sum(kind_of(text.decode("utf-8", "replace")) is not None for text in first) * 2 > len(first) else 0
    first_record = _first(sample.head, seen)
    names = set(seen.item_keys) | (set(seen.keys) if not seen.item_of else set())
    if first_record:
        names |= _records.flat(first_record).keys() | first_record.keys()
    if any(shape.keys <= names for shape in SHAPES):
        return 60
    return 25 if "value" in _guessed(tuple(names)) else 0


def _first(head: bytes, seen: _json_outline.Outline) -> dict[str, object]:
    """The first record of a sample, where it is whole."""
    try:
        if seen.kind == "array" or seen.item_of:
            raw = next(iter(_json.array_items(head, seen.item_of)))[1]
        else:
            raw = next(iter(_json.documents(head)))[1]
        value = orjson.loads(raw)
    except (InputError, orjson.JSONDecodeError, StopIteration):
        return {}
    return value if isinstance(value, dict) else {}


FORMAT = Format(
    name="json-records",
    title="JSON records or values",
    recognise=recognise,
    read=read,
    media_types=("application/json", "application/x-ndjson"),
    extensions=(".json", ".jsonl", ".log"),
    cut=cut,
    read_cut=read_cut,
)
