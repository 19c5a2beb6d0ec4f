"""Asking a scanner for known malware about bytes, over the protocol of clamd (`INSTREAM`), by a socket on this machine
or a host of one's own.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress

from tocsin.core.errors import Unavailable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 120.0
PIECE_BYTES = 1 << 16
ANSWER_BYTES = 4096
NAME_SIGNS = 120


def found_in(pieces: Iterable[bytes], address: str) -> str:
    """The scanner's name of what it knows in these bytes; empty where it knows nothing. Raises Unavailable where it
    does not answer, or could not look at the whole: unscanned is not clean.

    `address` is `/path/of/socket` or `host:port`.
    """
    try:
        with _line_to(address) as line:
            with suppress(BrokenPipeError, ConnectionResetError):  # It said why before it closed.
                line.sendall(b"zINSTREAM\0")
                for piece in pieces:
                    for start in range(0, len(piece), PIECE_BYTES):
                        part = piece[start : start + PIECE_BYTES]
                        line.sendall(len(part).to_bytes(4, "big") + part)
                line.sendall(bytes(4))
            answer = _answer_of(line)
    except (OSError, ValueError) as error:
        raise Unavailable("the scanner for malware does not answer") from error
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return ""
    if said.endswith(" FOUND"):
        return "".join(sign for sign in said.removesuffix(" FOUND") if sign.isprintable())[:NAME_SIGNS] or "?"
    raise Unavailable("the scanner for malware could not look at the whole")


def _line_to(address: str) -> socket.socket:
    if address.startswith("/"):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(CONNECT_SECONDS)
        line.connect(address)
    else:
        host, _colon, port = address.rpartition(":")
        line = socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS)
    line.settimeout(ANSWER_SECONDS)
    return line


def _answer_of(line: socket.socket) -> str:
    heard = b""
    while not heard.endswith(b"\0") and len(heard) < ANSWER_BYTES and (more := line.recv(ANSWER_BYTES)):
        heard += more
    return heard.rstrip(b"\0\n").decode(errors="replace")
