"""Keys for programs get bounds, and every one an end; emergency accesses."""

from datetime import timedelta

import django.db.models.deletion
from django.conf import settings
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
    if schema_editor.connection.vendor == "postgresql":
        # Checks of these rows that wait for the end would keep the table from being altered below.
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [("members", "0005_people_and_countries")]

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
        migrations.CreateModel(
            name='EmergencyAccess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField()),
                ('reason', models.TextField()),
                ('hours', models.PositiveSmallIntegerField()),
                ('receipt', models.CharField(blank=True, default='', max_length=60)),
                ('approved_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(db_index=True, null=True)),
                ('approved_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organisation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.organisation')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('approved_by', models.F('asked_by')), _negated=True), name='emergency_by_two'), models.CheckConstraint(condition=models.Q(('hours__range', (1, 4))), name='emergency_hours')],
            },
        ),
        migrations.AlterField("key", "expires_at", models.DateTimeField()),
    ]
