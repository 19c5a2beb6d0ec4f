"""What is the matter where a database or a disk does not do its part: told from the error, by its codes, not its class.

It knows the errors of SQLite and PostgreSQL by what they carry, and imports neither.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import StrEnum

from .errors import fault_number


class Fault(StrEnum):
    """Each has its sentence on pages (`site/unanswered.py`) and on the command line (SENTENCES)."""

    AWAY = "away"
    FULL = "full"
    READ_ONLY = "read-only"
    CROWDED = "crowded"
    BUSY = "busy"
    SLOW = "slow"
    DAMAGED = "damaged"
    NO_ROOM = "no-room"
    DISK = "disk"
    SHORT = "short"


SENTENCES = {
    Fault.AWAY: (
        "The database does not answer. Start it, or correct the line database in tocsin.toml, and call this again."
    ),
    Fault.FULL: (
        "There is no room left on the disk of the database. Make room and call this again; what was committed "
        "before is kept."
    ),
    Fault.READ_ONLY: (
        "The database takes no changes: it is a standby, or its files may not be written by this user. Name "
        "the server that takes changes, or give the files back to the user of the installation."
    ),
    Fault.CROWDED: (
        "The database takes no more connections. Stop what is not needed, or raise its max_connections, and "
        "call this again."
    ),
    Fault.BUSY: (
        "Somebody else was changing the same thing in the database. Nothing was changed here: call this again."
    ),
    Fault.SLOW: (
        "The database took too long and was stopped. Nothing was changed: call this again when it has less to do."
    ),
    Fault.DAMAGED: (
        "The database cannot be read: its files are damaged, or their disk fails. Stop everything, look at "
        "the disk, and restore a back-up (docs/guides/operator/backup.md)."
    ),
    Fault.NO_ROOM: (
        "There is no room left on a disk (the store, the installation's folder or the temporary folder). Make "
        "room and call this again; what was committed before is kept."
    ),
    Fault.DISK: (
        "A disk cannot be read or written any more: it fails, or the system has made it read-only. Look at the "
        "system's log; what was committed before and lies on other disks is kept."
    ),
    Fault.SHORT: (
        "This machine is short of memory or of open files. Stop what is not needed, or raise the limits of the "
        "service, and call this again."
    ),
}
"""For whoever runs a command."""
_STATES = {
    "53100": Fault.FULL, "53300": Fault.CROWDED, "53200": Fault.CROWDED, "25006": Fault.READ_ONLY, "40001": Fault.BUSY,
    "40P01": Fault.BUSY, "55P03": Fault.BUSY, "57014": Fault.SLOW, "XX001": Fault.DAMAGED, "XX002": Fault.DAMAGED,
    "58030": Fault.DAMAGED,
}  # fmt: skip
"""What PostgreSQL calls them (SQLSTATE)."""
_CLASSES = {"08": Fault.AWAY, "57": Fault.AWAY, "28": Fault.AWAY, "3D": Fault.AWAY}
_SQLITE = {
    "SQLITE_FULL": Fault.FULL, "SQLITE_READONLY": Fault.READ_ONLY, "SQLITE_BUSY": Fault.BUSY,
    "SQLITE_LOCKED": Fault.BUSY, "SQLITE_CORRUPT": Fault.DAMAGED, "SQLITE_NOTADB": Fault.DAMAGED,
    "SQLITE_IOERR": Fault.DAMAGED, "SQLITE_CANTOPEN": Fault.AWAY,
}  # fmt: skip
_OF_THE_MACHINE = {
    errno.ENOSPC: Fault.NO_ROOM, errno.EDQUOT: Fault.NO_ROOM, errno.EIO: Fault.DISK, errno.EROFS: Fault.DISK,
    errno.ESTALE: Fault.DISK,
}  # fmt: skip
_WORDS = {
    "too many clients": Fault.CROWDED, "remaining connection slots": Fault.CROWDED,
    "too many connections": Fault.CROWDED, "No space left on device": Fault.FULL,
    "could not write init file": Fault.FULL,
}  # fmt: skip
"""A connection that is refused carries no code, only these words; the last ones where its disk is full."""


def fault_of(error: BaseException | None) -> Fault | None:
    """What is the matter with the database or a disk; None where the error says nothing of either."""
    for each in _chain(error):
        if found := _of_database(each):
            return found
        if (number := fault_number(each)) is not None:
            return _OF_THE_MACHINE.get(number, Fault.SHORT)
    return None


def said_by(error: BaseException) -> str:
    """The first line of what the database or the system said itself."""
    return str(error).strip().partition("\n")[0][:300]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from; what it merely happened beside says nothing."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__


def _of_database(error: BaseException) -> Fault | None:
    kind, cause = type(error), error.__cause__
    if kind.__module__ != "django.db.utils":
        return None
    state, name = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", None)
    if state:
        found = _STATES.get(state) or _CLASSES.get(state[:2])
    elif name:
        found = next((fault for start, fault in _SQLITE.items() if name.startswith(start)), None)
    else:
        found = next((fault for words, fault in _WORDS.items() if words in str(error)), None)
    # Of these two classes all others are a connection that was lost or never came to be; but for an old table.
    is_old = name == "SQLITE_ERROR"
    return found or (Fault.AWAY if kind.__name__ in {"OperationalError", "InterfaceError"} and not is_old else None)
