"""What the installation knows of the time."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from . import rules


class Clock(models.Model):
    """The one row in which the rounds of the workers keep how late it surely is."""

    class Reading(models.TextChoices):
        AGREES = rules.Reading.AGREES.value
        AHEAD = rules.Reading.AHEAD.value
        BEHIND = rules.Reading.BEHIND.value

    latest_at = models.DateTimeField()
    """The latest moment that was surely reached."""
    reading = models.CharField(max_length=6, choices=Reading, default=Reading.AGREES)
    """How the machine's clock stood to that at the last round."""
    noticed_at = models.DateTimeField(null=True)
    """What the machine's clock said when it was found to stand otherwise; None: it agrees."""
    turns = models.PositiveIntegerField(default=0)
    """How often somebody said that the machine's clock is right: what processes remember from before counts no more."""

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(pk=1), name="clock_one_row")]
