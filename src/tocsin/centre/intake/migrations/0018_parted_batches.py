"""A batch may be the part of another that was taken out of it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0017_gradings")]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="parted_from",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="parts", to="intake.batch"
            ),
        ),
    ]
