"""`tocsin clock ...`: what the machine's clock says, and what the installation knows of the time."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from . import setup

SAID = {
    "agrees": "They agree.",
    "ahead": (
        "The clock is far ahead. What it says is over is closed, and nothing is ended for good by it. If nothing ran "
        "for long, or this is a restored backup, and the clock is right: tocsin clock confirm. Else set it right: what "
        "is closed opens again by itself."
    ),
    "behind": (
        "The clock was set back. Time goes on from what is known, so that nothing comes back that was over. Set the "
        "clock right. If it was wrong before, and is right now: tocsin clock confirm."
    ),
}


@click.group()
def clock() -> None:
    """How late it is: what the machine's clock says, and what is known."""
    setup()


@clock.command("show")
@click.option("--json", "as_json", is_flag=True)
def show(as_json: bool) -> None:
    """What the clock says, what is known, and what to do where they differ. Status 1 where they do."""
    from tocsin.centre.clock import services
    from tocsin.centre.clock.rules import Reading

    now = datetime.now(UTC)
    stands = services.standing(now)
    known = stands.latest_at.astimezone(UTC).isoformat(timespec="seconds") if stands.latest_at else ""
    facts = {"machine": now.isoformat(timespec="seconds"), "known": known, "reading": stands.reading.value}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"This machine's clock: {facts['machine']}")
        click.echo(f"Known:                {known or 'nothing yet, nothing ran here'}")
        click.echo(SAID[stands.reading])
    if stands.reading is not Reading.AGREES:
        raise SystemExit(1)


@clock.command("confirm")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def confirm(yes: bool) -> None:
    """Say that this machine's clock is right: it counts from now on. Compare it with another one first.

    Where it is behind what is known, what was over by the later moment and is not purged opens again.
    """
    from tocsin.centre.clock import services

    now = datetime.now(UTC)
    if not yes:
        click.confirm(f"Is it {now:%Y-%m-%d %H:%M:%S} UTC now?", abort=True)
    services.confirm(by="command", at=datetime.now(UTC))
    click.echo("It counts from now on. It stands in the log of acts.")
