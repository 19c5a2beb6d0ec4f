"""One line of `tocsin.toml` changed, all others as somebody wrote them."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

from tocsin.lake.files import sync

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


def with_line(text: str, name: str, value: str) -> str:
    """The text of the settings with `name` set to a text. Raises ValueError where it cannot be done in one line."""
    wanted = {**tomllib.loads(text), name: value}
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    table = _TABLE.search(text)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    pattern = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*=.*$", re.MULTILINE)
    if pattern.search(head):
        made = pattern.sub(lambda _: line, head, count=1) + rest
    else:
        made = f"{head}{'' if not head or head.endswith(chr(10)) else chr(10)}{line}\n{rest}"
    try:
        found = tomllib.loads(made)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} does not stand in one line") from error
    if found != wanted:
        raise ValueError(f"{name} does not stand in one line")
    return made


def set_line(path: Path, name: str, value: str) -> None:
    """Write the settings anew with that line: the old file or the new one, whole, whatever happens meanwhile."""
    made = with_line(path.read_text(encoding="utf-8"), name, value)
    said, fresh = path.stat(), path.with_name(path.name + ".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), said.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(target.fileno(), said.st_uid, said.st_gid)
        target.write(made)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(path)
    sync(path.parent)
