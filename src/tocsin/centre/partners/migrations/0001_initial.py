import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("members", "0007_own_providers")]

    operations = [
        migrations.CreateModel(
            name="Scorecard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("span_days", models.PositiveSmallIntegerField()),
                ("body", models.JSONField()),
                ("computed_at", models.DateTimeField()),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scorecards",
                        to="members.organisation",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["day"], name="scorecard_day")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "span_days", "day"), name="scorecard_once_a_day"
                    )
                ],
            },
        ),
    ]
