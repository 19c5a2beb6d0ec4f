"""A small application behind the portal's own server: `python -m tests.faults.small_portal PORT NAME=NUMBER …`.

It says what it read, so that tests see what came through. Further words are rules of the server.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

PIECE = b"x" * 65_536


class Pieces:
    """An answer that is made piece by piece; for each a sign is added to a file."""

    streaming = True

    def __init__(self, number: int, told: str) -> None:
        self.number, self.told = number, told

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.number):
            with Path(self.told).open("a", encoding="utf-8") as told:
                told.write(".")
            yield PIECE

    def close(self) -> None:
        if self.told:
            Path(self.told + ".closed").touch()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    path = environ["PATH_INFO"]
    if path.startswith("/pieces/"):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return Pieces(int(path.split("/")[2]), environ["QUERY_STRING"])
    if path == "/wait":
        time.sleep(float(environ["QUERY_STRING"]))
    if told := environ.get("HTTP_X_TOLD"):
        Path(f"{told}.begun").touch()
    digest, size, why = hashlib.sha256(), 0, ""
    try:
        while path != "/unread" and (piece := environ["wsgi.input"].read(100_000)):
            digest.update(piece)
            size += len(piece)
    except OSError as error:
        why = str(error)
    said = {
        "method": environ["REQUEST_METHOD"], "path": path, "query": environ["QUERY_STRING"], "size": size,
        "digest": digest.hexdigest(), "why": why, "host": environ.get("HTTP_HOST", ""),
        "header": environ.get("HTTP_X_SAID", ""),
    }  # fmt: skip
    if why:
        Path(environ["HTTP_X_TOLD"]).write_text(why, encoding="utf-8")
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def main() -> None:
    port, *changed = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django

    django.setup()
    from tocsin.site.serving.portal import run
    from tocsin.site.serving.rules import Rules

    said = {name: float(number) if "." in number else int(number) for name, number in (c.split("=") for c in changed)}
    run(application, "127.0.0.1", int(port), replace(Rules(), **said))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
