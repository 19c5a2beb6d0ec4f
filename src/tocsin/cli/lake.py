"""`tocsin lake ...`: the store of observations."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from tocsin.core.errors import Unavailable

from . import setup


@click.group()
def lake() -> None:
    """State, compaction and verification of the store of observations."""
    setup()


@lake.command("state")
@click.option("--json", "as_json", is_flag=True)
def state(as_json: bool) -> None:
    """Files, rows and bytes."""
    from tocsin.centre.intake import lake as registry

    facts = registry.state()
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{facts['rows']:,} rows in {facts['files']} files, {facts['size_bytes'] / 1e6:,.1f} MB")
    click.echo(f"{facts['small_files']} small files, {facts['retired_files']} replaced files that wait for the sweep")


@lake.command("compact")
def compact() -> None:
    """Join small files into large sorted ones; readers are not disturbed."""
    from tocsin.centre.intake import lake as registry

    now = datetime.now(UTC)
    try:
        joined, swept = registry.compact(now), registry.sweep(now)
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    registry.log_compaction(joined, swept, now)
    click.echo(f"{joined} files joined, {swept} old files removed.")


@lake.command("verify")
def verify() -> None:
    """Recompute the digest of every registered file."""
    from tocsin.centre.intake import lake as registry

    wrong = registry.verify()
    for path, fault in wrong:
        click.echo(f"{fault}: {path}", err=True)
    if wrong:
        raise click.ClickException(f"{len(wrong)} files are not as they were registered.")
    click.echo(f"All {registry.state()['files']} files are as they were registered.")


@lake.command("take")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def take(yes: bool) -> None:
    """Say that the store belongs to this database from now on, and not to the one that used it before."""
    from tocsin.site import store_mark

    if store_mark.is_ours():
        click.echo("The store belongs to this database already.")
        return
    if not yes:
        click.confirm("Is the other one gone for good? Both on one store would destroy each other's files", abort=True)
    store_mark.adopt(datetime.now(UTC))
    click.echo("The store belongs to this database now. What used it before does not start on it any more.")
