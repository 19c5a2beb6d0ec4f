"""What a source was asked, what it answered, what was let go on the strength of that; what bureaus passed on."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedWordsField
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.numbers import drawn_number
from tocsin.handling import Grant

from . import rules


class Permission(models.Model):
    """A request to a source, and the permission that may have come of it. Never deleted; its words never change."""

    class State(models.TextChoices):
        WITH_CENTRE = rules.State.WITH_CENTRE.value
        ASKED = rules.State.ASKED.value
        GRANTED = rules.State.GRANTED.value
        REFUSED = rules.State.REFUSED.value
        DECLINED = rules.State.DECLINED.value
        CANCELLED = rules.State.CANCELLED.value
        WITHDRAWN = rules.State.WITHDRAWN.value
        ENDED = rules.State.ENDED.value

    number = models.CharField(max_length=24, unique=True)
    """For people: P-2026-4F07A2C19B. Drawn, so that no source and no bureau learns how often others are asked."""
    source = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="permissions_asked")
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="permissions")
    sets = models.JSONField(default=list)
    """Digests of the handling sets of the parts that it is about: under others, it permits nothing."""
    state = models.CharField(max_length=12, choices=State)
    audience = models.JSONField(default=list)
    """To whom it should go, as `handling.Facts.permitted_to`."""
    purposes = models.JSONField(default=list)
    is_standing = models.BooleanField(default=False)
    until = models.DateField()
    reason = SealedWordsField()
    """As the source reads it."""
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_for = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    """The Centre, or the bureau that wants to pass it on."""
    asked_at = models.DateTimeField()
    asked_reason = SealedWordsField(default="", blank=True)
    """A bureau's own words, which the Centre reads."""
    forwarded_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    forwarded_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    permitted_audience = models.JSONField(default=list)
    permitted_purposes = models.JSONField(default=list)
    permitted_standing = models.BooleanField(default=False)
    permitted_until = models.DateField(null=True)
    answered_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    answer = SealedWordsField(default="", blank=True)
    """Conditions, or why it was refused."""
    closed_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    """Who declined, cancelled or withdrew it; nobody, where its term ended."""
    closed_at = models.DateTimeField(null=True)
    closing_reason = SealedWordsField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~models.Q(state__in=["granted", "withdrawn", "ended"])
                | models.Q(answered_by__isnull=False, answered_at__isnull=False, permitted_until__isnull=False),
                name="permission_by_somebody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["source", "state"]),
            models.Index(fields=["state", "asked_at"]),
            # Lists: of a source, of a bureau, of a state.
            models.Index(fields=["source", "id"], name="permission_of_source"),
            models.Index(fields=["asked_for", "id"], name="permission_for_bureau"),
            models.Index(fields=["state", "id"], name="permission_in_state"),
        ]

    def __str__(self) -> str:
        return self.number

    def save(self, *args: Any, **options: Any) -> None:
        """As ever, under a number."""
        self.number = self.number or drawn_number("P", self.asked_at)
        super().save(*args, **options)

    @property
    def wish(self) -> rules.Wish:
        """What was asked for."""
        return rules.Wish(frozenset(self.audience), frozenset(self.purposes), self.is_standing, self.until)

    @property
    def grant(self) -> Grant:
        """What was permitted, as the rules of release and derivation take it."""
        return Grant(self.number, frozenset(self.permitted_audience), frozenset(self.permitted_purposes))

    def is_in_force(self, today: date) -> bool:
        """Whether it permits something that day."""
        return self.state == self.State.GRANTED and self.permitted_until is not None and today <= self.permitted_until


class Use(models.Model):
    """A batch was let go on the strength of a permission."""

    permission = models.ForeignKey(Permission, on_delete=models.PROTECT, related_name="uses")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="+")
    is_for_purpose = models.BooleanField(default=False)
    """It went out for a purpose that its handling set does not name."""
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["permission", "batch"], name="use_once")]


class Passing(models.Model):
    """A bureau passed something that it has on to a unit of its own, as its label lets it. Never deleted."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="passings")
    bureau = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    unit = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["batch", "unit"], condition=models.Q(ended_at=None), name="passing_once_at_a_time"
            ),
        ]
