"""Scorecards as they were worked out: one for each organisation, day and span."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.members.models import Organisation


class Scorecard(models.Model):
    """Figures of one organisation over a span of days that ended on one day. Holds only what it may know itself."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="scorecards")
    day = models.DateField()
    span_days = models.PositiveSmallIntegerField()
    body = models.JSONField()
    """As `rules.card_of` makes it."""
    computed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "span_days", "day"], name="scorecard_once_a_day"),
        ]
        indexes: ClassVar = [models.Index(fields=["day"], name="scorecard_day")]
