"""`tocsin alert renew-site` and `export-site`: the public site made anew, and as a folder for any web server."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import Progress

from . import setup


@click.command("export-site")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as JSON.")
def export_site(folder: Path, as_json: bool) -> None:
    """Write the whole public site into FOLDER, which any web server can hand out.

    It is built beside and takes the folder's place in one step. A further run writes what changed, and an interrupted
    one goes on where it was. `hints/` in it says to nginx what is gone and how long files may be kept.
    """
    setup()
    from tocsin.centre.alerts import editions, exporting
    from tocsin.centre.alerts.files import Damaged
    from tocsin.centre.alerts.public.frame import Frame
    from tocsin.core.errors import Conflict

    begun = time.monotonic()
    is_shown = not as_json and sys.stderr.isatty()
    try:
        with Progress(disable=not is_shown) as progress:
            bar = progress.add_task("Files", total=None)
            done = exporting.export(
                folder,
                Frame(editions.issuer()).base,
                told=lambda count, total: progress.update(bar, completed=count, total=total),
            )
    except Damaged as error:
        raise click.ClickException(
            f"A published file is damaged or lost in the store ({error}). Restore it, or publish the alert again."
        ) from error
    except exporting.Foreign as error:
        raise click.ClickException(
            f"{error} holds something that is no export of this site. Name an empty folder, or one that is not there."
        ) from error
    except Conflict as error:
        raise click.ClickException("Another export into this folder is running.") from error
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(done), "gone": len(done.gone)}))
        return
    click.echo(
        f"{done.files:,} files in {done.folder}: {done.written:,} written, {done.removed:,} removed, "
        f"{len(done.gone):,} addresses that are gone; {time.monotonic() - begun:.1f} s."
    )


@click.command("renew-site")
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as JSON.")
def renew_site(as_json: bool) -> None:
    """Make every page of the public site anew, as after a change of settings or before the first alert.

    A worker does it by itself after an upgrade. Documents, cards and messages stay as they were published.
    """
    setup()
    from tocsin.centre.alerts import renewing
    from tocsin.core.errors import Conflict

    try:
        count = renewing.renew(datetime.now(UTC))
    except Conflict as error:
        raise click.ClickException("Alerts are being published all the while. Try again in a moment.") from error
    click.echo(json.dumps({"files": count}) if as_json else f"{count:,} files of the public site were made anew.")
