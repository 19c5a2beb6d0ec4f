"""Where the moments begin by which programs find a notice."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recall", "0004_relabelling")]

    operations = [migrations.AddField("notice", "told_at", models.DateTimeField(null=True))]
