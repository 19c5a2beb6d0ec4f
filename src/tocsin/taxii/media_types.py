"""Which media types a request accepts, and which one it brings (TAXII 2.1, 1.6.8 and 3.1; RFC 7231, 5.3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MEDIA_TYPE = "application/taxii+json;version=2.1"
STIX, FORMER_STIX = "application/stix+json;version=2.1", "application/stix+json;version=2.0"
KIND, VERSION = "application/taxii+json", "2.1"
LONGEST = 1 << 16
"""Letters of a header that are looked at: no program that means well sends more."""

# Comma and semicolon may stand inside quotes: the header is cut by what they are not.
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


class Named(NamedTuple):
    """A media type or a range of them, with its parameters."""

    kind: str
    said: dict[str, str]


def accepts(header: str) -> bool:
    """Whether the reader takes our media type; one that names none takes what there is.

    The range that names our type most closely decides: `…;version=2.1;q=0, */*` takes all but ours.
    """
    ranges = [(_closeness(each), each) for each in _named(header)]
    if not ranges:
        return not header.strip()
    closest = max(closeness for closeness, _ in ranges)
    return closest > 0 and any(_is_wanted(each) for closeness, each in ranges if closeness == closest)


def is_taxii(content_type: str) -> bool:
    """Whether a body is declared as TAXII 2.1 in UTF-8, with or without the version, quoted or not."""
    found = list(_named(content_type))
    if len(found) != 1:
        return False
    kind, said = found[0]
    is_utf8 = said.get("charset", "utf-8").lower() in {"utf-8", "utf8", "us-ascii"}
    return kind == KIND and said.get("version", VERSION) == VERSION and is_utf8


def _named(header: str) -> Iterator[Named]:
    for part in _PART.findall(header[:LONGEST]):
        kind, *parameters = (each.strip() for each in _PARAMETER.findall(part) or [""])
        if kind:
            pairs = (each.partition("=") for each in parameters)
            yield Named(kind.lower(), {name.strip().lower(): _unquoted(value) for name, _sign, value in pairs})


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _closeness(named: Named) -> int:
    """How closely a range names our type; 0: not at all."""
    if named.kind == KIND:
        version = named.said.get("version")
        return 3 if version is None else 4 if version == VERSION else 0
    return {"application/*": 2, "*/*": 1}.get(named.kind, 0)


def _is_wanted(named: Named) -> bool:
    """A weight that is none is taken as if it were not there."""
    weight = named.said.get("q", "1")
    return float(weight) > 0 if _WEIGHT.fullmatch(weight) else True
