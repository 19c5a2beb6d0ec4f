import hashlib
import secrets

import django.db.models.deletion
from django.db import migrations, models

UNRELEASED = hashlib.sha256(b"null").hexdigest()
BY_LABEL = hashlib.sha256(b"[]").hexdigest()


def fill(apps, schema_editor):
    """What is there was visible by its label: it counts as released to whomever its handling set lets have it."""
    audience, terms, batch, change = (
        apps.get_model("intake", name) for name in ("Audience", "Terms", "Batch", "Change")
    )
    audience.objects.create(digest=UNRELEASED, entries=None)
    by_label = audience.objects.create(digest=BY_LABEL, entries=[])
    number = change.objects.create(stamp=secrets.randbits(63)).pk
    for source, under in batch.objects.order_by().values_list("organisation_id", "handling_set_id").distinct():
        made = terms.objects.create(organisation_id=source, handling_set_id=under, audience=by_label)
        found = batch.objects.filter(organisation_id=source, handling_set_id=under)
        found.update(terms=made, changed=number)


class Migration(migrations.Migration):
    dependencies = [("intake", "0003_batch_recast_at"), ("members", "0004_second_factors")]

    operations = [
        migrations.CreateModel(
            name="Audience",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("entries", models.JSONField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stamp", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Terms",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "audience",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="intake.audience"
                    ),
                ),
                (
                    "handling_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.handlingset"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "handling_set", "audience"), name="terms_once")
                ],
            },
        ),
        migrations.AddField("batch", "changed", models.BigIntegerField(default=0)),
        migrations.AddField(
            "batch",
            "terms",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="intake.terms"
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
