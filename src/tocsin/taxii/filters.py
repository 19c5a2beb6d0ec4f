"""What a request filters by (TAXII 2.1, 3.4): read strictly, since what is malformed must be answered with 400."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest, QueryDict

from tocsin.centre.release.given import Wanted
from tocsin.core.errors import InputError

MOST = 1_000
"""Objects in one answer."""
LARGEST = (1 << 53) - 1
"""The largest whole number that the standard knows (2)."""
MOST_VALUES = 1_000
"""Values of one field in one request."""
ONCE = ("added_after", "limit", "next")
FIELDS = ("id", "type", "version", "spec_version")
NO_VERSION = "1970-01-01T00:00:00.000000Z"
"""The version of what has none: the standard demands one, which is the same wherever the object is spoken of."""
KEYWORDS = frozenset({"first", "last", "all"})

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TYPE = re.compile(r"[a-z0-9][a-z0-9-]{1,249}")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,249}--[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STIX_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_SPEC = re.compile(r"(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
_SHAPES = {"id": _ID, "type": _TYPE, "spec_version": _SPEC}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request filters by."""

    wanted: Wanted
    after: datetime | None = None
    cursor: str = ""
    limit: int = MOST
    is_nothing: bool = False
    """Whether the filters exclude one another, so that nothing can pass them all."""


def asked(request: HttpRequest, object_id: str = "", *, every_version: bool = False) -> Asked:
    """The filters of a request; `object_id` is that of its address, if any, and one filter more.

    Raises InputError for one that is malformed, stands twice, or is not known.
    """
    said = request.GET
    for name in said:
        if len(said.getlist(name)) > 1 and (name in ONCE or _is_match(name)):
            raise InputError("said-twice", field=_shown(name))
    matches = _matches(said)
    ids = matches.get("id", frozenset())
    if object_id:
        is_other, ids = bool(ids) and object_id not in ids, frozenset({object_id})
    else:
        is_other = False
    usual = frozenset({"all"}) if every_version else Wanted().versions
    versions = matches.get("version") or usual
    versions |= {""} if NO_VERSION in versions else set()
    wanted = Wanted(
        ids=ids, types=matches.get("type", frozenset()), versions=versions,
        spec_versions=matches.get("spec_version", frozenset()),
    )  # fmt: skip
    after = _moment(said["added_after"]) if "added_after" in said else None
    # An empty `next` is no place: a program in wide use sends it for its first page.
    return Asked(wanted, after, said.get("next", ""), _limit(said.get("limit")), is_other)


def is_id(text: str) -> bool:
    """Whether it has the form of an object's identifier."""
    return _ID.fullmatch(text) is not None


def _matches(said: QueryDict) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name in said:
        if not _is_match(name):
            continue  # What the standard does not know, it lets a server pass over.
        field = name.removeprefix("match[").removesuffix("]")
        if name != f"match[{field}]" or field not in FIELDS:
            raise InputError("not-a-filter", field=_shown(name))
        text = said.get(name, "")
        values = text.split(",")
        if len(values) > MOST_VALUES or not all(_is_value(field, each) for each in values):
            raise InputError("not-a-filter", field=name, excerpt=_shown(text))
        if field == "version":
            _require_distinct(values)
        found[field] = frozenset(values)
    return found


def _is_match(name: str) -> bool:
    return name == "match" or name.startswith("match[")


def _is_value(field: str, value: str) -> bool:
    if field == "version":
        return value in KEYWORDS or (_STIX_MOMENT.fullmatch(value) is not None and _is_moment(value))
    return _SHAPES[field].fullmatch(value) is not None


def _is_moment(value: str) -> bool:
    try:
        return bool(_moment(value))
    except InputError:
        return False


def _require_distinct(values: Sequence[str]) -> None:
    """Each version once, and `all` alone."""
    if len(set(values)) < len(values):
        raise InputError("said-twice", field="match[version]")
    if "all" in values and len(values) > 1:
        raise InputError("not-a-filter", field="match[version]", excerpt="all")


def _moment(text: str) -> datetime:
    """RFC 3339 with a zone. More digits than microseconds are cut off: the moment before misses nothing."""
    shape = _MOMENT.fullmatch(text[:80])
    if shape is None:
        raise InputError("not-a-time", field="added_after", excerpt=_shown(text))
    day, minute, second, fraction, zone = shape.groups()
    is_leap = second == "60"
    try:
        found = datetime.fromisoformat(f"{day}T{minute}:{'59' if is_leap else second}{zone.upper()}")
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError("not-a-time", field="added_after", excerpt=_shown(text)) from None
    digits = "999999" if is_leap else (fraction or "")[1:7].ljust(6, "0")
    return found + timedelta(microseconds=int(digits))


def _limit(text: str | None) -> int:
    if text is None:
        return MOST
    is_number = text.isascii() and text.isdecimal() and len(text) <= 20
    if not is_number or not 0 < int(text) <= LARGEST:
        raise InputError("not-a-number", field="limit", excerpt=_shown(text))
    return min(MOST, int(text))


def _shown(text: str) -> str:
    return text[:40]
