import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("intake", "0011_circulars"),
        ("members", "0007_own_providers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Circular",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=24, unique=True)),
                ("audience", models.JSONField(default=list)),
                ("needs_check", models.BooleanField(default=False)),
                ("checked_at", models.DateTimeField(null=True)),
                ("is_refused", models.BooleanField(default=False)),
                ("check_reason", models.TextField(blank=True, default="")),
                ("sent_at", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField(null=True)),
                (
                    "checked_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "delivery",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="circular", to="intake.delivery"
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["-sent_at"], name="circulars_sent_at")]},
        ),
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opened_at", models.DateTimeField()),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("acknowledged_by", models.CharField(blank=True, default="", max_length=120)),
                (
                    "circular",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="readings",
                        to="circulars.circular",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="members.organisation"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("circular", "organisation"), name="reading_once"),
                ],
            },
        ),
    ]
