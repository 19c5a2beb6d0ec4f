"""What a draft may hold, whoever wrote it: by page, program or command. Each fault names its field and place.

Forms of the desk offer less than this already; a program and a file say whatever they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tocsin.core.errors import InputError
from tocsin.reference.countries import all_countries

from .draft import LONGEST_PASSAGE, LONGEST_TITLE, MOST_COUNTRIES, MOST_INDICATORS, MOST_LINES, PUBLIC, Draft, Texts
from .likelihood import CONFIDENCES, LIKELIHOODS
from .passages import UNWRITABLE

MOST_PERSONS = 100
MOST_TECHNIQUES = 200
MOST_NAMED = 500
"""Entries of an audience or of those left out."""
LONGEST = {
    "contact": 300, "grade": 200, "note": 500, "name": 300, "status": 100, "country": 100, "pap": 20, "value": 4_096,
    "owner": 200, "techniques": 40, "language": 16, "likelihood": 40, "confidence": 40, "countries": 8,
}  # fmt: skip
"""Field → characters; others as long as a passage."""
YEARS = range(1990, 2101)
LONGEST_TAG = 16
LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")
_BREAK = re.compile(r"\r\n?|[\x85\u2028\u2029\x0b\x0c]")
_MARK_UP = re.compile(
    r"<(?:!--|!doctype|/?(?:a|abbr|b|body|br|button|center|div|em|embed|font|form|h[1-6]|hr|html|i|iframe|img|input|li"
    r"|link|meta|object|ol|p|script|small|span|strong|style|sub|sup|svg|table|td|th|tr|u|ul|video)(?:[\s/][^<>]*)?>)"
    r"|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|nbsp|amp|lt|gt|quot|apos|shy);",
    re.IGNORECASE,
)
"""As mail programs and editors leave it behind. A placeholder such as <name>, an address in brackets, is none."""


def require_sound(draft: Draft) -> None:
    """Raises InputError for what no alert can say or nobody could read."""
    require_plain(draft.texts)
    for name, most in (
        ("indicators", MOST_INDICATORS), ("persons", MOST_PERSONS), ("countries", MOST_COUNTRIES),
        ("techniques", MOST_TECHNIQUES),
    ):  # fmt: skip
        if len(getattr(draft, name)) > most:
            raise InputError("alert-too-many", field=name, excerpt=f"{len(getattr(draft, name))} > {most}")
    for path, value in _leaves(msgspec.structs.asdict(draft)):
        if isinstance(value, datetime):
            _require_moment(path, value)
        elif isinstance(value, str) and not path.startswith("texts."):
            field = next((part for part in reversed(path.split(".")) if not part.isdigit()), path)
            require_readable(path, value, LONGEST.get(field, LONGEST_PASSAGE))
    known = {each.code for each in all_countries()}
    if strange := next((each for each in draft.countries if each not in known), ""):
        raise InputError("invalid-object", field="countries", excerpt=strange[:80])
    if not LANGUAGE.fullmatch(draft.language) or len(draft.language) > LONGEST_TAG:
        raise InputError("invalid-object", field="language", excerpt=draft.language[:80])
    for name, words in (("likelihood", LIKELIHOODS), ("confidence", CONFIDENCES)):
        if (said := getattr(draft, name)) and said not in words:
            raise InputError("invalid-object", field=name, excerpt=said[:80])


def require_plain(texts: Texts, called: str = "") -> None:
    """Raises InputError that names the field, or what it is called, for control characters, mark-up and more text than
    anybody reads."""
    for name in ("recognise", "do_now", "tasks", "never", "questions", "image_texts"):
        if len(getattr(texts, name)) > MOST_LINES:
            raise InputError("alert-too-many", field=name, excerpt=f"{len(getattr(texts, name))} > {MOST_LINES}")
    for number, task in enumerate(texts.tasks, 1):
        if task.due is not None:
            _require_moment(f"tasks.{number}", task.due)
    for image in texts.image_texts:
        require_readable("image_texts", image, LONGEST["name"])
    for name, said in texts.passages():
        require_readable(called or name, said, LONGEST_TITLE if name == "title" else LONGEST_PASSAGE)
        if name.partition(".")[0] in PUBLIC and (found := _MARK_UP.search(said)):
            raise InputError(
                "alert-mark-up", position=_line_of(said, found.start()), field=called or name, excerpt=found[0][:80]
            )


def require_readable(field: str, said: str, longest: int = LONGEST_PASSAGE) -> None:
    """Raises InputError for what is longer, and for characters that nobody sees or that turn the writing around."""
    if len(said) > longest:
        raise InputError("alert-too-long", field=field, excerpt=f"{len(said)} > {longest}")
    plain = _BREAK.sub("\n", said)
    if odd := UNWRITABLE.search(plain):
        around = plain[max(0, odd.start() - 20) : odd.start() + 20].replace("\n", " ")
        shown = UNWRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", around)
        raise InputError("alert-control-character", position=_line_of(plain, odd.start()), field=field, excerpt=shown)


def _line_of(text: str, place: int) -> str:
    return f"line {text.count(chr(10), 0, place) + 1}"


def _require_moment(field: str, at: datetime) -> None:
    """With its zone, or nobody knows when it is; and of this time, or a slip of the hand is published."""
    if at.tzinfo is None or at.year not in YEARS:
        raise InputError("alert-moment", field=field, excerpt=at.isoformat())


def _leaves(said: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path, names of a table included: they come from outside as well."""
    if isinstance(said, msgspec.Struct):
        said = msgspec.structs.asdict(said)
    if isinstance(said, Mapping):
        if len(said) > MOST_NAMED:
            raise InputError("alert-too-many", field=path.rstrip("."))
        for name, value in said.items():
            yield f"{path}name", str(name)
            yield from _leaves(value, f"{path}{str(name)[:40]}.")
    elif isinstance(said, list | tuple):
        if len(said) > max(MOST_INDICATORS, MOST_NAMED):
            raise InputError("alert-too-many", field=path.rstrip("."))
        for number, value in enumerate(said, 1):
            yield from _leaves(value, f"{path}{number}.")
    else:
        yield path.rstrip("."), said
