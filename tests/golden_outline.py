"""What a reader yields, as plain data that a golden case can hold: tests/golden/<format>/<case>/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Rows, Source, Thing

FOLDER = Path(__file__).parent / "golden"


def cases(*names: str) -> list[tuple[str, Path]]:
    """(format name, input file) of every case of these formats, each case a folder with input.* in it."""
    return [
        (name, next(folder.glob("input.*")))
        for name in names
        for folder in sorted((FOLDER / name).iterdir())
        if folder.is_dir()
    ]


def outline(items: Iterable[Item]) -> dict[str, object]:
    """Rows by marking with their non-empty cells, and the other items with their non-empty fields."""
    rows: list[dict[str, object]] = []
    others: list[dict[str, object]] = []
    error = ""
    try:
        for item in items:
            if isinstance(item, Rows):
                for row in item.frame.iter_rows(named=True):
                    kept = {name: _plain(value) for name, value in row.items() if value is not None}
                    rows.append(kept | ({"marking": item.marking} if item.marking else {}))
            else:
                fields = {
                    name: _plain(value) for name, value in asdict(item).items() if value not in ("", None, (), False)
                }
                if isinstance(item, Thing):
                    fields["raw"] = f"{len(item.raw)} bytes, sha256 {hashlib.sha256(item.raw).hexdigest()[:16]}"
                others.append({"item": type(item).__name__, **fields})
    except InputError as refused:
        error = str(refused)
    return {"rows": rows, "others": others, "error": error}


def read_case(file: Path, reader: Format, profile: Profile | None = None) -> dict[str, object]:
    """The outline of a case's input, read with its profile.json where there is one."""
    beside = file.with_name("profile.json")
    if profile is None:
        profile = Profile(**json.loads(beside.read_text())) if beside.exists() else Profile()
    return outline(reader.read(Source(file.name, content=file.read_bytes()), profile))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
