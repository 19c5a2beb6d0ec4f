"""Since when a delivery is urgent, and why: what came before was not."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0024_lakefile_sealed_by")]

    operations = [
        migrations.AddField(
            model_name="delivery", name="urgent_at", field=models.DateTimeField(default=None, null=True)
        ),
        migrations.AddField(model_name="delivery", name="urgency", field=models.TextField(blank=True, default="")),
    ]
