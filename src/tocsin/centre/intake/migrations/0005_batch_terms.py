import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Apart from 0004: PostgreSQL does not alter a table in the transaction that wrote its rows.
    dependencies = [("intake", "0004_terms")]

    operations = [
        migrations.AlterField(
            "batch",
            "terms",
            models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="intake.terms"),
        ),
        migrations.AddIndex("batch", models.Index(fields=["changed"], name="intake_batc_changed_6d40d5_idx")),
    ]
