"""What can go wrong, by who must act: the sender, the rule, nobody, another hand, or time.

Each door (page, API, TAXII, command line) maps these classes once to its own answer.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass


@dataclass
class InputError(Exception):
    """What was handed over cannot be used; says where, what and why.

    `reason` is a code of `core.reasons`; doors show its sentence in the reader's language.
    """

    reason: str
    position: str = ""
    field: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        where = " ".join(part for part in (self.position, self.field) if part)
        shown = f" ({self.excerpt[:80]!r})" if self.excerpt else ""
        return f"{where + ': ' if where else ''}{self.reason}{shown}"


@dataclass
class Refused(Exception):
    """A rule says no. `rule` names it, `remedy` says what would help."""

    rule: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.rule}. {self.remedy}" if self.remedy else self.rule


class NotFound(Exception):
    """Absent, or not visible to the one who asks: the two must look the same."""


class Conflict(Exception):
    """Somebody else was there first; read again and decide anew."""


@dataclass
class Unavailable(Exception):
    """Not now. `retry_after_seconds` says when a new try makes sense."""

    what: str
    retry_after_seconds: int = 30

    def __str__(self) -> str:
        return self.what


FAULTS_OF_THE_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
})  # fmt: skip


def fault_number(error: BaseException) -> int | None:
    """The number of an error that says something about this machine (a full disk), nothing about the file being read.

    Polars has no type of its own for it, and raises the system's without a number: only the text names it.
    """
    number = error.errno if isinstance(error, OSError) else None
    may_be_told = isinstance(error, OSError) or type(error).__module__.startswith("polars")
    if number is None and may_be_told and (named := re.search(r"\(os error (\d+)\)", str(error))):
        number = int(named[1])
    return number if number in FAULTS_OF_THE_MACHINE else None


def is_fault_of_the_machine(error: BaseException) -> bool:
    """Whether it is one: nobody who handed something over can do anything about it."""
    return fault_number(error) is not None
