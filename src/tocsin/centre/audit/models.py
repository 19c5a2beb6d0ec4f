"""The log of acts. Rows are only ever added; their leaf hashes are what the Merkle tree is built of."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Entry(models.Model):
    """One act. `detail` holds no secret and no content, only what is needed to say what was done."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    """Login of the person, `key:<name>` for a machine, or `system`."""
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    """`<type>:<id>` of what was acted on."""
    detail = models.TextField(default="{}")
    leaf = models.BinaryField(max_length=32)
    """SHA-256(0x00 || entry), RFC 6962 section 2.1."""
    place = models.BigIntegerField(null=True, unique=True)
    """Place among the leaves of the tree, from 0; None until the entry is put there, seconds after its transaction."""

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["action", "at"]),
            models.Index(fields=["subject"]),
        ]


class Checkpoint(models.Model):
    """How far the log had come, signed. What it covers cannot be changed without being found out."""

    size = models.BigIntegerField(unique=True)
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    """The signed note (C2SP tlog-checkpoint), as it went to the second place."""
    at = models.DateTimeField()
