"""Alerts, their versions, what reviews passed, translations, and the files that the public reads."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedJSONField, SealedWordsField
from tocsin.centre.members.models import Organisation, Person

from .rules import State


class SealedContentField(SealedJSONField):
    """What is written before it is published: always sealed, by the key of people's own words."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "always": "notes"})

    def owner_of(self, row: models.Model) -> str:
        return "notes"


class Alert(models.Model):
    """A fact that is told. What it says, its versions say."""

    reference = models.CharField(max_length=24, unique=True)
    """For people, from its first draft on: A-2026-7F3A2C19B0. It counts nothing."""
    number = models.CharField(max_length=32, unique=True, null=True)
    """METHOD-2026-0042: given when it is first published."""
    type = models.CharField(max_length=16)
    is_exercise = models.BooleanField(default=False)
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    begun_from = models.CharField(max_length=120, default="", blank=True)
    """What it was started from: `delivery:17`, `proposal:AP-2026-…`; empty: from nothing."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-created_at", "-id"], name="alert_newest")]

    def __str__(self) -> str:
        return self.number or self.reference


class Series(models.Model):
    """The last number that was given for a type in a year."""

    type = models.CharField(max_length=16)
    year = models.PositiveIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["type", "year"], name="alert_series_once")]


class Version(models.Model):
    """One version of an alert. What was published of it is never changed."""

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    message = models.CharField(max_length=8, default="Alert")
    """`record.Message`."""
    state = models.CharField(max_length=20, choices=[(each.value, each.value) for each in State])
    content = SealedContentField(default=dict)
    """`products.alerts.draft.Draft`."""
    revision = models.PositiveIntegerField(default=1)
    """Of the content: who writes says which one he read."""
    quality_text = models.CharField(max_length=64, default="", blank=True)
    quality_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    legal_text = models.CharField(max_length=64, default="", blank=True)
    legal_label = models.CharField(max_length=64, default="", blank=True)
    legal_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    police_at = models.DateTimeField(null=True)
    public_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.PROTECT, related_name="alert_versions")
    """Its police edition."""
    languages_due_at = models.DateTimeField(null=True)
    """By when the languages that were missing at publication are to be there."""
    cancel_asked_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    cancel_asked_at = models.DateTimeField(null=True)
    cancel_reasons = SealedContentField(default=dict)
    """Language → why, as the public will read it."""
    languages = models.JSONField(default=list)
    """In which it was published to the public."""
    public_signs = models.JSONField(default=list)
    """Which of its indicators the public got, as `kind:value`."""
    watched = models.BigIntegerField(default=0)
    """Number of the last change of batches that it was looked at for, since it is published (`watching`)."""
    named = SealedContentField(default=dict)
    """The values that it says, once somebody worked them out: in words of the public, and as indicators."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "number"], name="alert_version_once")]
        indexes: ClassVar = [
            models.Index(fields=["state", "-id"], name="alert_version_state"),
            models.Index(fields=["expires_at"], name="alert_version_end"),
        ]

    def __str__(self) -> str:
        return f"{self.alert} v{self.number}"


class Revision(models.Model):
    """What a version said at some time: nothing that somebody wrote is lost."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    content = SealedContentField(default=dict)
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["version", "number"], name="alert_revision_once")]


class Step(models.Model):
    """An act, as the alert's page shows it. The log has it as well, with its proof."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="steps")
    act = models.CharField(max_length=24)
    from_state = models.CharField(max_length=20)
    to_state = models.CharField(max_length=20)
    by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    """Nobody: the clock."""
    at = models.DateTimeField()
    reason = SealedWordsField(default="", blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["version", "id"], name="alert_step_order")]


class Ground(models.Model):
    """A batch that a version rests on: its handling set binds the police edition, its values are looked for in the
    public one, and its recall takes the alert back to be written anew."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="grounds")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="alert_grounds")
    closed_at = models.DateTimeField(null=True)
    """When it was taken back, relabelled or purged, until somebody looked at the alert."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["version", "batch"], name="alert_ground_once")]


class Concern(models.Model):
    """Something about a published alert is otherwise since: told to the desk until somebody of it has looked."""

    class Why(models.TextChoices):
        VICTIM = "victim"  # Somebody suffered at a value that it names.
        AGREEMENT = "agreement"  # Nobody agrees any more that the public reads a value.
        NARROWER = "narrower"  # What it rests on lies under a narrower label.

    class Done(models.TextChoices):
        NARROWED = "narrowed"  # Taken off the public edition.
        WITHHELD = "withheld"  # All of it was taken off the public site.
        POLICE_CLOSED = "police-closed"
        NOTHING = "nothing"  # A person decides.

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="concerns")
    version = models.PositiveIntegerField()
    why = models.CharField(max_length=12, choices=Why.choices)
    done = models.CharField(max_length=16, choices=Done.choices)
    at = models.DateTimeField()
    seen_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    seen_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["seen_at", "alert"], name="alert_concern_open")]


class Translation(models.Model):
    """A version's words in another language."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="translations")
    language = models.CharField(max_length=16)
    content = SealedContentField(default=dict)
    """`products.alerts.draft.Texts`."""
    source_digest = models.CharField(max_length=64)
    """Of the words that it was made of: with others it is out of date (W22)."""
    made = models.CharField(max_length=8)
    """`record.Made`: machine, human or checked."""
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    checked_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    checked_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["version", "language"], name="alert_translation_once")]


class Attached(models.Model):
    """An image of an alert, made anew from its points. The bytes lie in the store under their digest."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="attached")
    name = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    said = SealedContentField(default=dict)
    """What the file carried beside its points, for the leak scanner: it is in no output."""
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "name"], name="alert_image_once")]


class PublicFile(models.Model):
    """A file of the public site. Which bytes lie at an address, this row alone says: publication switches rows."""

    path = models.CharField(max_length=200, unique=True)
    """Below the root of the site, as `products.alerts.addresses` has it."""
    alert = models.ForeignKey(Alert, null=True, on_delete=models.CASCADE, related_name="files")
    """None: it belongs to all of them, such as a feed."""
    version = models.PositiveIntegerField(default=0)
    language = models.CharField(max_length=16, default="", blank=True)
    media_type = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    published_at = models.DateTimeField()
    is_gone = models.BooleanField(default=False)
    """Served with 410: what lies there says why."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["sha256"], name="alert_file_digest")]


class PublicState(models.Model):
    """One row: how often the public site changed. Whoever serves it looks here whether what he holds still stands."""

    changes = models.BigIntegerField(default=0)


class Proposal(models.Model):
    """What a partner or a bureau proposes as an alert. Only the Centre issues."""

    class State(models.TextChoices):
        OPEN = "open"
        TAKEN = "taken"
        REFUSED = "refused"

    reference = models.CharField(max_length=24, unique=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    content = SealedContentField(default=dict)
    """`products.alerts.draft.Draft`."""
    note = SealedWordsField(default="", blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    alert = models.ForeignKey(Alert, null=True, on_delete=models.PROTECT, related_name="proposals")
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    answer = SealedWordsField(default="", blank=True)
    """To who proposed it, in the Centre's words."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["state", "-id"], name="alert_proposal_state")]
