"""`tocsin person ...`: accounts and organisations, without touching the database by hand."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tocsin.centre.members.rules import ROLES, SCOPES
from tocsin.core.errors import Conflict, InputError
from tocsin.core.words import Tlp
from tocsin.products.text_safety import visible

from . import setup, told

if TYPE_CHECKING:
    from tocsin.centre.members.models import Key, Person

LABELS = tuple(tlp.value for tlp in Tlp if tlp is not Tlp.RED)
LANGUAGES = ("en", "fr", "es", "ar")
EVERY_ROLE = tuple(sorted({role for side in ROLES.values() for role in side}))
BY = "command"
STATES = {
    "account-closed": "closed", "second-look": "waits for a second person", "seat-not-begun": "seat not begun",
    "seat-over": "seat over", "employer-closed": "employer closed", "not-confirmed": "not confirmed this year",
    "organisation-closed": "organisation closed", "authorisation-withdrawn": "no longer authorised",
    "country-suspended": "country suspended",
}  # fmt: skip
"""Why an account does not come in → as the table says it; programs get the code."""


@click.group()
def person() -> None:
    """Create people and organisations, list them, set a new password."""
    setup()


def _named(login: str) -> Person:
    """The account of that login, however its letters are written."""
    from tocsin.centre.members.models import Person

    try:
        return Person.objects.get_by_natural_key(login)
    except Person.DoesNotExist as error:
        raise click.ClickException(f"Nobody signs in as {login!r}. See: tocsin person list") from error


def _now() -> datetime:
    return datetime.now(UTC)


@person.command("list")
@click.option("--organisation", "slug", help="Only of this organisation.")
@click.option("--role", type=click.Choice(EVERY_ROLE), help="Only who has this role, such as administrator.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one object on each line.")
def list_people(slug: str | None, role: str | None, as_json: bool) -> None:
    """List accounts: whose they are, what they may, when they were here, and why they cannot come in."""
    from tocsin.centre.members.models import Person

    people = Person.objects.select_related("organisation__parent", "employer").order_by("organisation__slug", "login")
    if slug:
        people = people.filter(organisation__slug=slug)
    now = _now()
    rows = [_about(each, now) for each in people if role is None or role in each.roles]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    table = _table("Login", "Name", "Organisation", "Roles", "Second factor", "Here last", "State")
    for row in rows:
        table.add_row(
            *(_shown(STATES.get(str(row[name]), row[name]) if name == "state" else row[name]) for name in row)
        )
    Console().print(table)
    click.echo(f"Accounts: {len(rows)}")


def _about(each: Person, now: datetime) -> dict[str, object]:
    from tocsin.centre.members import admission, factors

    return {
        "login": each.login, "name": each.name, "organisation": each.organisation.slug, "roles": each.roles,
        "second_factor": factors.has_factor(each),
        "here_last": each.last_login.isoformat(timespec="minutes") if each.last_login else "",
        "state": admission.refusal_of(each, now) or "open",
    }  # fmt: skip


def _table(*heads: str) -> Table:
    """Nothing in it is cut off: what stands first is typed into the next command."""
    table = Table()
    for place, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=place == 0)
    return table


def _shown(said: object) -> str:
    """A cell of a table: nothing in it writes on the terminal."""
    if isinstance(said, bool):
        return "yes" if said else "no"
    return escape(visible(", ".join(map(str, said)) if isinstance(said, list) else str(said)))


@person.command("create")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--organisation", "slug", default="centre", show_default=True)
@click.option("--role", "roles", multiple=True, required=True)
@click.option("--language", default="en", show_default=True, type=click.Choice(LANGUAGES))
def create(login: str, name: str, slug: str, roles: tuple[str, ...], language: str) -> None:
    """Create an account and print its first password, which must be changed at the first sign-in."""
    from tocsin.centre.members import second_look
    from tocsin.centre.members.models import Organisation
    from tocsin.centre.members.rules import side_of
    from tocsin.centre.members.services import add_person

    organisation = Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        raise click.ClickException(f"No organisation has the slug {slug!r}.")
    password, at = secrets.token_urlsafe(12), datetime.now(UTC)
    try:
        made = add_person(
            login=login, name=name, organisation=organisation, roles=roles, password=password, language=language,
            by=BY, at=at, must_change_password=True,
        )  # fmt: skip
        second_look.hold_if_needed(made, by=second_look.COMMAND, at=at)
    except Conflict as error:
        raise click.ClickException(
            f"The login {login!r} is taken. Set a new password with: tocsin person password {login}"
        ) from error
    except InputError as error:
        raise click.ClickException(_why_not(error, ROLES[side_of(organisation)])) from error
    click.echo(f"{login}: first password {password}")
    _tell_held(made)


def _tell_held(person: Person) -> None:
    if person.held_at is not None:
        click.echo(
            "It opens nothing before a second person at the Centre, who reads, has made sure whose it is: "
            "Emergency access, Accounts that wait for a second person."
        )


def _why_not(error: InputError, roles: Iterable[str]) -> str:
    match error.field:
        case "roles":
            return f"These roles do not exist there: {error.excerpt}. There are: {', '.join(roles)}"
        case "login":
            return (
                "A login is made of letters of one script, digits and the signs . @ + - _, begins with a letter or a "
                "digit, and is no name that the log itself uses."
            )
    return "Give a name of which something can be seen."


@person.command("roles")
@click.argument("login")
@click.option("--role", "roles", multiple=True, required=True)
def change_roles(login: str, roles: tuple[str, ...]) -> None:
    """Give somebody these roles in place of the former ones, where nobody above can; it holds from the next page on."""
    from tocsin.centre.members import people
    from tocsin.centre.members.rules import side_of

    found = _named(login)
    try:
        people.set_roles(found, roles, by=BY, at=_now())
    except InputError as error:
        raise click.ClickException(_why_not(error, ROLES[side_of(found.organisation)])) from error
    click.echo(f"{found.login}: {', '.join(found.roles)}")
    _tell_held(found)


@person.command("password")
@click.argument("login")
def password(login: str) -> None:
    """Set a new first password and end all sessions."""
    from tocsin.centre.members.people import new_password

    found = _named(login)
    fresh = new_password(found, by=BY, at=_now())
    click.echo(f"{found.login}: new first password {fresh}")
    _tell_held(found)
    _warn_if_shut_out(found)


def _warn_if_shut_out(found: Person) -> None:
    """Say what else keeps the person out, so that nobody goes home believing that it is done."""
    from tocsin.centre.members import admission, sessions

    remedies = {
        "account-closed": f"The account is closed. Open it with: tocsin person reopen {found.login}",
        "not-confirmed": f"Nobody confirmed the access this year. Do so with: tocsin person confirm {found.login}",
    }
    refusal = admission.refusal_of(found, _now())
    if refusal and refusal != "second-look":  # That was said.
        click.echo(remedies.get(refusal, f"It cannot come in all the same: {refusal}."), err=True)
    elif sessions.is_closed_to_passwords(found):
        slug = found.organisation.slug
        click.echo(f"Only its provider lets it in. Switch that off with: tocsin person provider-off {slug}", err=True)


@person.command("confirm")
@click.argument("login")
def confirm(login: str) -> None:
    """Confirm for another year that somebody still needs access, where nobody above can: who lapsed comes in again."""
    from tocsin.centre.members.people import note_confirmed

    found = _named(login)
    note_confirmed(found, by=BY, at=_now())
    click.echo(f"{found.login}: access confirmed for a year.")
    _warn_if_shut_out(found)


@person.command("close")
@click.argument("login")
@click.option("--reason", required=True, help="Kept in the log of acts.")
def close(login: str, reason: str) -> None:
    """End somebody's access at once: every session and every key, for good."""
    from tocsin.centre.members.people import end_access

    found = _named(login)
    if not end_access(found, by=BY, reason=reason, at=_now()):
        raise click.ClickException(f"{found.login} is closed already.")
    click.echo(f"{found.login}: the access ended, with all sessions and keys.")


@person.command("reopen")
@click.argument("login")
def reopen(login: str) -> None:
    """Let somebody come in again whose account was closed; keys that ended stay ended."""
    from tocsin.centre.members.people import give_back

    found = _named(login)
    if not give_back(found, by=BY, at=_now()):
        raise click.ClickException(f"{found.login} is not closed.")
    click.echo(f"{found.login}: may come in again, with the password and second factor from before.")
    _warn_if_shut_out(found)


@person.command("reset-factors")
@click.argument("login")
def reset_factors(login: str) -> None:
    """Take away the second factors of somebody who lost them, and end all sessions. Make sure first who asks."""
    from tocsin.centre.members import factors

    found = _named(login)
    gone = factors.reset(person=found, by=BY, at=_now())
    click.echo(f"{found.login}: {gone} taken away. The password alone opens the account until another one is set up.")
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
    providers.switch(provider=found, is_on=False, by=BY, at=_now())
    click.echo(f"{slug}: its provider lets nobody in any more, and passwords do again. Its sessions were ended.")


@person.command("keys")
@click.argument("login", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object on each line.")
def list_keys(login: str | None, as_json: bool) -> None:
    """List keys for programs that can still open something, of one person or of all, with their numbers."""
    from tocsin.centre.members.models import Key

    keys = Key.objects.filter(revoked_at=None, expires_at__gt=_now()).select_related("person", "organisation")
    if login:
        keys = keys.filter(person=_named(login))
    rows = [_about_key(each) for each in keys.order_by("pk")]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo("No key opens anything.")
        return
    table = _table("Number", "Owner", "Organisation", "What it is for", "Scopes", "From", "Until", "Used last")
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in row))
    Console().print(table)


def _about_key(each: Key) -> dict[str, object]:
    return {
        "number": each.pk, "owner": each.person.login, "organisation": each.organisation.slug, "name": each.name,
        "scopes": each.scopes, "ranges": each.ranges or ["anywhere"], "until": each.ends_at.date().isoformat(),
        "used_at": each.used_at.isoformat(timespec="minutes") if each.used_at else "",
    }  # fmt: skip


@person.command("key")
@click.argument("login")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(tuple(SCOPES)))
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
    from tocsin.centre.members.rules import scopes_of
    from tocsin.centre.members.services import add_key
    from tocsin.credentials import certificates

    found, at = _named(login), _now()
    opened = scopes_of(found)
    if wrong := sorted(set(scopes) - set(opened)):
        have = ", ".join(opened) or "nothing"
        raise click.ClickException(f"The roles of {found.login} do not open {', '.join(wrong)}. What they open: {have}")
    try:
        made, secret = add_key(
            person=found, name=name[:80], scopes=sorted(set(scopes)), expires_at=at + timedelta(days=days),
            ceiling=ceiling or "", ranges=ranges, certificate=certificates.from_pem(pem.read()) if pem else None,
            by=BY, at=at,
        )  # fmt: skip
    except InputError as error:
        raise click.ClickException(f"No such key can be made: {told(error)}") from error
    except ValueError as error:
        raise click.ClickException("The file holds no certificate in PEM form.") from error
    if set(scopes) - {"deliver"}:
        second_look.hold_if_needed(found, by=second_look.COMMAND, at=at)
    click.echo(f"{found.login}: key number {made.pk}, valid until {made.ends_at:%Y-%m-%d}")
    click.echo(secret)
    _tell_held(found)


@person.command("revoke-key")
@click.argument("number", type=int)
def revoke_key(number: int) -> None:
    """End a key at once and for good; its number is in the list of keys."""
    from tocsin.centre.members import services
    from tocsin.centre.members.models import Key

    found = Key.objects.filter(pk=number).first()
    if found is None:
        raise click.ClickException(f"No key has the number {number}. See: tocsin person keys")
    services.revoke_key(key=found, by=BY, at=_now())
    click.echo(f"Key {number} no longer opens anything.")


@person.command("organisations")
def organisations() -> None:
    """List the organisations that are not bureaus, with the state and the last day of their agreements."""
    from tocsin.centre.members.agreements import held_by_all
    from tocsin.centre.members.models import Organisation

    table = _table("Slug", "Name", "Class", "Country", "Agreement", "Until")
    found = list(Organisation.objects.filter(is_bureau=False))
    held = held_by_all(found, _now())
    for each in found:
        agreed = held.get(each.pk)
        last = agreed.current.agreement.ends_on if agreed and agreed.current else None
        standing = agreed.standing if agreed else "member"
        cells = (each.slug, each.name, each.class_name, each.country, standing, last.isoformat() if last else "")
        table.add_row(*map(_shown, cells))
    Console().print(table)
