"""Who reads on the command line. Where people come in from outside, nobody reads content by having a shell there: a
person with a key does, as at the other doors for programs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tocsin.centre.members.models import Person

KEY = "TOCSIN_KEY"


def reader(ability: str, scope: str, login: str = "") -> Person | None:
    """The person whose key is in TOCSIN_KEY; None where none is asked for: nobody comes in from outside, and whoever
    is here made the installation. Raises ClickException for who may not, or is not `login`."""
    from django.conf import settings
    from django.http import HttpRequest

    from tocsin.centre.members import doors
    from tocsin.core.errors import InputError, Refused

    secret = os.environ.get(KEY, "")
    if not secret and not settings.INSTALLATION.public_origin.startswith("https:"):
        return None
    if not secret:
        raise click.ClickException(
            f"People come in here (public_origin), so content is read by persons alone: set {KEY} to a key of yours "
            f"with the scope {scope!r}. Its owner makes it in the portal: Keys."
        )
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    caller = doors.by_key(request, secret, datetime.now(UTC))
    if caller is None:
        raise click.ClickException(f"The key in {KEY} opens nothing here.")
    try:
        person = caller.require(ability, scope)
    except (Refused, InputError) as error:
        raise click.ClickException(f"The key in {KEY} does not open this: {error}") from error
    if login and login != person.login:
        raise click.ClickException(f"The key in {KEY} is {person.login}'s: nobody asks as somebody else.")
    return person
