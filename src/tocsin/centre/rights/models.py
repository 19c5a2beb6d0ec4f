"""Requests of people about themselves, and the confidential part of the log. What is said in them is sealed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class SubjectRequest(models.Model):
    """What a person asks about data on it. Who it is and what was found can be read with a key outside the database."""

    class Kind(models.TextChoices):
        ACCESS = "access"
        CORRECTION = "correction"
        DELETION = "deletion"

    class State(models.TextChoices):
        RECEIVED = "received"  # Proof of who asks is awaited, by letter or in person.
        EXAMINED = "examined"  # Complete: the terms run.
        ANSWERED = "answered"

    class Answer(models.TextChoices):
        NEITHER = "neither"  # Neither confirms nor denies: the rule.
        DISCLOSED = "disclosed"  # The sources authorised it.
        INADMISSIBLE = "inadmissible"

    number = models.CharField(max_length=20, unique=True)
    """For the person: says nothing of how many there are."""
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    language = models.CharField(max_length=5, default="en")
    """Of the letters."""
    sealed = models.TextField()
    """Name, contact, values and words of the person."""
    received_at = models.DateTimeField()
    complete_at = models.DateTimeField(null=True)
    """When it was proved who asks."""
    sealed_findings = models.TextField(default="", blank=True)
    """What the last search found, and what was ordered."""
    answer = models.CharField(max_length=12, choices=Answer, default="", blank=True)
    sealed_letter = models.TextField(default="", blank=True)
    """What the commission adds to the letter."""
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["state", "received_at"]),
            models.Index(fields=["received_at", "id"], condition=models.Q(answered_at=None), name="request_waits"),
            models.Index(
                fields=["answered_at", "id"], condition=models.Q(answered_at__isnull=False), name="request_answered"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class SealedAct(models.Model):
    """An act of the commission: readable by it alone, and committed to in the log of acts without a trace."""

    request = models.ForeignKey(SubjectRequest, null=True, on_delete=models.PROTECT, related_name="acts")
    at = models.DateTimeField()
    sealed = models.TextField()
    """Who, what, with which facts."""
    commitment = models.CharField(max_length=64)
    """Keyed: who holds the key can show that the act is what it was."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"])]


class DayCommitment(models.Model):
    """What the log of acts holds of one day's sealed acts: one line for each day, whether there were any or none."""

    day = models.DateField(unique=True)
    """UTC."""
    commitment = models.CharField(max_length=64)
    at = models.DateTimeField()
