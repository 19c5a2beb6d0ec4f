"""What organisations took away, what they answered to what was released to them, and how they were chased for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tocsin.centre.members.models import Organisation


class Taking(models.Model):
    """What people and machines of one organisation got on one day by one channel: a set of batches.

    A row holds numbers of one block only. So whatever else was taken on that day, and however far back it lies, who has
    a batch is found in a short stretch of an index.
    """

    class Channel(models.TextChoices):
        PACKAGE = "package"
        API = "api"
        PAGE = "page"  # Shown to somebody: a look-up, an object.
        FILE = "file"  # Downloaded: an original, an object.
        ALERT = "alert"  # Told of it by a standing query.

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="takings")
    BLOCK_BITS = 16
    """65,536 numbers of batches, which are those of about 65 deliveries."""

    channel = models.CharField(max_length=8, choices=Channel)
    reference = models.CharField(max_length=60, default="", blank=True)
    """What was taken, where it has a number of its own: FR-2026-0007."""
    day = models.DateField()
    """UTC."""
    block = models.BigIntegerField()
    """The upper bits of every number in it."""
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    batches = models.BinaryField()
    """`lake.scope.Batches`, packed."""
    times = models.PositiveIntegerField(default=1)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation", "channel", "reference", "day", "block"], name="taking_once_a_day"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["block", "first", "last"])]


class Kind(models.TextChoices):
    """What can be answered: named by the number of its row, for the topics that hold these lie above this one."""

    RELEASE = "release"
    PACKAGE = "package"


class Response(models.Model):
    """One act of one organisation on whatever was released to it: a row for each act and block of numbers, however many
    of these it covers."""

    class Step(models.TextChoices):
        OPENED = "opened"
        ACKNOWLEDGED = "acknowledged"  # We have it.
        ACTED = "acted"
        NO_ACTION = "no-action"  # The note says why.

    BLOCK_BITS = 12
    """4,096 numbers of releases or packages."""

    class Usefulness(models.TextChoices):
        USEFUL = "useful"
        NOT_USEFUL = "not-useful"
        FALSE_POSITIVE = "false-positive"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="responses")
    kind = models.CharField(max_length=8, choices=Kind)
    block = models.BigIntegerField()
    """The upper bits of every number in it."""
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    numbers = models.BinaryField()
    """Of releases or packages, packed as `lake.scope.Batches` packs."""
    step = models.CharField(max_length=12, choices=Step)
    usefulness = models.CharField(max_length=16, choices=Usefulness, default="", blank=True)
    note = models.TextField(default="", blank=True)
    """What was done, or why nothing was. For the Centre; the source never reads it."""
    by = models.CharField(max_length=120)
    """Login."""
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["kind", "block", "first", "last"]),
            models.Index(fields=["organisation", "kind", "last"]),
        ]


class Chase(models.Model):
    """What was done because an acknowledgement was wanted: a row for each step, with who had not given it."""

    class Step(models.TextChoices):
        URGENT = "urgent"  # From here on, the short time runs.
        REMINDED = "reminded"
        ESCALATED = "escalated"  # Overdue: on the duty officer's desk until it is closed.
        NOTED = "noted"  # What somebody of the Centre did about it.
        OUTCOME_30 = "outcome-30"  # Asked what came of it, so many days after it was let go.
        OUTCOME_90 = "outcome-90"
        OUTCOME_180 = "outcome-180"

    kind = models.CharField(max_length=8, choices=Kind)
    number = models.BigIntegerField()
    step = models.CharField(max_length=12, choices=Step)
    organisations = models.JSONField(default=list)
    """Slugs of those that were meant."""
    note = models.TextField(default="", blank=True)
    by = models.CharField(max_length=120)
    """Login, or system."""
    at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    """Of an escalation: when nobody was left, or somebody closed it."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "number", "step"], condition=~models.Q(step="noted"), name="chase_step_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["step", "closed_at"])]
