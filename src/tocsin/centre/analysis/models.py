"""Decisions that wait for a person, and questions that wait for an answer."""

from __future__ import annotations

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedJSONField, SealedTextField, SealedWordsField
from tocsin.centre.members.models import Organisation, Person


class Proposal(models.Model):
    """An indicator that was found in a report and waits for a reviewer."""

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REFUSED = "refused"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="proposals")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="proposals")
    kind = models.CharField(max_length=20)
    value = SealedTextField(always="batch")
    shown_as = SealedTextField(always="batch")
    page = models.PositiveIntegerField(default=1)
    offset = models.PositiveBigIntegerField(default=0)
    context = SealedTextField(default="", always="batch")
    score = models.FloatField(default=0.5)
    warnings = models.BigIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    role = models.CharField(max_length=24, default="")
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)
    became = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="+")
    """The delivery by which the accepted value entered the lake."""

    class Meta:
        indexes = [models.Index(fields=["state", "delivery"])]


class CountryConflict(models.Model):
    """A value whose country claims differ: to review, to neither country by itself (W11)."""

    class State(models.TextChoices):
        OPEN = "open"
        DECIDED = "decided"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="country_conflicts")
    kind = models.CharField(max_length=20)
    value = SealedTextField(always="batch")
    claims = SealedJSONField(always="batch")
    """Claim name → country, with the date of the data set: stated, registry, geo, tld."""
    rows = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    country = models.CharField(max_length=2, default="")
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "batch"]),
            models.Index(fields=["-rows", "id"], condition=models.Q(state="open"), name="conflict_open"),
            models.Index(
                fields=["decided_at", "id"], condition=models.Q(decided_at__isnull=False), name="conflict_decided"
            ),
        ]


class StandingQuery(models.Model):
    """A value somebody wants to hear of as soon as it arrives."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="standing_queries")
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    value = SealedTextField(always="person")
    reason = SealedWordsField(default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["is_active", "kind"])]


class StandingHit(models.Model):
    """A standing query met something that arrived later."""

    query = models.ForeignKey(StandingQuery, on_delete=models.CASCADE, related_name="hits")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="+")
    rows = models.BigIntegerField()
    at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["query", "batch"], name="standing_hit_once")]
