"""Objects byte for byte beside what was read out of them, and what leads to them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Self

import orjson
from django.db import models

from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedTextField
from tocsin.credentials.content_keys import DataKey, KeyMissing

log = logging.getLogger(__name__)
OBJECTS_IN_DELIVERY = 1 << 28
"""Object numbers are delivery × this + place: known before the commit, so that links need no second look."""
SEALED_COLUMNS = ("object_id", "version", "name")
"""What a sealed row says in `head` alone."""


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
    head = models.BinaryField(null=True)
    """SEALED_COLUMNS of a sealed batch, which are empty in the database."""

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        """As ever, with what is sealed opened; it stays empty where its key is not there."""
        made = super().from_db(db, field_names, values, **options)
        head = made.__dict__.get("head")
        if head is not None:
            try:
                said = orjson.loads(vault.opened(bytes(head), "object"))
            except KeyMissing as error:
                log.critical("%s", error)
            else:
                made.__dict__.update(zip(SEALED_COLUMNS, said, strict=True))
        return made

    def save(self, *args: Any, **options: Any) -> None:
        """As ever; a sealed row is never written from what was opened of it."""
        if self.head is not None:
            raise ValueError("sealed objects are written by knowledge.services alone")
        super().save(*args, **options)


def sealed_head(key: DataKey, said: Sequence[str]) -> bytes:
    """What `head` holds of SEALED_COLUMNS."""
    return key.sealed(orjson.dumps(list(said)), "object")


class Block(models.Model):
    """The bodies of a few hundred objects that follow one another, as `lake.objects` packs them."""

    first = models.BigIntegerField(primary_key=True)
    """Number of the first of these objects."""
    body = models.BinaryField()
    """Sealed where its objects are: all of one batch then."""


class Mention(models.Model):
    """A key under which an object is found: its id, its name, or the id of something that it refers to."""

    pk = models.CompositePrimaryKey("key", "object")
    key = models.BigIntegerField()
    """`lake.objects.key_of`; of a sealed object, what `services.sealed_key` makes of it."""
    # Written by the hundred thousand in the transaction of the objects themselves: no need to look each one up.
    object = models.ForeignKey(
        Object, on_delete=models.CASCADE, related_name="mentions", db_index=False, db_constraint=False
    )


STIX = "stix-2.1"


class Copied(models.Model):
    """A STIX object whose id another one has too: in another version, or handed over twice. All others are known to be
    the first and last of their kind without looking."""

    number = models.BigIntegerField(primary_key=True)
    """Of the object."""


class Typed(models.Model):
    """That some of so many places of a delivery hold a STIX object of this type: who asks for a rare one need not look
    through all others."""

    PLACES = 1_024

    pk = models.CompositePrimaryKey("type", "places")
    type = models.CharField(max_length=60)
    places = models.BigIntegerField()
    """Numbers of objects, divided by PLACES."""


class Rendering(models.Model):
    """Neighbours of one batch as recipients get them under one look, kept so that pages are joined from bytes.

    May be deleted at any time: it is made anew when somebody asks. Sealed where its batch is (`rendering`).
    """

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="renderings", db_index=False)
    look = models.BigIntegerField()
    """`products.given_pages.Look.mark`."""
    first = models.BigIntegerField()
    """The place in the delivery from which on it holds what there is of the batch..."""
    until = models.BigIntegerField()
    """... and the one before which it ends."""
    changed = models.BigIntegerField()
    """That of the batch when it was made: it is used while the batch has the same."""
    stamp = models.BigIntegerField()
    """Random: by it a process knows what it remembers."""
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["batch", "look", "first"], name="rendering_once")]


class Document(models.Model):
    """The plain text of a delivered report, for reading; the original lies in the store.

    Always sealed: whom a report names as a victim, no label says.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="documents")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="documents")
    title = SealedTextField(default="", always="batch")
    language = models.CharField(max_length=12, default="")
    text = SealedTextField(always="batch")
