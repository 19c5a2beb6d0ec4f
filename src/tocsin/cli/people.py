"""`tocsin person ...`: accounts and organisations, without touching the database by hand."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

import click
from rich.console import Console
from rich.table import Table

from tocsin.core.words import Tlp

from . import setup

if TYPE_CHECKING:
    from tocsin.centre.members.models import Person

SCOPES = ("deliver", "taxii", "read", "packages")
LABELS = tuple(tlp.value for tlp in Tlp if tlp is not Tlp.RED)


@click.group()
def person() -> None:
    """Create people and organisations, list them, set a new password."""
    setup()


@person.command("create")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--organisation", "slug", default="centre", show_default=True)
@click.option("--role", "roles", multiple=True, required=True)
@click.option("--language", default="en", show_default=True)
def create(login: str, name: str, slug: str, roles: tuple[str, ...], language: str) -> None:
    """Create an account and print its first password, which must be changed at the first sign-in."""
    from tocsin.centre.members import second_look
    from tocsin.centre.members.models import Organisation
    from tocsin.centre.members.services import add_person
    from tocsin.core.errors import InputError

    organisation = Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        raise click.ClickException(f"No organisation has the slug {slug!r}.")
    password, at = secrets.token_urlsafe(12), datetime.now(UTC)
    try:
        made = add_person(
            login=login,
            name=name,
            organisation=organisation,
            roles=roles,
            password=password,
            language=language,
            by="command",
            at=at,
            must_change_password=True,
        )
        second_look.hold_if_needed(made, by=second_look.COMMAND, at=at)
    except InputError as error:
        raise click.ClickException(f"These roles do not exist there: {error.excerpt}") from error
    click.echo(f"{login}: first password {password}")
    _tell_held(made)


def _tell_held(person: Person) -> None:
    if person.held_at is not None:
        click.echo(
            "It opens nothing before a second person at the Centre, who reads, has made sure whose it is: "
            "Emergency access, Accounts that wait for a second person."
        )


@person.command("password")
@click.argument("login")
def password(login: str) -> None:
    """Set a new first password and end all sessions."""
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.people import new_password

    found = Person.objects.filter(login=login).first()
    if found is None:
        raise click.ClickException(f"Nobody signs in as {login!r}.")
    fresh = new_password(found, by="command", at=datetime.now(UTC))
    click.echo(f"{login}: new first password {fresh}")
    _tell_held(found)


@person.command("confirm")
@click.argument("login")
def confirm(login: str) -> None:
    """Confirm for another year that somebody still needs access, where nobody above can: who lapsed comes in again."""
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.people import note_confirmed

    found = Person.objects.filter(login=login).first()
    if found is None:
        raise click.ClickException(f"Nobody signs in as {login!r}.")
    note_confirmed(found, by="command", at=datetime.now(UTC))
    click.echo(f"{login}: access confirmed for a year.")


@person.command("reset-factors")
@click.argument("login")
def reset_factors(login: str) -> None:
    """Take away the second factors of somebody who lost them, and end all sessions. Make sure first who asks."""
    from tocsin.centre.members import factors
    from tocsin.centre.members.models import Person

    found = Person.objects.filter(login=login).first()
    if found is None:
        raise click.ClickException(f"Nobody signs in as {login!r}.")
    gone = factors.reset(person=found, by="command", at=datetime.now(UTC))
    click.echo(f"{login}: {gone} taken away. The password alone opens the account until another one is set up.")
    _tell_held(found)


@person.command("provider-off")
@click.argument("slug")
def provider_off(slug: str) -> None:
    """Switch off an organisation's own sign-in, for the day it fails and nobody comes in: passwords count again."""
    from tocsin.centre.members import providers
    from tocsin.centre.members.models import Provider

    found = Provider.objects.select_related("organisation").filter(organisation__slug=slug, is_on=True).first()
    if found is None:
        raise click.ClickException(f"No provider of an organisation {slug!r} is switched on.")
    providers.switch(provider=found, is_on=False, by="command", at=datetime.now(UTC))
    click.echo(f"{slug}: its provider lets nobody in any more, and passwords do again. Its sessions were ended.")


@person.command("key")
@click.argument("login")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES))
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
@click.option("--days", type=click.IntRange(min=1), default=365, show_default=True, help="Days until it expires.")
@click.option("--ceiling", type=click.Choice(LABELS), help="Narrowest label that can be read through it.")
@click.option("--from", "ranges", multiple=True, help="Network that it may be used from, such as 192.0.2.0/24.")
@click.option("--certificate", "pem", type=click.File(), help="Client certificate (PEM) that must be shown beside it.")
def key(
    login: str, scopes: tuple[str, ...], name: str, days: int, ceiling: str | None, ranges: tuple[str, ...],
    pem: TextIO | None,
) -> None:  # fmt: skip
    """Make a key for the API and TAXII and print it; it is shown this once."""
    from tocsin.centre.members import second_look
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.services import add_key
    from tocsin.core.errors import InputError
    from tocsin.credentials import certificates

    found = Person.objects.select_related("organisation").filter(login=login).first()
    if found is None:
        raise click.ClickException(f"Nobody signs in as {login!r}.")
    at = datetime.now(UTC)
    try:
        made, secret = add_key(
            person=found, name=name[:80], scopes=sorted(set(scopes)), expires_at=at + timedelta(days=days),
            ceiling=ceiling or "", ranges=ranges, certificate=certificates.from_pem(pem.read()) if pem else None,
            by="command", at=at,
        )  # fmt: skip
    except InputError as error:
        raise click.ClickException(f"No such key can be made: {error}") from error
    except ValueError as error:
        raise click.ClickException("The file holds no certificate in PEM form.") from error
    if set(scopes) - {"deliver"}:
        second_look.hold_if_needed(found, by=second_look.COMMAND, at=at)
    click.echo(f"{login}: key number {made.pk}, valid until {at + timedelta(days=days):%Y-%m-%d}")
    click.echo(secret)
    _tell_held(found)


@person.command("revoke-key")
@click.argument("number", type=int)
def revoke_key(number: int) -> None:
    """End a key at once and for good."""
    from tocsin.centre.members import services
    from tocsin.centre.members.models import Key

    found = Key.objects.filter(pk=number).first()
    if found is None:
        raise click.ClickException(f"No key has the number {number}.")
    services.revoke_key(key=found, by="command", at=datetime.now(UTC))
    click.echo(f"Key {number} no longer opens anything.")


@person.command("organisations")
def organisations() -> None:
    """List the organisations that are not bureaus, with the state and the last day of their agreements."""
    from tocsin.centre.members.agreements import held_by_all
    from tocsin.centre.members.models import Organisation

    table = Table("Slug", "Name", "Class", "Country", "Agreement", "Until")
    found = list(Organisation.objects.filter(is_bureau=False))
    held = held_by_all(found, datetime.now(UTC))
    for each in found:
        agreed = held.get(each.pk)
        last = agreed.current.agreement.ends_on if agreed and agreed.current else None
        standing = agreed.standing if agreed else "member"
        table.add_row(each.slug, each.name, each.class_name, each.country, standing, last.isoformat() if last else "")
    Console().print(table)
