"""`tocsin ingest PATH...`: the same road as the upload page, the API and TAXII."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.handling import tlp_of
from tocsin.products.text_safety import visible

from . import setup

if TYPE_CHECKING:
    from tocsin.centre.intake.models import Delivery

STATES = {"quarantined": "set aside", "duplicate": "twice", "held": "under review"}
FIGURES = {
    "Rows": "rows", "Repeats": "repeats", "Objects": "objects_count", "Proposals": "proposals_count",
    "Rejected": "rejections",
}  # fmt: skip
ALWAYS = {"Rows", "Rejected"}
EXPLAINED = 20
REASONS_EXPLAINED = 5
SKIPPED_NAMES = {"MANIFEST.md", "INDEX.tsv", ".gitattributes"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--from", "source", default="centre", show_default=True, help="Slug of the organisation that hands over.")
@click.option("--profile", "profile_name", default="", help="A saved column map or a feed's name.")
@click.option("--marking", default="", help="Sharing label, for example TLP:GREEN.")
@click.option("--grade", default="", help="Grade of what bears none, for example 4x4:B2 or Admiralty:B2.")
@click.option("--urgent", default="", help="Why the Centre must take it up within 30 minutes; else it is not urgent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--workers", default=2, show_default=True, help="Files read at the same time.")
def ingest(
    paths: tuple[Path, ...], source: str, profile_name: str, marking: str, grade: str, urgent: str, as_json: bool,
    workers: int,
) -> None:  # fmt: skip
    """Hand over files (or all files in folders) and read them."""
    setup()
    from tocsin.centre.intake import grades, profiles, services
    from tocsin.centre.members.models import Organisation

    organisation = Organisation.objects.filter(slug=source).first()
    if organisation is None:
        raise click.ClickException(
            f"No organisation has the slug {source!r}. List them with: tocsin person organisations"
        )
    label = tlp_of(marking)
    if marking and label is None:
        raise click.ClickException(f"{REASONS['unknown-label']} ({marking})")
    profile = profiles.named(profile_name, organisation) if profile_name else None
    if profile_name and profile is None:
        raise click.ClickException(
            f"No column map or feed is called {profile_name!r}. Save one in the portal, or list feeds: tocsin feed list"
        )
    try:
        grades.stated(grade, organisation)
    except InputError as error:
        raise click.ClickException(f"{REASONS[error.reason]} ({grade})") from None
    deliveries = []
    for path in files_of(paths):
        from tocsin.centre.intake.store import read_chunks

        deliveries.append(
            services.receive(
                organisation=organisation,
                via="command",
                name=path.name,
                chunks=read_chunks(path),
                at=datetime.now(UTC),
                profile=profile,
                marking=label.value if label else "",
                grade=grade,
                urgent=urgent,
            )
        )
    work_through(len(deliveries), workers, show=not as_json)
    report(deliveries, as_json)


def files_of(paths: tuple[Path, ...]) -> list[Path]:
    """Every file under the paths, in order of name."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        found += [each for each in inside if each.name not in SKIPPED_NAMES]
    return found


def work_through(deliveries: int, workers: int, *, show: bool) -> None:
    """Do all waiting work, with bars on a terminal."""
    from tocsin.centre.jobs.models import Job
    from tocsin.site import crew

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not show or not sys.stderr.isatty()) as bars:
        task = bars.add_task("Reading deliveries", total=deliveries, rows="")
        before = Job.objects.filter(kind="read-delivery", state__in=["done", "failed"]).count()

        def look() -> None:
            done = Job.objects.filter(kind="read-delivery", state__in=["done", "failed"]).count() - before
            rows = sum(Job.objects.filter(state="running").values_list("done_units", flat=True))
            bars.update(task, completed=min(done, deliveries), rows=f"{rows:,} rows in hand" if rows else "")

        crew.work_until_idle(workers, look)
        look()


def report(deliveries: list[Delivery], as_json: bool) -> None:
    """What became of each."""
    from tocsin.centre.intake.models import Delivery

    fresh = Delivery.objects.in_bulk([delivery.pk for delivery in deliveries])
    if as_json:
        click.echo(json.dumps([_facts(fresh[delivery.pk]) for delivery in deliveries], default=str))
        return
    shown = [fresh[delivery.pk] for delivery in deliveries]
    # A column of nothing but zeros would only take room from the names.
    figures = [name for name in FIGURES if name in ALWAYS or any(getattr(each, FIGURES[name]) for each in shown)]
    table = Table(title="Deliveries")
    table.add_column("File", overflow="fold")
    table.add_column("Format", overflow="fold")
    table.add_column("State", no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for each in shown:
        numbers = (f"{getattr(each, FIGURES[name]):,}" for name in figures)
        table.add_row(escape(visible(each.name)), each.format, STATES.get(each.state, each.state), *numbers)
    console = Console()
    console.print(table)
    troubled = [each for each in shown if each.rejections or each.reason]
    for each in troubled[:EXPLAINED]:
        _explain(console, each)
    if len(troubled) > EXPLAINED:
        console.print(f"{len(troubled) - EXPLAINED:,} more with refusals: see their receipts in the portal.")


def _explain(console: Console, delivery: Delivery) -> None:
    """What was refused, where, and what to do: the first record of each reason."""
    from tocsin.centre.intake.deliveries import refusals_of

    console.print()
    if delivery.state in {"quarantined", "refused", "withdrawn"}:
        said = STATES.get(delivery.state, delivery.state)
        console.print(f"{visible(delivery.name)} was {said}. {REASONS[delivery.reason]}", markup=False)
        if delivery.reason_where:
            console.print(f"  Where: {visible(delivery.reason_where)}", markup=False, style="dim")
        return
    console.print(
        f"{visible(delivery.name)}: {delivery.rejections:,} refused (receipt {delivery.receipt})", markup=False
    )
    for refusals in refusals_of(delivery, with_samples=True)[:REASONS_EXPLAINED]:
        first = refusals.samples[0]
        place = first["unit"] if first["unit"] == "file" else f"{first['unit']} {first['position']}"
        where = " ".join(part for part in (first["file"], place, first["field"], first["excerpt"][:60]) if part)
        more = f" ({refusals.count:,} such)" if refusals.count > 1 else ""
        console.print(f"  {visible(where)}: {REASONS[refusals.reason]}{more}", markup=False, highlight=False)


def _facts(delivery: Delivery) -> dict[str, Any]:
    names = (
        "receipt",
        "name",
        "state",
        "reason",
        "reason_where",
        "format",
        "rows",
        "repeats",
        "objects_count",
        "proposals_count",
        "rejections",
        "conflicts",
        "countries",
        "sha256",
        "size_bytes",
    )
    return {name: getattr(delivery, name) for name in names}
