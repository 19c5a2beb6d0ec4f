from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_covering_indexes")]

    operations = [
        migrations.AddField(model_name="batch", name="recast_at", field=models.DateTimeField(null=True)),
    ]
