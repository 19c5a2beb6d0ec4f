"""Keys for programs get bounds, and every one an end."""

from datetime import timedelta

from django.db import migrations, models
from django.utils import timezone

TLP = ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]
ALSO = {"read": "packages", "deliver": "taxii"}


def keep_what_keys_could(apps, schema_editor):
    """A key that had no end gets a year from now; what a scope had allowed before it was split stays allowed."""
    keys = apps.get_model("members", "Key").objects
    keys.filter(expires_at=None).update(expires_at=timezone.now() + timedelta(days=365))
    for key in keys.all().iterator():
        key.scopes = sorted({*key.scopes, *(ALSO[scope] for scope in key.scopes if scope in ALSO)})
        key.save(update_fields=["scopes"])


class Migration(migrations.Migration):
    dependencies = [("members", "0004_second_factors")]

    operations = [
        migrations.AddField("key", "ceiling", models.CharField(blank=True, choices=[(tlp, tlp) for tlp in TLP], default="", max_length=16)),
        migrations.AddField("key", "ranges", models.JSONField(default=list)),
        migrations.AddField("key", "certificate", models.CharField(blank=True, default="", max_length=64)),
        migrations.AddField("key", "certificate_subject", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField("key", "certificate_ends_at", models.DateTimeField(null=True)),
        migrations.AddField("key", "refused_at", models.DateTimeField(null=True)),
        migrations.AddField("key", "refused_for", models.CharField(blank=True, default="", max_length=20)),
        migrations.AddField("key", "refused_from", models.CharField(blank=True, default="", max_length=45)),
        migrations.RunPython(keep_what_keys_could, migrations.RunPython.noop),
        migrations.AlterField("key", "expires_at", models.DateTimeField()),
    ]
