"""The journal of recalls: what a restored backup does not know of, and what is recalled again (W38)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tocsin.centre import journals
from tocsin.centre.audit.keys import folder, sealing_key, was_given_up
from tocsin.core.errors import InputError
from tocsin.credentials.content_keys import KeyMissing
from tocsin.credentials.sealing import FILE


def places() -> list[Path]:
    """The files, the installation's own first."""
    return journals.places("recalls.jsonl")


def write(line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then nothing is recalled either.

    What was recalled alone may name a victim: it is sealed by the installation's own key, which no backup brings back.
    """
    if "parts" in line:
        line = {**line, "parts": sealing_key().seal(orjson.dumps(line["parts"]), line["key"])}
    journals.write(places(), line)


def lines() -> Iterator[dict[str, Any]]:
    """Every recall that any of the files knows of, once, its parts still sealed."""
    return journals.lines(places())


def parts_of(line: dict[str, Any]) -> Any | None:
    """What was recalled alone (key, field and what it became, of each part), or how something was relabelled.

    None where nobody can know it any more, because the key was lost and given up. Raises KeyMissing where the file of
    keys is not the one that sealed it.
    """
    try:
        return orjson.loads(sealing_key().opened(line["parts"], line["key"]))
    except InputError as error:
        if was_given_up(FILE):
            return None
        where = " or ".join(str(path) for path in places())
        named = f"{line.get('number', '')} ({line['receipt']})".lstrip()
        raise KeyMissing(
            f"{folder() / FILE} does not open what {where} says of the recall {named}: "
            "restore it from the backup of the keys of the installation that wrote this journal"
        ) from error
