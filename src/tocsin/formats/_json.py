"""JSON as partners send it: decoded with clear reasons, split into records without one huge tree, glanced at.

Nothing here recurses, so no nesting can exhaust the stack. Big files pass through `array_items` and
`documents`, which hand out the exact bytes of one record after the other.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import msgspec
import numpy as np
import orjson

from tocsin.core.errors import InputError

DEPTH_LIMIT = 200
RECORD_LIMIT_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20

TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(")?|[{}\[\]]', re.DOTALL)
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
KEY = re.compile(rb'("(?:[^"\\]++|\\.)*+")[ \t\r\n]*(:)?|[{}\[\]]', re.DOTALL)
SPACE = re.compile(rb"[ \t\r\n]*")
SCALAR = re.compile(rb"[^,\]\}\[\{\s\"]+")
NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
BRACES = bytes.maketrans(b"[]", b"{}")
RAW = msgspec.json.Decoder(msgspec.Raw)
RAWS = msgspec.json.Decoder(list[msgspec.Raw])
ANY = msgspec.json.Decoder()


def text_of(data: bytes) -> bytes:
    """The same text as UTF-8 without a byte order mark; raises InputError("wrong-encoding")."""
    if data.startswith(BOM_UTF8):
        return data[3:]
    encoding = _wide_encoding(data)
    if encoding:
        try:
            return data.decode(encoding).encode()
        except UnicodeError as error:
            raise InputError("wrong-encoding", excerpt=str(error)[:80]) from error
    return data


def _wide_encoding(data: bytes) -> str:
    for mark, encoding in (
        (BOM_UTF32_LE, "utf-32"),
        (BOM_UTF32_BE, "utf-32"),
        (BOM_UTF16_LE, "utf-16"),
        (BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return encoding
    # JSON begins with an ASCII character, so a zero among its first two bytes tells the width (RFC 4627).
    if len(data) >= 2 and data[0] == 0 and data[1] in b'{["':
        return "utf-16-be"
    if len(data) >= 2 and data[1] == 0 and data[0] in b'{["':
        return "utf-16-le"
    return ""


def place(data: bytes, offset: int) -> str:
    """ "line L column C" of a byte offset, both from 1; columns count characters."""
    before = data[: max(offset, 0)]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", "replace")) + 1
    return f"line {before.count(bytes([10])) + 1} column {column}"


def check_depth(data: bytes, limit: int = DEPTH_LIMIT) -> None:
    """Raise InputError("too-deep") where brackets are nested more than `limit` deep."""
    if data.count(b"{") + data.count(b"[") <= limit:
        return
    shape = STRING.sub(b"", data).translate(BRACES, NOT_BRACKETS)
    for _ in range(limit):  # Each round removes the innermost level, at the speed of C.
        smaller = shape.replace(b"{}", b"")
        if len(smaller) == len(shape):
            break
        shape = smaller
    if not shape:
        return
    depth = 0
    for token in TOKEN.finditer(data):
        mark = data[token.start()]
        if mark in b"{[":
            depth += 1
            if depth > limit:
                raise InputError("too-deep", position=place(data, token.start()))
        elif mark in b"}]":
            depth -= 1


def decode(data: bytes, *, duplicates: bool = False) -> object:
    """The value of a JSON text.

    Raises InputError empty-file, wrong-encoding, too-deep, half-character, truncated, not-json, or duplicate-key unless
    `duplicates` are allowed (the last one then counts), with the position as "line L column C".
    """
    data = text_of(data)
    if not data.strip(b" \t\r\n"):
        raise InputError("empty-file")
    check_depth(data)
    try:
        tree: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise explain(data, error) from error
    if not duplicates:
        found = duplicate_key(data, tree)
        if found is not None:
            raise InputError("duplicate-key", position=place(data, found[0]), field=found[1])
    return tree


def explain(data: bytes, error: Exception) -> InputError:
    """Why a text that orjson refused is no JSON: wrong-encoding, half-character, truncated or not-json, and where."""
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        shown = repr(data[wrong.start : wrong.end + 8])
        return InputError("wrong-encoding", place(data, wrong.start), excerpt=shown)
    offset = getattr(error, "pos", 0)
    # Where no quote follows, the other half may stand beyond the end of a text that was cut.
    if "surrogate" in str(error) and '"' in text[offset + 1 :]:
        return _fault("half-character", text, offset)
    try:
        ANY.decode(data)
        reason = "not-json"
    except RecursionError:
        reason = "too-deep"
    except msgspec.DecodeError as second:
        reason = "truncated" if "truncated" in str(second) else "not-json"
    return _fault(reason, text, len(text) if reason == "truncated" else offset)


def _fault(reason: str, text: str, offset: int) -> InputError:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return InputError(reason, f"line {line} column {column}", excerpt=text[max(offset - 20, 0) : offset + 20])


def keys_in(tree: object) -> int:
    """How many keys all the objects of a tree hold together."""
    total = 0
    todo = [tree]
    while todo:
        node = todo.pop()
        if type(node) is dict:
            total += len(node)
            todo += [child for child in node.values() if type(child) is dict or type(child) is list]
        elif type(node) is list:
            todo += [child for child in node if type(child) is dict or type(child) is list]
    return total


def blank_colons(data: bytes) -> bool:
    """Whether white space stands before a colon anywhere."""
    if len(data) < 1 << 14:
        return b" :" in data or b"\n:" in data or b"\t:" in data or b"\r:" in data
    text = np.frombuffer(data, np.uint8)
    if not ((text[1:] == 58) & (text[:-1] <= 32)).any():
        return False
    before = np.bincount(text[:-1][text[1:] == 58], minlength=33)
    return bool(before[[9, 10, 13, 32]].any())


def duplicate_key(data: bytes, tree: object, *, blanks: bool = True) -> tuple[int, str] | None:
    """Offset and name of the first key that its object already had; None when every key is alone.

    Counting `":` suffices nearly always; only where the counts differ is the text looked at token by token.
    `blanks=False` says that `blank_colons` is known to be false.
    """
    found = data.count(b'":')
    # As many as the top level holds: then nothing is nested, and no key can have hidden from the count.
    alone = (type(tree) is dict and found == len(tree)) or found == keys_in(tree)
    if alone and not (blanks and blank_colons(data)):
        return None
    stack: list[set[bytes]] = []
    for token in KEY.finditer(data):
        mark = data[token.start()]
        if mark == 123 or mark == 91:  # { or [
            stack.append(set())
        elif mark == 125 or mark == 93:  # } or ]
            if stack:
                stack.pop()
        elif token.group(2) is not None and stack:
            key = token.group(1)
            if b"\\" in key:
                key = json.dumps(orjson.loads(key), ensure_ascii=False).encode("utf-8", "surrogatepass")
            if key in stack[-1]:
                return token.start(), key[1:-1].decode("utf-8", "replace")
            stack[-1].add(key)
    return None


@dataclass(slots=True)
class _Window:
    """A moving window over a stream: `data[at:]` is what was not used yet."""

    stream: BinaryIO
    data: bytes = b""
    at: int = 0
    base: int = 0
    """Offset of `data[0]` in the stream."""
    ended: bool = False

    def more(self, at_least: int = CHUNK_BYTES) -> bool:
        """Drop what was used and read on; False at the end of the stream."""
        if self.ended:
            return False
        fresh = self.stream.read(max(at_least, CHUNK_BYTES))
        if not fresh:
            self.ended = True
            return False
        self.base += self.at
        self.data = self.data[self.at :] + fresh
        self.at = 0
        return True

    def blank(self) -> bool:
        """Skip white space; False when nothing is left."""
        while True:
            found = SPACE.match(self.data, self.at)
            assert found is not None
            self.at = found.end()
            if self.at < len(self.data):
                return True
            if not self.more():
                return False

    def error(self, reason: str) -> InputError:
        shown = self.data[self.at : self.at + 40].decode("utf-8", "replace")
        return InputError(reason, position=f"byte {self.base + self.at + 1}", excerpt=shown)

    def value(self) -> bytes:
        """The bytes of the value that begins here, found by its brackets."""
        first = self.data[self.at]
        if first in b'{["':
            end = self._end_of_nested()
        else:
            end = self._end_of_scalar()
        found = self.data[self.at : end]
        self.at = end
        return found

    def _end_of_scalar(self) -> int:
        while True:
            found = SCALAR.match(self.data, self.at)
            if found is None:
                raise self.error("not-json")
            if found.end() < len(self.data) or not self.more():
                return found.end()

    def _end_of_nested(self) -> int:
        depth, seen, deepest = 0, 0, 0
        while True:
            cut = False
            for token in TOKEN.finditer(self.data, self.at + seen):
                start, end = token.span()
                mark = self.data[start]
                if mark == 34:  # A quote: the whole string, unless the window ends inside it.
                    if token.group(1) is None:
                        seen, cut = start - self.at, True
                        break
                elif mark == 123 or mark == 91:
                    depth += 1
                    deepest = max(deepest, depth)
                else:
                    depth -= 1
                if depth == 0:
                    return end
            if not cut:
                seen = len(self.data) - self.at
            if len(self.data) - self.at > RECORD_LIMIT_BYTES:
                raise self.error("too-large")
            # Reading as much again as is held keeps the number of re-scans of a long string logarithmic.
            if not self.more(len(self.data) - self.at):
                raise self.error("too-deep" if deepest > DEPTH_LIMIT else "truncated")


def _window(source: BinaryIO | bytes) -> _Window:
    window = _Window(BytesIO(source) if isinstance(source, bytes) else source)
    window.more()
    if _wide_encoding(window.data[:4]):
        whole = window.data + window.stream.read(RECORD_LIMIT_BYTES)
        window = _Window(BytesIO(text_of(whole)))
        window.more()
    if window.data.startswith(BOM_UTF8):
        window.at = 3
    if not window.blank():
        raise InputError("empty-file")
    return window


def array_items(
    source: BinaryIO | bytes, member: str = "", rest: dict[str, bytes] | None = None
) -> Iterator[tuple[int, bytes]]:
    """(number from 1, exact bytes) of each element of a top-level array, or of an object's array `member`.

    Memory stays bounded by a few megabytes and the largest element. Elements are found by their brackets, so
    one that is no valid JSON inside still ends where it ends. `rest`, when given, collects the bytes of the
    object's other members, before and after the array. Raises InputError not-json, truncated, too-deep, or
    missing-field when an object has no such member; a member that is no array yields its one value.
    """
    number = 0
    for some in array_batches(source, member, rest):
        for raw in some:
            number += 1
            yield number, raw


def array_batches(
    source: BinaryIO | bytes, member: str = "", rest: dict[str, bytes] | None = None
) -> Iterator[list[bytes]]:
    """The elements of `array_items`, as many at once as come cheaply together."""
    window = _window(source)
    if window.data[window.at] == 91:
        yield from _elements(window)
    elif window.data[window.at] == 123:
        yield from _member(window, member.encode(), {} if rest is None else rest)
    else:
        raise window.error("not-json")
    if window.blank():
        raise window.error("not-json")


def documents(source: BinaryIO | bytes) -> Iterator[tuple[int, bytes]]:
    """(number from 1, exact bytes) of JSON values that follow one another: one a line, or simply in a row."""
    window = _window(source)
    number = 0
    while window.blank():
        number += 1
        end = window.data.find(b"\n", window.at)
        line = window.data[window.at : end].rstrip() if end > 0 else b""
        if line.startswith(b"{") and line.endswith(b"}") and _is_one(line):
            window.at = end
            yield number, line
        else:
            yield number, window.value()


def _is_one(line: bytes) -> bool:
    try:
        RAW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _member(window: _Window, member: bytes, rest: dict[str, bytes]) -> Iterator[list[bytes]]:
    window.at += 1
    found = False
    while True:
        if not window.blank():
            raise window.error("truncated")
        if window.data[window.at] == 125:
            window.at += 1
            break
        if window.data[window.at] != 34:
            raise window.error("not-json")
        key = window.value()[1:-1]
        if not window.blank() or window.data[window.at] != 58:
            raise window.error("not-json" if window.at < len(window.data) else "truncated")
        window.at += 1
        if not window.blank():
            raise window.error("truncated")
        if key == member and not found:
            found = True
            if window.data[window.at] == 91:
                yield from _elements(window)
            else:
                yield [window.value()]
        else:
            name = key.decode("utf-8", "replace")
            if name in rest or key == member:
                raise InputError("duplicate-key", position=f"byte {window.base + window.at + 1}", field=name)
            rest[name] = window.value()
        if not window.blank():
            raise window.error("truncated")
        if window.data[window.at] == 44:
            window.at += 1
            if window.blank() and window.data[window.at] == 125:
                raise window.error("not-json")
        elif window.data[window.at] != 125:
            raise window.error("not-json")
    if not found and member:
        raise InputError("missing-field", field=member.decode())


def _elements(window: _Window) -> Iterator[list[bytes]]:
    """Elements of the array whose bracket the window stands on; leaves it behind the closing one."""
    window.at += 1
    between = b""
    if not window.blank():
        raise window.error("truncated")
    if window.data[window.at] == 93:
        window.at += 1
        return
    while True:
        some = _many(window, between) if between else []
        if some:
            yield list(map(bytes, some))
            some = []
        else:
            yield [window.value()]
            between = b""
        ended = window.base + window.at
        if not window.blank():
            raise window.error("truncated")
        if window.data[window.at] == 93:
            window.at += 1
            return
        if window.data[window.at] != 44:
            raise window.error("not-json")
        window.at += 1
        if not window.blank():
            raise window.error("truncated")
        if window.data[window.at] == 93:
            raise window.error("not-json")
        if not between:
            between = _between(window, ended - 1 - window.base)


def _between(window: _Window, start: int) -> bytes:
    """What stands between two objects of this array, up to the first key: `},{"type"` for instance."""
    data = window.data
    if start < 0 or data[start] != 125 or data[window.at] != 123:
        return b""
    opened = data.find(b'"', window.at, window.at + 200)
    closed = data.find(b'"', opened + 1, opened + 200) if opened > 0 else -1
    return data[start : closed + 1] if closed > 0 else b""


def _many(window: _Window, between: bytes) -> list[msgspec.Raw]:
    """As many elements as the window surely holds, or none.

    A cut is guessed where the separator last occurs and proved by decoding: if what stands before the cut is
    a sequence of whole JSON values, then the cut cannot lie inside a string or a nested array.
    """
    if len(window.data) - window.at < CHUNK_BYTES // 2:
        window.more()
    data, at = window.data, window.at
    end = len(data)
    while (cut := data.rfind(between, at, end)) > at:
        try:
            found: list[msgspec.Raw] = RAWS.decode(b"[" + data[at : cut + 1] + b"]")
        except (msgspec.DecodeError, RecursionError):
            end = at + (cut - at) // 2
            continue
        window.at = cut + 1
        return found
    return []
