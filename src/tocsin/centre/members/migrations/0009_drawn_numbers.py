from django.db import migrations, models

AT_ONCE = 1_000


def keep_numbers(apps, schema_editor):
    """What has a number keeps it: people were told. Only those of later are drawn."""
    rows = apps.get_model("members", "Agreement").objects.order_by("pk")
    last = 0
    while some := list(rows.filter(pk__gt=last)[:AT_ONCE]):
        for each in some:
            each.number = f"AG-{each.created_at.year}-{each.pk:04d}"
        rows.bulk_update(some, ["number"])
        last = some[-1].pk


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0007_own_providers"),
    ]

    operations = [
        migrations.AddField("agreement", "number", models.CharField(max_length=24, null=True, unique=True)),
        migrations.RunPython(keep_numbers, migrations.RunPython.noop),
        migrations.AlterField("agreement", "number", models.CharField(max_length=24, unique=True)),
    ]
