"""What leaves: releases and the orders they cite; country packages and who fetched them."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedWordsField
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.numbers import drawn_number
from tocsin.core.words import Tlp

from .rules import Terms


class Package(models.Model):
    """A country's share of a span of arrivals, as one signed archive in the store."""

    country = models.CharField(max_length=2)
    number = models.CharField(max_length=24, unique=True)
    """For people: FR-2026-0007."""
    arrived_from = models.DateTimeField()
    arrived_until = models.DateTimeField()
    language = models.CharField(max_length=5)
    path = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    rows = models.BigIntegerField()
    summary = models.JSONField(default=dict)
    previous = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    batches = models.BinaryField(null=True)
    """Those that are in it, as `lake.scope.Batches` packs them; None: made before this was kept."""
    recalled_at = models.DateTimeField(null=True)
    """When something in it was recalled: nobody gets it from that moment."""
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["country", "-created_at"])]


class Fetch(models.Model):
    """Somebody took a package away."""

    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="fetches")
    person = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    via = models.CharField(max_length=8)
    at = models.DateTimeField()


class StandingOrder(models.Model):
    """What may leave by itself, because two people signed for it, until a day. Its words never change once signed."""

    title = models.CharField(max_length=200)
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="standing_orders"
    )
    """Whose deliveries; None: whatever the installation's feeds fetched, whoever publishes it."""
    formats = models.JSONField(default=list)
    """Data types, as deliveries name them; empty: all."""
    audience = models.JSONField(default=list)
    """As `handling.Facts.released_to`; empty: whoever the label lets have it."""
    ceiling = models.CharField(max_length=16)
    """The narrowest label that it may let go."""
    purposes = models.JSONField(default=list)
    starts_on = models.DateField()
    ends_on = models.DateField()
    """The last day, which counts whole in UTC."""
    first_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    first_at = models.DateTimeField()
    second_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    second_at = models.DateTimeField(null=True)
    stopped_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    stopped_at = models.DateTimeField(null=True)
    stop_reason = models.CharField(max_length=400, default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(second_by=None, second_at=None)
                | models.Q(second_by__isnull=False, second_at__isnull=False)
                & ~models.Q(second_by=models.F("first_by")),
                name="order_two_signers",
            ),
            models.CheckConstraint(condition=models.Q(ends_on__gte=models.F("starts_on")), name="order_ends"),
        ]
        indexes: ClassVar = [models.Index(fields=["stopped_at", "ends_on"])]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """How people refer to it."""
        return f"SO-{self.first_at.year}-{self.pk:04d}"

    @property
    def terms(self) -> Terms:
        """What the rules look at."""
        return Terms(
            source=self.organisation.slug if self.organisation else "", formats=tuple(self.formats),
            audience=tuple(self.audience), ceiling=Tlp(self.ceiling), purposes=tuple(self.purposes),
            starts_on=self.starts_on, ends_on=self.ends_on,
        )  # fmt: skip

    def standing(self, today: date) -> str:
        """stopped, half-signed, ended, to-come or in-force."""
        if self.stopped_at is not None:
            return "stopped"
        if today > self.ends_on:
            return "ended"
        if self.second_at is None:
            return "half-signed"
        return "to-come" if today < self.starts_on else "in-force"


class Release(models.Model):
    """Batches of a delivery let go to an audience: by two people, or under an order that two people signed."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        RELEASED = "released"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    number = models.CharField(max_length=24, unique=True)
    """For people: R-2026-4F07A2C19B. Drawn: it counts nothing."""
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="releases")
    batches = models.ManyToManyField(Batch, related_name="releases")
    sets = models.JSONField(default=list)
    """Digests of the handling sets that were judged: under others, nothing is let go."""
    audience = models.JSONField(default=list)
    """What was wanted; empty: by the label. Under which terms each batch went out, its audience says."""
    state = models.CharField(max_length=10, choices=State)
    proposed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    reason = SealedWordsField(default="", blank=True)
    released_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True)
    order = models.ForeignKey(StandingOrder, null=True, on_delete=models.PROTECT, related_name="releases")
    closed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    """Who refused or withdrew it."""
    closed_at = models.DateTimeField(null=True)
    closing_reason = SealedWordsField(default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(state="released")
                | models.Q(released_at__isnull=False)
                & (
                    models.Q(order__isnull=False)
                    | models.Q(proposed_by__isnull=False, released_by__isnull=False)
                    & ~models.Q(proposed_by=models.F("released_by"))
                ),
                name="release_by_two",
            ),
            models.UniqueConstraint(
                fields=["delivery"], condition=models.Q(state="proposed"), name="release_one_proposed"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "-created_at"])]

    def __str__(self) -> str:
        return self.number

    def save(self, *args: Any, **options: Any) -> None:
        """As ever, under a number."""
        self.number = self.number or drawn_number("R", self.created_at)
        super().save(*args, **options)
