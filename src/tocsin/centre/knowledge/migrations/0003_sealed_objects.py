"""What a sealed object is called, where its own columns are empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0002_blocks"), ("intake", "0019_sealing")]

    operations = [
        migrations.AddField(model_name="object", name="head", field=models.BinaryField(null=True)),
        migrations.AlterField(model_name="document", name="title", field=models.TextField(default="")),
    ]
