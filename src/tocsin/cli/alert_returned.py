"""`tocsin alert returned`: takes mail that came back, from a pipe of the mail server or from files."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import BinaryIO

import click

from . import setup

NOT_NOW = 75
"""EX_TEMPFAIL: the mail server keeps the mail and tries again."""


@click.command("returned")
@click.argument("files", nargs=-1, type=click.File("rb"))
@click.option("--to", default="", help="Where it came back to, as the mail server knows it ($ORIGINAL_RECIPIENT).")
def returned(files: tuple[BinaryIO, ...], to: str) -> None:
    """Take mail that came back undelivered: one from a pipe, or from files. Says nothing of addresses.

    Status 75 where the database does not answer: the mail server tries again.
    """
    setup()
    from django.db import DatabaseError, InterfaceError

    from tocsin.centre.subscribers import bouncing
    from tocsin.transport.bounces import LARGEST

    counts: Counter[str] = Counter()
    given: tuple[BinaryIO, ...] = files or (sys.stdin.buffer,)
    try:
        for each in given:
            raw = each.read(LARGEST)
            while each.read(LARGEST):  # The mail server wants all of it read.
                pass
            counts[bouncing.take(raw, datetime.now(UTC), to).value] += 1
    except (DatabaseError, InterfaceError):
        click.echo("The database does not answer. Nothing was counted.", err=True)
        raise SystemExit(NOT_NOW) from None
    for name, count in sorted(counts.items()):
        click.echo(f"{name}: {count}")
