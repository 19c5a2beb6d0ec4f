"""Two texts word by word: what a reviewer, a translator, and who wrote at the same time are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext

from tocsin.products.alerts.draft import differences

from . import labels

_WORDS = re.compile(r"\s+|[^\s]+")
_SENTENCES = re.compile(r"[^.!?؟。\n]*[.!?؟。\n]+\s*|[^.!?؟。\n]+")
MOST_WORDS = 1_200
"""Longer texts are compared by sentences: word by word would take long and show little."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(\.\d+)?(Z|[+-]\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed (`same`), is gone (`old`) or came (`new`)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs."""

    path: str
    name: str
    before: str
    after: str
    pieces: tuple[Piece, ...]


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Field by field what differs between two drafts as JSON."""
    return changes_of(differences(old, new))


def changes_of(found: Iterable[tuple[str, Any, Any]]) -> list[Change]:
    return [change_of(path, before, after) for path, before, after in found]


def change_of(path: str, before: Any, after: Any) -> Change:
    old, new = shown(before), shown(after)
    return Change(path, labels.field_name(path), old, new, tuple(pieces(old, new)))


def shown(value: Any) -> str:
    """A value of a draft as text: a list line by line."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if isinstance(value, str):
        return value[:16].replace("T", " ") + " UTC" if _DATE.fullmatch(value) else value
    if isinstance(value, Mapping):
        said = (shown(each) for name, each in value.items() if each not in ("", None, False, 0, [], {}))
        return " · ".join(said)
    if isinstance(value, Sequence):
        return "\n".join(shown(each) for each in value)
    return str(value)


def pieces(old: str, new: str) -> Iterator[Piece]:
    """What stayed, what is gone and what came, in the order of reading."""
    pattern = _WORDS if max(len(old), len(new)) < MOST_WORDS * 6 else _SENTENCES
    before, after = pattern.findall(old), pattern.findall(new)
    gone, came, same = "", "", ""
    for tag, start, end, other, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            same = "".join(before[start:end])
            if (gone or came) and not same.strip():
                continue  # A space between two changes is none that stayed: it would tear both apart.
            yield from _changed(gone, came)
            gone, came = "", ""
            yield Piece("same", same)
            same = ""
            continue
        gone, came = (
            gone + (same if gone or came else "") + "".join(before[start:end]),
            (came + (same if gone or came else "") + "".join(after[other:last])),
        )
        same = ""
    yield from _changed(gone, came)
    if same:
        yield Piece("same", same)


def _changed(gone: str, came: str) -> Iterator[Piece]:
    if gone:
        yield Piece("old", gone)
    if came:
        yield Piece("new", came)


def put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set the field that a path of `differences` names. Names of images hold points of their own."""
    head, _dot, rest = path.partition(".")
    if path in content or not isinstance(content.get(head), dict):
        content[path] = value
    else:
        put(content[head], rest, value)


def at(content: Mapping[str, Any], path: str) -> Any:
    """The value that stands at such a path."""
    head, _dot, rest = path.partition(".")
    if path in content or not isinstance(content.get(head), Mapping):
        return content.get(path)
    return at(content[head], rest)
