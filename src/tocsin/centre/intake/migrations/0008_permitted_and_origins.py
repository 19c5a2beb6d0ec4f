import hashlib

import django.db.models.deletion
from django.db import connection, migrations, models

NOBODY, UNRELEASED = (hashlib.sha256(kept).hexdigest() for kept in (b"[]", b"null"))
ONCE = "terms_once"


def intern(apps, schema_editor):
    apps.get_model("intake", "Audience").objects.get_or_create(digest=NOBODY, defaults={"entries": []})


def nobody():
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM intake_audience WHERE digest = %s", [NOBODY])
        return cursor.fetchone()[0]


def narrow(apps, schema_editor):
    """Going back: what cannot say whom a source permitted is open to them no longer."""
    terms, batch, former = (apps.get_model("intake", name) for name in ("Terms", "Batch", "Former"))
    waiting, _ = apps.get_model("intake", "Audience").objects.get_or_create(digest=UNRELEASED)
    change = apps.get_model("intake", "Change").objects.create(stamp=1).pk
    for each in terms.objects.exclude(permitted__digest=NOBODY):
        plain, _ = terms.objects.get_or_create(
            organisation_id=each.organisation_id, handling_set_id=each.handling_set_id, audience=waiting,
            permitted_id=nobody(),
        )
        batch.objects.filter(terms=each).update(terms=plain, changed=change)
        former.objects.filter(terms=each).update(terms=plain)
        each.delete()
    schema_editor.connection.check_constraints()  # PostgreSQL alters no table whose checks are still to come.


class Migration(migrations.Migration):
    dependencies = [("intake", "0007_legal_holds"), ("members", "0007_own_providers")]

    operations = [
        migrations.RunPython(intern, migrations.RunPython.noop),
        migrations.AddField(
            "terms",
            "permitted",
            models.ForeignKey(
                default=nobody, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="intake.audience"
            ),
            preserve_default=False,
        ),
        migrations.RemoveConstraint("terms", ONCE),
        migrations.AddConstraint(
            "terms",
            models.UniqueConstraint(fields=("organisation", "handling_set", "audience", "permitted"), name=ONCE),
        ),
        migrations.AddField(
            "delivery",
            "under",
            models.ForeignKey(
                default=None, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
                to="members.handlingset",
            ),
        ),
        migrations.CreateModel(
            name="Origin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="drawn", to="intake.batch"
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="origins", to="intake.delivery"
                    ),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("delivery", "batch"), name="origin_once")]},
        ),
        migrations.RunPython(migrations.RunPython.noop, narrow),
    ]
