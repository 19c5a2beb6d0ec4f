"""Addresses of databases for people and drivers, what their errors mean, and the files that belong to a database."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings

from tocsin.centre.intake.models import Delivery, LakeFile
from tocsin.centre.intake.originals import digest_of
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.lake import buckets
from tocsin.lake.files import file_digest
from tocsin.site.databases import database_of

from .reading import PostgresSource, Source, SQLiteSource

SQLITE = "sqlite:"
FILES_TOLD = 20
TOLD_EVERY = 100
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(password|Ident|Peer) authentication failed|no password supplied"),
     "the server does not let this user in: look at the user and the password in the address, and at pg_hba.conf"),
    (re.compile(r"no pg_hba.conf entry"), "the server lets nobody in from here: it needs a line in pg_hba.conf"),
    (re.compile(r"database .* does not exist"),
     "there is no such database: make it first (docs/guides/operator/postgresql.md)"),
    (re.compile(r"role .* does not exist"), "there is no such user on the server: CREATE ROLE … LOGIN"),
    (re.compile(r"could not translate host name|Name or service not known"), "nobody knows a machine of that name"),
    (re.compile(r"Connection refused|No such file or directory|timeout expired|timed out|No route to host"),
     "no server answers there: look whether it runs, and at the address"),
    (re.compile(r"No space left on device|could not extend file|disk full|could not write init file"),
     "the disk of the server is full: make room there, then call the same again; it goes on where it was"),
    (re.compile(r"certificate|SSL error|SSL connection"),
     "the connection could not be made safe: look at sslrootcert and at the server's name"),
    (re.compile(r"remaining connection slots|too many connections|too many clients"),
     "the server has no connection left: stop who else uses it"),
    (re.compile(r"terminating connection|server closed|connection.*(lost|closed)|SSL SYSCALL|the database system is"),
     "the connection was lost: call the same again; it goes on where it was"),
    (re.compile(r"permission denied|must be owner"), "this user may not do that: let it own the database"),
)  # fmt: skip
"""What a server's error means, in the order in which they are looked for."""


def present() -> str:
    """The address of the installation's own database, as the settings say it."""
    made: Any = settings.INSTALLATION
    return str(made.database) or SQLITE


def told(address: str) -> str:
    """An address without its password."""
    if is_sqlite(address):
        return SQLITE
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}{at}{host}"))


def is_sqlite(address: str) -> bool:
    """Whether it is the file beside the settings."""
    return not address or address.startswith("sqlite")


def reader(address: str, home: Path) -> Source:
    """The database at that address, to be read."""
    facts = database_of(address, home)
    return SQLiteSource(Path(str(facts["NAME"]))) if is_sqlite(address) else PostgresSource(driver_facts(facts))


def driver_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What psycopg is told of a connection."""
    said = {
        "dbname": facts["NAME"], "user": facts["USER"], "password": facts["PASSWORD"], "host": facts["HOST"],
        "port": facts["PORT"],
    }  # fmt: skip
    return {**{name: value for name, value in said.items() if value}, **facts["OPTIONS"]}


def told_of(error: BaseException) -> str:
    """What a person does about an error of a server; the error's own words in any case."""
    own = re.sub(r"\s+", " ", str(error)).strip()
    if isinstance(error, psycopg.errors.DiskFull):
        own += " (No space left on device)"
    meaning = next((said for pattern, said in _MEANINGS if pattern.search(own)), "")
    return (
        f"{meaning[:1].upper()}{meaning[1:].rstrip('?.')}. The server says: {own}"
        if meaning
        else f"The database says: {own}"
    )


def files_that_are_wrong(told: Callable[[int, int], None], *, digests: bool) -> list[str]:
    """Files of the store that the database names and that are missing, or not what they were; the first of them.

    Their sizes are compared, and with `digests` every byte of them.
    """
    store, wrong, done = store_folder(), [], 0
    rows = LakeFile.objects.filter(retired_at=None).order_by("pk").values_list("path", "size_bytes", "digest")
    kept = Delivery.objects.exclude(state=Delivery.State.PURGED).order_by("pk")
    whole = rows.count() + kept.count()
    for path, size, digest in rows.iterator():
        wrong += _fault(store / path, size, digest if digests else "", file_digest)
        done = _tell(told, done, whole)
    for sha256 in kept.values_list("sha256", flat=True).iterator():
        wrong += _fault(delivery_path(store, sha256), None, sha256 if digests else "", digest_of)
        done = _tell(told, done, whole)
    more = [f"and {len(wrong) - FILES_TOLD} more files"] if len(wrong) > FILES_TOLD else []
    return wrong[:FILES_TOLD] + more


def _tell(told: Callable[[int, int], None], done: int, whole: int) -> int:
    if not done % TOLD_EVERY:
        told(done, whole)
    return done + 1


def _fault(path: Path, size: int | None, digest: str, digest_of_file: Callable[[Path], str]) -> list[str]:
    try:
        found = buckets.size(path)
    except OSError:
        return [f"{path} is missing"]
    if size is not None and found != size:
        return [f"{path} has {found:,} bytes, where {size:,} were registered"]
    return [f"{path} is not what was registered"] if digest and digest_of_file(path) != digest else []
