"""Whose a store is: a file in it names one database, and the log of acts of that database knows the file's number.

Two installations that write into one store would take each other's files for leftovers. A copy of a database has the
number too, so the mark also says where the database lies: which file of SQLite, or which database of which server. A
mark that was itself copied, with its whole store, says nothing: it names its own place on the disk.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import connection, transaction

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.lake.files import sync

FILE: Final = "belongs-to.json"
ADOPTED: Final = "store.adopted"
SUBJECT: Final = "site:store"


class Foreign(Exception):  # noqa: N818 - named as the answers of `core.errors` are.
    """The store belongs to another database; says to which, and what to do."""


def require(at: datetime) -> None:
    """Raises Foreign where the store belongs to another database. One that belongs to nobody is ours from now on."""
    said = _mark()
    if said is None:
        adopt(at)
        return
    if is_ours():
        return
    is_known = said["number"] in known()
    kind = "a copy of this database, or this one in a former place" if is_known else "another database"
    raise Foreign(
        f"The store {_folder()} belongs to {kind}: {said['told']}, since {said['at']}. Two of them on one store would "
        "destroy each other's files. Give this one a store of its own (store in tocsin.toml); or, if the other is gone "
        "for good, say that the store is this one's: tocsin lake take"
    )


def is_ours() -> bool:
    """Whether there is a mark, and it names this database."""
    said = _mark()
    return said is not None and said["number"] in known() and bool(set(said["places"]) & set(places()))


def adopt(at: datetime) -> None:
    """From now on the store is this database's, and no other's."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    number = secrets.token_hex(16)
    fresh = folder / f"{FILE}.{os.getpid()}"
    with fresh.open("wb") as file:
        told = {"number": number, "places": places(), "told": named(), "at": at.isoformat(timespec="seconds")}
        file.write(orjson.dumps({**told, "own": os.fstat(file.fileno()).st_ino}))
        file.flush()
        os.fsync(file.fileno())
    with transaction.atomic():
        record("system", ADOPTED, SUBJECT, {"number": number}, at=at)
    fresh.replace(folder / FILE)  # After the log knows of it: a mark that nobody knows would keep its own owner out.
    sync(folder)


def _folder() -> Path:
    made: Any = settings.INSTALLATION
    return Path(made.store_folder)


def _mark() -> dict[str, Any] | None:
    """What the mark says; None where there is none, or one that was copied here."""
    path = _folder() / FILE
    with suppress(FileNotFoundError, orjson.JSONDecodeError):
        said: dict[str, Any] = orjson.loads(path.read_bytes())
        if said.get("own") == path.stat().st_ino and {"number", "places", "told", "at"} <= said.keys():
            return said
    return None


def known() -> set[str]:
    """The numbers of all marks that this database made."""
    found = Entry.objects.filter(subject=SUBJECT, action=ADOPTED).values_list("detail", flat=True)
    return {str(orjson.loads(detail)["number"]) for detail in found}


def places() -> list[str]:
    """Where this database lies; one of them must agree. A file may be renamed, or put back from a backup."""
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"]).resolve()
        return [f"file {path.stat().st_ino}", f"path {path}"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())"
            " FROM pg_control_system()"
        )
        return ["server {} database {}".format(*cursor.fetchone())]


def named() -> str:
    """The database, for a person."""
    said = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(said["NAME"])
    return f"PostgreSQL database {said['NAME']} at {said['HOST'] or 'this machine'}"
