"""Whose deliveries recalls are about, and indexes sorted as lists of recalls and notices are."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    recalls, deliveries = apps.get_model("recall", "Recall"), apps.get_model("intake", "Delivery")
    source = deliveries.objects.filter(pk=OuterRef("delivery")).values("organisation")
    recalls.objects.filter(source=None).update(source=Subquery(source))
    if schema_editor.connection.vendor == "postgresql":  # What waits to be checked keeps the table from being altered.
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [("intake", "0028_indexes_of_lists"), ("members", "0012_limits"), ("recall", "0005_notice_told_at")]

    operations = [
        migrations.AddField(
            "recall",
            "source",
            models.ForeignKey(
                "members.organisation",
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            "recall",
            "source",
            models.ForeignKey(
                "members.organisation", db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+"
            ),
        ),
        migrations.AddIndex("notice", models.Index(fields=["organisation", "id"], name="notice_of_organisation")),
        migrations.AddIndex("recall", models.Index(fields=["source", "id"], name="recall_of_source")),
    ]
