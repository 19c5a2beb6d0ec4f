"""`tocsin demo`: an installation, the EXERCISE, the main job, a table of what happened, the portal."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from . import setup

if TYPE_CHECKING:
    from tocsin.centre.intake.models import Delivery
    from tocsin.exercise.plan import Plan

FILES_LISTED = 100
"""So many files of a folder are listed one by one; more are a matter for `tocsin acceptance`."""
PASSWORD = "exercise-tocsin-2026"  # noqa: S105 - printed on purpose: demonstration accounts of a local installation.
ROLE_OF = {
    "analyst": ["analyst", "victim-desk"],
    "reviewer": ["reviewer"],
    "legal-officer": ["legal"],
    "translator": ["translator"],
    "auditor": ["auditor"],
    "duty-officer": ["duty"],
    "administrator": ["administrator"],
    "partner-analyst": ["analyst"],
    "partner-manager": ["manager"],
    "bureau-officer": ["officer"],
    "bureau-head": ["head"],
    "dissemination-officer": ["dissemination"],
    "partnership-officer": ["partnership"],
    "commission-secretary": ["commission"],
}


@click.command()
@click.option("--no-serve", is_flag=True, help="End after the table.")
@click.option(
    "--real",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Use this folder of deliveries instead.",
)
@click.option("--observations", default=1_000_000, show_default=True, help="Size of the EXERCISE.")
@click.option("--until", default=None, help="Last day of the EXERCISE (YYYY-MM-DD); default: today.")
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def demo(
    no_serve: bool, real: Path | None, observations: int, until: str | None, port: int, workers: int, as_json: bool
) -> None:
    """Everything in one go, in the installation's folder. Running it again adds nothing twice."""
    from . import demo_alerts, demo_people, happened
    from .installation import make

    _require_playground()
    started = time.monotonic()
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else 140)
    console.print("[bold]1/4[/bold] Creating the installation …")
    make("Tocsin Demonstration Centre")
    delivered: list[Delivery] = []
    if real is not None:
        delivered = _hand_over_folder(real, console)
        count = len(delivered)
    else:
        count = _play(observations, date.fromisoformat(until) if until else datetime.now(UTC).date(), console)
    console.print(f"[bold]3/4[/bold] Reading {count} deliveries with {workers} processes …")
    from .ingest import report, work_through

    began = time.monotonic()
    work_through(count, workers, show=True)
    seconds = time.monotonic() - began
    from tocsin.centre.intake import lake

    lake.compact(datetime.now(UTC))
    if real is None:
        demo_people.act(datetime.now(UTC))
        alerts = demo_alerts.begin(datetime.now(UTC))
        work_through(len(alerts), 1, show=False)
        demo_alerts.finish(alerts, datetime.now(UTC))
    console.print("[bold]4/4[/bold] What happened")
    if 0 < len(delivered) <= FILES_LISTED and not as_json:
        report(delivered, as_json=False)
    facts = happened.show(console, seconds, quiet=as_json)
    facts["seconds_in_all"] = round(time.monotonic() - started, 1)
    console.print(f"Done in {facts['seconds_in_all']} s.")
    if as_json:
        click.echo(json.dumps(facts))
    if not no_serve:
        _serve(port, console)


def _require_playground() -> None:
    """Accounts whose password is printed have no place where people come in from outside. Raises ClickException."""
    from tocsin.site.installation import load

    if load().public_origin.startswith("https:"):
        raise click.ClickException(
            "People come in here (public_origin). Play the demonstration in a folder of its own: TOCSIN_HOME"
        )


def _play(observations: int, until: date, console: Console) -> int:
    """Generate the EXERCISE, make its organisations and people, hand its deliveries over."""
    from tocsin.exercise.generate import generate
    from tocsin.site.installation import home_folder

    from . import demo_people

    console.print(f"[bold]2/4[/bold] Writing the EXERCISE: {observations:,} observations over 90 days until {until} …")
    folder = home_folder() / "exercise"
    plan = generate(folder, until=until, observations=observations)
    people(plan)
    demo_people.add_unit(datetime.now(UTC), PASSWORD)
    sign_orders(datetime.now(UTC))
    hand_over(plan, folder)
    return len(plan.deliveries) + demo_people.write_circular(datetime.now(UTC))


def people(plan: Plan) -> None:
    """Organisations, accounts and column maps of the EXERCISE."""
    from tocsin.centre.intake import profiles
    from tocsin.centre.intake.reading import profile_from_json
    from tocsin.centre.members.agreement_states import Basis
    from tocsin.centre.members.models import Organisation, Person
    from tocsin.centre.members.rules import ROLES, side_of
    from tocsin.centre.members.services import add_organisation, add_person

    now = datetime.now(UTC)
    for each in plan.organisations:
        if each.organisation_class == "centre":
            continue
        organisation = add_organisation(
            slug=each.key,
            name=each.name,
            class_name=each.organisation_class.value,
            country=each.country,
            contact=each.contact,
            defaults={"tlp": each.tlp, "codes": list(each.handling), "purposes": list(each.purposes)},
            is_exercise=True,
            basis=Basis.EXERCISE,
            by="demonstration",
            at=now,
        )
        for name, body in each.profiles.items():
            profiles.save(
                organisation=organisation,
                name=name,
                profile=profile_from_json({"name": name, **body}),
                fingerprint="",
                by=None,
                at=now,
            )
    centre = Organisation.objects.get(is_centre=True)
    for one in plan.people:
        if Person.objects.filter(login=one.username).exists():
            continue
        if one.role.startswith("bureau-"):
            home = Organisation.objects.get(is_bureau=True, country=one.country)
        else:
            home = Organisation.objects.filter(slug=one.organisation).first() or centre
        side = ROLES[side_of(home)]
        roles = [role for role in ROLE_OF[one.role] if role in side] or ["officer"]
        add_person(
            login=one.username,
            name=one.name,
            organisation=home,
            roles=roles,
            password=PASSWORD,
            language=one.language,
            by="demonstration",
            at=now,
        )


def sign_orders(at: datetime) -> None:
    """Two people of the demonstration sign for what each of its sources sends, up to TLP:AMBER.

    What universities send waits: the release desk has something to show.
    """
    from tocsin.centre.members.models import Organisation, Person
    from tocsin.centre.members.rules import may
    from tocsin.centre.release import orders
    from tocsin.centre.release.models import StandingOrder
    from tocsin.core.words import Tlp
    from tocsin.handling.sets import PURPOSES

    signers = [
        person
        for person in Person.objects.select_related("organisation").filter(organisation__is_centre=True).order_by("pk")
        if may(person, "sign-orders")
    ][:2]
    signed = StandingOrder.objects.filter(stopped_at=None, organisation__isnull=False).values("organisation")
    waiting = Organisation.Class.ACADEMIA
    sources = Organisation.objects.filter(is_bureau=False).exclude(pk__in=signed).exclude(class_name=waiting)
    if len(signers) < 2:
        return
    for source in sources:
        order = orders.draw_up(
            title=f"EXERCISE: {source.name}"[:200], organisation=source, formats=(), audience=(), ceiling=Tlp.AMBER,
            purposes=PURPOSES, starts_on=at.date(), ends_on=at.date() + timedelta(days=364), by=signers[0],
            is_proved=True, at=at,
        )  # fmt: skip
        orders.sign(order, by=signers[1], is_proved=True, at=at)


def hand_over(plan: Plan, folder: Path) -> None:
    """Every delivery of the plan, at the moment when the plan says that it arrived."""
    from tocsin.centre.intake import profiles, services
    from tocsin.centre.intake.store import read_chunks
    from tocsin.centre.members.models import Organisation

    organisations = {each.slug: each for each in Organisation.objects.filter(is_bureau=False)}
    centre = next(each for each in organisations.values() if each.is_centre)
    for each in plan.deliveries:
        organisation = organisations.get(each.organisation, centre)
        services.receive(
            organisation=organisation,
            via="command",
            name=each.name,
            chunks=read_chunks(folder / each.path),
            at=datetime.fromisoformat(each.arrived_at),
            idempotency_key=each.idempotency_key,
            profile=profiles.named(each.profile, organisation) if each.profile else None,
        )


def _hand_over_folder(folder: Path, console: Console) -> list[Delivery]:
    """Real deliveries: the first two folders name who handed over and what."""
    from tocsin.centre.intake import services
    from tocsin.centre.intake.store import read_chunks
    from tocsin.centre.members.agreement_states import Basis
    from tocsin.centre.members.services import add_organisation

    from .ingest import files_of

    console.print(f"[bold]2/4[/bold] Handing over {folder} …")
    found = files_of((folder,))
    now = datetime.now(UTC)
    delivered = []
    _two_signers(now)
    for path in found:
        parts = path.relative_to(folder).parts
        source = parts[1] if len(parts) > 2 else "folder"
        organisation = add_organisation(
            slug=source[:60],
            name=source,
            class_name="private",
            defaults={"tlp": "TLP:GREEN"},
            basis=Basis.TAKEN_OVER,
            by="demonstration",
            at=now,
        )
        chunks = read_chunks(path)
        delivered.append(
            services.receive(organisation=organisation, via="command", name=path.name, chunks=chunks, at=now)
        )
    from .installation import make

    make()
    sign_orders(now)
    return delivered


def _two_signers(at: datetime) -> None:
    """Two people of the Centre, where there are none yet: somebody has to sign for what leaves."""
    from tocsin.centre.members.models import Organisation, Person
    from tocsin.centre.members.services import add_person

    if Person.objects.exists():
        return
    centre = Organisation.objects.get(is_centre=True)
    for login, roles in (("demo-reviewer", ["reviewer", "analyst"]), ("demo-legal", ["legal"])):
        add_person(
            login=login, name=login, organisation=centre, roles=roles, password=PASSWORD, language="en",
            by="demonstration", at=at,
        )  # fmt: skip


def _serve(port: int, console: Console) -> None:
    from tocsin.centre.members.models import Person

    from .serve import is_taken, run_server

    while is_taken("127.0.0.1", port):
        port += 1
    table = Table(title=f"Demonstration accounts (password for all: {PASSWORD})")
    for heading in ("Sign in as", "Who", "Organisation", "Roles", "Language"):
        table.add_column(heading)
    for person in Person.objects.select_related("organisation").order_by("pk"):
        table.add_row(person.login, person.name, person.organisation.name, ", ".join(person.roles), person.language)
    console.print(table)
    address = f"http://127.0.0.1:{port}/"
    console.print(f"[bold]The portal is at {address}[/bold]  (stop with Ctrl+C)")
    if sys.stdout.isatty() and os.environ.get("DISPLAY"):
        import webbrowser

        webbrowser.open(address)
    run_server("127.0.0.1", port, 1)


__all__ = ["demo", "setup"]
