"""`tocsin reach RECEIPT`, `tocsin reach --object NUMBER`: who has it, by which way, since when."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tocsin.products.text_safety import visible

from . import setup
from .readers import reader


@click.command()
@click.argument("reference")
@click.option("--object", "is_object", is_flag=True, help="REFERENCE is the number of an object's page.")
@click.option("--as", "login", required=True, help="Ask as this person of the Centre: what it may see is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reach(reference: str, is_object: bool, login: str, as_json: bool) -> None:
    """Who has a delivery (by its receipt) or an object, and who may see it and took nothing. It is logged.

    Where people come in (public_origin), a key with the scope "read" in TOCSIN_KEY says who asks.
    """
    setup()
    from tocsin.api.received import plain_reach
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.selectors import viewer_of
    from tocsin.centre.reach import spread
    from tocsin.core.errors import NotFound
    from tocsin.lake.scope import Batches

    by_key = reader("follow", "read", login)
    person = by_key or Person.objects.filter(login=login).select_related("organisation__parent").first()
    if person is None:
        raise click.ClickException(f"Nobody signs in as {login!r}.")
    try:
        if is_object:
            thing = spread.object_for(person, int(reference) if reference.isdecimal() else 0)
            batches, delivery = Batches([thing.batch_id]), thing.delivery
        else:
            delivery = spread.delivery_for(person, reference)
            batches = spread.parts_of(delivery, viewer_of(person))
    except NotFound:
        raise click.ClickException("There is nothing under this reference that this person may see.") from None
    now = datetime.now(UTC)
    found = spread.reach_of(batches, delivery.organisation_id, now)
    subject = f"object:{reference}" if is_object else f"delivery:{delivery.pk}"
    spread.note_read(by_key.login if by_key else "command", subject, found, now, said_for="" if by_key else login)
    if as_json:
        click.echo(json.dumps(plain_reach(found), default=lambda at: at.isoformat(), indent=2))
        return
    table = Table("Organisation", "By", "First", "Last", box=None)
    for each in found.holders:
        ways = ", ".join(f"{way.channel} {way.reference}".strip() for way in each.ways)
        name = escape(visible(each.organisation.name)) + ("" if each.is_open else " (no longer open to it)")
        table.add_row(name, escape(ways), f"{each.first_at:%Y-%m-%d %H:%M}", f"{each.last_at:%Y-%m-%d %H:%M}")
    console = Console(soft_wrap=True)
    console.print(table if found.holders else "Nobody took any of it.")
    console.print(f"{len(found.open_to)} more may see it and took nothing of it.")
    if found.packages:
        console.print("In packages: " + ", ".join(each.number for each in found.packages))
