"""`tocsin package FR --since 7d`, `tocsin package --all`, `tocsin package copy`, `tocsin package verify FILE`."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from . import setup
from .readers import reader

if TYPE_CHECKING:
    from tocsin.centre.members.models import Person
    from tocsin.centre.release.models import Package

_FOLDER = click.Path(exists=True, file_okay=False, writable=True, path_type=Path)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class _CountryOrVerb(click.Group):
    """`tocsin package FR` is short for `tocsin package make FR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_CountryOrVerb)
def package() -> None:
    """Make, copy out or verify country packages: `tocsin package FR --since 7d`."""


@package.command()
@click.argument("countries", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="All member countries of today.")
@click.option("--since", default="7d", show_default=True, help="12h, 7d, 4w or a day (2026-11-15).")
@click.option("--until", default="", help="A day; default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--processes", default=2, show_default=True, help="Packages composed at the same time.")
@click.option("--into", type=_FOLDER, help="Copy them there too, as archives: in the store they are sealed.")
def make(
    countries: tuple[str, ...], everybody: bool, since: str, until: str, as_json: bool, processes: int,
    into: Path | None,
) -> None:  # fmt: skip
    """Make the package of one country, of several, or of all.

    With --into, where people come in (public_origin), a key with the scope "packages" in TOCSIN_KEY says who.
    """
    now = datetime.now(UTC)
    start, end = moment_of(since, now), moment_of(until, now) if until else now
    if not countries and not everybody:
        raise click.UsageError("Name a country (tocsin package FR) or say --all.")
    setup()
    from tocsin.centre.release.services import make_packages
    from tocsin.reference.members import members

    by = reader("package", "packages") if into else None
    codes = [member.code for member in members(now.date())] if everybody else [code.upper() for code in countries]
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    quiet = as_json or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bars:
        task = bars.add_task("Dealing out the rows", total=len(codes))

        def show(done: int, total: int, code: str) -> None:
            bars.update(task, completed=done, total=total, description=f"Packages {code}".rstrip())

        made = make_packages(codes, start, end, None, now, show, processes)
    copied = {each.number: str(_copied(each, into, by)) for each in made} if into else {}
    facts = [
        {
            "number": each.number, "country": each.country, "rows": each.rows, "size_bytes": each.size_bytes,
            "language": each.language, "sha256": each.sha256, "path": copied.get(each.number), **{
                name: each.summary.get(name, 0) for name in ("values_new", "values_continuing", "values_gone")
            },
        }
        for each in sorted(made, key=lambda each: each.country)
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    table = Table("Package", *(Column(name, justify="right") for name in ("Rows", "New", "Gone", "Size")))
    for fact in facts:
        size = f"{int(str(fact['size_bytes'])) / 1e6:,.1f} MB"
        table.add_row(
            str(fact["number"]), f"{fact['rows']:,}", f"{fact['values_new']:,}", f"{fact['values_gone']:,}", size
        )  # fmt: skip
    Console().print(table)
    for fact in facts:  # Outside the table, so that a path can be copied whole.
        click.echo(fact["path"] or f"{fact['number']} lies sealed in the store: tocsin package copy {fact['number']} .")


def _copied(package: Package, folder: Path, by: Person | None) -> Path:
    """The archive in that folder: whoever takes it as a person takes a copy that bears a mark."""
    from tocsin.centre.release import archives
    from tocsin.centre.release.selectors import package_for
    from tocsin.centre.release.services import hand_out
    from tocsin.core.errors import NotFound

    now = datetime.now(UTC)
    if by is None:
        return archives.copy_out(package, folder, now)
    try:
        copy = hand_out(package_for(by, package.number, now), by, "api", now)
    except NotFound as error:
        raise click.ClickException(f"There is no package {package.number} for {by.login}.") from error
    target = folder / copy.name
    with target.open("wb") as file:
        file.writelines(copy.pieces)
    return target


@package.command()
@click.argument("number")
@click.argument("folder", type=_FOLDER)
def copy(number: str, folder: Path) -> None:
    """Copy a package out of the store into a folder, as an archive to hand on. It stands in the log of acts.

    Where people come in (public_origin), a key with the scope "packages" in TOCSIN_KEY says who takes it.
    """
    setup()
    from tocsin.centre.release.models import Package
    from tocsin.core.errors import Unavailable

    found = Package.objects.filter(number=number).first()
    if found is None:
        raise click.ClickException(f"There is no package {number}.")
    try:
        click.echo(_copied(found, folder, reader("package", "packages")))
    except (OSError, Unavailable) as error:
        raise click.ClickException(str(error)) from error


@package.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The issuer's public key (PEM), received another way.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: Path, key: Path | None, as_json: bool) -> None:
    """Check a package offline; the exit status is 0 only when it is whole and signed."""
    from tocsin.core.errors import InputError
    from tocsin.core.reasons import REASONS
    from tocsin.products.verify import verify as checked

    try:
        verdict = checked(file, key.read_bytes() if key else None)
    except InputError as error:
        _tell_tampered(error.reason)
        reason = REASONS.get(error.reason, error.reason)
        if as_json:
            click.echo(json.dumps({"valid": False, "reason": error.reason, "where": error.position or error.excerpt}))
            sys.exit(1)
        raise click.ClickException(f"{reason} ({error.position or error.excerpt})") from error
    said = verdict.manifest.get("signature")
    facts = {
        "valid": verdict.is_valid, "signed": verdict.is_signed, "trusted": verdict.is_trusted,
        "number": verdict.manifest.get("number"), "key_id": said.get("key_id") if isinstance(said, dict) else None,
        "changed": verdict.changed, "missing": verdict.missing, "added": verdict.added,
    }  # fmt: skip
    if not verdict.is_valid:
        _tell_tampered("changed" if verdict.is_signed else "not-signed")
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for word in ("changed", "missing", "added"):
            for name in getattr(verdict, word):
                click.echo(f"{word}: {name}")
        if not verdict.is_signed:
            click.echo("The signature does not match.")
        if verdict.is_valid:
            click.echo(f"{facts['number']} is whole and unchanged, signed with key {facts['key_id']}.")
            if not verdict.is_trusted:
                click.echo("The key came with the package: compare its id with the one you were given another way.")
    sys.exit(0 if verdict.is_valid else 1)


def _tell_tampered(reason: str) -> None:
    """Tell whoever watches this installation, where there is one: packages are verified anywhere."""
    from tocsin.site import installation

    if installation.load().is_made:
        setup()
        from tocsin.centre import refusals

        refusals.told("package", {"reason": reason, "door": "command line"})


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that "12h", "7d", "4w" (ago) or a day or moment in ISO 8601 stands for."""
    if found := re.fullmatch(r"(\d{1,5})([hdw])", text.strip()):
        return now - int(found[1]) * _UNITS[found[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a span (7d) nor a day (2026-11-15).") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
