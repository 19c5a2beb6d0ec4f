"""Circulars beside their deliveries, and who read them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.sealed_fields import SealedWordsField
from tocsin.centre.members.models import Organisation, Person


class Circular(models.Model):
    """A delivery that a bureau sent to others. What it says lies with the delivery; here is only how it goes."""

    number = models.CharField(max_length=24, unique=True)
    """For people: C-2026-7F3A2C. Not counted, so that nobody learns how many others send."""
    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="circular")
    audience = models.JSONField(default=list)
    """To whom it goes: slugs of bureaus, or `all-members`."""
    needs_check = models.BooleanField(default=False)
    """Its country was supervised when it was sent: a legal officer of the Centre reads it first."""
    checked_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    checked_at = models.DateTimeField(null=True)
    is_refused = models.BooleanField(default=False)
    check_reason = SealedWordsField(default="", blank=True)
    """In the officer's words. Its sender reads it."""
    sent_at = models.DateTimeField(null=True)
    """When it went to its addressees."""
    opened_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    opened_at = models.DateTimeField(null=True)
    """When its sender opened it to the Centre as well."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["sent_at", "id"], name="circular_sent")]

    def __str__(self) -> str:
        return self.number


class Reading(models.Model):
    """That an organisation opened a circular, and acknowledged it."""

    circular = models.ForeignKey(Circular, on_delete=models.CASCADE, related_name="readings")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=120, default="", blank=True)
    """Login."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["circular", "organisation"], name="reading_once")]
