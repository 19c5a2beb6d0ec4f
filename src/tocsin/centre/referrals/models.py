"""Referrals beside their deliveries. What a citizen wrote lies in the delivery, sealed; here is only where it went."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Organisation


class Referral(models.Model):
    """A citizen's answer to an alert, on its way to a bureau."""

    class About(models.TextChoices):
        HIT = "hit"
        SEEN = "seen"
        QUESTION = "question"

    number = models.CharField(max_length=24, unique=True)
    """What the citizen is given; drawn."""
    alert = models.CharField(max_length=32, default="", blank=True)
    """The number of the alert that it answers; empty: none in particular."""
    about = models.CharField(max_length=8, choices=About)
    country = models.CharField(max_length=2)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="referrals")
    """Whose it is: the bureau of that country, or the Centre where there is none."""
    delivery = models.OneToOneField(Delivery, null=True, on_delete=models.SET_NULL, related_name="referral")
    received_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    """When somebody of the bureau first read it."""
    closed_at = models.DateTimeField(null=True)
    """When the bureau said that it has dealt with it."""

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-received_at", "-id"], name="referral_newest"),
            models.Index(fields=["alert", "received_at"], name="referral_alert"),
        ]

    def __str__(self) -> str:
        return self.number
