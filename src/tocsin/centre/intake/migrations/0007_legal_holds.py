import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

STATES = ["received", "parsed", "quarantined", "duplicate", "held", "refused", "withdrawn"]


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0006_former_terms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(model_name="delivery", name="passes", field=models.JSONField(default=list)),
        migrations.AddField(
            model_name="delivery",
            name="least_marking",
            field=models.CharField(max_length=20, default="", blank=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="state",
            field=models.CharField(
                max_length=12, choices=[(state, state.capitalize()) for state in STATES], default="received"
            ),
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(max_length=16, choices=[("legal", "Legal"), ("personal-data", "Personal")]),
                ),
                (
                    "state",
                    models.CharField(
                        max_length=10,
                        choices=[(s, s.capitalize()) for s in ("open", "cleared", "refused", "withdrawn")],
                        default="open",
                    ),
                ),
                ("held_at", models.DateTimeField()),
                ("facts", models.JSONField(default=dict)),
                ("finds", models.JSONField(default=list)),
                ("checklist", models.JSONField(default=dict)),
                ("answer", models.CharField(max_length=12, default="", blank=True)),
                ("answer_text", models.TextField(default="", blank=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("decision", models.TextField(default="", blank=True)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="intake.delivery"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["state", "held_at"], name="intake_hold_state_d188d1_idx")],
                "constraints": [models.UniqueConstraint(fields=("delivery", "kind"), name="hold_of_a_kind_once")],
            },
        ),
    ]
