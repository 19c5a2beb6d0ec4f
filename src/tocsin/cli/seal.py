"""`tocsin seal ...`: TLP:RED items and victims' data, which lie sealed in the database."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import click

from tocsin.core.errors import Unavailable

from . import setup

FILES = ("content-keys", "sealing-key", "signing-key.pem", "alert-key.pem", "push-key.pem")


@click.group()
def seal() -> None:
    """What is sealed, sealing what is not yet, and a new key."""
    setup()


@seal.command("state")
@click.option("--json", "as_json", is_flag=True)
def state(as_json: bool) -> None:
    """Whether every file in keys/ is the one that belongs to this database. Status 1 when one is not."""
    from tocsin.centre.intake.lake import in_the_clear
    from tocsin.centre.intake.models import SealKey
    from tocsin.centre.knowledge.sealing import unsealed
    from tocsin.site import own_keys

    faults = list(own_keys.faults().values())
    facts = {
        "keys": SealKey.objects.count(),
        "batches_unsealed": unsealed().count(),
        "files_in_the_clear": in_the_clear().count(),
        "fault": "\n".join(faults),
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{facts['keys']:,} keys; {facts['batches_unsealed']:,} batches are to be sealed yet")
        click.echo(f"{facts['files_in_the_clear']:,} files of observations lie in the clear{_as_wanted()}")
    if faults:
        raise click.ClickException("\n".join(f"{each}." for each in faults))


def _as_wanted() -> str:
    from django.conf import settings

    return "" if settings.INSTALLATION.seal_observations else ", as tocsin.toml wants it (seal_observations = false)"


@seal.command("rows")
def rows() -> None:
    """Seal what came in before there were seals. May be stopped and called again; the portal may run."""
    from tocsin.centre.intake.lake import seal_plain
    from tocsin.centre.intake.originals import seal_all as seal_originals
    from tocsin.centre.intake.services import store_folder
    from tocsin.centre.knowledge.sealing import seal_all
    from tocsin.centre.release.archives import seal_all as seal_packages

    try:
        batches, sealed = seal_all()
        files = seal_originals(store_folder()) + seal_plain(datetime.now(UTC)) + seal_packages()
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{batches:,} batches, {sealed:,} rows and {files:,} files sealed.")


@seal.command("give-up")
@click.argument("file", type=click.Choice(FILES))
@click.option("--yes", is_flag=True, help="Ask nothing.")
def give_up(file: str, yes: bool) -> None:
    """Go on without a file of keys that is lost for good. What it opened is never read again.

    content-keys: everything sealed until now, observations and packages among it. sealing-key: secrets of code apps
    and of providers of sign-in, what was said to the commission, sealed copies; recalls of single parts that only the
    journal knows are made again for the whole delivery. signing-key.pem: nothing, but receivers of packages must be
    given the new public key. alert-key.pem: nothing, but programs that pass alerts on must be given the new
    certificate. push-key.pem: nothing, but every browser that was told of alerts must subscribe anew.
    """
    from tocsin.site import own_keys

    if file not in own_keys.faults():
        raise click.ClickException(f"keys/{file} is there, and belongs to this database: nothing is to be given up.")
    if not yes:
        click.confirm("Search all backups first. Shall what it opened stay closed for ever?", abort=True)
    own_keys.give_up(file, datetime.now(UTC))
    click.echo(f"It stands in the log of acts. Back keys/{file} up as soon as there is a new one, apart from the data.")


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
