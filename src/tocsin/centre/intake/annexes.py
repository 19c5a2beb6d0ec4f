"""PDF annexes that an officer attaches, made anew in the sandbox, with every text that the new file says.

What is published is the new file alone, and its texts were read from that very file, so that what the leak scanner is
told is what people can read.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.handling.leaks import Place, Text

from .attachments import texts_of_file
from .reader_process import FailedError, KilledError, Sandbox

SECONDS = 60


@dataclass(frozen=True, slots=True)
class TakenIn:
    name: str
    """Made of its digest: the name that an officer's file had may tell of somebody."""
    body: bytes
    pages: int
    texts: tuple[Text, ...]


def take_in(path: Path, name: str, sandbox: Sandbox | None = None) -> TakenIn:
    """The document that may be shown, and its texts by page. Raises InputError with a reason."""
    reader = sandbox or Sandbox()
    try:
        told = reader.read({"annex": str(path)}, SECONDS, lambda _rows: None)
        if "refused" in told:
            raise InputError(told["refused"], excerpt=told["excerpt"])
        body = base64.b64decode(told["body"])
        made = f"annex-{hashlib.sha256(body).hexdigest()[:12]}.pdf"
        with tempfile.TemporaryDirectory(prefix="tocsin-annex-") as folder:
            new = Path(folder) / made
            new.write_bytes(body)
            texts = texts_of_file(new, made, Place("annex", ""), reader)
    except KilledError as error:
        raise InputError("reader-killed", excerpt=name[:160]) from error
    except FailedError as error:
        raise InputError("reader-failed", excerpt=name[:160]) from error
    finally:
        if sandbox is None:
            reader.stop()
    return TakenIn(made, body, int(told["pages"]), tuple(texts))
