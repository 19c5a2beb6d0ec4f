"""`tocsin alert reporting`: where the public site says that people report, and what of it wants a look."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.core.errors import InputError
from tocsin.products.text_safety import visible

from . import setup

if TYPE_CHECKING:
    from tocsin.reference.reporting import Channel, Reporting

OLD_DAYS = 365
"""After so long somebody should look again whether a channel is still there."""


@click.command("reporting")
@click.option("--country", "code", default="", help="Of one country alone (FR).")
@click.option("--missing", is_flag=True, help="Countries without a channel, and what is known of them.")
@click.option("--old-days", default=OLD_DAYS, show_default=True, type=click.IntRange(0), help="Older ones are marked.")
@click.option(
    "--file", "own", type=click.Path(path_type=Path, dir_okay=False, exists=True), default=None,
    help="Look through this file before it becomes reporting.toml of the installation.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def where_to_report(code: str, missing: bool, old_days: int, own: Path | None, as_json: bool) -> None:
    """Where people report a crime, by country, as the public site says it, and who looked when.

    What ships is corrected and added to in `reporting.toml` beside `tocsin.toml`.
    """
    setup()
    from tocsin.reference.countries import all_countries, normalise_country
    from tocsin.reference.reporting import reporting

    wanted = normalise_country(code) if code else None
    if code and wanted is None:
        raise click.ClickException(f"No country is called {visible(code)}.")
    try:
        found = reporting(own or _own_file())
    except InputError as error:
        raise click.ClickException(f"{error.position}: {visible(error.excerpt)}") from None
    today = datetime.now(UTC).date()
    if missing:
        codes = [each.code for each in all_countries() if not found.of(each.code) and wanted in {None, each.code}]
        _tell_missing(found, codes, as_json)
        return
    rows = [(where, each) for where, each in found.all() if wanted in {None, where}]
    if as_json:
        click.echo(json.dumps([_row(where, each, today) for where, each in rows], ensure_ascii=False))
        return
    for where, each in rows:
        click.echo(_line(where, each, today, old_days))
    if wanted is not None:
        click.echo(f"{wanted}  emergency  {found.emergency.get(wanted, 'no number known')}")
    else:
        click.echo(
            f"{len(rows)} channels in {len(found.channels)} countries and territories, emergency numbers of "
            f"{len(found.emergency)}."
        )


def _own_file() -> Path | None:
    from django.conf import settings

    from tocsin.reference.reporting import OWN_FILE

    made: Any = settings.INSTALLATION
    path = Path(made.home) / OWN_FILE
    return path if path.exists() else None


def _tell_missing(found: Reporting, codes: list[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({each: found.emergency.get(each, "") for each in codes}))
        return
    from tocsin.reference.countries import country

    for each in codes:
        number = found.emergency.get(each)
        click.echo(f"{each}  {country(each).name('en')}  {f'emergency {number}' if number else 'no number known'}")
    click.echo(f"{len(codes)} without a channel: their pages say what helps everywhere.")


def _row(where: str, each: Channel, today: date) -> dict[str, Any]:
    return {
        "country": where, "kind": each.kind.value, "name": each.name, "address": each.address,
        "telephone": each.telephone, "mail": each.mail, "source": each.source, "seen": each.seen.isoformat(),
        "is_operators_own": each.checked, "checked_by": each.checked_by,
        "checked_on": each.checked_on.isoformat() if each.checked_on else "", "age_days": _age_days(each, today),
    }  # fmt: skip


def _line(where: str, each: Channel, today: date, old_days: int) -> str:
    ways = " ".join(filter(None, (each.address, each.telephone, each.mail)))
    if each.checked_on:
        who = f"checked {each.checked_on} by {each.checked_by}"
    else:
        who = f"seen {each.seen} at {'its own page' if each.checked else each.source_host + ', NOT CONFIRMED'}"
    old = "  OLD" if _age_days(each, today) > old_days else ""
    return visible(f"{where}  {each.kind.value}  {each.name}  {ways}  ({who}){old}")


def _age_days(each: Channel, today: date) -> int:
    return (today - (each.checked_on or each.seen)).days
