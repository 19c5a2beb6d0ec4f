"""`tocsin lake ...`: the store of observations."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tocsin.core.errors import Unavailable

from . import setup

FAULTY, HINDERED = 1, 1
SAYS = {
    "missing": "is missing",
    "changed": "is not what was registered",
    "unopenable": "is sealed with a key that is not here",
    "index": "had no index that belongs to it",
    "twice": "is registered twice",
    "rows": "has other rows than were committed",
    "unregistered": "is known to nobody",
}


def _lasted(seconds: float) -> str:
    """As people say it."""
    if seconds >= 7_200:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"


@click.group()
def lake() -> None:
    """State, compaction, verification and mending of the store of observations."""
    setup()


@lake.command("state")
@click.option("--json", "as_json", is_flag=True)
def state(as_json: bool) -> None:
    """Files, rows and bytes."""
    from tocsin.centre.intake import lake as registry

    facts = registry.state()
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{facts['rows']:,} rows in {facts['files']} files, {facts['size_bytes'] / 1e6:,.1f} MB")
    click.echo(f"{facts['small_files']} small files, {facts['retired_files']} replaced files that wait for the sweep")


@lake.command("status")
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> None:
    """Growth, lag, room on the disk and what was verified, as the page on the store shows it."""
    from tocsin.centre.intake.lake_state import state as state_of

    now = datetime.now(UTC)
    found = state_of(now)
    if as_json:
        click.echo(json.dumps(_told_of(found), default=str))
        return
    held, lag, room, checked = found.files, found.lag, found.room, found.verified
    click.echo(
        f"{held.rows:,} rows in {held.live} files, {held.size_bytes / 1e6:,.1f} MB, {held.index_bytes / 1e6:,.1f} MB "
        f"of indexes; {held.small} small, {held.to_join} to be joined, {held.retired} replaced and kept for readers"
    )
    oldest = f", the oldest since {lag.oldest_at:%Y-%m-%d %H:%M} UTC" if lag.oldest_at else ""
    click.echo(f"{lag.waiting} deliveries wait to be read{oldest}")
    if lag.median_seconds is not None and lag.p95_seconds is not None:
        click.echo(
            f"{lag.read} were read in the last day: {_lasted(lag.median_seconds)} from receipt to commit at the "
            f"median, {_lasted(lag.p95_seconds)} for 95 of 100"
        )
    until = f"; full on {room.full_on} if it goes on like this" if room.full_on else ""
    click.echo(f"{room.free_bytes / 1e9:,.1f} GB free, {room.bytes_a_day / 1e6:,.1f} MB more a day{until}")
    click.echo(
        f"Verified within a month: {checked.verified_files} of {checked.files} files, "
        f"{checked.verified_originals} of {checked.originals} originals; {len(checked.faults)} faults"
    )


def _told_of(found: Any) -> dict[str, Any]:
    told = {each.name: getattr(found, each.name) for each in dataclasses.fields(found)}
    checked = told.pop("verified")
    faults = [
        {"path": each.path, "kind": each.kind, "fault": each.fault, "found_at": each.found_at,
         "delivery": each.delivery.receipt if each.delivery else ""}
        for each in checked.faults
    ]  # fmt: skip
    parts = {name: dataclasses.asdict(part) for name, part in told.items() if name != "days"}
    verified = {each.name: getattr(checked, each.name) for each in dataclasses.fields(checked) if each.name != "faults"}
    return {
        "days": [dataclasses.asdict(day) for day in found.days],
        **parts,
        "verified": {**verified, "faults": faults},
    }


@lake.command("compact")
def compact() -> None:
    """Join small files into large sorted ones; readers are not disturbed."""
    from tocsin.centre.intake import lake as registry

    now = datetime.now(UTC)
    try:
        joined, swept = registry.compact(now), registry.sweep(now)
    except Unavailable as error:
        raise click.ClickException(str(error)) from error
    registry.log_compaction(joined, swept, now)
    click.echo(f"{joined} files joined, {swept} old files removed.")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@lake.command("verify")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="What came in from then on (UTC).")
@click.option("--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="So large a part, by chance.")
@click.option("--resume", is_flag=True, help="Leave out what was verified in the last day.")
@click.option("--quick", is_flag=True, help="Digests alone: indexes are not compared with the rows.")
@click.option("--json", "as_json", is_flag=True)
def verify(since: datetime | None, sample: float, resume: bool, quick: bool, as_json: bool) -> None:
    """Recompute the digest of every registered file, every delivery as received and every file of the public site.

    Indexes that do not belong to their files are made anew; what else is wrong is told, kept for the page on the store,
    and can be mended with: tocsin lake mend. Whoever stops it can go on with --resume. Ends with 1 where something is
    wrong.
    """
    from tocsin.centre.alerts import upkeep
    from tocsin.centre.intake.verification import Extent
    from tocsin.centre.intake.verification import verify as run

    now = datetime.now(UTC)
    extent = Extent(
        since=since.replace(tzinfo=UTC) if since else None, sample=sample, resume_at=now if resume else None,
        with_indexes=not quick,
    )  # fmt: skip
    with _bar("Verifying") as progress:
        verdict = run(extent, now, progress)
    site = upkeep.keep(now, actor="command")
    faulty = len(verdict.faults) + len(site.faults)
    if as_json:
        found = [
            {**dataclasses.asdict(each), "fault": each.fault.value, "kind": str(each.kind)} for each in verdict.found
        ]
        found += [{"kind": "public", "path": path, "fault": fault.value, "is_mended": False, "receipt": ""}
                  for path, fault in site.faults]  # fmt: skip
        facts = {"files": verdict.files, "originals": verdict.originals, "size_bytes": verdict.size_bytes,
                 "public_files": site.files, "public_mended": len(site.mended)}  # fmt: skip
        click.echo(json.dumps({**facts, "faults": faulty, "found": found}))
    else:
        for each in verdict.found:
            told = ", and has a new one" if each.is_mended else f" (delivery {each.receipt})" if each.receipt else ""
            click.echo(f"{each.path} {SAYS[each.fault.value]}{told}", err=True)
        for path in site.mended:
            click.echo(f"{path} was not what was published, and was made anew", err=True)
        for path, fault in site.faults:
            click.echo(f"{path} {SAYS[fault.value]}: restore it from a backup, or publish the alert again", err=True)
        click.echo(
            f"{verdict.files} files of observations and {verdict.originals} original deliveries, "
            f"{verdict.size_bytes / 1e6:,.1f} MB, and {site.files} files of the public site were looked at."
        )
    if faulty:
        if not as_json:
            click.echo(f"{faulty} are not as they were registered. See: tocsin lake mend --help", err=True)
        sys.exit(FAULTY)
    if not as_json:
        click.echo("All are as they were registered.")


@lake.command("mend")
@click.option("--json", "as_json", is_flag=True)
def mend(as_json: bool) -> None:
    """Make again what the last verification found missing or damaged.

    Files of observations are made from the original deliveries, read again, and put in place only if they are what was
    committed. A damaged original steps aside into the folder "damaged", so that the same bytes heal it when their
    source sends them again. Ends with 1 where something could not be mended.
    """
    from tocsin.centre.analysis.services import recasts_of
    from tocsin.centre.intake.rebuilding import mend as run

    done = run(datetime.now(UTC), recasts_of, lambda receipt: click.echo(f"Reading {receipt} again …", err=True))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
    else:
        click.echo(f"{len(done.paths)} files were made again, {done.rows:,} rows.")
        for path in done.set_aside:
            click.echo(f"{path} was set aside: ask its source to send it again.")
        for path, why in done.hindered:
            click.echo(f"{path} could not be made again. {why} Restore it from a backup.", err=True)
    if done.hindered:
        sys.exit(HINDERED)


@lake.command("shared")
@click.option("--as", "login", default="", help="What this person would see; default: the Centre's own desk.")
@click.option("--by", type=click.Choice(["organisation", "delivery"]), default="organisation", show_default=True)
@click.option("--most", type=click.IntRange(1, 1000), default=25, show_default=True, help="So many values are told.")
@click.option("--json", "as_json", is_flag=True)
def shared(login: str, by: str, most: int, as_json: bool) -> None:
    """Values that several organisations, or several deliveries, handed over.

    Where people come in (public_origin), a key with the scope "read" in TOCSIN_KEY says who asks.
    """
    from tocsin.centre.analysis.correlation import correlate, log_correlation
    from tocsin.centre.members.models import Person
    from tocsin.centre.members.selectors import viewer_of
    from tocsin.handling import Viewer
    from tocsin.products.text_safety import visible

    from .readers import reader

    by_key = reader("read", "read", login)
    viewer = Viewer(
        organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True,
        clearance="confidential",
    )  # fmt: skip
    if login or by_key is not None:
        person = by_key or Person.objects.filter(login=login).first()
        if person is None:
            raise click.ClickException(f"Nobody signs in as {login!r}.")
        viewer = viewer_of(person)
    now = datetime.now(UTC)
    found = correlate(viewer, now, by=by, most=most)
    log_correlation(
        by_key.login if by_key else "command", found, by=by, at=now, said_for="" if by_key else login
    )  # fmt: skip
    told: list[dict[str, Any]] = [
        {"kind": each.kind, "value": each.value, "rows": each.rows, "first_at": each.first_at, "last_at": each.last_at,
         f"{by}s": sorted(found.names[number] for number in each.sources)}
        for each in found.shared.most
    ]  # fmt: skip
    if as_json:
        facts = {"rows": found.shared.rows, "values": found.shared.values, "shared": found.shared.shared}
        counts = {str(number): values for number, values in sorted(found.shared.by_sources.items())}
        click.echo(json.dumps({**facts, "by_sources": counts, "most": told}, default=str, ensure_ascii=False))
        return
    click.echo(f"{found.shared.shared:,} of {found.shared.values:,} values came from several {by}s.")
    for each in told:
        click.echo(
            f"{visible(str(each['value']))}  ({each['kind']}, {each['rows']:,} rows): {', '.join(each[f'{by}s'])}"
        )


@lake.command("take")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def take(yes: bool) -> None:
    """Say that the store belongs to this database from now on, and not to the one that used it before."""
    from tocsin.site import lake_bucket, store_mark

    if store_mark.is_ours() and lake_bucket.is_ours():
        click.echo("The store belongs to this database already.")
        return
    if not yes:
        click.confirm("Is the other one gone for good? Both on one store would destroy each other's files", abort=True)
    for mark in (store_mark, lake_bucket):
        if not mark.is_ours():
            mark.adopt(datetime.now(UTC))
    click.echo("The store belongs to this database now. What used it before does not start on it any more.")


@lake.command("carry")
@click.option("--back", is_flag=True, help="From the bucket to this machine.")
def carry(back: bool) -> None:
    """Bring the observations into the bucket that `lake` in tocsin.toml names.

    The portal and the workers are stopped. Each file is compared with its digest; what was stopped goes on where it was
    when it is called again. Afterwards the files are in the bucket alone, or, with --back, in both: take the line out
    of tocsin.toml then.
    """
    from django.conf import settings

    from tocsin.lake import buckets
    from tocsin.site import lake_bucket, occupancy, store_mark

    if not buckets.mounts():
        raise click.ClickException("tocsin.toml names no bucket: a line `lake`.")
    try:
        occupancy.take_alone(settings.INSTALLATION.home)
    except occupancy.Occupied as error:
        raise click.ClickException(
            "The portal, a worker or a command has this installation open. Stop them first (systemctl stop tocsin), on "
            "every machine that works on it."
        ) from error
    try:
        with _bar("Carrying") as progress:
            act = lake_bucket.carry_back if back else lake_bucket.carry
            count, missing = act(progress, datetime.now(UTC))
    except store_mark.Foreign as error:
        raise click.ClickException(str(error)) from error
    if missing:
        listed = "\n".join(f"  {path}" for path in missing[:20])
        raise click.ClickException(
            f"{len(missing)} of {count} files are missing or are not what was registered, the others are carried:\n"
            f"{listed}"
        )
    where = "on this machine too. Take the line `lake` out of tocsin.toml" if back else "in the bucket"
    click.echo(f"{count} files lie {where}.")


@lake.command("copy")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def copy(folder: Path) -> None:
    """Copy the observations out of the bucket that `lake` in tocsin.toml names into a folder: for a back-up.

    The installation may run meanwhile. Calling it again copies only what is new. Where no bucket is named it does
    nothing: a back-up copies the store itself.
    """
    from tocsin.lake import buckets
    from tocsin.site import lake_bucket, store_mark

    if not buckets.mounts():
        click.echo("tocsin.toml names no bucket: the observations lie in the store.")
        return
    try:
        with _bar("Copying") as progress:
            count, fresh = lake_bucket.copy_to(folder, progress, datetime.now(UTC))
    except store_mark.Foreign as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{count} files of observations, {fresh} of them new in {folder}.")
