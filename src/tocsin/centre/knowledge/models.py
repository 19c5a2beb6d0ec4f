"""Objects byte for byte beside what was read out of them, and what leads to them."""

from __future__ import annotations

from django.db import models

from tocsin.centre.intake.models import Batch, Delivery


class Object(models.Model):
    """A STIX object, MISP event, rule, advisory...: an assertion of one source, in one version.

    What lists show; its bytes and the rest of what was read out of it lie in its block (`selectors.body_of`).
    Found by id, name and reference through its mentions, so that a row needs no index of its own.
    """

    standard = models.CharField(max_length=24)
    type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=200)
    version = models.CharField(max_length=40, default="")
    name = models.CharField(max_length=300, default="")
    revoked = models.BooleanField(default=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="things")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="things", db_index=False)


class Block(models.Model):
    """The bodies of a few hundred objects that follow one another, as `lake.objects` packs them."""

    first = models.BigIntegerField(primary_key=True)
    """Number of the first of these objects."""
    body = models.BinaryField()


class Mention(models.Model):
    """A key under which an object is found: its id, its name, or the id of something that it refers to."""

    pk = models.CompositePrimaryKey("key", "object")
    key = models.BigIntegerField()
    """`lake.objects.key_of`"""
    # Written by the hundred thousand in the transaction of the objects themselves: no need to look each one up.
    object = models.ForeignKey(
        Object, on_delete=models.CASCADE, related_name="mentions", db_index=False, db_constraint=False
    )


class Document(models.Model):
    """The plain text of a delivered report, for reading and search; the original lies in the store."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="documents")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=300, default="")
    language = models.CharField(max_length=12, default="")
    text = models.TextField()
