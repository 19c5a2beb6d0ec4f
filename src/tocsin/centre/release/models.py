"""Country packages and who fetched them."""

from __future__ import annotations

from django.db import models

from tocsin.centre.members.models import Person


class Package(models.Model):
    """A country's share of a span of arrivals, as one signed archive in the store."""

    country = models.CharField(max_length=2)
    number = models.CharField(max_length=24, unique=True)
    """For people: FR-2026-0007."""
    arrived_from = models.DateTimeField()
    arrived_until = models.DateTimeField()
    language = models.CharField(max_length=5)
    path = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    rows = models.BigIntegerField()
    summary = models.JSONField(default=dict)
    previous = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    batches = models.BinaryField(null=True)
    """Those that are in it, as `lake.scope.Batches` packs them; None: made before this was kept."""
    recalled_at = models.DateTimeField(null=True)
    """When something in it was recalled: nobody gets it from that moment."""
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["country", "-created_at"])]


class Fetch(models.Model):
    """Somebody took a package away."""

    package = models.ForeignKey(Package, on_delete=models.CASCADE, related_name="fetches")
    person = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    via = models.CharField(max_length=8)
    at = models.DateTimeField()
