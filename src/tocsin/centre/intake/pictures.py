"""Pictures that an officer attaches, made anew in the sandbox, with every text that their files carried.

The file itself is never shown to anybody else. What its metadata said goes to the leak scanner, so that who attached a
photograph of a victim's door learns it before the alert is published, and by which field.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.handling.leaks import Place, Text
from tocsin.products.alerts.record import Image

from .attachments import texts_of_file
from .reader_process import FailedError, KilledError, Sandbox

SECONDS = 30


@dataclass(frozen=True, slots=True)
class TakenIn:
    image: Image
    texts: tuple[Text, ...]
    """What the file carried, for the leak scanner: texts, and whether it said where it was taken."""


def take_in(path: Path, name: str, place: Place, sandbox: Sandbox | None = None) -> TakenIn:
    """The picture that may be shown, and what its file said beside it. Raises InputError with a reason."""
    reader = sandbox or Sandbox()
    try:
        image = _repainted(path, name, reader)
        texts = texts_of_file(path, name, place, reader)
    finally:
        if sandbox is None:
            reader.stop()
    return TakenIn(image, tuple(texts))


def _repainted(path: Path, name: str, reader: Sandbox) -> Image:
    try:
        told = reader.read({"picture": str(path)}, SECONDS, lambda _rows: None)
    except KilledError as error:
        raise InputError("reader-killed", excerpt=name[:160]) from error
    except FailedError as error:
        raise InputError("reader-failed", excerpt=name[:160]) from error
    if "refused" in told:
        raise InputError(told["refused"], excerpt=told["excerpt"])
    return Image(told["name"], told["media_type"], base64.b64decode(told["body"]), told["width"], told["height"])
