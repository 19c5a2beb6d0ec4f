from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import migrations, models

from tocsin.handling.retention import end_of, expires_at

AT_ONCE = 2_000
GRACE = timedelta(days=30)
"""What was kept beyond its term before terms were kept is over after so long: somebody may still look at it."""


def set_terms(apps: Any, schema_editor: Any) -> None:
    """The end of each batch, from its handling set and its receipt."""
    batch = apps.get_model("intake", "Batch")
    earliest = end_of((datetime.now(timezone.utc) + GRACE).date())
    found = batch.objects.select_related("handling_set").order_by("pk")
    last = -1
    while some := list(found.filter(pk__gt=last)[:AT_ONCE]):
        for each in some:
            own = expires_at(each.received_at, int(each.handling_set.body["retention_months"]))
            each.expires_at = max(own, earliest)
        batch.objects.bulk_update(some, ["expires_at"], batch_size=400)
        last = some[-1].pk
    _set_ends(apps.get_model("intake", "Delivery"), earliest)


def _set_ends(delivery: Any, earliest: datetime) -> None:
    """The end of each delivery, that of its last part; of what repeats another, that of the other."""
    last = -1
    found = delivery.objects.select_related("organisation").annotate(own=models.Max("batches__expires_at"))
    while some := list(found.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        for each in some:
            agreed = expires_at(each.received_at, int(each.organisation.defaults.get("retention_months", 12)))
            each.ends_at = each.own or max(agreed, earliest)
        delivery.objects.bulk_update(some, ["ends_at"], batch_size=400)
        last = some[-1].pk
    repeats = delivery.objects.exclude(duplicate_of=None)
    first = delivery.objects.filter(pk=models.OuterRef("duplicate_of")).values("ends_at")[:1]
    repeats.update(ends_at=models.Subquery(first))


class Migration(migrations.Migration):
    dependencies = [("intake", "0019_sealing")]

    operations = [
        migrations.AddField("delivery", "keep_until", models.DateTimeField(null=True)),
        migrations.AddField("delivery", "ends_at", models.DateTimeField(null=True)),
        migrations.AddField("batch", "expires_at", models.DateTimeField(null=True)),
        migrations.AddField("batch", "purged_at", models.DateTimeField(null=True)),
        migrations.RunPython(set_terms, migrations.RunPython.noop, elidable=True),
    ]
