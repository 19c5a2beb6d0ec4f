"""`tocsin purge`: what is over goes for good."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from . import setup


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be purged.")
@click.option("--json", "as_json", is_flag=True)
def purge(dry_run: bool, as_json: bool) -> None:
    """Purge what was over long enough ago, and go on with what was begun."""
    setup()
    from tocsin.centre.clock.services import known_at
    from tocsin.centre.retention import purging
    from tocsin.centre.retention.models import Purge

    at = known_at(datetime.now(UTC))
    waiting = [
        {"delivery": each.delivery.receipt, "source": each.delivery.organisation.slug, "batches": len(each.batches),
         "over_at": each.over_at.astimezone(UTC).isoformat()}
        for each in purging.due(at)
    ]  # fmt: skip
    if not dry_run:
        purging.do(at)
    left = Purge.objects.filter(done_at=None).order_by("pk")
    open_ones = [{"purge": each.number, "deleted": each.deleted_at is not None} for each in left]
    if as_json:
        click.echo(json.dumps({"due": waiting, "open": open_ones}))
        return
    for line in waiting:
        click.echo(f"{str(line['over_at'])[:10]}  {line['delivery']}  {line['source']}  {line['batches']} batches")
    click.echo(f"{len(waiting)} deliveries {'would be purged' if dry_run else 'purged'}.")
    if open_ones:
        click.echo(f"{len(open_ones)} purges are under way: certified once no reader can hold an older file open.")
