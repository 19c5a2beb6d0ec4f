"""One file of the public site, as it is published."""

from __future__ import annotations

from dataclasses import dataclass, field

CAP = "application/cap+xml"
STIX = "application/stix+json;version=2.1"
LINKED_DATA = "application/ld+json"
ATOM = "application/atom+xml"
RSS = "application/rss+xml"
JSON = "application/json"
PDF = "application/pdf"
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class File:
    """What lies at a path below the root of the public site."""

    path: str
    media_type: str
    body: bytes = field(repr=False)
    language: str = ""
    """BCP 47; empty where it has none, or several."""
