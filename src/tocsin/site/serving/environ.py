"""The head of a request: what is refused of it, and how Django is told of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^#]*|\?[^#]*|)\Z", re.IGNORECASE)
AMBIGUOUS = re.compile(rb"[^\r]\n|\r(?!\n)|\x00|\n[ \t]|\A[ \t]")
"""Bare line ends, the character zero and folded lines: two programs on the way may read these in two ways."""
LENGTHS = re.compile(rb"\ncontent-length:[ \t]*([^\r]*)", re.IGNORECASE)
Headers = Sequence[tuple[bytes, bytes]]


class NotUnderstood(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """The head of a request means nothing, or two things; the argument is the status of the answer."""

    @property
    def status(self) -> int:
        return int(self.args[0])


def require_plain(head: bytes) -> None:
    """Raises NotUnderstood(400) for what is read differently by different programs."""
    lengths = LENGTHS.findall(head)
    if AMBIGUOUS.search(head) or len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,18}[ \t]*", lengths[0])):
        raise NotUnderstood(400)


def length_of(headers: Headers, version: bytes = b"1.1") -> int | None:
    """Bytes of the body: 0 without one, None where its end is marked in it. Raises NotUnderstood."""
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if codings:
        # HTTP/1.0 has no codings: what hands such a request on may count its body otherwise (RFC 9112, 6.1).
        if lengths or len(codings) > 1 or version == b"1.0":
            raise NotUnderstood(400)
        if codings[0].strip().lower() != b"chunked":
            raise NotUnderstood(501)
        return None
    if not lengths:
        return 0
    return int(lengths[0])


def environ_of(
    method: bytes, target: bytes, version: bytes, headers: Headers, *,
    client: tuple[str, int], server: tuple[str, int], body: BinaryIO, known: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The environment of WSGI. Raises NotUnderstood.

    A name with an underscore is left out: it would look as the one with hyphens that the proxy sets. `known` is what
    `named` makes of the headers, where that was asked before.
    """
    authority, path = _parts(method, target)
    path, _sign, query = path.partition(b"?")
    said: dict[str, Any] = {
        "REQUEST_METHOD": method.decode("ascii"), "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{version.decode('ascii')}", "SERVER_NAME": server[0], "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0], "REMOTE_PORT": str(client[1]), "REQUEST_URI": target.decode("latin-1"),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": body, "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }  # fmt: skip
    said |= named(headers) if known is None else known
    if authority:
        said["HTTP_HOST"] = authority
    return said


def _parts(method: bytes, target: bytes) -> tuple[str, bytes]:
    """Host and path where the target names both, as one to a proxy does."""
    if target.startswith(b"/"):
        return "", target
    if target == b"*" and method == b"OPTIONS":
        return "", b"/*"
    found = ABSOLUTE.match(target)
    if found is None:
        raise NotUnderstood(400)
    path = found[2]
    return found[1].decode("latin-1"), path if path.startswith(b"/") else b"/" + path


def named(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as the environment names them."""
    found: dict[str, str] = {}
    for name, value in headers:
        if b"_" in name or name == b"proxy":
            continue
        text, key = value.decode("latin-1"), name.decode("ascii").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        if key in found:
            found[key] += ("; " if key == "HTTP_COOKIE" else ",") + text
        else:
            found[key] = text
    return found
