"""Wrapped data keys, and columns that hold sealed texts, which are longer than what they say."""

from django.db import migrations, models


def refuse(apps, schema_editor):
    """Without its keys nothing sealed is ever read again: who goes back restores the copy from before."""
    if apps.get_model("intake", "SealKey").objects.exists():
        raise RuntimeError("Something is sealed in this database. Going back would destroy the keys that open it.")


class Migration(migrations.Migration):
    dependencies = [("intake", "0018_parted_batches")]

    operations = [
        migrations.CreateModel(
            name="SealKey",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("about", models.CharField(max_length=100, unique=True)),
                ("wrapped", models.BinaryField()),
                ("wrapped_by", models.CharField(db_index=True, max_length=16)),
            ],
        ),
        migrations.AddField(model_name="batch", name="sealed_at", field=models.DateTimeField(null=True)),
        migrations.AlterField(model_name="delivery", name="name", field=models.TextField()),
        migrations.AlterField(
            model_name="delivery", name="reason_where", field=models.TextField(blank=True, default="")
        ),
        migrations.AlterField(model_name="delivery", name="title", field=models.TextField(blank=True, default="")),
        migrations.AlterField(model_name="nametally", name="malware", field=models.TextField()),
        migrations.RunPython(migrations.RunPython.noop, refuse),
    ]
