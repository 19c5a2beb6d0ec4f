"""`tocsin profile ...`: guess the column map of an unknown file, look at it, save it for a partner."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from . import setup


@click.group()
def profile() -> None:
    """Guess and save column maps."""


@profile.command("guess")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--save", "name", default="", help="Save the guess under this name.")
@click.option("--for", "slug", default="centre", show_default=True, help="The partner that it is saved for.")
@click.option("--json", "as_json", is_flag=True)
def guess(file: Path, name: str, slug: str, as_json: bool) -> None:
    """Show what each column seems to mean, and what the first rows would become."""
    setup(need_installation=bool(name))
    from tocsin.centre.intake import mapping
    from tocsin.core.errors import InputError
    from tocsin.core.reasons import REASONS

    try:
        found = mapping.guess_file(file, file.name)
    except InputError as error:
        raise click.ClickException(REASONS[error.reason]) from error
    if as_json:
        click.echo(json.dumps(mapping.as_json(found), default=str, ensure_ascii=False))
    else:
        _show(found)
    if not mapping.reads_values(found.guess.profile):
        raise click.ClickException("No column seems to hold a value. Map the columns in the portal: Hand over.")
    if name:
        from tocsin.centre.intake import profiles
        from tocsin.centre.members.models import Organisation

        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is None:
            raise click.ClickException(f"No organisation has the slug {slug!r}.")
        profiles.save(
            organisation=organisation,
            name=name,
            profile=found.guess.profile,
            fingerprint=found.fingerprint,
            by=None,
            at=datetime.now(UTC),
        )
        click.echo(f"Saved as {name!r} for {slug}: its next file with this header is read the same way.")


def _show(found: object) -> None:
    from tocsin.centre.intake.mapping import Guessed

    assert isinstance(found, Guessed)
    table = Table("Column", "Heading", "Meaning", "Sure", "Examples", title="Columns")
    for column in found.guess.columns:
        meaning = column.draft or "kept in extra"
        table.add_row(
            str(column.index), column.name, meaning, f"{column.confidence:.0%}", ", ".join(column.examples)[:60]
        )
    console = Console()
    console.print(table)
    rows = Table("Row", "Kind", "Value", "Role", "Country", title="First rows")
    for row in found.rows[:10]:
        rows.add_row(*(str(row.get(key) or "") for key in ("position", "kind", "value", "role", "country")))
    console.print(rows)
    for rejection in found.rejections[:10]:
        console.print(f"{rejection['unit']} {rejection['position']}: {rejection['text']} {rejection['excerpt']!r}")
