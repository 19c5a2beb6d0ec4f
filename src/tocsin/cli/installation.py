"""`tocsin init`: an installation from nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from . import setup


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


def make(organisation: str = "Tocsin", *, home: Path | None = None) -> None:
    """An installation that is ready to use; what exists stays as it is."""
    from tocsin.site import installation

    if home is not None:
        os.environ["TOCSIN_HOME"] = str(home)
    installation.make(installation.home_folder(), organisation=organisation)
    setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
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
