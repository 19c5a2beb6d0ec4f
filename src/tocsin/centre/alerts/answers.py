"""How a file of the public site is answered: alike by the server's loop, by Django and, as hints, by other servers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from tocsin.products.alerts import addresses

from .public.frame import POLICY

KEPT_FOR_GOOD = "public, max-age=31536000, immutable"
ASKED_EACH_TIME = "public, max-age=0, s-maxage=5, must-revalidate"
"""A reader's own copy is never shown unasked; what stands between may answer for five seconds."""
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
Headers = list[tuple[str, str]]
_WIDGET = re.compile(r"widget/[^/]+/\Z")


@dataclass(frozen=True, slots=True)
class Held:
    """A file, ready to be handed out."""

    sha256: str
    media_type: str
    published_at: datetime
    path: str
    plain: bytes = field(repr=False)
    packed: bytes | None = field(default=None, repr=False)
    is_gone: bool = False
    is_absent: bool = False
    """It is what is shown where nothing lies."""

    @property
    def status(self) -> int:
        return 404 if self.is_absent else 410 if self.is_gone else 200

    @property
    def size_bytes(self) -> int:
        return len(self.plain) + len(self.packed or b"")

    def tag(self, is_packed: bool) -> str:
        return f'"{self.sha256[:32]}{"-gz" if is_packed else ""}"'

    def is_as_known(self, said: Mapping[str, str]) -> bool:
        """Whether the reader has this very file already. What is gone is told each time."""
        if self.status != 200:
            return False
        if known := said.get("if-none-match"):
            tags = {each.strip().removeprefix("W/") for each in known.split(",")}
            return bool(tags & {"*", self.tag(False), self.tag(True)})
        if since := said.get("if-modified-since"):
            try:
                return self.published_at.replace(microsecond=0) <= parsedate_to_datetime(since)
            except (TypeError, ValueError):
                return False
        return False


def headers_of(held: Held, is_packed: bool, *, is_encrypted: bool = False, status: int = 0) -> Headers:
    """All but the length of the body and the date."""
    found: Headers = [
        ("Content-Type", held.media_type),
        ("ETag", held.tag(is_packed)),
        ("Last-Modified", format_datetime(held.published_at, usegmt=True)),
        ("Cache-Control", caching(held.path) if held.status == 200 else ASKED_EACH_TIME),
        *common_headers(held.path, held.media_type),
    ]
    if held.packed is not None:
        found.append(("Vary", "Accept-Encoding"))
        if is_packed:
            found.append(("Content-Encoding", "gzip"))
    if is_encrypted:
        found.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    return [each for each in found if each[0] != "Content-Type"] if status == 304 else found


def caching(path: str) -> str:
    return KEPT_FOR_GOOD if path.startswith(addresses.asset("")) else ASKED_EACH_TIME


def common_headers(path: str, media_type: str) -> Headers:
    """What a browser may do with it: pages load what lies beside them; all else may be read by any other page."""
    found = [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Permissions-Policy", PERMISSIONS),
    ]
    if media_type.startswith("text/html"):
        may_frame = "*" if _WIDGET.match(path) else "'none'"
        found.append(("Content-Security-Policy", f"{POLICY}; frame-ancestors {may_frame}"))
        return found
    found += [("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin")]
    if media_type.startswith("image/svg"):
        found.append(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; font-src data:"))
    elif path == addresses.WORKER:
        # A worker's own policy says what it may fetch.
        found.append(("Content-Security-Policy", "default-src 'none'; connect-src 'self'"))
    elif media_type != "application/pdf":
        found.append(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
    return found


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a reader takes packed bytes (RFC 9110, 12.5.3)."""
    for part in accept_encoding.split(","):
        coding, _sign, weight = part.partition(";")
        if coding.strip().lower() in {"gzip", "*"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


@lru_cache(maxsize=2_048)
def language_for(accept_language: str, languages: Sequence[str]) -> str:
    """The one that a reader likes best of these; empty: none of them, or nothing said."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:400].split(",")):
        tag, _sign, weight = part.partition(";")
        tag = tag.strip().lower()
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            quality = 0.0
        for each in languages:
            if quality > 0 and (tag == each.lower() or tag.partition("-")[0] == each.lower()):
                found.append((-quality, place, each))
    return min(found)[2] if found else ""


def redirect_headers(language: str) -> Headers:
    """From the root to a language's home; which one depends on who asks."""
    return [("Location", addresses.home(language)), ("Vary", "Accept-Language"), ("Cache-Control", "no-cache"),
            ("Content-Type", "text/plain; charset=utf-8")]  # fmt: skip
