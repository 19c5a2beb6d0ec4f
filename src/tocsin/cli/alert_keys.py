"""`tocsin alert keys`: with what alerts are signed, for those who are told another way than by the site."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from . import setup


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def keys(folder: Path | None, as_json: bool) -> None:
    """Show the key and the certificate of alerts; with FOLDER, write there what others verify with.

    What is not there yet is made: do that before the keys are lent by the system and their folder cannot be written.
    """
    setup()
    from tocsin.centre.alerts import editions
    from tocsin.centre.audit import keys as own
    from tocsin.credentials.alert_signatures import published

    name = editions.issuer().name("en")
    signing = own.signing_key()
    certified = own.alert_key(datetime.now(UTC), name)
    shown = {path: body for path, _, body in published(signing, certified, own.folder())}
    for path, body in shown.items() if folder else ():
        target = folder / path  # type: ignore[operator]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    if as_json:
        click.echo(shown["keys.json"].decode().rstrip())
        return
    click.echo(f"Files: Ed25519, key {signing.id}\n  {signing.public_line}")
    click.echo(f"CAP messages: RSA, certificate until {certified.ends_at:%d %B %Y}\n  SHA-256 {certified.fingerprint}")
