"""`tocsin seal ...`: TLP:RED items and victims' data, which lie sealed in the database."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import click

from tocsin.core.errors import Unavailable

from . import setup


@click.group()
def seal() -> None:
    """What is sealed, sealing what is not yet, and a new key."""
    setup()


@seal.command("state")
@click.option("--json", "as_json", is_flag=True)
def state(as_json: bool) -> None:
    """Whether keys/content-keys opens what this database holds sealed. Status 1 when it does not."""
    from tocsin.centre.intake import vault
    from tocsin.centre.intake.models import SealKey
    from tocsin.centre.knowledge.sealing import unsealed

    facts = {"keys": SealKey.objects.count(), "batches_unsealed": unsealed().count(), "fault": vault.fault()}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{facts['keys']:,} keys; {facts['batches_unsealed']:,} batches are to be sealed yet")
    if facts["fault"]:
        raise click.ClickException(str(facts["fault"]))


@seal.command("rows")
def rows() -> None:
    """Seal what came in before there were seals. May be stopped and called again; the portal may run."""
    from tocsin.centre.intake.originals import seal_all as seal_originals
    from tocsin.centre.intake.services import store_folder
    from tocsin.centre.knowledge.sealing import seal_all

    try:
        batches, sealed = seal_all()
        files = seal_originals(store_folder())
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{batches:,} batches, {sealed:,} rows and {files:,} files sealed.")


@seal.command("rotate")
def rotate() -> None:
    """Make a new key and destroy the former one. May be stopped and called again. Then back the new key up."""
    from django.conf import settings
    from django.db import transaction

    from tocsin.centre.audit.services import record
    from tocsin.centre.intake import vault

    if not os.access(settings.INSTALLATION.keys_folder, os.W_OK):
        raise click.ClickException("The folder of the keys cannot be written: docs/guides/operator/secrets.md")
    try:
        wrapped = vault.rotate()
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    with transaction.atomic():
        record("command", "seal.rotated", "seals:keys", {"keys": wrapped}, at=datetime.now(UTC))
    click.echo(f"{wrapped:,} keys are wrapped by the new one. Back keys/content-keys up now: the former copy opens")
    click.echo("nothing of this database any more, and copies of the database from before need the former one.")
