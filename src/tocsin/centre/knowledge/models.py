"""Objects byte for byte beside the columns read out of them, and their relations."""

from __future__ import annotations

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.members.models import Organisation


class Object(models.Model):
    """A STIX object, MISP event, rule, advisory...: an assertion of one source, in one version."""

    standard = models.CharField(max_length=24)
    type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=200)
    version = models.CharField(max_length=40, default="")
    name = models.CharField(max_length=300, default="")
    labels = models.TextField(default="")
    """Labels, aliases and external ids, separated by newlines; for search."""
    pattern = models.TextField(default="")
    valid_from = models.CharField(max_length=32, default="")
    valid_until = models.CharField(max_length=32, default="")
    revoked = models.BooleanField(default=False)
    raw = models.BinaryField()
    position = models.BigIntegerField()
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+", db_index=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="things")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="things", db_index=False)

    class Meta:
        indexes = [models.Index(fields=["object_id", "version"]), models.Index(fields=["name"])]


class Link(models.Model):
    """An object names another: the property or relationship type, and the other's id."""

    source = models.ForeignKey(Object, on_delete=models.CASCADE, related_name="links")
    relation = models.CharField(max_length=60)
    target_id = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["target_id"])]


class Document(models.Model):
    """The plain text of a delivered report, for reading and search; the original lies in the store."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="documents")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=300, default="")
    language = models.CharField(max_length=12, default="")
    text = models.TextField()
