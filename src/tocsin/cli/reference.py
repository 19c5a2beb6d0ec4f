"""`tocsin reference ...`: the data that came with Tocsin, and newer files in their place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from . import setup


@click.group()
def reference() -> None:
    """Dates, licences and updates of the reference data."""


@reference.command("list")
def show() -> None:
    """What is in use, how old it is, under which licence."""
    installation = setup(need_installation=False)
    from tocsin.reference import store
    from tocsin.reference.names import all_entities
    from tocsin.reference.warnings import lists

    tables = store.installed(installation.home / "reference")
    table = Table("Data", "Date", "Entries", "Licence")
    table.add_row(
        "Addresses to networks and countries",
        str(tables.date),
        f"{len(tables.v4_starts):,} + {len(tables.v6_high):,}",
        tables.licence,
    )
    table.add_row("Warning lists", max(each.version for each in lists()), str(len(lists())), "CC0-1.0")
    table.add_row("Names of actors and malware", "", f"{len(all_entities()):,}", "CC0-1.0, ATT&CK terms")
    Console().print(table)


@reference.command("update")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--date", "on", required=True, help="Date of the data (YYYY-MM-DD).")
@click.option("--licence", required=True, help="Licence of the data, as it is to be shown.")
def update(files: tuple[Path, ...], on: str, licence: str) -> None:
    """Put newer address tables in the place of the shipped ones: CSV (network, system, country) or MMDB files."""
    installation = setup()
    from tocsin.core.errors import InputError
    from tocsin.core.reasons import REASONS
    from tocsin.reference import store

    try:
        day = date.fromisoformat(on)
    except ValueError as error:
        raise click.BadParameter(f"{on!r} is not a day (2026-11-15).", param_hint="--date") from error
    in_force = store.installed(installation.home / "reference").date
    if day < in_force:
        raise click.BadParameter(
            f"tables of {day} would not be used: those in use are of {in_force}. Nothing was changed; give the day "
            "from which you want these to count, not before that one.", param_hint="--date",
        )  # fmt: skip
    try:
        tables = store.update(installation.home / "reference", list(files), on=day, licence=licence)
    except InputError as error:
        raise click.ClickException(f"{error.position} {REASONS[error.reason]} {error.excerpt}".strip()) from error
    click.echo(
        f"In use from now on: {len(tables.v4_starts):,} IPv4 and {len(tables.v6_high):,} IPv6 ranges of {tables.date}."
    )
