"""Which key seals a file of observations; those of before lie in the clear until they are written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0023_batch_parted_at")]

    operations = [
        migrations.AddField(
            model_name="lakefile",
            name="sealed_by",
            field=models.BigIntegerField(null=True),
        ),
    ]
