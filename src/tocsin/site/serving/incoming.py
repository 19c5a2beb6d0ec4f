"""A body on its way from the loop, which feeds it, to the thread that reads it."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable


class Broken(OSError):  # noqa: N818 - a state of the connection, as it is for who reads it.
    """The body ended before its end: the client went, was too slow, or the server stops."""


class Incoming(io.RawIOBase):
    """What a thread reads as `wsgi.input`. The loop feeds it, and stops reading the connection while much is held."""

    def __init__(self, held_bytes: int, on_hunger: Callable[[], None]) -> None:
        super().__init__()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._most = held_bytes
        self._on_hunger = on_hunger
        self._changed = threading.Condition()
        self._was_asked = False
        self.is_whole = False
        self.came_bytes = 0
        self.broken: str = ""

    @property
    def is_full(self) -> bool:
        """Whether the loop shall read no more for now."""
        return self._held >= self._most

    def feed(self, data: bytes) -> None:
        """From the loop: more of it came."""
        with self._changed:
            self._pieces.append(data)
            self._held += len(data)
            self.came_bytes += len(data)
            self._changed.notify()

    def end(self) -> None:
        """From the loop: all of it came."""
        with self._changed:
            self.is_whole = True
            self._changed.notify()

    def break_off(self, why: str) -> None:
        """From the loop: no more will come, and it is not whole. What is whole stays so."""
        with self._changed:
            if not self.is_whole:
                self.broken = self.broken or why
                self._pieces.clear()
                self._changed.notify()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer only at the end. Raises Broken."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        found: list[bytes] = []
        while size and (piece := self._next(size)):
            found.append(piece)
            size -= len(piece)
        return found[0] if len(found) == 1 else b"".join(found)

    def readline(self, size: int | None = -1) -> bytes:
        found = bytearray()
        while (size is None or size < 0 or len(found) < size) and (byte := self.read(1)):
            found += byte
            if byte == b"\n":
                break
        return bytes(found)

    def _next(self, most: int) -> bytes:
        if not self._was_asked:
            self._was_asked = True
            self._on_hunger()
        with self._changed:
            while not self._pieces and not self.is_whole and not self.broken:
                self._changed.wait()
            if self.broken:
                raise Broken(self.broken)
            if not self._pieces:
                return b""
            piece = self._pieces.popleft()
            if len(piece) > most:
                self._pieces.appendleft(piece[most:])
                piece = piece[:most]
            was_full = self.is_full
            self._held -= len(piece)
            is_hungry = was_full and not self.is_full
        if is_hungry:
            self._on_hunger()
        return piece
