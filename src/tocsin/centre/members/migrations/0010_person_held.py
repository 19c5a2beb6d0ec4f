"""Accounts that wait for a second look; those that there are do not."""

from django.db import migrations, models


def refuse(apps, schema_editor):
    """Going back must not let anybody in at whom nobody looked."""
    if apps.get_model("members", "Person").objects.exclude(held_at=None).exists():
        raise RuntimeError("Accounts wait for a second person. Open or close them first: going back would let them in.")


class Migration(migrations.Migration):
    dependencies = [("members", "0009_drawn_numbers")]

    operations = [
        migrations.AddField("person", "held_at", models.DateTimeField(null=True, default=None)),
        migrations.AddField("person", "held_by", models.CharField(max_length=120, default="", blank=True)),
        migrations.RunPython(migrations.RunPython.noop, refuse),
    ]
