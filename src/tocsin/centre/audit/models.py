"""The log of acts. Rows are only ever added; the leaf hash is what a Merkle tree is built of."""

from __future__ import annotations

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

    class Meta:
        indexes = [models.Index(fields=["action", "at"]), models.Index(fields=["subject"])]
