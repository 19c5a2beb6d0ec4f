"""OpenIOC 1.0 and 1.1: a definition is a boolean tree and is kept whole; only what stands under OR gives rows."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing, rows_of
from tocsin.core.words import EventType, Kind, Role, Unit
from tocsin.formats._xml import Element, name_of, root_of, text_in, tree

NAMESPACES = {
    "http://schemas.mandiant.com/2010/ioc": "1.0",
    "http://openioc.org/schemas/OpenIOC_1.1": "1.1",
    "http://openioc.org/schemas/openioc_1.1": "1.1",
}
TERMS: dict[str, Kind] = {
    "FileItem/Md5sum": Kind.MD5,
    "FileItem/Sha1sum": Kind.SHA1,
    "FileItem/Sha256sum": Kind.SHA256,
    "FileItem/FileName": Kind.FILENAME,
    "FileItem/PEInfo/ImpHash": Kind.IMPHASH,
    "ProcessItem/SectionList/MemorySection/Md5sum": Kind.MD5,
    "ProcessItem/SectionList/MemorySection/Sha1Sum": Kind.SHA1,
    "ProcessItem/SectionList/MemorySection/Sha256Sum": Kind.SHA256,
    "DriverItem/Md5sum": Kind.MD5,
    "ServiceItem/serviceDLLmd5sum": Kind.MD5,
    "TaskItem/md5sum": Kind.MD5,
    "DnsEntryItem/Host": Kind.DOMAIN,
    "DnsEntryItem/RecordName": Kind.DOMAIN,
    "DnsEntryItem/RecordData/Host": Kind.DOMAIN,
    "DnsEntryItem/RecordData/IPv4Address": Kind.IPV4,
    "Network/DNS": Kind.DOMAIN,
    "Network/URI": Kind.URL,
    "Network/UserAgent": Kind.USER_AGENT,
    "UrlHistoryItem/URL": Kind.URL,
    "UrlHistoryItem/HostName": Kind.DOMAIN,
    "CookieHistoryItem/HostName": Kind.DOMAIN,
    "FileDownloadHistoryItem/SourceURL": Kind.URL,
    "PortItem/remoteIP": Kind.IPV4,
    "RouteEntryItem/Destination": Kind.IPV4,
    "ArpEntryItem/IPv4Address": Kind.IPV4,
    "Email/From": Kind.EMAIL,
    "RegistryItem/Path": Kind.REGISTRY_KEY,
    "RegistryItem/KeyPath": Kind.REGISTRY_KEY,
}
"""Search terms that state one value. Paths, sizes, strings and the like are no values to look up."""
WHOLE_VALUES = frozenset(
    {Kind.MD5, Kind.SHA1, Kind.SHA256, Kind.IMPHASH, Kind.DOMAIN, Kind.IPV4, Kind.IPV6, Kind.URL, Kind.EMAIL}
)
"""Kinds of which `contains` states a whole value as well as `is` does."""
HASHES = frozenset({Kind.MD5, Kind.SHA1, Kind.SHA256, Kind.IMPHASH})


def recognise(sample: Sample) -> int:
    """By the root element."""
    space, name = root_of(sample.head)
    if name in {"ioc", "OpenIOC"}:
        return 98 if space in NAMESPACES else 60
    return 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """The definition as a Thing, then the rows that flattening does not falsify."""
    root, data = tree(source)
    version = NAMESPACES.get(root.tag.partition("}")[0][1:], "1.0")
    meta = next((child for child in root if name_of(child) == "metadata"), root)
    identity = root.get("id", "")
    if not identity:
        yield Rejection(1, Unit.OBJECT, "missing-field", "id", data[:120].decode("utf-8", "replace"))
        return
    title = text_in(meta, "short_description")
    yield Heading(title=title, producer=text_in(meta, "authored_by"))
    links = [
        (link.get("rel", ""), (link.text or "").strip())
        for part in meta
        if name_of(part) == "links"
        for link in part
        if (link.text or "").strip()
    ]
    yield Thing(
        standard=f"openioc-{version}",
        type="ioc",
        id=identity,
        raw=data,
        position=1,
        version=root.get("last-modified", ""),
        name=title,
        labels=tuple(f"{rel}:{text}" for rel, text in links),
        valid_from=text_in(meta, "authored_date"),
    )
    yield from _rows(root, meta, title, links, profile)


def _rows(root: Element, meta: Element, title: str, links: list[tuple[str, str]], profile: Profile) -> Iterator[Item]:
    common: dict[str, object] = {
        "first_at": text_in(meta, "authored_date") or None,
        "role": profile.defaults.get("role", Role.ATTACKER_INFRA.value),
        "label": title or None,
        "actor": next((text for rel, text in links if rel.lower() == "threatgroup"), None),
        "malware": next((text for rel, text in links if rel.lower() in {"family", "malware"}), None),
        "tags": "; ".join(f"{rel}:{text}" for rel, text in links if rel.lower() != "license") or None,
        "reference": next((text for rel, text in links if text.startswith("http")), None),
    }
    records: list[dict[str, object]] = []
    for part in root:
        if name_of(part) in {"definition", "criteria"}:
            for position, kind, value in _singles(part):
                event = EventType.MALWARE.value if kind in HASHES else profile.defaults.get("type")
                records.append({"position": position, "kind": kind.value, "value": value, "type": event, **common})
    for start in range(0, len(records), 10_000):
        yield rows_of(records[start : start + 10_000])


def _singles(definition: Element) -> Iterator[tuple[int, Kind, str]]:
    """(number of the item in the tree, kind, value) of each item with nothing but OR above it."""
    numbers = {item: number for number, item in enumerate(_items(definition), start=1)}
    todo = [definition]
    while todo:
        branch = todo.pop(0)
        children = [child for child in branch if name_of(child) in {"Indicator", "IndicatorItem"}]
        if name_of(branch) == "Indicator" and branch.get("operator", "").upper() != "OR" and len(children) > 1:
            continue
        if branch.get("negate", "false").lower() == "true":
            continue
        for child in children:
            if name_of(child) == "Indicator":
                todo.append(child)
            elif (found := _single(child)) is not None:
                yield numbers[child], *found


def _items(definition: Element) -> Iterator[Element]:
    return (node for node in definition.iter() if name_of(node) == "IndicatorItem")


def _single(item: Element) -> tuple[Kind, str] | None:
    """Kind and value of one item; None where it does not state a value."""
    condition = item.get("condition", "is").lower()
    if condition not in {"is", "contains"} or item.get("negate", "false").lower() == "true":
        return None
    context = next((child for child in item if name_of(child) == "Context"), None)
    kind = None if context is None else TERMS.get(context.get("search", ""))
    value = text_in(item, "Content")
    if kind is None or not value:
        return None
    if kind in {Kind.DOMAIN, Kind.IPV4} or (kind is Kind.URL and "/" not in value):
        kind = _host_kind(value)
    if condition == "contains" and (kind not in WHOLE_VALUES or (kind is Kind.URL and "://" not in value)):
        return None
    if kind is Kind.URL and not value[:4].lower().startswith("http"):
        return None  # A path alone is no address.
    return kind, value


def _host_kind(value: str) -> Kind:
    if ":" in value:
        return Kind.IPV6
    return Kind.IPV4 if value.replace(".", "").isdigit() else Kind.DOMAIN


FORMAT = Format(
    name="openioc",
    title="OpenIOC",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".ioc", ".xml"),
)
