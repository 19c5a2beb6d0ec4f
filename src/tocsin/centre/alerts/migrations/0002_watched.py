import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def from_now_on(apps, schema_editor):
    """What is published now is looked at for what changes from now on: reading all that is held once for each would
    keep a large installation busy for hours."""
    newest = apps.get_model("intake", "Batch").objects.aggregate(changed=models.Max("changed"))["changed"]
    apps.get_model("alerts", "Version").objects.update(watched=newest or 0)


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0001_alerts'),
        ('intake', '0028_indexes_of_lists'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='version',
            name='named',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='version',
            name='watched',
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(from_now_on, migrations.RunPython.noop, elidable=True),
        migrations.CreateModel(
            name='Concern',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('why', models.CharField(choices=[('victim', 'Victim'), ('agreement', 'Agreement'), ('narrower', 'Narrower')], max_length=12)),
                ('done', models.CharField(choices=[('narrowed', 'Narrowed'), ('withheld', 'Withheld'), ('police-closed', 'Police Closed'), ('nothing', 'Nothing')], max_length=16)),
                ('at', models.DateTimeField()),
                ('seen_at', models.DateTimeField(null=True)),
                ('alert', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='concerns', to='alerts.alert')),
                ('seen_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['seen_at', 'alert'], name='alert_concern_open')],
            },
        ),
    ]
