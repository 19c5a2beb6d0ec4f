"""Bodies of objects move into blocks; mentions take the place of links and of the indexes on texts."""

import django.db.models.deletion
import polars as pl
from django.db import migrations, models

from tocsin.lake.objects import blocks_of, mentions_of

AT_ONCE = 5_000
LONG = ("raw", "labels", "pattern", "valid_from", "valid_until", "position")
SHORT = ("object_id", "name")


def pack(apps, schema_editor):
    """Every object's bytes and columns into blocks, its links into mentions."""
    objects, links, blocks, mentions = (
        apps.get_model("knowledge", name).objects for name in ("Object", "Link", "Block", "Mention")
    )
    for delivery in objects.values_list("delivery", flat=True).distinct().order_by("delivery"):
        last = 0
        while found := list(
            objects.filter(delivery=delivery, pk__gt=last).order_by("pk").values("pk", *SHORT, *LONG)[:AT_ONCE]
        ):
            first, last = found[0]["pk"], found[-1]["pk"]
            assert last - first + 1 == len(found), "objects of a delivery are numbered without gaps"
            frame = pl.DataFrame([{**one, "raw": bytes(one["raw"])} for one in found], infer_schema_length=None)
            named = links.filter(source__gte=first, source__lte=last).order_by("source", "pk")
            told = pl.DataFrame(
                [(source - first, relation, target) for source, relation, target in named.values_list(
                    "source", "relation", "target_id")],
                schema={"thing": pl.Int64, "relation": pl.String, "target": pl.String}, orient="row",
            )  # fmt: skip
            made = blocks_of(frame, told)
            blocks.bulk_create(blocks.model(first=first + place, body=body) for place, body in made.iter_rows())
            keys = mentions_of(frame, told)
            mentions.bulk_create(
                (mentions.model(key=key, object_id=first + thing) for key, thing in keys.iter_rows()), batch_size=400
            )


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial"), ("knowledge", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Block",
            fields=[
                ("first", models.BigIntegerField(primary_key=True, serialize=False)),
                ("body", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="Mention",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key", "object", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.BigIntegerField()),
                (
                    "object",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mentions",
                        to="knowledge.object",
                    ),
                ),
            ],
        ),
        migrations.RunPython(pack),
        migrations.DeleteModel(name="Link"),
        migrations.RemoveIndex(model_name="object", name="knowledge_o_object__ab4e68_idx"),
        migrations.RemoveIndex(model_name="object", name="knowledge_o_name_e44c75_idx"),
        *(migrations.RemoveField(model_name="object", name=name) for name in (*LONG, "organisation")),
    ]
