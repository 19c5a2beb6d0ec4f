"""Subscribers, what they were told, and counts of who read. Nothing here tells what somebody reads."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tocsin.centre.alerts.models import SealedContentField
from tocsin.centre.members.models import Organisation


class Kind(models.TextChoices):
    """How a subscriber is told."""

    MAIL = "mail"
    HOOK = "webhook"
    PUSH = "push"


class Subscriber(models.Model):
    """Somebody who asked to be told. Leaving deletes the row: nothing of it is kept."""

    class State(models.TextChoices):
        ASKED = "asked"  # Not confirmed yet: nothing is sent but the question.
        ACTIVE = "active"
        SILENT = "silent"  # It could not be reached for so long that it is not tried any more.

    name = models.CharField(max_length=32, unique=True)
    """Drawn: what the subscriber's links and the identifiers of its messages name."""
    kind = models.CharField(max_length=8, choices=Kind)
    address = models.TextField()
    """Sealed as a word: equal addresses are found, none can be read without the keys."""
    secrets = SealedContentField(default=dict)
    """Of a server the secret that signs; of a browser its keys."""
    language = models.CharField(max_length=16)
    countries = models.JSONField(default=list)
    offences = models.JSONField(default=list)
    types = models.JSONField(default=list)
    severity = models.CharField(max_length=12, default="", blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField()
    confirm_until = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    """Since it was last reached."""
    failing_since = models.DateTimeField(null=True)
    last_failure = models.CharField(max_length=40, default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            # Of a server anybody may ask anew: who holds it answers, and takes the place of what was there.
            models.UniqueConstraint(
                fields=["kind", "address"], condition=Q(state="active") | Q(kind="mail"), name="subscriber_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "state", "id"], name="subscriber_turn"),
            models.Index(fields=["confirm_until"], condition=Q(state="asked"), name="subscriber_unconfirmed"),
        ]


class Returning(models.Model):
    """Mail to somebody that came back for good: how often, and since when the address rests."""

    subscriber = models.OneToOneField(Subscriber, null=True, on_delete=models.CASCADE, related_name="returning")
    organisation = models.OneToOneField(Organisation, null=True, on_delete=models.CASCADE, related_name="+")
    address = models.TextField(default="", blank=True)
    """Of an organisation the one that it is about, sealed as a word: with another one it begins anew."""
    count = models.PositiveIntegerField(default=0)
    sent_on = models.DateField(null=True)
    """When the last one that counted was sent."""
    status = models.CharField(max_length=12, default="", blank=True)
    """Of the last one (RFC 3463): 5.1.1."""
    at = models.DateTimeField()
    rests_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(subscriber__isnull=True) ^ Q(organisation__isnull=True), name="returning_of_one"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["rests_at"], name="returning_rests")]


class Telling(models.Model):
    """A version of an alert that subscribers are told of."""

    number = models.CharField(max_length=32)
    version = models.PositiveIntegerField()
    message = models.CharField(max_length=8)
    """`record.Message`."""
    said = models.JSONField(default=dict)
    """`products.alerts.notice.Notice`: all of it is public."""
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["number", "version", "message"], name="telling_once")]


class Round(models.Model):
    """How far a telling has come among subscribers of one kind."""

    telling = models.ForeignKey(Telling, on_delete=models.CASCADE, related_name="rounds")
    kind = models.CharField(max_length=8, choices=Kind)
    after = models.BigIntegerField(default=0)
    """The last subscriber that was looked at."""
    told = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["telling", "kind"], name="round_once")]


class Owed(models.Model):
    """A subscriber that could not be reached, and is tried again."""

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="owed")
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="owed")
    attempts = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["round", "subscriber"], name="owed_once")]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="owed_due")]


class Read(models.Model):
    """How often an output was fetched from this server on a day. No address, no browser, no cookie."""

    day = models.DateField()
    number = models.CharField(max_length=32, default="", blank=True)
    """Of the alert; empty: of the site as a whole."""
    output = models.CharField(max_length=16)
    language = models.CharField(max_length=16, default="", blank=True)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "number", "output", "language"], name="read_once")
        ]
        indexes: ClassVar = [models.Index(fields=["number", "day"], name="read_of")]


class Embedded(models.Model):
    """How often the widget was shown on another's pages on a day: written down from so many on, by the host alone."""

    day = models.DateField()
    host = models.CharField(max_length=253)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["day", "host"], name="embedded_once")]
