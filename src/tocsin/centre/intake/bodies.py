"""Bodies of requests and answers as pieces that never fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from django.http import HttpRequest, UnreadablePostError

from tocsin.core.errors import InputError

from .store import CHUNK_BYTES

ANSWERED_BYTES = 1 << 16
"""Size of the pieces in which a file leaves."""


def body_chunks(request: HttpRequest, limit_bytes: int) -> Iterator[bytes]:
    """Every byte of the body, in order, content encodings left as they are.

    Raises InputError: too-large (before anything is read, where the length is announced), truncated when the
    connection ended early, empty-file when there was nothing.
    """
    announced = _announced(request)
    if announced is not None and announced > limit_bytes:
        raise InputError("too-large")
    # Without a length Django takes the body for empty; a server that ends the input itself may be read to its end.
    ends_itself = announced is None and request.META.get("wsgi.input_terminated", False)
    stream = cast(BinaryIO, cast(Any, request).environ["wsgi.input"] if ends_itself else request)
    size = 0
    while True:
        try:
            chunk = stream.read(CHUNK_BYTES)
        except (UnreadablePostError, OSError) as error:
            raise InputError("truncated", position=f"byte {size}") from error
        if not chunk:
            break
        size += len(chunk)
        if size > limit_bytes:
            raise InputError("too-large")
        yield chunk
    if announced is not None and size < announced:
        raise InputError("truncated", position=f"byte {size}")
    if size == 0:
        raise InputError("empty-file")


def _announced(request: HttpRequest) -> int | None:
    try:
        return int(request.META.get("CONTENT_LENGTH") or "")
    except ValueError:
        return None
