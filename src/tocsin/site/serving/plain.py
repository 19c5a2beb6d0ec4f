"""What most requests are: a GET without a body, whose head every program reads alike. h11 reads all others.

A head is taken here only where nothing in it has a second meaning; whatever is odd goes the long way, to be understood
or refused there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http.client import responses
from typing import Any

import h11

from .environ import Headers, named

_FIRST = re.compile(rb"GET (/[!-~]*) HTTP/1\.1")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[ -~\t]*")
_MEANT_FOR_US = frozenset(
    {b"connection", b"content-length", b"expect", b"http2-settings", b"keep-alive", b"te", b"trailer",
     b"transfer-encoding", b"upgrade"}
)  # fmt: skip
"""What is said of the connection or of a body."""
_WITHOUT_BODY = frozenset({204, 304})
_ODD = re.compile(rb"[\x00\r\n]")
_ALIKE = frozenset(
    {"Cache-Control", "Content-Language", "Content-Security-Policy", "Content-Type", "Cross-Origin-Opener-Policy",
     "Date", "Permissions-Policy", "Referrer-Policy", "Strict-Transport-Security", "Vary", "X-Content-Type-Options",
     "X-Frame-Options"}
)  # fmt: skip
"""Of answers, headers that say the same in nearly all of them, and nothing of anybody."""


def read(head: bytes) -> tuple[bytes, Headers] | None:
    """Target and headers, the names in small letters; None for what h11 shall read. The head is whole."""
    lines = head[:-4].split(b"\r\n")
    found = _FIRST.fullmatch(lines[0])
    if found is None:
        return None
    headers, hosts = [], 0
    for line in lines[1:]:
        name, _colon, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if not (_colon and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            return None
        if name in _MEANT_FOR_US and (name, value.lower()) != (b"connection", b"keep-alive"):
            return None
        hosts += name == b"host"
        headers.append((name, value))
    return (found[1], headers) if hosts == 1 else None


class Alike:
    """The head of a plain request that came last on a connection, but for its first line: a program sends the same with
    each request, and what it means is found out once."""

    __slots__ = ("_headers", "_lines", "named")

    def __init__(self) -> None:
        self._lines, self._headers = b"", list[tuple[bytes, bytes]]()
        self.named: dict[str, str] = {}
        """As Django is told of them."""

    def read(self, head: bytes) -> tuple[bytes, Headers] | None:
        """As `read` reads it."""
        first, _end, lines = head.partition(b"\r\n")
        if not self._headers or lines != self._lines:
            found = read(head)
            if found is None:
                return None
            self._lines, self._headers = lines, list(found[1])
            self.named = named(found[1])
            return found
        target = _FIRST.fullmatch(first)
        return None if target is None else (target[1], self._headers)


def encoded(name: str, value: str) -> tuple[bytes, bytes]:
    """A header of an answer as it goes out."""
    return _encoded_alike(name, value) if name in _ALIKE else _encoded(name, value)


def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    # Django begins the value of each cookie with a blank.
    return name.encode("latin-1"), value.strip().encode("latin-1", "replace")


_encoded_alike = lru_cache(maxsize=200)(_encoded)


def _require_header(name: bytes, value: bytes) -> bytes:
    """The name in small letters. Raises LocalProtocolError for what is no header."""
    small = name.lower()
    if _ODD.search(value) or not _NAME.fullmatch(small):
        raise h11.LocalProtocolError("an odd header")
    return small


class Framed:
    """The answer to such a request, framed by its length: as much of h11's connection as is asked of it then."""

    their_state = h11.DONE

    def __init__(self) -> None:
        self.our_state: Any = h11.SEND_RESPONSE
        self._left = 0
        self._is_last = False

    @staticmethod
    def fits(status: int, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether an answer can be framed so: it says once how long it is."""
        small = [name.lower() for name, _ in headers]
        lengths = [value for name, (_, value) in zip(small, headers, strict=True) if name == b"content-length"]
        codings = b"transfer-encoding" in small
        return (
            status >= 200 and status not in _WITHOUT_BODY and not codings and len(lengths) == 1 and lengths[0].isdigit()
        )

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The head of the answer. Raises LocalProtocolError for headers that are none."""
        lines = [b"HTTP/1.1 %d %s" % (status, responses.get(status, "").encode("latin-1"))]
        for name, value in headers:
            match _require_header(name, value):
                case b"content-length":
                    self._left = int(value)
                case b"connection":
                    self._is_last = self._is_last or b"close" in value.lower()
            lines.append(b"%s: %s" % (name, value))
        self.our_state = h11.SEND_BODY
        return b"\r\n".join([*lines, b"", b""])

    def send_with_data_passthrough(self, event: Any) -> list[Any]:
        """The bytes of a piece of the body, or of its end. Raises LocalProtocolError for another length than said."""
        if isinstance(event, h11.Data):
            self._left -= len(event.data)
            if self._left < 0:
                raise h11.LocalProtocolError("longer than was said")
            return [event.data]
        if self._left:
            raise h11.LocalProtocolError("shorter than was said")
        self.our_state = h11.MUST_CLOSE if self._is_last else h11.DONE
        return []


def by_h11() -> h11.Connection:
    """A connection on which such a request was read, for an answer that is framed otherwise."""
    made = h11.Connection(h11.SERVER)
    made.receive_data(b"GET / HTTP/1.1\r\nHost: -\r\n\r\n")
    made.next_event()
    made.next_event()
    return made
