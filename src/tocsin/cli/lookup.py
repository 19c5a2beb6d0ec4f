"""`tocsin lookup VALUE`: what is known of it, as the Centre's analyst sees it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tocsin.core.observations import SCHEMA
from tocsin.core.reasons import REASONS
from tocsin.products.text_safety import visible

from . import setup
from .readers import reader

if TYPE_CHECKING:
    from tocsin.centre.analysis.lookups import Answer
    from tocsin.centre.members.models import Person

OBJECTS_SHOWN = 12


@click.command()
@click.argument("value")
@click.option("--as", "login", default="", help="What this person would see; default: the Centre's own desk.")
@click.option("--watch", is_flag=True, help="Keep watch for it; needs --as.")
@click.option("--json", "as_json", is_flag=True)
def lookup(value: str, login: str, watch: bool, as_json: bool) -> None:
    """An address, network, domain, web address, digest, e-mail, wallet, phone, actor or malware name.

    Where people come in (public_origin), a key with the scope "read" in TOCSIN_KEY says who asks.
    """
    if not value.strip():
        raise click.UsageError("Name a value: an address, network, domain, URL, digest, e-mail, wallet or name.")
    setup()
    from tocsin.centre.analysis import lookups
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.selectors import viewer_of
    from tocsin.handling import Viewer
    from tocsin.lake.shown import SHOWN

    by_key = reader("read", "read", login)
    viewer = Viewer(
        organisation="centre",
        class_name="law-enforcement",
        is_centre=True,
        is_victim_desk=True,
        clearance="confidential",
    )
    if login or by_key is not None:
        person = by_key or Person.objects.filter(login=login).first()
        if person is None:
            raise click.ClickException(f"Nobody signs in as {login!r}.")
        viewer = viewer_of(person)
        if watch:
            _watch(person, value)
    elif watch:
        raise click.ClickException("Say whose standing query it is: --as LOGIN")
    reply = lookups.answer(value, viewer, columns=tuple(SCHEMA) if as_json else SHOWN)
    # Nobody but its owner acts under a login: who asks as somebody else here is the machine's operator.
    lookups.log_lookup(by_key.login if by_key else "command", reply, said_for="" if by_key else login)
    found = reply.found
    if as_json:
        shown = {
            "kind": reply.kind,
            "value": reply.value,
            "rows": found.total,
            "sightings": found.sightings,
            "first_at": found.first_at,
            "last_at": found.last_at,
            "countries": found.by_country,
            "roles": found.by_role,
            "sources": reply.sources,
            "warning_lists": [asdict(listed) for listed in reply.warning_lists],
            "objects": [thing.object_id for thing in reply.objects],
            "newest": found.rows.drop("ipv6").to_dicts(),
        }
        click.echo(json.dumps(shown, default=str, ensure_ascii=False))
        return
    _show(reply)


def _show(reply: Answer) -> None:
    found = reply.found
    console = Console()
    console.print(f"[bold]{_plain(reply.value)}[/bold]  ({reply.kind or 'not recognised'})")
    if reply.entity and reply.entity.aliases:
        console.print(f"Also called: {_plain(', '.join(sorted(reply.entity.aliases)))}")
    if found.total:
        _show_rows(console, reply)
    elif not reply.objects:
        console.print("Nothing is known of it.")
    things = list(dict.fromkeys((each.type, each.name or "(no name)", each.object_id) for each in reply.objects))
    for thing in things[:OBJECTS_SHOWN]:
        console.print("  {}: {}  {}".format(*map(_plain, thing)))
    if len(things) > OBJECTS_SHOWN:
        console.print(f"  and {_counted(len(things) - OBJECTS_SHOWN, 'more object')}")
    for listed in reply.warning_lists:
        console.print(
            f"[yellow]On a warning list[/yellow]: {_plain(listed.list_name)} ({listed.group}, version {listed.version})"
        )


def _show_rows(console: Console, reply: Answer) -> None:
    found = reply.found
    console.print(
        f"{_counted(found.total, 'row')}, {_counted(found.sightings, 'sighting')}, {found.first_at} to {found.last_at}"
    )
    table = Table("Source", "Label", "Rows")
    for source in reply.sources:
        table.add_row(_plain(source["name"]), source["tlp"], f"{source['rows']:,}")
    console.print(table)
    for title, counts in (("Countries", found.by_country), ("Roles", found.by_role)):
        console.print(f"{title}: " + ", ".join(f"{name or '?'} {rows:,}" for name, rows in list(counts.items())[:12]))
    for column, text, rows in reply.together[:12]:
        console.print(f"  with {column}: {_plain(text)} ({rows})")


def _plain(text: str) -> str:
    """Words of others, as a terminal can show them: no markup, no control characters."""
    return escape(visible(text))


def _watch(person: Person, value: str) -> None:
    from tocsin.centre.analysis import standing
    from tocsin.centre.members.rules import may
    from tocsin.core.errors import InputError

    if not may(person, "watch"):
        raise click.ClickException(f"{person.login} may not keep standing queries.")
    try:
        query = standing.add_query(person=person, text=value, reason="", at=datetime.now(UTC))
    except InputError as error:
        raise click.ClickException(REASONS[error.reason]) from error
    click.echo(f"{person.login} hears of {query.value} as soon as it arrives.", err=True)


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
