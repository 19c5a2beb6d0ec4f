"""A row for each block of numbers, so that who has a batch is found without reading what else was taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import migrations, models

from tocsin.lake.scope import Batches

BLOCK_BITS = 16
KEY = ("organisation_id", "channel", "reference", "day")


def split(apps: Any, editor: Any) -> None:
    """Each row as one for each block that it reaches into."""
    taking = apps.get_model("ledger", "Taking")
    for row in taking.objects.order_by("pk").iterator():
        numbers = Batches.unpacked(bytes(row.batches)).numbers
        blocks, starts = np.unique(numbers >> BLOCK_BITS, return_index=True)
        for place, (block, part) in enumerate(zip(blocks.tolist(), np.split(numbers, starts[1:]), strict=True)):
            row.pk = row.pk if place == 0 else None
            row.block, row.first, row.last = block, int(part[0]), int(part[-1])
            row.batches = Batches(part).packed()
            row.save(force_insert=place > 0)
    _settle(editor)


def join(apps: Any, editor: Any) -> None:
    """The rows of an organisation, channel, number and day as one again."""
    taking = apps.get_model("ledger", "Taking")
    first = None
    for row in taking.objects.order_by(*KEY, "block", "pk"):
        if first is None or any(getattr(row, name) != getattr(first, name) for name in KEY):
            first = row
            continue
        both = Batches.unpacked(bytes(first.batches)) | Batches.unpacked(bytes(row.batches))
        first.batches, first.first, first.last = both.packed(), int(both.numbers[0]), int(both.numbers[-1])
        first.times, first.began_at = max(first.times, row.times), min(first.began_at, row.began_at)
        first.ended_at = max(first.ended_at, row.ended_at)
        row.delete()
        first.save()
    _settle(editor)


def _settle(editor: Any) -> None:
    """PostgreSQL alters no table while checks of its rows wait for the end of the transaction."""
    if editor.connection.vendor == "postgresql":
        editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_responses")]

    operations = [
        migrations.RemoveConstraint("Taking", "taking_once_a_day"),
        migrations.RemoveIndex("Taking", "ledger_taki_last_84198c_idx"),
        migrations.AddField("Taking", "block", models.BigIntegerField(default=0), preserve_default=False),
        migrations.RunPython(split, join),
    ]
