"""Recalls and the notice of each organisation that had what was recalled."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Organisation


class Recall(models.Model):
    """A delivery, or parts of one, taken back from everybody who had it."""

    class Reason(models.TextChoices):
        SOURCE = "source-withdrawal"
        WRONG = "wrong-data"
        RECIPIENTS = "wrong-recipients"
        LEGAL = "legal"
        COURT = "court-order"

    class Action(models.TextChoices):
        DESTROY = "destroy"
        CORRECT = "correct"  # A corrected version follows; what was done on the wrong one is to be undone.

    number = models.CharField(max_length=20, unique=True)
    """For people: RC-2026-0007."""
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="recalls")
    batches = models.BinaryField()
    """`lake.scope.Batches`, packed."""
    reason = models.CharField(max_length=20, choices=Reason)
    action = models.CharField(max_length=8, choices=Action)
    note = models.TextField(default="", blank=True)
    """For the Centre and the source; recipients never read it."""
    asked_by = models.CharField(max_length=120)
    """Login."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    """Who recalls: the source, or the Centre."""
    asked_at = models.DateTimeField()
    confirm_by = models.DateTimeField()
    packages = models.JSONField(default=list)
    """Numbers of the country packages that held some of it: nobody gets them any more."""
    escalated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    certificate = models.TextField(default="", blank=True)
    """Signed JSON, from its closing on."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-asked_at"])]

    def __str__(self) -> str:
        return self.number


class Notice(models.Model):
    """What one organisation was told of a recall, and what it answered."""

    class State(models.TextChoices):
        INFORMED = "informed"  # An answer is awaited.
        NOTHING_TAKEN = "nothing-taken"  # It was open to them; nothing of it left the Centre.
        DESTROYED = "destroyed"
        CORRECTED = "corrected"
        OBJECTED = "objected"  # Kept under a legal duty, which the note names.

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="notices")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="recall_notices")
    state = models.CharField(max_length=16, choices=State, default=State.INFORMED)
    taken = models.JSONField(default=list)
    """How it reached them: [channel, number of what was taken, day] of each."""
    informed_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=120, default="", blank=True)
    answers_for_units = models.BooleanField(default=False)
    """Whether whoever answered did so for the units below it too (R3)."""
    note = models.TextField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["recall", "organisation"], name="notice_once")]
        indexes: ClassVar = [models.Index(fields=["organisation", "state"])]
