"""`tocsin move`: the installation's database, brought into another one."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from . import setup

if TYPE_CHECKING:
    from tocsin.site.moving.work import Move, Step

SAID = {
    "check": "Looking through", "copy": "Copying", "indexes": "Making indexes and references", "prove": "Reading back",
    "keys": "Trying the keys", "log": "Verifying the log of acts", "files": "Looking for the files of the store",
}  # fmt: skip
WIDTH = 100


@click.command()
@click.argument("address", required=False)
@click.option("--check", "only_check", is_flag=True, help="Look whether it could be done; write nothing.")
@click.option("--digests", is_flag=True, help="Also read every file of the store and compare its digest.")
@click.option("--whatever-files", is_flag=True, help="Move the database even where files of the store are missing.")
@click.option("--give-up", is_flag=True, help="Stay with the present database, or go back to it after a move.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON object; progress as one a line.")
def move(
    address: str | None, only_check: bool, digests: bool, whatever_files: bool, give_up: bool, yes: bool, as_json: bool
) -> None:
    """Bring the database into another one at ADDRESS, and let the settings name it.

    ADDRESS is postgresql://user@host/name, a new or empty database, or sqlite: for the file beside the settings.
    Stop the portal and all workers first. Whatever breaks the move off, the same call goes on where it was. The new
    database is used only once every table in it is proved equal; the present one stays as it is.
    """
    from tocsin.site import occupancy

    found = setup(is_moving=True)
    try:
        occupancy.take_alone(found.home)
    except occupancy.Occupied as error:
        raise click.ClickException(
            "The portal, a worker or a command has this installation open. Stop them first (systemctl stop tocsin), on "
            "every machine that works on it."
        ) from error
    if give_up:
        _give_up(yes)
    elif not address:
        raise click.UsageError("Say where to: tocsin move postgresql://user@host/name")
    else:
        _move(address, only_check=only_check, as_json=as_json, digests=digests, whatever_files=whatever_files)


def _give_up(yes: bool) -> None:
    from django.db import connection

    from tocsin.site.moving import notes, work

    note = notes.end(connection, notes.SOURCE)
    if note is None:
        raise click.ClickException("This database is neither being moved nor was it: nothing is to be given up.")
    if note.phase == notes.MOVED and not yes:
        click.confirm(
            f"It was moved to {note.other} at {note.at}. What was done there since is not here. Go back all the same?",
            abort=True,
        )
    work.give_up()
    click.echo("The present database is used again. The other one holds nothing that is used: drop it.")
    if note.phase == notes.MOVED:
        click.echo("Let tocsin.toml name this database, and say that the store is its own again: tocsin lake take")


def _move(address: str, *, only_check: bool, as_json: bool, **how: bool) -> None:
    from django.db import Error
    from psycopg import Error as ServerError

    from tocsin.site.moving import places
    from tocsin.site.moving.reading import Unreadable
    from tocsin.site.moving.work import Stopped
    from tocsin.site.moving.writing import Unusable

    from .serve import _require_current

    _require_current()
    told = _Progress(as_json)
    try:
        made = _prepared(address, told, **how)
        if only_check:
            sums = made.check()
            told.end()
            _say(as_json, {"moved": False, "rows": sums.rows, "tables": sums.facts()},
                 f"Nothing stands in the way: {sums.rows:,} rows in {len(sums.of)} tables.")  # fmt: skip
            return
        rows = made.run()
        told.end()
    except (Stopped, Unusable, Unreadable) as error:
        told.end()
        raise click.ClickException(str(error)) from error
    except (Error, ServerError) as error:
        told.end()
        raise click.ClickException(places.told_of(error)) from error
    _say(as_json, {"moved": True, "rows": rows, "to": made.to}, f"{rows:,} rows are in {made.to}, and proved equal.")
    _let_settings_name(address, as_json)


def _prepared(address: str, told: _Progress, **how: bool) -> Move:
    from django.conf import settings

    from tocsin.site.databases import database_of
    from tocsin.site.moving import places
    from tocsin.site.moving.work import Move
    from tocsin.site.moving.writing import Target

    home, now = settings.INSTALLATION.home, places.present()
    if places.is_sqlite(address) == places.is_sqlite(now) and (
        places.is_sqlite(now) or places.told(address) == places.told(now)
    ):
        raise click.ClickException(f"The database of this installation is {places.told(now)} already.")
    if not places.is_sqlite(address) and not address.startswith(("postgresql://", "postgres://")):
        raise click.UsageError(f"{address} is no address of a database: postgresql://user@host/name")
    return Move(
        read=lambda: places.reader(now, home), target=Target(database_of(address, home)), to=places.told(address),
        read_back=lambda: places.reader(address, home), told=told, **how,
    )  # fmt: skip


def _let_settings_name(address: str, as_json: bool) -> None:
    from django.conf import settings

    from tocsin.site.settings_file import set_line

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    path = settings.INSTALLATION.home / "tocsin.toml"
    if "TOCSIN_DATABASE" in os.environ:
        say(f"TOCSIN_DATABASE decides which database is used. Wherever it is set, set: TOCSIN_DATABASE={address}")
        return
    try:
        set_line(path, "database", address)
    except (OSError, ValueError) as error:
        say(f"{path} could not be changed ({error}). Write into it: database = {json.dumps(address)}")
        return
    say(f"{path} names it now. Start the portal again. The former database stays as it was, and is not used any more.")


def _say(as_json: bool, facts: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(facts) if as_json else text)


class _Progress:
    """What is done at this moment: on a terminal one line that changes, for a program a line of JSON for each step."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._is_terminal = as_json, sys.stderr.isatty()
        self._last = ("", "")

    def __call__(self, step: Step) -> None:
        if self._is_terminal:
            share = f" {step.done:,} of {step.whole:,}" if step.whole else f" {step.done:,}" if step.done else ""
            click.echo(f"\r{f'{SAID[step.name]} {step.about}{share}':{WIDTH}.{WIDTH}}", nl=False, err=True)
        elif self._last != (step.name, step.about):
            if self._as_json:
                click.echo(json.dumps({"step": step.name, "about": step.about, "rows": step.whole}), err=True)
            elif self._last[0] != step.name:
                click.echo(SAID[step.name], err=True)
        self._last = (step.name, step.about)

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal and self._last[0]:
            click.echo(f"\r{'':{WIDTH}}\r", nl=False, err=True)
