"""What recipients get is rendered once and kept; which objects share their id with others is known."""

import django.db.models.deletion
from django.db import migrations, models

COPIED = """
    INSERT INTO knowledge_copied (number)
    SELECT id FROM knowledge_object WHERE standard = 'stix-2.1' AND (head IS NOT NULL OR object_id IN (
        SELECT object_id FROM knowledge_object WHERE standard = 'stix-2.1' AND head IS NULL
        GROUP BY object_id HAVING count(*) > 1
    ))
"""
"""Of sealed objects the database does not know it: they are looked at each time. So is what they may be copies of."""
OF_SEALED = """
    INSERT INTO knowledge_copied (number)
    SELECT id FROM knowledge_object WHERE standard = 'stix-2.1' AND id NOT IN (SELECT number FROM knowledge_copied)
    AND EXISTS (SELECT 1 FROM knowledge_object WHERE head IS NOT NULL)
"""

TYPED = """
    INSERT INTO knowledge_typed (type, places)
    SELECT DISTINCT type, id / 1024 FROM knowledge_object WHERE standard = 'stix-2.1'
"""


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_sealed_objects"), ("intake", "0026_stretches")]

    operations = [
        migrations.CreateModel(
            name="Copied",
            fields=[("number", models.BigIntegerField(primary_key=True, serialize=False))],
        ),
        migrations.CreateModel(
            name="Typed",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "type", "places", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("type", models.CharField(max_length=60)),
                ("places", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Rendering",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("look", models.BigIntegerField()),
                ("first", models.BigIntegerField()),
                ("until", models.BigIntegerField()),
                ("changed", models.BigIntegerField()),
                ("stamp", models.BigIntegerField()),
                ("body", models.BinaryField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="renderings",
                        to="intake.batch",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("batch", "look", "first"), name="rendering_once")]
            },
        ),
        migrations.RunSQL(COPIED, migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(TYPED, migrations.RunSQL.noop, elidable=False),
        migrations.RunSQL(OF_SEALED, migrations.RunSQL.noop, elidable=False),
    ]
