"""The kernel once more, in plain Python: one row is one dict, loops instead of columns, clarity before speed.

It knows nothing of Polars or numpy. Where it and the columns of the lake differ, one of them is wrong.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.core import values
from tocsin.core.errors import InputError
from tocsin.core.roles import event_type, peer_role, source_role
from tocsin.core.words import OFFENCE_OF_TYPE, Kind, Offence, Role, Severity
from tocsin.reference.countries import normalise_country
from tocsin.reference.special import special_networks

Row = dict[str, Any]
CLAIMS = ("stated_country", "registry_country", "geo_country", "tld_country")


def vote(claims: Sequence[str | None]) -> tuple[str | None, str]:
    """Two that agree decide; two against two, or all different: nobody; one alone stands."""
    ballots = Counter(claim for claim in claims if claim)
    agreed = [country for country, votes in ballots.items() if votes >= 2]
    if len(agreed) == 1:
        return agreed[0], "agreed"
    if agreed or len(ballots) > 1:
        return None, "conflict"
    return (next(iter(ballots)), "single") if ballots else (None, "none")


def is_public(text: str) -> bool:
    """Whether an address may be a machine of the public Internet, or one of the manuals'."""
    address = ipaddress.ip_address(text)
    manuals = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    if any(address in ipaddress.ip_network(each) for each in manuals):
        return True
    holding = [
        each for each in special_networks() if each.network.version == address.version and address in each.network
    ]
    return not holding or max(holding, key=lambda each: each.network.prefixlen).is_global


def once_each(rows: Iterable[Row]) -> list[Row]:
    """Equal rows, whatever their position, as one that says how many they were."""
    first: dict[tuple[tuple[str, Any], ...], Row] = {}
    for row in rows:
        key = tuple(sorted((name, value) for name, value in row.items() if name != "position" and value is not None))
        if key in first:
            first[key]["times"] += 1
        else:
            first[key] = {**row, "times": 1}
    return list(first.values())


def windowed(rows: Iterable[Row], minutes: int) -> list[Row]:
    """Rows equal but for time and count, in the same window of the day, as one."""
    if minutes <= 0:
        return list(rows)
    loose = {"position", "first_at", "last_at", "count", "note", "extra", "reference"}
    kept: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        seconds = (row["first_at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=minutes)
        key = (seconds, *((name, row[name]) for name in sorted(row) if name not in loose))
        if key not in kept:
            kept[key] = dict(row)
            continue
        one = kept[key]
        one["first_at"] = min(one["first_at"], row["first_at"])
        one["last_at"] = max(one["last_at"], row["last_at"])
        one["count"] += row["count"]
    return list(kept.values())


@dataclass(frozen=True)
class RefusalError(Exception):
    """Why a row is none."""

    field: str
    reason: str


@dataclass(frozen=True)
class House:
    """What the plain kernel is told beside the rows."""

    received_at: datetime
    defaults: dict[str, str]
    locate: Callable[[str], tuple[int | None, str | None, str | None]]
    """Address → number of its system, country of the registry, country of the geolocation."""
    time_zone: str = "UTC"
    window_minutes: int = 0


KINDS = {
    kind.value
    for kind in (Kind.IPV4, Kind.IPV6, Kind.NETWORK, Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.MD5, Kind.SHA256)
}
NOTHING = {"", "-", "n/a", "N/A", "null", "None", "unknown", "?"}
NO_COUNTRY = {"", "-", "ZZ", "XX", "EU", "n/a", "unknown", "?"}
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
HOST_PORT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3}|[^\s/@:]+\.[^\s/@:.]+):([0-9]{1,5})")


def normalised(rows: Iterable[Row], house: House) -> tuple[list[Row], dict[int, tuple[str, str]]]:
    """Observations, and position → (field, reason) of what is none. Kinds must be said and right."""
    good, refused = [], {}
    for row in once_each(rows):
        try:
            good.append(_one(row, house))
        except RefusalError as refusal:
            refused[row["position"]] = (refusal.field, refusal.reason)
    return windowed(good, house.window_minutes), refused


def _one(given: Row, house: House) -> Row:
    row = {name: _or_nothing(name, value) for name, value in given.items()}
    for name, value in house.defaults.items():
        row[name] = row.get(name) if row.get(name) is not None else value
    done: Row = {"position": row["position"]}
    done |= _value(row)
    done |= _span(row, house)
    done |= _words(row)
    done |= _numbers(row)
    done |= _countries(row, done, house)
    for name in ("note", "tags"):
        done[name] = None if row.get(name) is None else CONTROL.sub("", row[name])
    return done


def _or_nothing(name: str, value: Any) -> Any:
    if not isinstance(value, str) or name in {"value", "note"}:
        return value
    if name in {"role", "peer_role"} and value == "unknown":
        return value
    return None if value in (NO_COUNTRY if name.endswith("country") else NOTHING) else value


def _value(row: Row) -> Row:
    text = (row.get("value") or "").strip()
    if not text:
        raise RefusalError("value", "no-value")
    kind = row["kind"].lower()
    if kind not in KINDS:
        raise RefusalError("kind", "not-a-kind")
    port = row.get("port")
    if kind in {"ipv4", "domain"} and (split := HOST_PORT.fullmatch(text)):
        text, port = split[1], port if port is not None else split[2]
    try:
        value = values.canonical(Kind(kind), text)
    except InputError as error:
        raise RefusalError("value", error.reason) from error
    address = value.split("/")[0] if kind in {"ipv4", "ipv6", "network"} else ""
    if kind == "url" and re.fullmatch(r"[0-9.]+", values.host_of(value)):
        address = values.host_of(value)
    if address and not is_public(address):
        raise RefusalError("value", "not-public")
    row["port"] = port
    return {"kind": kind, "value": value, "address": address}


def _span(row: Row, house: House) -> Row:
    read: dict[str, datetime] = {}
    for name in ("first_at", "last_at"):
        text = row.get(name)
        if text is None:
            continue
        moment = read_moment(text, house.time_zone)
        if moment is None:
            raise RefusalError(name, "not-a-time")
        if moment > house.received_at + timedelta(days=1):
            raise RefusalError(name, "time-in-future")
        if moment.year < 1990:
            raise RefusalError(name, "time-too-old")
        read[name] = moment
    start = read.get("first_at", read.get("last_at", house.received_at))
    other = read.get("last_at", start)
    return {"first_at": min(start, other), "last_at": max(start, other)}


def read_moment(text: str, time_zone: str = "UTC") -> datetime | None:
    """ISO 8601, RFC 5322 and epochs, by the standard library alone."""
    from email.utils import parsedate_to_datetime

    if re.fullmatch(r"\d{9,10}", text):
        return datetime.fromtimestamp(int(text), UTC)
    if re.fullmatch(r"\d{12,13}", text):
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        try:
            read = parsedate_to_datetime(text)
        except ValueError:
            return None
    return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(time_zone))).astimezone(UTC)


def _words(row: Row) -> Row:
    event = event_type(row["type"]) if row.get("type") else event_type("undetermined")
    if event is None:
        raise RefusalError("type", "not-a-type")
    role = row.get("role")
    if role is not None and role.upper().replace("-", "_") not in Role.__members__:
        raise RefusalError("role", "not-a-role")
    offence = row.get("offence")
    known = offence is not None and offence.lower() in set(Offence)
    severity = (row.get("severity") or "").lower()
    return {
        "type": event.value,
        "role": role.upper().replace("-", "_") if role else source_role(event).value,
        "offence": offence.lower() if known else OFFENCE_OF_TYPE.get(event, Offence.NONE).value,
        "severity": severity if severity in set(Severity) else None,
        "peer_role": peer_role(event).value if row.get("peer") else None,
    }


def _numbers(row: Row) -> Row:
    done: Row = {}
    for name, highest, reason in (("port", 65_535, "not-a-port"), ("confidence", 100, "not-a-number")):
        text = row.get(name)
        if text is not None and not (re.fullmatch(r"\s*\d+\s*", text) and int(text) <= highest):
            raise RefusalError(name, reason)
        done[name] = None if text is None else int(text)
    done["count"] = row["times"] * max(1, int(row.get("count") or 1))
    return done


def _countries(row: Row, done: Row, house: House) -> Row:
    stated = row.get("stated_country")
    if stated is not None and (stated := normalise_country(stated)) is None:
        raise RefusalError("stated_country", "not-a-country")
    asn, registry, geo = house.locate(done["address"]) if done["address"] else (None, None, None)
    claim = _of_name(done)
    country, basis = vote((stated, registry, geo, claim))
    return {
        "asn": asn, "stated_country": stated, "registry_country": registry, "geo_country": geo, "tld_country": claim,
        "country": country, "country_basis": basis,
    }  # fmt: skip


def _of_name(done: Row) -> str | None:
    from tocsin.reference.countries import country_of_top_level_domain

    if done["kind"] not in {"domain", "url", "email"} or done["address"]:
        return None
    host = values.host_of(done["value"]) if done["kind"] == "url" else done["value"].rpartition("@")[2]
    return country_of_top_level_domain(host.rpartition(".")[2])
