"""Parts that were taken out of a batch and stayed open, under another label."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('intake', '0021_batch_expires'),
    ]

    operations = [
        migrations.AddField(
            model_name='batch',
            name='parted_at',
            field=models.DateTimeField(null=True),
        ),
    ]
