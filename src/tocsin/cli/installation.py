"""`tocsin init`: an installation from nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from . import setup

BY_BYTES = ("C", "POSIX", "C.UTF-8", "C.utf8")
"""Collations that sort texts by their bytes."""


@click.command()
@click.option("--organisation", default="Tocsin", show_default=True, help="Name of the organisation that runs it.")
def init(organisation: str) -> None:
    """Create the settings, the database, the Centre, the members' bureaus and the public feeds' switches."""
    make(organisation)
    from tocsin.site.installation import load

    click.echo(f"The installation is in {load().home}. Add people with: tocsin person create")
    click.echo(
        "Nothing that arrives leaves the Centre by itself. Either two people release each delivery (roles analyst or "
        "duty, and reviewer or dissemination), or two of reviewer, dissemination and legal sign standing orders: "
        "see Release in the portal."
    )


def _of_database() -> list[str]:
    """What of a PostgreSQL database will be a burden, and can only be changed while it is empty."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider = 'i', datname"
            " FROM pg_database WHERE datname = current_database()"
        )
        encoding, collation, kinds, is_icu, name = cursor.fetchone()
    found = []
    if encoding != "UTF8":
        found.append(f"The encoding of the database is {encoding}: names in other scripts cannot be kept.")
    if is_icu or collation not in BY_BYTES:
        found.append(
            f"The database sorts texts as {'ICU' if is_icu else collation} does: slower than by bytes, otherwise than "
            "SQLite; no index finds texts by how they begin, and an update of the system may put indexes out of order."
        )
    if not is_icu and kinds in ("C", "POSIX"):
        found.append(
            "The database knows capital letters of English alone: other names are found as they are written only."
        )
    how = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    return [*found, f"While it is empty, make it anew: {how}"] if found else []


def make(organisation: str = "Tocsin", *, home: Path | None = None) -> None:
    """An installation that is ready to use; what exists stays as it is."""
    from tocsin.site import installation

    if home is not None:
        os.environ["TOCSIN_HOME"] = str(home)
    installation.make(installation.home_folder(), organisation=organisation)
    setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    for warning in _of_database():
        click.echo(warning, err=True)
    from tocsin.centre.members import services
    from tocsin.credentials.content_keys import KeyMissing
    from tocsin.site import lake_bucket, own_keys, store_mark

    at = datetime.now(UTC)
    services.found(organisation, at=at)
    try:
        store_mark.require(at)
        lake_bucket.require(at)
        own_keys.require(organisation, at)
    except (KeyMissing, store_mark.Foreign) as error:
        raise click.ClickException(str(error)) from error
