"""The process that reads what strangers sent: own memory and time limits, no network, no database.

Run as `python -m tocsin.centre.intake.sandbox`. Orders come as lines of JSON on standard input, progress and
outcomes go as lines of JSON to standard output. It serves many deliveries; when one of them kills it, only that
delivery is quarantined and the worker starts a new process.
"""

from __future__ import annotations

import base64
import ctypes
import dataclasses
import gc
import json
import logging
import os
import resource
import select
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tocsin.core.log_lines import LogLine, ToStandardError
from tocsin.core.starting import starting

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
ADDRESS_SPACE_BYTES = 24 << 30
FILE_BYTES = 256 << 30


def shut_in() -> None:
    """Give up the network where the kernel lets us, and bound what can be taken."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        libc.unshare(CLONE_NEWNET)
    elif libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        logging.getLogger(__name__).debug("no user namespaces: the sandbox keeps its network")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent() -> None:
    """End as soon as nobody holds the other end of standard input: whom nobody hears writes nothing any more."""

    def watch() -> None:
        ends = select.poll()
        ends.register(0, 0)  # No event is asked for: only the hanging up is told.
        ends.poll()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def collect_seldom() -> None:
    """Readers make lists of a hundred thousand rows and no cycles: looking for cycles cost a tenth of their time."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def texts_of_attachment(told: dict[str, Any]) -> dict[str, Any]:
    """The answer to an order to say every text of a file, for the leak scanner."""
    from tocsin.core.reading import Source
    from tocsin.handling.leaks import Place
    from tocsin.transport.attachments import texts_of

    source = Source(told["name"], Path(told["attachment"]))
    try:
        texts = [dataclasses.asdict(each) for each in texts_of(source, Place(told["field"], told["language"]))]
    except Exception as error:
        logging.getLogger(__name__).exception("an attachment")
        return {"failed": f"{type(error).__name__}: {error}"[:400]}
    return {"outcome": {"texts": texts}}


def picture_made_anew(told: dict[str, Any]) -> dict[str, Any]:
    """The answer to an order to make a picture anew from its points."""
    from tocsin.core.errors import InputError
    from tocsin.transport.repainting import FILE_BYTES, repainted

    try:
        with Path(told["picture"]).open("rb") as file:
            made = repainted(file.read(FILE_BYTES + 1))
    except InputError as error:
        return {"outcome": {"refused": error.reason, "excerpt": error.excerpt}}
    except Exception as error:
        logging.getLogger(__name__).exception("a picture")
        return {"failed": f"{type(error).__name__}: {error}"[:400]}
    body = base64.b64encode(made.body).decode("ascii")
    return {"outcome": {"name": made.name, "media_type": made.media_type, "body": body,
                        "width": made.width, "height": made.height}}  # fmt: skip


def document_made_anew(told: dict[str, Any]) -> dict[str, Any]:
    """The answer to an order to make a PDF anew from what its pages show."""
    from tocsin.core.errors import InputError
    from tocsin.transport.rewriting import FILE_BYTES, rewritten

    try:
        with Path(told["annex"]).open("rb") as file:
            made = rewritten(file.read(FILE_BYTES + 1))
    except InputError as error:
        return {"outcome": {"refused": error.reason, "excerpt": error.excerpt}}
    except Exception as error:
        logging.getLogger(__name__).exception("an annex")
        return {"failed": f"{type(error).__name__}: {error}"[:400]}
    return {"outcome": {"body": base64.b64encode(made.body).decode("ascii"), "pages": made.pages}}


def main() -> None:
    """Serve orders until standard input ends."""
    shut_in()
    end_with_parent()
    told_to = ToStandardError()
    told_to.setFormatter(LogLine())
    logging.basicConfig(handlers=[told_to], level=logging.WARNING)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What a library prints must not mix with the answers.
    with starting():
        from tocsin.core.errors import is_fault_of_the_machine
        from tocsin.reference import store

        from . import bulk
        from .reading import order_from_json, outcome_json, read_delivery
        from .together import read_together

    collect_seldom()
    for line in sys.stdin:
        told = json.loads(line)
        installed = store.installed(Path(told["reference"]) if told.get("reference") else None)
        if "attachment" in told:
            answers.write(json.dumps(texts_of_attachment(told)) + "\n")
            continue
        if "picture" in told:
            answers.write(json.dumps(picture_made_anew(told)) + "\n")
            continue
        if "annex" in told:
            answers.write(json.dumps(document_made_anew(told)) + "\n")
            continue
        last = [0.0]

        def progress(rows: int, done_bytes: int, last: list[float] = last) -> None:
            if time.monotonic() - last[0] > 0.2:
                last[0] = time.monotonic()
                answers.write(json.dumps({"rows": rows, "bytes": done_bytes}) + "\n")

        started = time.process_time()
        try:
            if "together" in told:
                outcome = read_together([order_from_json(each) for each in told["together"]], installed)
            elif "step" in told:
                outcome = bulk.STEPS[told["step"]](order_from_json(told), told, installed)
            else:
                outcome = outcome_json(read_delivery(order_from_json(told), installed, progress))
        except Exception as error:
            if isinstance(error, OSError) or is_fault_of_the_machine(error):
                answers.write(json.dumps({"fault": str(error)[:400]}) + "\n")
                continue
            logging.getLogger(__name__).exception("delivery %s", told.get("delivery", "together with others"))
            answers.write(json.dumps({"failed": f"{type(error).__name__}: {error}"[:400]}) + "\n")
            continue
        outcome["cpu_seconds"] = time.process_time() - started
        answers.write(json.dumps({"outcome": outcome}, default=str) + "\n")


if __name__ == "__main__":
    main()
