"""The database that an installation's file names, as Django's settings take it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tocsin.core.errors import InputError

VERIFIED = "verify-full"
GIVEN_UP = {
    "connect_timeout": "4", "tcp_user_timeout": "6000", "keepalives_idle": "5", "keepalives_interval": "2",
    "keepalives_count": "3",
}  # fmt: skip
"""After how long libpq gives up a server that says nothing, unless the address says it: a connection (seconds), bytes
that nobody confirms (milliseconds), an answer that does not come."""
PASSED_ON = frozenset({
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "connect_timeout", "application_name",
    "target_session_attrs", "passfile", *GIVEN_UP,
})  # fmt: skip
"""What an address may say to libpq beside the host."""
SERVER_LOOKS = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3"
"""Nor does the server hold the locks of a machine that is gone: by itself it would ask after two hours."""
PAGE_SECONDS = 60
"""Longest question of a page: after that somebody reads that it did not work, and no longer waits."""
SQLITE_FIRST = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; "
    "PRAGMA mmap_size=268435456;"
)


def database_of(address: str, home: Path) -> dict[str, object]:
    """The settings of the connection. Raises InputError for an address that would send what is kept here over a network
    without encryption, or without knowing to whom.

    The folder of a socket cannot stand where a host stands: libpq takes it as ?host=/folder.
    """
    if not address or address.startswith("sqlite"):
        options = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": SQLITE_FIRST}
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": home / "tocsin.sqlite3",
            "OPTIONS": options,
            # The last one to close writes all that waits beside the file into it: a thread keeps its connection.
            "CONN_MAX_AGE": 60,
        }
    parts = urlsplit(address)
    said = dict(parse_qsl(parts.query))
    host = said.pop("host", parts.hostname or "")
    if unknown := sorted(set(said) - PASSED_ON):
        raise _refused(f"unknown: {', '.join(unknown)}")
    if not _is_here(host) and said.setdefault("sslmode", VERIFIED) != VERIFIED:
        raise _refused(f"sslmode={said['sslmode']}, where another machine is reached only with sslmode={VERIFIED}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": parts.port or "",
        "OPTIONS": {**GIVEN_UP, **said, "options": SERVER_LOOKS},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def for_pages(settings: dict[str, Any]) -> None:
    """Bound how long a page may ask the database; workers may take as long as it takes."""
    if "options" in settings.get("OPTIONS", ()):
        settings["OPTIONS"]["options"] += f" -c statement_timeout={PAGE_SECONDS * 1000}"


def _is_here(host: str) -> bool:
    """Whether it is a socket, or this very machine."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(excerpt: str) -> InputError:
    return InputError("not-a-setting", position="tocsin.toml", field="database", excerpt=excerpt)
