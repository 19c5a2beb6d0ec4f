"""What organisations took away."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.members.models import Organisation


class Taking(models.Model):
    """What people and machines of one organisation got on one day by one channel: a set of batches."""

    class Channel(models.TextChoices):
        PACKAGE = "package"
        API = "api"
        PAGE = "page"  # Shown to somebody: a look-up, an object.
        FILE = "file"  # Downloaded: an original, an object.

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="takings")
    channel = models.CharField(max_length=8, choices=Channel)
    reference = models.CharField(max_length=60, default="", blank=True)
    """What was taken, where it has a number of its own: FR-2026-0007."""
    day = models.DateField()
    """UTC."""
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    batches = models.BinaryField()
    """`lake.scope.Batches`, packed."""
    times = models.PositiveIntegerField(default=1)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "channel", "reference", "day"], name="taking_once_a_day")
        ]
        indexes: ClassVar = [models.Index(fields=["last", "first"])]
