"""`tocsin feed ...`: the catalogue of public feeds, switches, and fetching one now."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from . import setup


@click.group()
def feed() -> None:
    """Public feeds: list, switch, fetch."""
    setup()


@feed.command("list")
@click.option("--on", "only_on", is_flag=True, help="Only those that are switched on.")
@click.option("--json", "as_json", is_flag=True)
def list_feeds(only_on: bool, as_json: bool) -> None:
    """Every feed with how it is doing."""
    from tocsin.centre.intake import feeds

    rows = [row for row in feeds.catalogue(datetime.now(UTC)) if row.state.enabled or not only_on]
    if as_json:
        facts = [
            {
                "name": row.feed.slug, "title": row.feed.title, "provider": row.feed.provider, "on": row.state.enabled,
                "every_minutes": row.feed.every_minutes, "ok_at": row.state.ok_at, "next_at": row.state.next_at,
                "error": row.state.error, "licence": row.feed.licence,
            }
            for row in rows
        ]  # fmt: skip
        click.echo(json.dumps(facts, default=str, ensure_ascii=False))
        return
    table = Table(Column("Name", overflow="fold"), "Title", "On", "Every", "Last fetched", "Trouble")
    for row in rows:
        fetched = f"{row.state.ok_at:%Y-%m-%d %H:%M}" if row.state.ok_at else ""
        on = "on" if row.state.enabled else ""
        table.add_row(row.feed.slug, escape(row.feed.title), on, f"{row.feed.every_minutes} min", fetched, row.words)
    Console().print(table)


@feed.command("on")
@click.argument("name")
def switch_on(name: str) -> None:
    """Switch a feed on; the next worker fetches it."""
    _switch(name, on=True)


@feed.command("off")
@click.argument("name")
def switch_off(name: str) -> None:
    """Switch a feed off; what it brought stays."""
    _switch(name, on=False)


def _switch(name: str, *, on: bool) -> None:
    from tocsin.centre.intake import feeds
    from tocsin.core.errors import NotFound

    try:
        feeds.switch(name, on=on, by="command", at=datetime.now(UTC))
    except NotFound as error:
        raise click.ClickException(f"No feed is called {name!r}. List them with: tocsin feed list") from error
    click.echo(f"{name} is {'on' if on else 'off'}.")


@feed.command("run")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True)
def run(name: str, as_json: bool) -> None:
    """Fetch a feed now, read it, and show what came."""
    from tocsin.centre.intake import feeds
    from tocsin.centre.intake.models import FeedState
    from tocsin.core.errors import NotFound

    from .ingest import report, work_through

    try:
        feeds.run_now(name, by="command", at=datetime.now(UTC))
    except NotFound as error:
        raise click.ClickException(f"No feed is called {name!r}. List them with: tocsin feed list") from error
    work_through(1, 1, show=not as_json)
    state = FeedState.objects.select_related("last_delivery").get(slug=name)
    if state.error:
        raise click.ClickException(feeds.words_of(state))
    if state.last_delivery is not None:
        report([state.last_delivery], as_json)
