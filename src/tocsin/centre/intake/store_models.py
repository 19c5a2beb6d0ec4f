"""What a verification of the store found wrong, until it is mended."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Kind(models.TextChoices):
    """Which sort of file it is."""

    OBSERVATIONS = "observations"
    INDEX = "index"
    ORIGINAL = "original"
    PUBLIC = "public"
    """Of the public site; `alerts.upkeep` looks after them."""


class StoreFault(models.Model):
    """A file of the store that is not what was registered; `fault` is a word of `verification.Fault`."""

    path = models.CharField(max_length=300, unique=True)
    """Below the store; of rows that are not as many as were committed, their batch."""
    kind = models.CharField(max_length=12, choices=Kind)
    fault = models.CharField(max_length=12)
    delivery = models.ForeignKey("intake.Delivery", null=True, on_delete=models.SET_NULL, related_name="+")
    """Whose original it is."""
    found_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["found_at", "pk"]
