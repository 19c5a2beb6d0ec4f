from django.db import migrations, models

STATES = [
    "received", "parsed", "quarantined", "duplicate", "held", "refused", "withdrawn", "expired", "purged",
]  # fmt: skip


class Migration(migrations.Migration):
    # Apart from 0012: PostgreSQL does not alter a table in the transaction that wrote its rows.
    dependencies = [("intake", "0020_batch_expiry")]

    operations = [
        migrations.AlterField("delivery", "ends_at", models.DateTimeField()),
        migrations.AlterField("batch", "expires_at", models.DateTimeField()),
        migrations.AlterField(
            "delivery",
            "state",
            models.CharField(
                max_length=12, choices=[(state, state.capitalize()) for state in STATES], default="received"
            ),
        ),
        migrations.RemoveConstraint("delivery", "delivery_same_bytes_once"),
        migrations.AddConstraint(
            "delivery",
            models.UniqueConstraint(
                fields=["organisation", "sha256"],
                condition=~models.Q(state__in=["duplicate", "expired", "purged"]),
                name="delivery_same_bytes_once",
            ),
        ),
        migrations.AddIndex("delivery", models.Index(fields=["ends_at"], name="intake_deli_ends_at_90ad0a_idx")),
        migrations.AddIndex("batch", models.Index(fields=["expires_at"], name="intake_batc_expires_6c7105_idx")),
    ]
