from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0011_circulars")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="stated_grade",
            field=models.CharField(max_length=16, default="", blank=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="grade",
            field=models.CharField(max_length=16, default="", blank=True),
        ),
    ]
