"""What most requests are: a GET without a body, whose head every program reads alike. h11 reads all others.

A head is taken here only where nothing in it has a second meaning; whatever is odd goes the long way, to be understood
or refused there.
"""

from __future__ import annotations

import re
from http.client import responses
from typing import Any

import h11

from .environ import Headers

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
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        codings = any(name.lower() == b"transfer-encoding" for name, _ in headers)
        return (
            status >= 200 and status not in _WITHOUT_BODY and not codings and len(lengths) == 1 and lengths[0].isdigit()
        )

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The head of the answer. Raises LocalProtocolError for headers that are none."""
        lines = [b"HTTP/1.1 %d %s" % (status, responses.get(status, "").encode("latin-1"))]
        for name, value in headers:
            if _ODD.search(value) or not _NAME.fullmatch(name.lower()):
                raise h11.LocalProtocolError("an odd header")
            match name.lower():
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
