"""XARF abuse reports, versions 4 and 3: somebody tells a network that one of its addresses did something.

The report is kept whole, with its evidence; addresses, pages, digests and command servers named in it become rows.
Source: the XARF specification 4.2 and 3.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing
from tocsin.core.roles import event_type, peer_role, source_role
from tocsin.core.words import EventType, Role, Unit

from . import _records
from ._records import Made, Record, text_of, texts_of

TYPES: dict[str, EventType] = {
    "connection/login_attack": EventType.BRUTE_FORCE,
    "connection/port_scan": EventType.SCANNER,
    "connection/ddos": EventType.DDOS,
    "connection/infected_host": EventType.INFECTED_SYSTEM,
    "connection/reconnaissance": EventType.SCANNER,
    "connection/scraping": EventType.OTHER,
    "connection/sql_injection": EventType.EXPLOIT,
    "connection/vulnerability_scan": EventType.SCANNER,
    "content/phishing": EventType.PHISHING,
    "content/malware": EventType.MALWARE_DISTRIBUTION,
    "content/csam": EventType.VIOLENCE,
    "content/csem": EventType.VIOLENCE,
    "content/exposed_data": EventType.DATA_LEAK,
    "content/fraud": EventType.SOCIAL_ENGINEERING,
    "content/brand_infringement": EventType.MASQUERADE,
    "content/suspicious_registration": EventType.MASQUERADE,
    "content/remote_compromise": EventType.SYSTEM_COMPROMISE,
    "infrastructure/botnet": EventType.INFECTED_SYSTEM,
    "infrastructure/compromised_server": EventType.SYSTEM_COMPROMISE,
    "messaging/spam": EventType.SPAM,
    "messaging/bulk_messaging": EventType.SPAM,
    "reputation/blocklist": EventType.BLACKLIST,
    "reputation/threat_intelligence": EventType.BLACKLIST,
    "vulnerability/cve": EventType.VULNERABLE_SYSTEM,
    "vulnerability/misconfiguration": EventType.MISCONFIGURATION,
    "vulnerability/open_service": EventType.POTENTIALLY_UNWANTED_ACCESSIBLE,
}
"""XARF category and type → type of event; `copyright/…` is always copyright."""

_ROLES = {
    "content/remote_compromise": Role.COMPROMISED_THIRD_PARTY,
    "content/csam": Role.ATTACKER_INFRA,
    "content/csem": Role.ATTACKER_INFRA,
    "content/exposed_data": Role.UNKNOWN,
    "connection/scraping": Role.UNKNOWN,
}
_OFFENCES = {"content/csam": "child-abuse-material", "content/csem": "child-abuse-material"}
_OLD_NAMES = {
    "IP": "source_identifier",
    "URL": "url",
    "MalwareFamily": "malware_family",
    "C2Server": "c2_server",
    "FirstSeen": "first_seen",
    "LastSeen": "last_seen",
    "Protocol": "protocol",
    "DestinationIP": "destination_ip",
    "DestinationPort": "destination_port",
    "SMTPFrom": "smtp_from",
    "TargetBrand": "target_brand",
}
_OLD_TYPES = {
    "botnet": "infrastructure/botnet",
    "ddos": "connection/ddos",
    "phishing": "content/phishing",
    "malware": "content/malware",
    "spam": "messaging/spam",
    "loginattack": "connection/login_attack",
    "login-attack": "connection/login_attack",
    "portscan": "connection/port_scan",
    "port-scan": "connection/port_scan",
    "openservice": "vulnerability/open_service",
    "copyright": "copyright/copyright",
    "trademark": "content/brand_infringement",
}
_USED = frozenset(
    {
        *("xarf_version", "report_id", "timestamp", "reporter", "sender", "source_identifier", "source_port"),
        *("category", "type", "destination_ip", "destination_port", "protocol", "malware_family", "c2_server"),
        *("first_seen", "last_seen", "evidence", "tags", "url", "file_hash", "severity", "asn", "description"),
        *("infringing_url", "hash_values", "c2_communications", "domain", "confidence_score"),
    }
)


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Each report as a thing, and rows for what it names."""
    return _records.converted(source, _report, ("reports", "data"))


def _report(record: dict[str, object], number: int, raw: bytes) -> Iterator[Made]:
    if "Report" in record:
        record, standard = _modern(record), "xarf-3"
    else:
        standard = "xarf-4"
    category, word = text_of(record.get("category")) or "", text_of(record.get("type")) or ""
    place = f"{category}/{word}".lower()
    type_ = EventType.COPYRIGHT if category == "copyright" else TYPES.get(place)
    threat = (text_of(record.get("threat_type")) or "").lower()
    if type_ is EventType.BLACKLIST and threat:
        type_ = event_type(threat.replace("_", "-")) or type_
    reporter = record.get("reporter")
    producer = text_of(reporter.get("org")) if isinstance(reporter, dict) else None
    marking = _records.marking_of(record.get("tlp") or record.get("_tlp"))
    if number == 1:
        yield Heading(title=f"XARF: {place}", producer=producer or "", marking=marking)
    yield Thing(
        standard=standard,
        type=place,
        id=text_of(record.get("report_id")) or f"xarf-{number}-{text_of(record.get('timestamp')) or ''}",
        raw=raw,
        position=number,
        version=text_of(record.get("timestamp")) or "",
        name=text_of(record.get("description")) or "",
        labels=tuple(texts_of(record.get("tags"))),
        external_ids=tuple(texts_of(record.get("cve_id"))),
        marking=marking,
    )
    if type_ is None:
        yield Rejection(number, Unit.OBJECT, "not-a-type", "type", place[:80])
        return
    rows = list(_rows(record, number, place, type_))
    for row in rows:
        yield {**row, "marking": marking}
    if not rows:
        yield Rejection(number, Unit.OBJECT, "no-value", "source_identifier", place[:80])


def _rows(record: dict[str, object], number: int, place: str, type_: EventType) -> Iterator[Record]:
    role = _ROLES.get(place, source_role(type_)).value
    malware = text_of(record.get("malware_family"))
    base: Record = {
        "position": number,
        "first_at": text_of(record.get("first_seen")) or text_of(record.get("timestamp")),
        "last_at": text_of(record.get("last_seen")) or text_of(record.get("timestamp")),
        "type": type_.value,
        "offence": _OFFENCES.get(place),
        "malware": malware,
        "label": malware or text_of(record.get("threat_type")) or text_of(record.get("cve_id")),
        "severity": text_of(record.get("severity")),
        "confidence": _confidence(record.get("confidence_score")),
        "tags": "; ".join(texts_of(record.get("tags"))) or None,
        "note": text_of(record.get("description")),
        "reference": text_of(record.get("report_id")),
        "extra": _records.extra_of({name: value for name, value in record.items() if name not in _USED}),
    }
    page = text_of(record.get("url")) or text_of(record.get("infringing_url"))
    address = text_of(record.get("source_identifier"))
    server = text_of(record.get("c2_server"))
    if page:
        yield {**base, "kind": "url", "value": page, "role": role, "hostname": text_of(record.get("domain"))}
    if address and address != page:
        peer = text_of(record.get("destination_ip")) or (server if type_ is EventType.INFECTED_SYSTEM else None)
        told = peer_role(type_).value if peer != server else Role.ATTACKER_INFRA.value
        yield {
            **base,
            "kind": _records.kind_of_host(address),
            "value": address,
            # Where the fact is a page, nobody said that its host, whom the report warns, is the attacker's.
            "role": Role.UNKNOWN.value if page and role == Role.ATTACKER_INFRA else role,
            "url": page,
            "port": text_of(record.get("source_port")),
            "protocol": text_of(record.get("protocol")),
            "asn": text_of(record.get("asn")),
            "stated_country": text_of(record.get("geographic_location")),
            "peer": peer,
            "peer_role": told if peer else None,
            "peer_port": text_of(record.get("destination_port")) if peer else None,
        }
    yield from _digests(base, record)
    for found in [server, *texts_of(record.get("c2_communications"))]:
        if found:
            yield _server(base, found)


def _server(base: Record, text: str) -> Record:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or ":" in host:
        host, port = text, ""
    named: Record = {"kind": _records.kind_of_host(host), "value": host, "port": port or None}
    return {**base, **named, "role": Role.ATTACKER_INFRA.value, "type": EventType.C2_SERVER.value}


def _digests(base: Record, record: dict[str, object]) -> Iterator[Record]:
    word, _, digest = (text_of(record.get("file_hash")) or "").partition(":")
    found = [(word, digest)]
    several = record.get("hash_values")
    found += [(str(key), text_of(value) or "") for key, value in several.items()] if isinstance(several, dict) else []
    for name, digest in found:
        kind = name.lower().replace("-", "")
        if kind in ("md5", "sha1", "sha256", "sha512") and digest:
            yield {**base, "kind": kind, "value": digest, "role": Role.ATTACKER_INFRA.value}


def _confidence(score: object) -> str | None:
    if isinstance(score, bool) or not isinstance(score, int | float):
        return None
    percent = score * 100 if 0 <= score <= 1 else score
    return str(round(percent)) if 0 <= percent <= 100 else None


def _modern(record: dict[str, object]) -> dict[str, object]:
    """A version 3 report under the names of version 4."""
    report, reporter = record.get("Report"), record.get("ReporterInfo")
    report = report if isinstance(report, dict) else {}
    reporter = reporter if isinstance(reporter, dict) else {}
    told = (text_of(report.get("ReportType")) or "").lower()
    category, _, word = _OLD_TYPES.get(told, f"{report.get('ReportClass')}/{told}").partition("/")
    modern: dict[str, object] = {
        "category": category,
        "type": word,
        "timestamp": report.get("Date"),
        "reporter": {"org": reporter.get("ReporterOrg"), "domain": reporter.get("ReporterOrgDomain")},
    }
    source, more = report.get("Source"), report.get("AdditionalInfo")
    for facts in (source, more):
        for name, value in facts.items() if isinstance(facts, dict) else ():
            if name == "Port":
                modern["source_port"] = value
            elif name != "Type":
                modern[_OLD_NAMES.get(str(name), str(name))] = value
    return modern


def recognise(sample: Sample) -> int:
    """By the version that each report states."""
    seen = _records.outline(sample.head)
    for keys in (seen.keys, seen.item_keys):
        if "xarf_version" in keys:
            return 98
        if {"ReporterInfo", "Report"} <= keys.keys():
            return 95
    return 0


FORMAT = Format(
    name="xarf",
    title="XARF abuse report (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json",),
    extensions=(".json",),
)
