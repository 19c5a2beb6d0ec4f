"""Redacted versions: what was taken out of what, by whom and why."""

from __future__ import annotations

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.sealed_fields import SealedWordsField
from tocsin.centre.members.models import Person


class Redaction(models.Model):
    """A delivery that was made of parts of another. What it was made of, `intake.models.Origin` says."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="redaction")
    of = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="redactions")
    out = models.JSONField(default=list)
    """Names of fields, or groups of columns, that were taken out."""
    replacements = models.PositiveIntegerField(default=0)
    """How many texts were replaced. Which ones, nobody is told again."""
    reason = SealedWordsField()
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    reopened_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    reopened_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["-made_at"]),)
