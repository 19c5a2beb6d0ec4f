import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Max, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone


def fill(apps, schema_editor):
    """What is there is held under its terms since it left the ones before, or since it came."""
    batch, former = apps.get_model("intake", "Batch"), apps.get_model("intake", "Former")
    left = former.objects.filter(batch=OuterRef("pk")).order_by().values("batch").annotate(last=Max("until_at"))
    batch.objects.update(moved_at=Coalesce(Subquery(left.values("last")), F("received_at")))
    earlier = former.objects.filter(batch=OuterRef("batch"), until_at__lt=OuterRef("until_at")).order_by()
    before = earlier.values("batch").annotate(last=Max("until_at")).values("last")
    arrived = batch.objects.filter(pk=OuterRef("batch")).values("received_at")
    former.objects.update(since_at=Coalesce(Subquery(before), Subquery(arrived)))


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0008_permitted_and_origins"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            "change", "at", models.DateTimeField(default=timezone.now), preserve_default=False
        ),
        migrations.AddField(
            "batch", "moved_at", models.DateTimeField(default=timezone.now), preserve_default=False
        ),
        migrations.AddField(
            "former", "since_at", models.DateTimeField(default=timezone.now), preserve_default=False
        ),
        migrations.CreateModel(
            name="Rights",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ceiling", models.CharField(blank=True, default="", max_length=16)),
                ("viewer", models.JSONField()),
                ("since_at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["person", "ceiling", "since_at"], name="intake_rights_of_a_program")],
            },
        ),
        migrations.AddIndex("batch", models.Index(fields=["moved_at"], name="intake_batch_moved_at")),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
