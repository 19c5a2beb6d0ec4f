"""Indexes sorted to the last as lists are: deliveries as they came, the urgent ones, parts by the end of their term."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0027_verified")]

    operations = [
        migrations.RemoveIndex("batch", "intake_batc_expires_6c7105_idx"),
        migrations.RemoveIndex("delivery", "intake_deli_receive_71a1ed_idx"),
        migrations.AddIndex("batch", models.Index(fields=["expires_at", "id"], name="batch_expires")),
        migrations.AddIndex("delivery", models.Index(fields=["received_at", "id"], name="delivery_received")),
        migrations.AddIndex(
            "delivery",
            models.Index(
                fields=["urgent_at", "id"], condition=models.Q(urgent_at__isnull=False), name="delivery_urgent"
            ),
        ),
    ]
