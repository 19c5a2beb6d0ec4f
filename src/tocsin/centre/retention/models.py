"""What was decided on terms, what was purged and why, what is held for a court."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.sealed_fields import SealedWordsField
from tocsin.centre.members.models import Organisation, Person


class Review(models.Model):
    """What somebody decided, or proposed, on how long a delivery is kept (R6). Never changed once it is answered."""

    class Kind(models.TextChoices):
        EXTEND = "extend"
        SHORTEN = "shorten"
        LET_END = "let-end"  # It ends as it would: nobody is reminded again.

    class State(models.TextChoices):
        IN_FORCE = "in-force"
        ASKED = "asked"  # The Centre wants it longer; the source has not answered.
        REFUSED = "refused"

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="reviews")
    kind = models.CharField(max_length=8, choices=Kind)
    state = models.CharField(max_length=8, choices=State)
    until = models.DateField()
    """The last day, which counts whole in UTC."""
    before = models.DateField()
    """The last day as it stood before."""
    reason = SealedWordsField()
    asked_by = models.CharField(max_length=120)
    """Login."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    answered_by = models.CharField(max_length=120, default="", blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["delivery"], condition=models.Q(state="asked"), name="review_one_asked"
            ),
        ]  # fmt: skip


class Reminder(models.Model):
    """That somebody was reminded of an end that comes near."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="reminders")
    days_before = models.PositiveIntegerField()
    ends_at = models.DateTimeField()
    """The end as it stood: another one is reminded of anew."""
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["delivery", "days_before", "ends_at"], name="reminder_once"),
        ]


class Purge(models.Model):
    """The deletion of what was in a delivery, or in parts of one. Its row and certificate hold no content."""

    class Rule(models.TextChoices):
        TERM = "term"  # Its term was over.
        ORDER = "order"  # Somebody who may order it did; who and why is not said here.

    number = models.CharField(max_length=20, unique=True)
    """For people: PU-2026-4F07A2C19B."""
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="purges")
    batches = models.BinaryField()
    """`lake.scope.Batches`, packed."""
    rule = models.CharField(max_length=8, choices=Rule)
    over_at = models.DateTimeField()
    """When the last of it was over."""
    begun_at = models.DateTimeField()
    steps = models.JSONField(default=dict)
    """Step → what it deleted, as numbers and digests. A step that stands here is done."""
    deleted_at = models.DateTimeField(null=True)
    """When the last of it was taken out; what readers may still hold open goes after."""
    done_at = models.DateTimeField(null=True)
    certificate = models.TextField(default="", blank=True)
    """Signed JSON, from its end on."""
    looked_at = models.DateTimeField(null=True)
    """When somebody looked at the texts whose personal fields were blanked."""
    looked_by = models.CharField(max_length=120, default="", blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-begun_at"]), models.Index(fields=["done_at"])]

    def __str__(self) -> str:
        return self.number


class LegalHold(models.Model):
    """A duty to keep: what it is on ends for everybody as ever, and a sealed copy of it stays until it is lifted."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="legal_holds")
    authority = models.CharField(max_length=200)
    """Who wants it kept, and under which reference."""
    reason = SealedWordsField()
    until = models.DateField(null=True, blank=True)
    """The last day, which counts whole in UTC; None: until it is lifted."""
    placed_by = models.CharField(max_length=120)
    placed_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=120, default="", blank=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_why = SealedWordsField(default="", blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["placed_at", "id"], condition=models.Q(lifted_at=None), name="hold_in_force"),
            models.Index(fields=["lifted_at", "id"], condition=models.Q(lifted_at__isnull=False), name="hold_lifted"),
        ]


class SealedCopy(models.Model):
    """The bytes of a purged delivery as received, encrypted, while a legal hold is on it."""

    delivery = models.OneToOneField(Delivery, on_delete=models.PROTECT, related_name="sealed_copy")
    path = models.CharField(max_length=300)
    """Relative to the store."""
    sealed_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True)
    certificate = models.TextField(default="", blank=True)
    """Signed JSON of its destruction."""


class CopyOpening(models.Model):
    """That a sealed copy may be taken out for whoever wants it kept: asked by one person, opened by another."""

    copy = models.ForeignKey(SealedCopy, on_delete=models.PROTECT, related_name="openings")
    authority = models.CharField(max_length=200)
    """Who gets it, and under which reference."""
    reason = SealedWordsField()
    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    approved_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    taken = models.PositiveIntegerField(default=0)
    """How often it was taken out; the log of acts says by whom."""

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(approved_by=None) | ~models.Q(approved_by=models.F("asked_by")),
                name="copy_opened_by_two",
            ),
        ]
