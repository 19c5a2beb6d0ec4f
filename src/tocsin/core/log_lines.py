"""Lines of the logs of processes: JSON, the moment in UTC, and no word of what is kept here.

The text of an exception repeats what it stumbled over: a value, a name, a row. It is left out; its class, and where in
the code it came from, are enough to find the fault.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

FRAMES_MOST = 20
WORDLESS = ("asyncio", "django", "h11", "ninja")
"""Loggers of libraries, whose messages repeat addresses and headers: of them the name alone is told."""


class LogLine(logging.Formatter):
    """A record as one line of JSON. What a caller gives as `extra={"facts": {...}}` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        is_wordless = record.name.partition(".")[0] in WORDLESS
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.name if is_wordless else record.getMessage(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line |= facts
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"exception": _name(record.exc_info[0]), "frames": _frames(record.exc_info[2])}
        return json.dumps(line, ensure_ascii=True, default=str)


class ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to standard error as it is at that moment: a terminal, the journal, a file that was put in its place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class WithoutRefusals(logging.Filter):
    """Leaves out what Django says of each refused request: the logger `tocsin.refusals` says it better."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_refusal = record.name.startswith(("django.request", "django.security")) and record.levelno < logging.ERROR
        return not is_refusal and not record.name.startswith("django.security.csrf")


def _name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _frames(trace: TracebackType | None) -> list[str]:
    """Where it came from, the innermost last: module and line."""
    found = traceback.walk_tb(trace)
    return [f"{frame.f_globals.get('__name__', '?')}:{line}" for frame, line in found][-FRAMES_MOST:]
