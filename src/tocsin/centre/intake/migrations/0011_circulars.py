from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0010_openings")]

    operations = [
        migrations.AddField("delivery", "is_circular", models.BooleanField(default=False)),
        migrations.AddField("delivery", "is_private", models.BooleanField(default=False)),
        migrations.AddField("delivery", "stated_handling", models.JSONField(default=dict)),
        migrations.RemoveConstraint("terms", "terms_once"),
        migrations.AddField("terms", "is_private", models.BooleanField(default=False)),
        migrations.AddConstraint(
            "terms",
            models.UniqueConstraint(
                fields=("organisation", "handling_set", "audience", "permitted", "is_private"), name="terms_once"
            ),
        ),
    ]
