"""Recalls and the notice of each organisation that had what was recalled."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.sealed_fields import SealedJSONField, SealedTextField, SealedWordsField
from tocsin.centre.members.models import Organisation
from tocsin.centre.release.models import Package


class Recall(models.Model):
    """A delivery, or parts of one, taken back from everybody who had it."""

    class Reason(models.TextChoices):
        SOURCE = "source-withdrawal"
        WRONG = "wrong-data"
        RECIPIENTS = "wrong-recipients"
        LEGAL = "legal"
        COURT = "court-order"
        RELABELLED = "relabelled"  # Not hidden: closed to those alone whom a stricter label leaves out.

        RESLICED = "wrong-country"  # Not hidden: it was dealt to a country whose it is not.

    class Action(models.TextChoices):
        DESTROY = "destroy"
        CORRECT = "correct"  # A corrected version follows; what was done on the wrong one is to be undone.

    number = models.CharField(max_length=20, unique=True)
    """For people: RC-2026-4F07A2C19B."""
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="recalls")
    source = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+", db_index=False)
    """Whose the delivery is: a source's own recalls are read in their order."""
    batches = models.BinaryField()
    """`lake.scope.Batches`, packed: what is hidden."""
    origins = models.BinaryField(null=True)
    """The batches that these were taken out of, packed the same; None: the delivery as a whole was recalled."""
    reason = models.CharField(max_length=20, choices=Reason)
    action = models.CharField(max_length=8, choices=Action)
    note = SealedWordsField(default="", blank=True)
    """For the Centre and the source; recipients never read it."""
    asked_by = models.CharField(max_length=120)
    """Login."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    """Who recalls: the source, or the Centre."""
    asked_at = models.DateTimeField()
    confirm_by = models.DateTimeField()
    packages = models.JSONField(default=list)
    """Numbers of the country packages that held some of it: nobody gets them any more."""
    packages_until = models.BigIntegerField(default=0)
    """The newest package that was looked at: one that was in the making then is looked at when it is there."""
    successor = models.ForeignKey(Delivery, null=True, on_delete=models.PROTECT, related_name="corrected")
    """The delivery that brings the corrected version."""
    escalated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    certificate = models.TextField(default="", blank=True)
    """Signed JSON, from its closing on."""

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-asked_at"]),
            models.Index(fields=["source", "id"], name="recall_of_source"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        """As ever; it is of the source of what it recalls."""
        if not hasattr(self, "source"):
            self.source = self.delivery.organisation
        super().save(*args, **options)

    def __str__(self) -> str:
        return self.number


class Relabelling(models.Model):
    """Another handling set for a delivery or for parts of one. What opens it to more waits for a second person."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="relabellings")
    state = models.CharField(max_length=9, choices=State)
    keys = SealedJSONField(default=list, always="recall")
    """Ids of objects and values; none: all that is shown of the delivery."""
    changes = SealedJSONField(default=dict, always="recall")
    """Fields of the handling set that are laid down anew; the others stay as they are in each part."""
    wider = models.JSONField(default=list)
    """Names of the fields by which somebody may see, or do, more."""
    seen = models.CharField(max_length=32)
    """How what is relabelled stood when it was asked for (`relabelling.mark_of`)."""
    note = models.TextField(default="", blank=True)
    asked_by = models.CharField(max_length=120)
    """Login."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    """Who relabels: the source, or the Centre."""
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=120, default="", blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(default="", blank=True)
    """Why it was refused."""
    recall = models.ForeignKey(Recall, null=True, on_delete=models.PROTECT, related_name="relabellings")
    """By which those were told who may no longer have it."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["delivery"], condition=models.Q(state="waiting"), name="relabelling_waits_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "asked_at"])]


class Part(models.Model):
    """One thing that was recalled of a delivery while the rest of it stayed: an object, or all rows with a value."""

    class Kind(models.TextChoices):
        OBJECT = "object"
        VALUE = "value"

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="parts")
    kind = models.CharField(max_length=6, choices=Kind)
    key = SealedTextField(always="recall")
    """Id of the object, or the value."""
    name = SealedTextField(default="", blank=True, always="recall")
    batches = models.JSONField(default=list)
    """Those that it stood in."""
    values = SealedJSONField(default=list, always="recall")
    """What its rows said: country packages and programs know it by these."""
    rows = models.BigIntegerField(default=0)
    countries = models.JSONField(null=True)
    """Where it names victims alone: their countries, which alone ever saw it. None: no such bound."""
    field = models.CharField(max_length=40, default="", blank=True)
    """What is corrected in it; empty: it is not corrected."""
    became = SealedTextField(default="", blank=True, always="recall")
    """What stands there now."""


class Undo(models.Model):
    """What one organisation did on the word of something wrong is to be undone: a block lifted, an alert withdrawn."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        NOT_APPLICABLE = "not-applicable"  # Nothing was left to undo; the note says why.

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="undos")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="undos")
    state = models.CharField(max_length=14, choices=State, default=State.OPEN)
    made_at = models.DateTimeField()
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=120, default="", blank=True)
    escalated_at = models.DateTimeField(null=True)
    note = SealedWordsField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["recall", "organisation"], name="undo_once")]
        indexes: ClassVar = [models.Index(fields=["state", "due_at"])]


class Remake(models.Model):
    """A country package that a recall reopened, and the one that takes its place without what was recalled."""

    class State(models.TextChoices):
        OPEN = "open"  # It waits for its making.
        MADE = "made"
        NOTHING_LEFT = "nothing-left"

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="remakes")
    old = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="remakes")
    new = models.ForeignKey(Package, null=True, on_delete=models.SET_NULL, related_name="remade_from")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)
    made_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["recall", "old"], name="remake_once")]


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
    told_at = models.DateTimeField(null=True)
    """Where the moments begin by which programs find it and what it takes back (`given_back`); None: it is of before
    these were kept."""
    seen_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=120, default="", blank=True)
    answers_for_units = models.BooleanField(default=False)
    """Whether whoever answered did so for the units below it too (R3)."""
    acted = models.BooleanField(null=True)
    """Whether something was done on the word of what was wrong; None: not asked, or not answered."""
    note = SealedWordsField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["recall", "organisation"], name="notice_once")]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "state"]),
            models.Index(fields=["organisation", "id"], name="notice_of_organisation"),
        ]
