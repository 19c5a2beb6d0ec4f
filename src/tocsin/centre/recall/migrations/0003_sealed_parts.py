"""What was recalled alone may name a victim: the database cannot read it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recall", "0002_parts_and_corrections"), ("intake", "0019_sealing")]

    operations = [migrations.AlterField("part", "name", models.TextField(blank=True, default=""))]
