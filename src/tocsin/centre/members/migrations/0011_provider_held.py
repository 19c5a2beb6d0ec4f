"""Providers of sign-in that wait for a second look; those that there are do not."""

from django.db import migrations, models


def refuse(apps, schema_editor):
    """Going back must not let anybody in by a provider at which nobody looked."""
    if apps.get_model("members", "Provider").objects.filter(is_on=True).exclude(held_at=None).exists():
        raise RuntimeError("Providers wait for a second person. Open them or switch them off first.")


class Migration(migrations.Migration):
    dependencies = [("members", "0010_person_held")]

    operations = [
        migrations.AddField("provider", "held_at", models.DateTimeField(null=True, default=None)),
        migrations.AddField("provider", "held_by", models.CharField(max_length=120, default="", blank=True)),
        migrations.RunPython(migrations.RunPython.noop, refuse),
    ]
