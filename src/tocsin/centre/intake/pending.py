"""Tables whose columns a person is looking at: kept beside the deliveries for a day, bound to a session."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from tocsin.core.errors import InputError, NotFound
from tocsin.lake.files import is_older

from .services import store_folder

SESSION_NAME = "pending_tables"
PREFIX = "table-"
KEPT_SECONDS = 86_400
MOST_IN_SESSION = 10


@dataclass(frozen=True, slots=True)
class Pending:
    """A table that is not a delivery yet, or one that was set aside and is looked at again."""

    token: str
    name: str
    organisation: str
    marking: str = ""
    receipt: str = ""
    """Of the quarantined delivery that it is a copy of; empty for a fresh file."""
    grade: str = ""

    @property
    def path(self) -> Path:
        """Where its bytes lie until they are handed over."""
        return store_folder() / "incoming" / f"{PREFIX}{self.token}"


def keep(
    session: MutableMapping[str, Any], chunks: Iterable[bytes], *, name: str, organisation: str, marking: str = "",
    receipt: str = "", grade: str = "",
) -> Pending:  # fmt: skip
    """Keep a table for this session. Raises InputError("too-large" | "empty-file")."""
    sweep()
    token, kept_name = secrets.token_urlsafe(18), Path(name).name[:255] or "table"
    pending = Pending(token, kept_name, organisation, marking, receipt, grade)
    pending.path.parent.mkdir(parents=True, exist_ok=True)
    size_bytes = 0
    try:
        with pending.path.open("xb") as target:
            for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > settings.INSTALLATION.upload_limit_bytes:
                    raise InputError("too-large")
                target.write(chunk)
        if not size_bytes:
            raise InputError("empty-file")
    except InputError:
        pending.path.unlink(missing_ok=True)
        raise
    known = dict(list(session.get(SESSION_NAME, {}).items())[-MOST_IN_SESSION + 1 :])
    session[SESSION_NAME] = {**known, pending.token: asdict(pending)}
    return pending


def find(session: MutableMapping[str, Any], token: str) -> Pending:
    """The table of this session. NotFound when it is another's, or was swept."""
    body = session.get(SESSION_NAME, {}).get(token)
    if body is None or not (pending := Pending(**body)).path.is_file():
        raise NotFound
    return pending


def drop(session: MutableMapping[str, Any], pending: Pending) -> None:
    """Forget it, once it was handed over."""
    pending.path.unlink(missing_ok=True)
    session[SESSION_NAME] = {
        token: body for token, body in session.get(SESSION_NAME, {}).items() if token != pending.token
    }


def sweep(now: float | None = None) -> int:
    """Remove tables that nobody came back to for a day; how many."""
    oldest = (now or time.time()) - KEPT_SECONDS
    gone = [path for path in (store_folder() / "incoming").glob(f"{PREFIX}*") if is_older(path, oldest)]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
