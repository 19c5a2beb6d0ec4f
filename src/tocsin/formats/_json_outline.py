"""A glance at the beginning of a JSON file, for recognition: which keys it has, cut off or broken as it may be."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from functools import lru_cache

SPACE = re.compile(rb"[ \t\r\n]*")
OUTLINED_BYTES = 1 << 18
"""So much of the beginning is looked at: who reads as much asks for an outline that is remembered."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What the beginning of a JSON file shows: for recognition only, so a cut or broken text is no error."""

    kind: str
    """object, array, or empty when it is no JSON."""
    keys: dict[str, bytes] = field(default_factory=dict)
    """Keys of the top-level object with the bytes of their value, scalars only (else its first bracket)."""
    item_keys: dict[str, bytes] = field(default_factory=dict)
    """The same of the first object inside the top-level array, or inside the first array of objects."""
    item_of: str = ""
    """Key of the array that holds that first object; empty for a top-level array."""


QUOTED = rb'"(?:[^"\\]++|\\.)*+"'
PAIR = re.compile(
    rb"(" + QUOTED + rb")[ \t\r\n]*:[ \t\r\n]*"
    rb"(" + QUOTED + rb"|[^,\]\}\[\{\s\"]+|(?=[\[{]))|" + QUOTED + rb"|[{}\[\]]",
    re.DOTALL,
)
WORDS = rb'[^"{}\[\]]++|' + QUOTED
LIST = rb"\[(?:" + WORDS + rb")*+\]"
FLAT = rb"\{(?:" + WORDS + rb"|" + LIST + rb")*+\}"
NEXT_BRACKET = re.compile(rb"(?:" + WORDS + rb"|" + LIST + rb"|" + FLAT + rb")*+([{}\[\]])", re.DOTALL)
"""As far as the next bracket in no text and in no plain list or record: a run of those is one step."""


def outline(head: bytes, limit_tokens: int = 20_000) -> Outline:
    """Top-level keys and those of the first record in the beginning of a file.

    Remembered for the last few samples, because every format asks for that of the same one.
    """
    return _outline(head[:OUTLINED_BYTES], limit_tokens)


@lru_cache(maxsize=4)
def _outline(head: bytes, limit_tokens: int) -> Outline:
    head = head[3:] if head.startswith(BOM_UTF8) else head
    start = SPACE.match(head)
    first = head[start.end() : start.end() + 1] if start else b""
    if first not in (b"{", b"["):
        return Outline("")
    keys: dict[str, bytes] = {}
    item_keys: dict[str, bytes] = {}
    path: list[tuple[int, str]] = []
    key, item_of, item_depth = "", "", 0
    place, number = 0, 0
    while number <= limit_tokens and (token := PAIR.search(head, place)) is not None:
        place, number = token.end(), number + 1
        mark = head[token.start()]
        if token.group(1) is not None:
            key = token.group(1)[1:-1].decode("utf-8", "replace")
            value = token.group(2) or head[token.end() : token.end() + 1]
            if len(path) == 1 and path[0][0] == 123:
                keys.setdefault(key, value[:200])
            elif len(path) == item_depth and item_depth:
                item_keys.setdefault(key, value[:200])
        elif mark == 123 or mark == 91:
            path.append((mark, key))
            # Only shallow paths can be that of a first record: deep nesting must cost no more than its brackets.
            if not item_depth and len(path) <= 3:
                inside = tuple(bracket for bracket, _ in path)
                if inside in ((91, 123), (123, 91, 123)):
                    item_depth = len(path)
                    item_of = path[1][1] if len(path) == 3 else ""
            key = ""
        elif mark == 125 or mark == 93:
            if len(path) == item_depth and item_depth:
                item_depth = -1
            if path:
                path.pop()
            if not path:
                break
        if item_depth < 0 and len(path) > 1:  # Of what stands deeper nothing is wanted any more but where it ends.
            place, number = _end_of(head, place, len(path) - 1, number, limit_tokens)
            del path[1:]
    return Outline("object" if first == b"{" else "array", keys, item_keys, item_of)


def _end_of(head: bytes, place: int, depth: int, number: int, limit_tokens: int) -> tuple[int, int]:
    """The place behind the bracket that closes so many that are open, or the end of what there is; and the tokens."""
    while depth and number <= limit_tokens:
        token = NEXT_BRACKET.match(head, place)
        if token is None:
            return len(head), number
        place, number = token.end(), number + 1
        depth += 1 if head[place - 1] in b"[{" else -1
    return place, number
