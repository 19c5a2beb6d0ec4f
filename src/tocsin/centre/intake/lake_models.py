"""Tables about what lies in the lake: its files, and what its rows count up to."""

from __future__ import annotations

from django.db import models


class LakeFile(models.Model):
    """A registered Parquet file of observations, by its path in the store and day of arrival. Others do not exist."""

    path = models.CharField(max_length=300, unique=True)
    day = models.DateField()
    rows = models.BigIntegerField()
    size_bytes = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    """SHA-256 of its bytes."""
    first_batch = models.BigIntegerField()
    last_batch = models.BigIntegerField()
    is_sorted = models.BooleanField(default=False)
    sealed_by = models.BigIntegerField(null=True)  # Number of the data key; none: it lies in the clear.
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)
    """When a compaction replaced it; swept once no reader can still hold the snapshot."""
    verified_at = models.DateTimeField(null=True)
    """When its bytes were last compared with its digest."""

    class Meta:
        indexes = [models.Index(fields=["retired_at", "day"])]


class Tally(models.Model):
    """Rows of a batch by day, country, type and role: what maps and charts are drawn from, after the gate."""

    batch = models.ForeignKey("intake.Batch", on_delete=models.CASCADE, related_name="tallies")
    day = models.DateField()
    country = models.CharField(max_length=2, default="")
    type = models.CharField(max_length=40)
    role = models.CharField(max_length=24)
    rows = models.BigIntegerField()
    sightings = models.BigIntegerField()
    """Sum of counts: rows with their repeats."""

    class Meta:
        # They hold all that figures ask for, so that no row is read beside them.
        indexes = [
            models.Index(fields=["day", "country", "batch", "role", "rows"], name="tally_of_days"),
            models.Index(fields=["country", "day", "batch", "role", "type", "rows"], name="tally_of_countries"),
        ]


class NameTally(models.Model):
    """Rows of a batch by country and malware."""

    batch = models.ForeignKey("intake.Batch", on_delete=models.CASCADE, related_name="name_tallies")
    country = models.CharField(max_length=2, default="")
    malware = models.TextField()
    """Of a TLP:RED batch a sealed word (`vault.sealed_word`)."""
    rows = models.BigIntegerField()
    last_day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["country", "malware"])]
