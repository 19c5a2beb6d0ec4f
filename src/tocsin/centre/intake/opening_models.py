"""What openings are found by: the terms that batches left, and the rights with which programs asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from tocsin.centre.members.models import Person

from .ground_models import Terms

HEAD = 1_024
"""So many moments stand before those of a delivery's objects, for what of ours they refer to."""


class Former(models.Model):
    """Terms under which a batch was held once: to whom it was open, and from when to when."""

    batch = models.ForeignKey("intake.Batch", on_delete=models.CASCADE, related_name="former_terms")
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="+")
    since_at = models.DateTimeField()
    until_at = models.DateTimeField()

    @staticmethod
    def note(batches: models.QuerySet[Any], at: Mapping[int, datetime]) -> None:
        """Keep the terms that these batches are about to leave, as far as they are not hidden already; `at` says when
        those of each delivery do."""
        left = batches.order_by().filter(hidden_at=None).values_list("pk", "delivery_id", "terms_id", "moved_at")
        Former.objects.bulk_create(
            (
                Former(batch_id=batch, terms_id=terms, since_at=since, until_at=at[delivery])
                for batch, delivery, terms, since in left
            ),
            batch_size=200,
        )


class Rights(models.Model):
    """With which rights a program that follows what becomes visible asked, from a moment on: a row for each change.

    What its owner sees since a change of these it cannot have seen before, however long it has lain there.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    ceiling = models.CharField(max_length=16, default="", blank=True)
    """Of the key: programs of one person with other ceilings see other things."""
    viewer = models.JSONField()
    """`handling.Viewer` as plain values."""
    since_at = models.DateTimeField()
    opened = models.BinaryField(default=bytes)
    """Where the moments of each delivery begin of which these rights opened something (`openings.packed`)."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["person", "ceiling", "since_at"], name="intake_rights_of_a_program")]
