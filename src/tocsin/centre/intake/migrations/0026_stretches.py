"""Each object has a moment of its own: what moves or opens takes a stretch of them, and who comes after begins behind it.

What is there already took one moment for all of its objects. Its moments are moved apart in their order, none to an
earlier one: a program that goes on from where it was is given some of it again, and misses nothing.
"""

import zlib
from collections import defaultdict
from datetime import timedelta

import numpy as np
from django.db import migrations, models
from django.db.models import F
from django.utils import timezone

HEAD = 1_024
MICROSECOND = timedelta(microseconds=1)


def fill(apps, schema_editor):
    """Move the moments apart: of batches, of the terms they left, and of rights."""
    batch, former, rights, change, delivery = (
        apps.get_model("intake", name) for name in ("batch", "former", "rights", "change", "delivery")
    )
    widths = {
        pk: HEAD + count for pk, count in delivery.objects.filter(objects_count__gt=0).values_list("pk", "objects_count")
    }
    taken = defaultdict(set)
    """Moment → the deliveries of which something moved in it; 0 for rights."""
    of = dict(batch.objects.values_list("pk", "delivery_id"))
    for number, moment in batch.objects.values_list("delivery_id", "moved_at").iterator():
        taken[moment].add(number)
    for number, since, until in former.objects.values_list("batch_id", "since_at", "until_at").iterator():
        taken[since].add(of[number])
        taken[until].add(of[number])
    first = _first_rights(rights)
    for pk, moment in rights.objects.values_list("pk", "since_at"):
        taken[moment].update([-pk] if pk in first else [-pk, *sorted(widths)])
    moved, free = {}, None
    for moment in sorted(taken):
        at = moment if free is None else max(moment, free)
        free = at
        for number in sorted(taken[moment]):
            moved[moment, number] = free
            free += widths.get(number, 0) * MICROSECOND
        free = max(free, at + MICROSECOND)
    _move(batch, former, of, moved)
    for each in rights.objects.all():
        since = moved[each.since_at, -each.pk]
        opened = {} if each.pk in first else {number: moved[each.since_at, number] for number in widths}
        rights.objects.filter(pk=each.pk).update(since_at=since, opened=_packed(opened, since))
    change.objects.update(free_at=F("at") + MICROSECOND)
    newest = change.objects.order_by("-pk").first()
    if newest is not None and free is not None:
        change.objects.filter(pk=newest.pk).update(free_at=max(newest.free_at, free))


def _first_rights(rights):
    """What is known first of a program is taken to have held ever since."""
    found, known = set(), set()
    for pk, *program in rights.objects.order_by("since_at", "pk").values_list("pk", "person_id", "ceiling"):
        if tuple(program) not in known:
            found.add(pk)
        known.add(tuple(program))
    return found


def _move(batch, former, of, moved):
    groups = set(batch.objects.values_list("delivery_id", "moved_at"))
    for number, moment in sorted(groups, key=lambda each: each[1], reverse=True):
        if moved[moment, number] != moment:
            batch.objects.filter(delivery_id=number, moved_at=moment).update(moved_at=moved[moment, number])
    changed = []
    for each in former.objects.iterator():
        since, until = moved[each.since_at, of[each.batch_id]], moved[each.until_at, of[each.batch_id]]
        if (since, until) != (each.since_at, each.until_at):
            each.since_at, each.until_at = since, until
            changed.append(each)
    former.objects.bulk_update(changed, ["since_at", "until_at"], batch_size=200)


def _packed(moments, since):
    """As `openings.packed`."""
    numbers = sorted(moments)
    behind = [(moments[each] - since) // MICROSECOND for each in numbers]
    pairs = np.array([numbers, behind], dtype="<i8").reshape(2, -1)
    return zlib.compress(np.diff(pairs, axis=1, prepend=0).tobytes()) if numbers else b""


class Migration(migrations.Migration):
    dependencies = [("intake", "0025_delivery_urgency")]

    operations = [
        migrations.AddField(
            "change", "free_at", models.DateTimeField(default=timezone.now), preserve_default=False
        ),
        migrations.AddField("rights", "opened", models.BinaryField(default=bytes)),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
