"""Every text of a file that is about to leave, read in the sandbox: what could not be read is said, never left out."""

from __future__ import annotations

import logging
from pathlib import Path

from tocsin.core.errors import Unavailable
from tocsin.handling.leaks import Place, Text

from .reader_process import FailedError, KilledError, Sandbox

log = logging.getLogger(__name__)
PROCESSOR_SECONDS = 120


def texts_of_file(path: Path, name: str, place: Place, sandbox: Sandbox | None = None) -> list[Text]:
    """The texts of a file, each with its page. `place` says in which field and language it is attached."""
    reader = sandbox or Sandbox()
    told = {"attachment": str(path), "name": name, "field": place.field, "language": place.language}
    try:
        outcome = reader.read(told, PROCESSOR_SECONDS, lambda _rows: None)
    except KilledError as error:
        log.error("an attachment: %s", error)
        return [Text(Place(place.field, place.language, name), "", unreadable="reader-killed")]
    except (FailedError, Unavailable):
        return [Text(Place(place.field, place.language, name), "", unreadable="reader-failed")]
    finally:
        if sandbox is None:
            reader.stop()
    return [Text(**{**each, "place": Place(**each["place"])}) for each in outcome["texts"]]
