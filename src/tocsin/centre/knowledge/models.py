"""Objects byte for byte beside what was read out of them, and what leads to them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, Self

import orjson
from django.db import models

from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.sealed_fields import SealedTextField
from tocsin.credentials.content_keys import DataKey, KeyMissing

log = logging.getLogger(__name__)
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


class Document(models.Model):
    """The plain text of a delivered report, for reading; the original lies in the store.

    Always sealed: whom a report names as a victim, no label says.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="documents")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="documents")
    title = SealedTextField(default="", always="batch")
    language = models.CharField(max_length=12, default="")
    text = SealedTextField(always="batch")
