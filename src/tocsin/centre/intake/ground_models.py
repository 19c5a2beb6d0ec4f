"""Tables of intake that know of no delivery: keys, terms, changes, saved profiles, feeds."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import orjson
from django.db import connection, models
from django.utils import timezone

from tocsin.centre.members.models import HandlingSet, Organisation, Person
from tocsin.centre.questions import Question
from tocsin.handling import retention

MICROSECOND = timedelta(microseconds=1)


class SealKey(models.Model):
    """The key of what is sealed together, wrapped by the installation's key, which lies outside the database."""

    number = models.BigIntegerField(primary_key=True)
    """Random; sealed bytes name it."""
    about = models.CharField(max_length=100, unique=True)
    """What it seals: `batch:17000`, `delivery:17`, or what is never forgotten as a whole: `words`, `log`."""
    wrapped = models.BinaryField()
    wrapped_by = models.CharField(max_length=16, db_index=True)
    """Number of the installation's key."""

    @classmethod
    def lock(cls) -> None:
        """Nobody else writes this table until the caller's transaction ends."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(f"LOCK TABLE {cls._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
            else:
                cursor.execute(f"DELETE FROM {cls._meta.db_table} WHERE number < 0")  # noqa: S608 - there is none.


class Audience(models.Model):
    """To whom a release lets something go: equal audiences are one row."""

    digest = models.CharField(max_length=64, unique=True)
    entries = models.JSONField(null=True)
    """As `handling.Facts.released_to`: None for what is not released, empty for all whom the handling set lets."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its entries; none where it has none."""
        return tuple(self.entries or ())

    @classmethod
    def of(cls, entries: Iterable[str] | None) -> Audience:
        """The interned audience; None for what is not released."""
        kept = None if entries is None else sorted(set(entries))
        digest = hashlib.sha256(orjson.dumps(kept)).hexdigest()
        return _AUDIENCE.first(digest) or cls.objects.get_or_create(digest=digest, defaults={"entries": kept})[0]


_AUDIENCE = Question(lambda digest: Audience.objects.filter(digest=digest), "digest")


class Terms(models.Model):
    """Under what a batch is held: whose it is, its handling set, to whom it was released, to whom of these its source
    permitted it beyond its label or their bureau passed it on. Interned, never changed.

    The gate is put once to each of these and not to each batch: there are few, however many batches there are.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    handling_set = models.ForeignKey(HandlingSet, on_delete=models.PROTECT, related_name="+")
    audience = models.ForeignKey(Audience, on_delete=models.PROTECT, related_name="+")
    permitted = models.ForeignKey(Audience, on_delete=models.PROTECT, related_name="+")
    """As `handling.Facts.permitted_to`: never without entries, which may be none."""
    is_private = models.BooleanField(default=False)
    """Between members: kept from the Centre's people (`handling.Facts.is_private`)."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "handling_set", "audience", "permitted", "is_private"], name="terms_once"
            ),
        ]

    def relabelled(self, organisation_id: int, handling_set_id: int) -> Terms:
        """Under another handling set, or of another source: whom the source permitted beyond the old one has to be
        asked for again, and nobody else gains or loses anything by the release."""
        audience, permitted = self.audience, self.permitted
        if permitted.entries:
            left = None if audience.entries is None else sorted(set(audience.entries) - set(permitted.entries))
            # Nobody left of those whom it named: it waits anew, for an empty audience would name everybody.
            audience = audience if audience.entries in ([], None) else Audience.of(left or None)
            permitted = Audience.of(())
        return self.alike(
            organisation_id=organisation_id, handling_set_id=handling_set_id, audience_id=audience.pk,
            permitted_id=permitted.pk,
        )  # fmt: skip

    def alike(self, **changed: Any) -> Terms:
        """The interned terms that differ from these in nothing else."""
        facts = {
            "organisation_id": self.organisation_id, "handling_set_id": self.handling_set_id,
            "audience_id": self.audience_id, "permitted_id": self.permitted_id, "is_private": self.is_private,
        }  # fmt: skip
        return Terms.objects.get_or_create(**{**facts, **changed})[0]


class Change(models.Model):
    """Something about batches changed. The newest of them tells a process whether what it remembers still holds."""

    stamp = models.BigIntegerField()
    """Random: after a rollback or from a restored backup, the same number means something else."""
    at = models.DateTimeField()
    """Later than that of every change before, so that moments become visible in their order too, whatever the clock
    does and however long a transaction takes: who has read up to one of them has missed nothing before it."""
    free_at = models.DateTimeField()
    """The first moment behind it that is given to nothing. What opens object by object takes a stretch of moments, one
    for each object (`stretches`), and who comes after begins behind it."""

    KEPT = 1_000

    @classmethod
    def next(cls) -> Change:
        """The mark for what the caller's transaction changes. Numbers and moments become visible in their order."""
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:  # Until the transaction ends: who comes after has a later number.
                cursor.execute(f"LOCK TABLE {cls._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        free = _FREE.first()
        now = timezone.now()
        at = now if free is None else max(now, free)
        made = cls.objects.create(stamp=secrets.randbits(63), at=at, free_at=at + MICROSECOND)
        cls.objects.filter(pk__lte=made.pk - cls.KEPT)._raw_delete(connection.alias)
        return made

    def stretches(self, widths: Mapping[int, int]) -> dict[int, datetime]:
        """Where the moments of each begin, of which it has so many: nothing else of this change or of a later one has
        any of them. What has none begins with the change itself.

        Moments run ahead of the clock by a microsecond for each object that opens, and the clock catches up.
        """
        newest = Change.objects.order_by("-pk").values_list("pk", "free_at")[0]
        is_untouched = newest == (self.pk, self.at + MICROSECOND)
        free = self.at if is_untouched else newest[1]
        found = {}
        for each, width in sorted(widths.items()):
            found[each] = free if width else self.at
            free += width * MICROSECOND
        if free > newest[1]:
            Change.objects.filter(pk=newest[0]).update(free_at=free)
        return found


_FREE = Question(lambda: Change.objects.order_by("-pk").values_list("free_at", flat=True)[:1])


class SavedProfile(models.Model):
    """A column map that a person saved; found again for the same partner by the header's fingerprint."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="profiles")
    name = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64, default="", blank=True)
    body = models.JSONField()
    created_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "name"], name="profile_name_once"),
        ]
        indexes = [models.Index(fields=["organisation", "fingerprint"])]


def is_unset(moment: object) -> bool:
    """Whether a moment that every row has was not said yet."""
    return moment is None


def end_under(handling: HandlingSet, received_at: datetime) -> datetime:
    """When what was received then under this set is over."""
    return retention.expires_at(received_at, int(handling.body["retention_months"]))


class FeedState(models.Model):
    """How a feed is doing. The feed itself is a file; only the switch and the health live here."""

    slug = models.CharField(max_length=120, unique=True)
    enabled = models.BooleanField(default=False)
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="+")
    next_at = models.DateTimeField(null=True)
    run_at = models.DateTimeField(null=True)
    ok_at = models.DateTimeField(null=True)
    rows = models.BigIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(default="", blank=True)
    etag = models.CharField(max_length=300, default="", blank=True)
    last_modified = models.CharField(max_length=80, default="", blank=True)
    last_delivery = models.ForeignKey("intake.Delivery", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering: ClassVar = ["slug"]
