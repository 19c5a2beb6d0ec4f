"""Recipients are asked what came of it, after 30, 90 and 180 days."""

from django.db import migrations, models

STEPS = [
    ("urgent", "Urgent"), ("reminded", "Reminded"), ("escalated", "Escalated"), ("noted", "Noted"),
    ("outcome-30", "Outcome 30"), ("outcome-90", "Outcome 90"), ("outcome-180", "Outcome 180"),
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_indexes")]

    operations = [migrations.AlterField("chase", "step", models.CharField(choices=STEPS, max_length=12))]
