"""The rules of STIX 2.0 and 2.1 that an object must follow, as tables, and the check of one decoded object.

Only what the standard says MUST be is checked (vocabularies it leaves open are open here), so that a valid object
of another producer is never refused for its style. Sources: STIX 2.0 parts 1 to 4, STIX 2.1 OASIS Standard.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Interface, IPv6Interface
from typing import Annotated, Any, Literal

import msgspec

Object = dict[str, Any]
Check = Callable[[Any], object]
Problem = tuple[str, str]
"""(reason code, property)"""

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
ID = re.compile(rf"([a-z][a-z0-9-]*[a-z0-9])--{UUID}").fullmatch
LOOSE_ID = re.compile(r"[a-z][a-z0-9-]*--[0-9a-fA-F-]{30,36}").fullmatch
TYPE = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,248}[a-z0-9]").fullmatch
TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?Z"
).fullmatch
CUSTOM_21 = re.compile(r"[a-z][a-z0-9_]{2,249}").fullmatch
CUSTOM_20 = re.compile(r"[a-z0-9_]{3,250}").fullmatch
SELECTOR = re.compile(r"(?:[a-z0-9_-]{3,250}(?:\.(?:\[\d+\]|[A-Za-z0-9_-]{1,250}))*|id)").fullmatch
LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*").fullmatch
HEX = re.compile(r"(?:[0-9a-fA-F]{2})+").fullmatch
CVE = re.compile(r"CVE-\d{4}-\d{4,}").fullmatch
CAPEC = re.compile(r"CAPEC-\d+").fullmatch
HASH_NAME = re.compile(r"[A-Za-z0-9_-]{3,250}").fullmatch
HASH_DIGITS = {
    "MD5": 32, "MD6": 0, "RIPEMD-160": 40, "SHA-1": 40, "SHA-224": 56, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128,
    "SHA3-224": 56, "SHA3-256": 64, "SHA3-384": 96, "SHA3-512": 128, "WHIRLPOOL": 128,
}  # fmt: skip
TLP_1 = {
    "white": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}

SEEN_TIMES: set[str] = set()
SEEN_IDS: set[str] = set()
"""The last few thousand that were found good: producers repeat them in every object."""


def time(value: Any) -> bool:
    """Whether this is a timestamp of the standard."""
    if value in SEEN_TIMES:
        return True
    found = TIME(value)
    if found is None:
        return False
    if found[1] > "28":
        try:
            datetime.fromisoformat(value[:10])
        except ValueError:
            return False
    if len(SEEN_TIMES) > 4096:
        SEEN_TIMES.clear()
    if len(value) < 40:
        SEEN_TIMES.add(value)
    return True


def identifier(value: Any) -> bool:
    if value in SEEN_IDS:
        return True
    if ID(value) is None:
        return False
    if len(SEEN_IDS) > 8192:
        SEEN_IDS.clear()
    if len(value) < 300:
        SEEN_IDS.add(value)
    return True


def later_or_equal(later: str, earlier: str) -> bool:
    """Compare two valid timestamps of any precision."""
    if later is earlier or later == earlier:
        return True
    if later[:19] != earlier[:19]:
        return later > earlier
    return later[20:-1].ljust(9, "0") >= earlier[20:-1].ljust(9, "0")


def loose_id(value: Any) -> object:
    """A reference from an observable: producers build these ids by hand, and readers never refused them."""
    return LOOSE_ID(value)


def loose_ids(value: Any) -> bool:
    return type(value) is list and bool(value) and all(map(LOOSE_ID, value))


def boolean(value: Any) -> bool:
    return value is True or value is False


def integer(low: int = -(1 << 63), high: int = (1 << 63) - 1) -> Check:
    return typed(
        lambda value: type(value) is int and low <= value <= high,
        Annotated[int, msgspec.Meta(ge=low, le=high)],
    )


def typed(check: Check, kind: Any) -> Check:
    """The check with the annotation that means the same to a typed decoder."""
    check.typed = kind  # type: ignore[attr-defined]
    return check


def number(low: float = -1e308, high: float = 1e308) -> Check:
    return lambda value: (type(value) is float or type(value) is int) and low <= value <= high


def words(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    return all(type(word) is str for word in value)


def ids(value: Any) -> bool:
    return type(value) is list and bool(value) and all(map(identifier, value))


def one_of(*allowed: str) -> Check:
    closed = frozenset(allowed)
    return typed(lambda value: value in closed, Literal[allowed])


def some_of(*allowed: str) -> Check:
    closed = frozenset(allowed)
    return lambda value: type(value) is list and bool(value) and closed.issuperset(value)


def id_of(*types: str) -> Check:
    starts = tuple(f"{name}--" for name in types)

    def check(value: Any) -> bool:
        return identifier(value) and value.startswith(starts)

    return check


def ids_of(*types: str) -> Check:
    starts = tuple(f"{name}--" for name in types)

    def check(value: Any) -> bool:
        if type(value) is not list or not value:
            return False
        return all((one in SEEN_IDS or identifier(one)) and one.startswith(starts) for one in value)

    pattern = rf"\A(?:{'|'.join(types)})--{UUID}\Z"
    one_id = Annotated[str, msgspec.Meta(pattern=pattern)]
    return typed(check, Annotated[list[one_id], msgspec.Meta(min_length=1)])


def table(value: Any) -> bool:
    return type(value) is dict and bool(value)


def language(value: Any) -> object:
    return LANGUAGE(value)


def base64(value: Any) -> bool:
    try:
        a2b_base64(value)
    except (Base64Error, ValueError):
        return False
    return len(value.strip()) % 4 == 0


def hashes(value: Any) -> bool:
    if type(value) is not dict or not value:
        return False
    for name, digest in value.items():
        if type(digest) is not str or not HASH_NAME(name):
            return False
        digits = HASH_DIGITS.get(name, 0)
        if digits and (len(digest) != digits or not HEX(digest)):
            return False
    return True


def kill_chain_phases(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    return all(
        type(one) is dict and type(one.get("kill_chain_name")) is str and type(one.get("phase_name")) is str
        for one in value
    )


def external_references(value: Any) -> bool:
    return type(value) is list and bool(value) and all(map(_external_reference, value))


def _external_reference(one: Any) -> bool:
    if type(one) is not dict:
        return False
    source = one.get("source_name")
    texts = (source, one.get("description", ""), one.get("url", ""), one.get("external_id", ""))
    if not all(type(text) is str for text in texts):
        return False
    if "hashes" in one and not hashes(one["hashes"]):
        return False
    if source == "cve":
        return CVE(one.get("external_id", "")) is not None
    if source == "capec":
        return CAPEC(one.get("external_id", "")) is not None
    return True


def granular_markings(value: Any) -> bool:
    if type(value) is not list or not value:
        return False
    for one in value:
        if type(one) is not dict or not words(one.get("selectors")) or not all(map(SELECTOR, one["selectors"])):
            return False
        ref, lang = one.get("marking_ref"), one.get("lang")
        if ref is None and lang is None:
            return False
        if ref is not None and not (type(ref) is str and MARKING_REF(ref)):
            return False
    return True


MARKING_REF = id_of("marking-definition")
EXTENSION_TYPES = ("new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension")


def extensions(value: Any) -> bool:
    if type(value) is not dict or not value:
        return False
    for name, content in value.items():
        if type(content) is not dict or not content:
            return False
        kind = content.get("extension_type")
        known = kind is None or (type(kind) is str and kind in EXTENSION_TYPES)
        if name.startswith("extension-definition--") and not (ID(name) and known):
            return False
        if not all(_part(key, part) for key, part in content.items()):
            return False
    return True


def _part(key: str, part: Any) -> bool:
    """Times inside an extension must be times."""
    if key in TIMES_INSIDE and type(part) is str:
        return time(part)
    return True


TIMES_INSIDE = frozenset({"creation_date", "modification_date", "time_date_stamp", "last_access", "start_time"})


def contents(value: Any) -> bool:
    return (
        type(value) is dict and bool(value) and all(LANGUAGE(key) and type(one) is dict for key, one in value.items())
    )


def ipv4(value: Any) -> bool:
    try:
        return type(value) is str and bool(IPv4Interface(value))
    except ValueError:
        return False


def ipv6(value: Any) -> bool:
    try:
        bits = value.partition("/")[2]
        return bool(IPv6Interface(value)) and not (len(bits) > 1 and bits[0] == "0")
    except (ValueError, AttributeError):
        return False


def anything(value: Any) -> bool:
    return True


def hexadecimal(value: Any) -> object:
    return HEX(value)


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of one type: what each property must be, which must be there, which hold references."""

    checks: Mapping[str, Check | type[str]]
    required: frozenset[str]
    one: tuple[str, ...]
    """Properties that hold one reference."""
    many: tuple[str, ...]
    """Properties that hold a list of references."""


CHECKS: dict[str, Check | type[str]] = {
    "t": time, "b": boolean, "s": str, "L": words, "I": identifier, "R": ids, "K": kill_chain_phases, "H": hashes,
    "D": table, "i": integer(), "c": integer(0), "p": integer(0, 65535), "*": anything, "B": base64, "X": hexadecimal,
    "4": ipv4, "6": ipv6, "C": contents, "J": loose_id, "S": loose_ids,
}  # fmt: skip


def rules(text: str, common: str, **special: Check) -> Rules:
    """Rules from `name:code` words, `!` for required; special checks by name."""
    checks: dict[str, Check | type[str]] = {}
    required = set()
    for word in f"{common} {text}".split():
        name, _, code = word.partition(":")
        if name.endswith("!"):
            name = name[:-1]
            required.add(name)
        checks[name] = special.get(name) or COMMON_CHECKS.get(name) or CHECKS[code or "s"]
    one = tuple(name for name in checks if name.endswith("_ref"))
    many = tuple(name for name in checks if name.endswith("_refs"))
    return Rules(checks, frozenset(required), one, many)


COMMON_CHECKS: dict[str, Check] = {
    "external_references": external_references,
    "granular_markings": granular_markings,
    "object_marking_refs": ids_of("marking-definition"),
    "extensions": extensions,
    "confidence": integer(0, 100),
    "lang": language,
    "kill_chain_phases": kill_chain_phases,
}
