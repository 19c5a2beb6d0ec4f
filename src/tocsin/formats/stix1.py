"""STIX 1.x with CybOX 2.x: dozens of namespaces, so local names count; each object is kept as canonical XML.

Indicators and observables that state single values give rows; compositions by AND and tests other than equality
are kept whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.core.patterns import hash_kind
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing, rows_of
from tocsin.core.words import EventType, Kind, Role, Tlp, Unit
from tocsin.formats._xml import Element, canonical, forget, name_of, pieces, root_of, text_in

CONTAINERS = {
    "Indicators": "Indicator",
    "Observables": "Observable",
    "TTPs": "TTP",
    "Campaigns": "Campaign",
    "Threat_Actors": "Threat_Actor",
    "Incidents": "Incident",
    "Courses_Of_Action": "Course_Of_Action",
    "Exploit_Targets": "Exploit_Target",
    "Reports": "Report",
}
THINGS = frozenset(CONTAINERS.values())
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
BATCH_ROWS = 5_000
FILES = frozenset({Kind.MD5, Kind.SHA1, Kind.SHA224, Kind.SHA256, Kind.SHA384, Kind.SHA512, Kind.SSDEEP})
LABELS = {"WHITE": Tlp.CLEAR, "CLEAR": Tlp.CLEAR, "GREEN": Tlp.GREEN, "AMBER": Tlp.AMBER,
          "AMBER+STRICT": Tlp.AMBER_STRICT, "RED": Tlp.RED}  # fmt: skip
TYPES = {
    "C2": EventType.C2_SERVER,
    "Malware C2": EventType.C2_SERVER,
    "Exfiltration": EventType.DATA_LEAK,
    "Malware Artifacts": EventType.MALWARE,
    "File Hash Watchlist": EventType.MALWARE,
}
HOSTS = {"DomainNameObjectType": "Value", "HostnameObjectType": "Hostname_Value"}


def recognise(sample: Sample) -> int:
    """By the root element and its namespace."""
    space, name = root_of(sample.head)
    if name == "STIX_Package" or "stix.mitre.org" in space:
        return 98
    return 95 if "cybox.mitre.org" in space else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Things and rows in file order; the package's marking holds for what says none itself."""
    marking: str | None = None
    titles: dict[str, str] = {}
    records: dict[str | None, list[dict[str, object]]] = {}
    number, depth, inside, seen_root = 0, 0, 0, False
    for event, element in pieces(source):
        name = name_of(element)
        if event == "start":
            seen_root = True
            if not inside and name in THINGS and _contained(element):
                inside = depth + 1
            depth += 1
            continue
        depth -= 1
        if inside and depth + 1 == inside:
            inside = 0
            for thing in _things_in(element):
                number += 1
                yield from _one(thing, number, marking, titles, records, profile)
            forget(element)
            if sum(map(len, records.values())) >= BATCH_ROWS:
                yield from _flush(records)
        elif not inside and name == "STIX_Header":
            marking = _marking(element) or marking
            yield Heading(
                title=text_in(element, "Title"),
                marking=marking,
                producer=text_in(element, "Information_Source", "Identity", "Name"),
                text=text_in(element, "Description")[:100_000],
            )
    assert seen_root
    yield from _flush(records)


def _contained(element: Element) -> bool:
    """Whether an element is an object of a package, and not a mere reference or a part of another."""
    parent = element.getparent()
    return parent is not None and CONTAINERS.get(name_of(parent)) == name_of(element)


def _things_in(element: Element) -> Iterator[Element]:
    """The object itself, then those that a report or an incident carries inside."""
    yield element
    for inner in element.iterdescendants():
        if name_of(inner) in THINGS and (_contained(inner) or _related(inner)):
            yield inner


def _related(element: Element) -> bool:
    """Whether a whole object, and no reference, stands under a relation."""
    return element.get("id") is not None and name_of(element.getparent()).startswith("Related_")


def _one(
    element: Element,
    number: int,
    marking: str | None,
    titles: dict[str, str],
    records: dict[str | None, list[dict[str, object]]],
    profile: Profile,
) -> Iterator[Item]:
    identity = element.get("id", "")
    kind = name_of(element)
    if not identity:
        if element.get("idref") is None:
            yield Rejection(number, Unit.OBJECT, "missing-field", f"{kind}.id", text_in(element, "Title")[:120])
        return
    own = _marking(element) or marking
    title = text_in(element, "Title")
    titles[identity] = title
    refs = [
        (name_of(part.getparent()) if name_of(part) in THINGS else name_of(part), part.get("idref"))
        for part in element.iterdescendants()
        if part.get("idref")
    ]
    yield Thing(
        standard="stix-1.x",
        type=kind.lower().replace("_", "-"),
        id=identity,
        raw=canonical(element),
        position=number,
        version=element.get("timestamp", ""),
        name=title or text_in(element, "Identity", "Name"),
        aliases=tuple(text for part in element.iter() if name_of(part) == "Alias" and (text := part.text or "")),
        refs=tuple(refs),
        external_ids=tuple(
            text for part in element.iter() if name_of(part) in {"CVE_ID", "CWE_ID"} and (text := part.text or "")
        ),
        pattern="",
        valid_from=text_in(element, "Valid_Time_Position", "Start_Time"),
        valid_until=text_in(element, "Valid_Time_Position", "End_Time"),
        marking=own,
    )
    if kind in {"Indicator", "Observable"}:
        records.setdefault(own, []).extend(_records(element, number, titles, profile))


def _flush(records: dict[str | None, list[dict[str, object]]]) -> Iterator[Item]:
    for marking, some in records.items():
        for start in range(0, len(some), BATCH_ROWS):
            yield rows_of(some[start : start + BATCH_ROWS], marking)
    records.clear()


def _marking(element: Element) -> str | None:
    """The narrowest TLP colour of the element's own handling."""
    handling = next((child for child in element if name_of(child) in {"Handling", "Object_Marking"}), None)
    if handling is None:
        return None
    found = [LABELS.get(part.get("color", "").upper()) for part in handling.iter() if part.get("color")]
    known = [label for label in found if label is not None]
    return max(known, key=lambda label: label.rank).value if known else None


def _records(element: Element, number: int, titles: dict[str, str], profile: Profile) -> Iterator[dict[str, object]]:
    is_indicator = name_of(element) == "Indicator"
    if element.get("negate", "false") == "true" or _joined(element):
        return
    role = profile.defaults.get("role", Role.ATTACKER_INFRA.value) if is_indicator else Role.UNKNOWN.value
    said = [(part.text or "").strip() for part in element if name_of(part) == "Type"]
    event = next((TYPES[word] for word in said if word in TYPES), None)
    label = text_in(element, "Title")
    for part in element.iterdescendants():
        if name_of(part) == "TTP" and titles.get(part.get("idref", "")):
            label = titles[part.get("idref")]
            break
    for kind, value in values_in(element):
        yield {
            "position": number,
            "first_at": element.get("timestamp") or None,
            "kind": kind.value,
            "value": value,
            "role": role,
            "type": event or (EventType.MALWARE if kind in FILES and is_indicator else None),
            "label": label or None,
            "tags": "; ".join(said) or None,
        }


def _joined(element: Element) -> bool:
    """Whether values must hold together: an AND of more than one part anywhere inside."""
    for part in element.iterdescendants():
        if name_of(part) in {"Observable_Composition", "Composite_Indicator_Expression"}:
            members = [child for child in part if name_of(child) in {"Observable", "Indicator"}]
            if part.get("operator", "AND").upper() == "AND" and len(members) > 1:
                return True
    return False


def values_in(element: Element) -> list[tuple[Kind, str]]:
    """(kind, value) pairs that the CybOX objects inside state by equality."""
    found: list[tuple[Kind, str]] = []
    for part in element.iterdescendants():
        if name_of(part) == "Properties" and not _inside_properties(part):
            found += _object_values(part)
    return list(dict.fromkeys(found))


def _inside_properties(part: Element) -> bool:
    return any(name_of(above) in {"Properties", "Related_Object"} for above in part.iterancestors())


def _object_values(properties: Element) -> list[tuple[Kind, str]]:
    kind = (properties.get(XSI_TYPE) or "").rpartition(":")[2]
    if kind in HOSTS:
        return [(_host_kind(text), text) for text in _texts(properties, HOSTS[kind])]
    if kind in {"URIObjectType", "LinkObjectType"}:
        domain = properties.get("type") == "Domain Name"
        return [(_host_kind(text) if domain else Kind.URL, text) for text in _texts(properties, "Value")]
    if kind in {"AddressObjectType", "SocketAddressObjectType", "NetworkSocketObjectType"}:
        return _addresses(properties)
    if kind in {"NetworkConnectionObjectType", "EmailMessageObjectType", "HTTPSessionObjectType"}:
        pairs = _addresses(properties)
        return pairs if len(pairs) == 1 else []
    if kind == "MutexObjectType":
        return [(Kind.MUTEX, text) for text in _texts(properties, "Name")]
    if kind == "ASObjectType":
        return [(Kind.ASN, text) for text in _texts(properties, "Number")]
    if kind == "WindowsRegistryKeyObjectType":
        hive = next(iter(_texts(properties, "Hive")), "")
        return [(Kind.REGISTRY_KEY, f"{hive}\\{text}" if hive else text) for text in _texts(properties, "Key")[:1]]
    if kind == "X509CertificateObjectType":
        return [(Kind.CERTIFICATE, text) for _, text in _hashes(properties)]
    hashes = _hashes(properties)
    if not hashes and kind.endswith("FileObjectType"):
        names = _texts(properties, "File_Name")
        paths = _texts(properties, "File_Path") or _texts(properties, "Size_In_Bytes")
        return [(Kind.FILENAME, text) for text in names] if not paths else []
    return hashes


def _texts(element: Element, name: str) -> list[str]:
    """Values of the descendants of that name that are stated by equality; several may hide in one text."""
    found: list[str] = []
    for part in element.iterdescendants():
        if name_of(part) != name or not (part.text or "").strip():
            continue
        if part.get("condition", "Equals") != "Equals" or part.get("pattern_type"):
            continue
        delimiter = part.get("delimiter", "##comma##")
        texts = part.text.split(delimiter) if delimiter in part.text else [part.text]
        if len(texts) > 1 and part.get("apply_condition", "ANY").upper() == "ALL":
            continue
        found += [text.strip() for text in texts if text.strip()]
    return found


def _hashes(properties: Element) -> list[tuple[Kind, str]]:
    found: list[tuple[Kind, str]] = []
    for part in properties.iterdescendants():
        if name_of(part) != "Hash":
            continue
        kind = hash_kind(text_in(part, "Type"))
        for text in _texts(part, "Simple_Hash_Value") + _texts(part, "Fuzzy_Hash_Value"):
            known = kind or BY_LENGTH.get(len(text))
            if known is not None:
                found.append((known, text))
    return found


BY_LENGTH = {32: Kind.MD5, 40: Kind.SHA1, 56: Kind.SHA224, 64: Kind.SHA256, 96: Kind.SHA384, 128: Kind.SHA512}
CATEGORIES = {"e-mail": Kind.EMAIL, "mac": Kind.MAC, "asn": Kind.ASN, "cidr": Kind.NETWORK}


def _addresses(element: Element) -> list[tuple[Kind, str]]:
    """Addresses stated inside, network and e-mail ones."""
    found: list[tuple[Kind, str]] = []
    for holder in element.iter():
        values = [child for child in holder if name_of(child) == "Address_Value"]
        category = holder.get("category", "ipv4-addr")
        for text in _texts(holder, "Address_Value") if values else []:
            kind = CATEGORIES.get(category)
            if kind is None:
                kind = Kind.EMAIL if "@" in text else _host_kind(text)
            found.append((Kind.NETWORK if "/" in text and kind in {Kind.IPV4, Kind.IPV6} else kind, text))
    return found


def _host_kind(value: str) -> Kind:
    if ":" in value:
        return Kind.IPV6
    return Kind.IPV4 if value.replace(".", "").replace("/", "").isdigit() else Kind.DOMAIN


FORMAT = Format(
    name="stix1",
    title="STIX 1.x and CybOX 2.x",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".xml", ".stix"),
)
