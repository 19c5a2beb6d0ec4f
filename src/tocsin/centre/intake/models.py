"""Deliveries and what became of them; the registry of the lake's files; feeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.members.models import HandlingSet, Organisation, Person
from tocsin.centre.questions import Act
from tocsin.centre.rows import Numbers
from tocsin.handling import default_set, retention

from .ground_models import Audience, Change, FeedState, SavedProfile, SealKey, Terms, end_under, is_unset
from .lake_models import LakeFile, NameTally, Tally
from .opening_models import HEAD, Former, Rights
from .sealed_fields import SealedJSONField, SealedTextField, SealedWordsField
from .store_models import StoreFault

__all__ = [
    "HEAD", "Audience", "Change", "FeedState", "Former", "LakeFile", "NameTally", "Rights", "SavedProfile", "SealKey",
    "StoreFault", "Tally", "Terms",
]  # fmt: skip


class Delivery(models.Model):
    """What one organisation handed over at one moment. The bytes lie in the store under their SHA-256."""

    class State(models.TextChoices):
        RECEIVED = "received"
        PARSED = "parsed"  # Read and committed; rejections may exist.
        QUARANTINED = "quarantined"
        DUPLICATE = "duplicate"
        HELD = "held"  # Nothing of it is used; only its source and legal officers know of it.
        REFUSED = "refused"  # By a legal officer: its bytes stay sealed.
        WITHDRAWN = "withdrawn"  # By its source, when it was asked about it.
        EXPIRED = "expired"  # Its term is over: nobody sees anything of it, and its purge is near.
        PURGED = "purged"  # What is left is this row, its numbers and the log of acts.

    GONE: ClassVar = (State.EXPIRED, State.PURGED)

    class Via(models.TextChoices):
        PAGE = "page"
        API = "api"
        TAXII = "taxii"
        FEED = "feed"
        COMMAND = "command"

    receipt = models.CharField(max_length=32, unique=True)
    """What the sender is given: public, unguessable."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="deliveries")
    person = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    via = models.CharField(max_length=8, choices=Via)
    name = SealedTextField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    idempotency_key = models.CharField(max_length=120, null=True, default=None)
    received_at = models.DateTimeField()
    source_at = models.DateTimeField(null=True)
    """When the source says it was made, where it does."""
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    reason = models.CharField(max_length=40, default="", blank=True)
    reason_where = SealedTextField(default="", blank=True, always="self")
    duplicate_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="duplicates")
    mends = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="mended_by")
    """The delivery whose rejected records this one brings again."""
    profile_name = models.CharField(max_length=120, default="", blank=True)
    profile = models.JSONField(default=dict)
    """The profile as it stood, so that reading again gives the same result."""
    stated_marking = models.CharField(max_length=20, default="", blank=True)
    """The label that the sender chose when handing over; empty: as in the file, else the agreement's default."""
    least_marking = models.CharField(max_length=20, default="", blank=True)
    """The widest label that any part of it may have, whatever it says: chosen by its source when it was asked."""
    stated_grade = models.CharField(max_length=16, default="", blank=True)
    """The grade that the sender chose when handing over, as `core.grading` keeps it; empty: as in the file, else the
    agreement's default."""
    format = models.CharField(max_length=40, default="", blank=True)
    title = SealedTextField(default="", blank=True, always="self")
    language = models.CharField(max_length=12, default="", blank=True)
    defaults_applied = models.JSONField(default=list)
    """Names of what was filled in by default: shown back to the source."""
    under = models.ForeignKey(HandlingSet, null=True, default=None, on_delete=models.PROTECT, related_name="+")
    """What holds for all of it whatever it says: of what was drawn from other deliveries (`Origin`)."""
    passes = models.JSONField(default=list)
    """Kinds of holds (`Hold.Kind`) that are not asked of it, or not again; with `data_types.NOT_ASKED` where the Centre
    drew it from something that was agreed on."""
    is_circular = models.BooleanField(default=False)
    """Sent by a bureau straight to others: nobody else releases it."""
    is_private = models.BooleanField(default=False)
    """Kept from the Centre's people: it carries this and does not read it."""
    stated_handling = models.JSONField(default=dict)
    """What its sender laid down for all of it, over the agreement's defaults: fields of the handling set."""
    rows = models.BigIntegerField(default=0)
    repeats = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    proposals_count = models.BigIntegerField(default=0)
    rejections = models.BigIntegerField(default=0)
    conflicts = models.BigIntegerField(default=0)
    countries = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    finished_at = models.DateTimeField(null=True)
    urgent_at = models.DateTimeField(null=True, default=None)
    """Since when its source calls it urgent: from then on the short time to take it up runs (`urgency`)."""
    urgency = SealedWordsField(default="", blank=True)
    """Why, in the source's words."""
    keep_until = models.DateTimeField(null=True)
    """The end of what it was drawn from: nothing of it is kept longer, whatever its own label says."""
    ends_at = models.DateTimeField()
    """When the last of its parts is over; of what was not read, by the agreement. From then on it is no delivery any
    more for anybody."""
    verified_at = models.DateTimeField(null=True)
    """When its bytes in the store were last compared with its SHA-256."""

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-received_at"]),
            models.Index(fields=["state", "-received_at"]),
            models.Index(fields=["received_at", "id"], name="delivery_received"),
            models.Index(fields=["urgent_at", "id"], condition=Q(urgent_at__isnull=False), name="delivery_urgent"),
            models.Index(fields=["ends_at"]),
            models.Index(fields=["verified_at"], name="delivery_verified_at"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "sha256"],
                condition=~models.Q(state__in=["duplicate", "expired", "purged"]),
                name="delivery_same_bytes_once",
            ),
            models.UniqueConstraint(fields=["organisation", "idempotency_key"], name="delivery_same_key_once"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        """As ever; what has no end yet gets the one that its source's agreement gives it."""
        if is_unset(self.ends_at):
            if self.duplicate_of is not None:
                self.ends_at = self.duplicate_of.ends_at
            else:
                months = int(default_set(self.organisation.defaults, None)[0].retention_months)
                own = retention.expires_at(self.received_at, months)
                self.ends_at = min(own, self.keep_until or own)
        super().save(*args, **options)

    @property
    def last_day(self) -> date:
        """The day at whose 24:00 UTC the last of it is over."""
        return retention.last_day_of(self.ends_at)


class BatchSet(models.QuerySet["Batch"]):
    """Batches. Whatever changes some of them marks them as changed, so that nobody can forget it."""

    def alive(self, now: datetime) -> BatchSet:
        """Those neither hidden nor over at that moment; what was hidden at once, or over once, stays so whatever the
        clock does."""
        now = judged_at(now)
        shown = Q(hidden_at__isnull=True) | Q(hidden_at__gt=now) & Q(hidden_at__gt=F("moved_at"))
        return self.filter(shown, expires_at__gt=now)

    def update(self, **values: Any) -> int:
        """As ever; a new handling set or source brings the terms with it, each batch keeping its audience but for those
        whom the source permitted beyond the old set."""
        with transaction.atomic():
            change = Change.next()
            drawn = Origin.drawn_from(self) if values.keys() & {"hidden_at", "handling_set"} else []
            if drawn and (at := values.get("hidden_at", timezone.now())) is not None:
                Origin.close(drawn, at)
            if "terms" not in values and values.keys() & {"handling_set", "organisation"}:
                changed = 0
                listed = Terms.objects.filter(pk__in=self.order_by().values("terms").distinct())
                for terms in listed.select_related("audience", "permitted"):
                    source, under = (
                        getattr(value, "pk", value)
                        for value in (
                            values.get("organisation", terms.organisation_id),
                            values.get("handling_set", terms.handling_set_id),
                        )
                    )
                    new = terms.relabelled(source, under)
                    moved = self.filter(terms=terms)
                    if terms.handling_set_id != new.handling_set_id:
                        _bring_forward(moved, new.handling_set)
                    changed += moved._moved({**values, "terms": new}, change)
                return changed
            return self._moved(values, change)

    def _moved(self, values: dict[str, Any], change: Change) -> int:
        """Change them; what comes under other terms, into hiding or out of it, lies so from now on."""
        moves = Q()
        if "terms" in values:
            moves |= ~Q(terms=values["terms"])
        if "hidden_at" in values:
            moves |= Q(hidden_at__isnull=values["hidden_at"] is not None)
        if not moves:
            return super().update(**values, changed=change.pk)
        moving = self.filter(moves).order_by()
        since = moments_of(change, set(moving.values_list("delivery_id", flat=True)))
        Former.note(moving, since)
        if len(since) <= _FEW_DELIVERIES:
            begins = [When(Q(moves, delivery=each), then=Value(at)) for each, at in since.items()]
            moved_at = Case(*begins, default=F("moved_at"), output_field=models.DateTimeField())
            return super().update(**values, moved_at=moved_at, changed=change.pk)
        # Whoever is picked by what is written here is picked before it.
        every, by_delivery = list(self.order_by().values_list("pk", flat=True)), defaultdict[int, list[int]](list)
        for number, delivery in moving.values_list("pk", "delivery_id"):
            by_delivery[delivery].append(number)
        for delivery, numbers in by_delivery.items():
            models.QuerySet.update(Batch.objects.filter(pk__in=Numbers(numbers)), moved_at=since[delivery])
        return models.QuerySet.update(Batch.objects.filter(pk__in=Numbers(every)), **values, changed=change.pk)

    def recast(self) -> None:
        """Another country was written into some of their rows. Who follows what is of that country finds them there
        from now on: each delivery takes its moments once more."""
        with transaction.atomic():
            change = Change.next()
            for delivery, at in moments_of(change, set(self.order_by().values_list("delivery_id", flat=True))).items():
                models.QuerySet.update(self.filter(delivery=delivery), recast_at=at, changed=change.pk)

    def note_over(self) -> int:
        """Those of them whose term is over, which no change told, close now, among the changes of all batches, to who
        follows what is open; says how many. It is done once: from then on they moved after their end."""
        over = self.filter(hidden_at=None, moved_at__lt=F("expires_at")).order_by()
        if not over.filter(expires_at__lte=timezone.now()).exists():
            return 0
        with transaction.atomic():
            change, count = Change.next(), 0
            over = over.filter(expires_at__lte=change.at)
            since = moments_of(change, set(over.values_list("delivery_id", flat=True)))
            Former.note(over, since)
            for delivery, at in since.items():
                count += models.QuerySet.update(over.filter(delivery=delivery), moved_at=at, changed=change.pk)
        return count

    def bulk_create(self, objs: Iterable[Batch], *args: Any, **options: Any) -> list[Batch]:
        """As ever, for batches whose terms are set."""
        made = list(objs)
        with transaction.atomic():
            change = Change.next()
            since = moments_of(change, {each.delivery_id for each in made})
            set_terms(made)
            for each in made:
                each.changed, each.moved_at = change.pk, since[each.delivery_id]
            return super().bulk_create(made, *args, **options)

    def insert_unsettled(self, batches: list[Batch]) -> None:
        """The same for who has more to write before others have to wait: `settle` follows in this transaction, before
        anybody sees them."""
        for each in batches:
            each.changed, each.moved_at = 0, each.received_at
        super().bulk_create(batches)

    def settle(self) -> None:
        """Give these their place among all changes, and their moments."""
        with transaction.atomic():
            change = Change.next()
            found = list(self.order_by().values_list("pk", "delivery_id"))
            since = moments_of(change, {delivery for _, delivery in found})
            _SETTLED.each((number, since[delivery], change.pk) for number, delivery in found)


_SETTLED = Act(
    lambda number, at, change: (Batch.objects.filter(pk=number), {"moved_at": at, "changed": change}),
    -1, datetime(1970, 1, 1, tzinfo=UTC), 29,
)  # fmt: skip


class Batch(models.Model):
    """The part of a delivery that shares source, handling set and profile: the unit of visibility."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="batches")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    handling_set = models.ForeignKey(HandlingSet, on_delete=models.PROTECT, related_name="+")
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="+")
    """Source, handling set and audience as one: what the gate is asked about."""
    received_at = models.DateTimeField()
    grade = models.CharField(max_length=16, default="", blank=True)
    """How its source grades itself and what it says, as given (`core.grading`); empty: nobody said, before this was
    kept. Only its source changes it, and what stood there before stays in `Grading`."""
    rows = models.BigIntegerField(default=0)
    rows_seen: int
    """Of these, what one viewer may read; `selectors.with_rows_seen` sets it."""
    objects_count = models.BigIntegerField(default=0)
    hidden_at = models.DateTimeField(null=True)
    """When recalled: readers see nothing of it from that moment."""
    expires_at = models.DateTimeField()
    """24:00 UTC of the last day of its term: nobody sees anything of it from that moment, and it is purged after."""
    recast_at = models.DateTimeField(null=True)
    """When a country that somebody decided was last written into its rows and tallies, which never change else: where
    the moments begin in which the batch is new to who follows that country (`BatchSet.recast`)."""
    parted_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts")
    """The batch that what is in it was taken out of, to be recalled or relabelled alone."""
    parted_at = models.DateTimeField(null=True)
    """When, where it stayed open: whoever took from the other batch before has what is in this one."""
    sealed_at = models.DateTimeField(null=True)
    """When its objects were sealed: it is TLP:RED, or has rows of victims."""
    purged_at = models.DateTimeField(null=True)
    """When all that was in it was deleted."""
    changed = models.BigIntegerField(default=0)
    """Number of the last `Change` that touched it."""
    moved_at = models.DateTimeField()
    """The moment from which it is held under its terms and hidden, or not, as now: where the moments of its delivery
    begin in a `Change` (`moments_of`, and see `openings`)."""

    objects = BatchSet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["received_at"]),
            models.Index(fields=["handling_set"]),
            models.Index(fields=["changed"]),
            models.Index(fields=["moved_at"], name="intake_batch_moved_at"),
            models.Index(fields=["expires_at", "id"], name="batch_expires"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        """As ever, marked as changed, and held under terms that say what it says."""
        with transaction.atomic():
            change = Change.next()
            self.changed = change.pk
            if is_unset(self.expires_at):
                self.set_term(self.handling_set)
            held = self.terms
            if (held.organisation_id, held.handling_set_id) != (self.organisation_id, self.handling_set_id):
                self.terms = held.relabelled(self.organisation_id, self.handling_set_id)
                if held.handling_set_id != self.handling_set_id:
                    self.expires_at = min(self.expires_at, end_under(self.handling_set, self.received_at))
                if options.get("update_fields") is not None:
                    options["update_fields"] = {*options["update_fields"], "terms", "expires_at"}
            same = Q(terms=self.terms, hidden_at__isnull=self.hidden_at is None)
            before = Batch.objects.filter(pk=self.pk)
            unmoved = before.filter(same).values_list("moved_at", flat=True).first()
            since = moments_of(change, set() if unmoved else {self.delivery_id})
            Former.note(before.exclude(same), since)
            self._close_drawn(before)
            self.moved_at = unmoved or since[self.delivery_id]
            if options.get("update_fields") is not None:
                options["update_fields"] = {*options["update_fields"], "changed", "moved_at"}
            super().save(*args, **options)

    def set_term(self, handling: HandlingSet) -> None:
        """The end that its handling set and what it was drawn from give it."""
        own = end_under(handling, self.received_at)
        self.expires_at = min(own, self.delivery.keep_until or own)

    def _close_drawn(self, this: BatchSet) -> None:
        """Where it is hidden or relabelled by this saving, what was drawn from it closes."""
        drawn = Origin.drawn_from(this)
        before = this.values_list("hidden_at", "handling_set").first() if drawn else None
        if before is None:
            return
        if before[1] != self.handling_set_id:
            Origin.close(drawn, timezone.now())
        elif before[0] != self.hidden_at and self.hidden_at is not None:
            Origin.close(drawn, self.hidden_at)


class Origin(models.Model):
    """A batch that something in a delivery was drawn from. Hidden or relabelled, it closes what was drawn from it."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="origins")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="drawn")
    closed_at = models.DateTimeField(null=True)
    """When it closed what was drawn from it; until somebody looked at that."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["delivery", "batch"], name="origin_once")]

    @classmethod
    def all_drawn_from(cls, batches: Iterable[int]) -> set[int]:
        """Batches of whatever was drawn from these, and from that in turn, as far as they are shown."""
        found: set[int] = set()
        of = set(batches)
        while of:
            drawn = cls.objects.filter(batch__in=of).values("delivery")
            of = set(Batch.objects.filter(delivery__in=drawn, hidden_at=None).values_list("pk", flat=True)) - found
            found |= of
        return found

    @classmethod
    def drawn_from(cls, batches: models.QuerySet[Batch]) -> list[int]:
        """Deliveries that were drawn from these batches, as numbers."""
        found = cls.objects.filter(batch__in=batches.order_by().values("pk")).order_by("delivery")
        return list(found.values_list("delivery", flat=True).distinct())

    @staticmethod
    def close(drawn: Iterable[int], at: datetime) -> None:
        """Hide these deliveries from that moment, and whatever was drawn from them in turn. Somebody looks at each
        before it opens again."""
        for number in drawn:
            shown = Q(hidden_at=None) | Q(hidden_at__gt=at)
            closed = Batch.objects.filter(shown, delivery=number).update(hidden_at=at)
            if closed:
                Origin.objects.filter(delivery=number).update(closed_at=at)
                record("system", "delivery.closed-with-origin", f"delivery:{number}", {"batches": closed}, at=at)


class Grading(models.Model):
    """A grade that was given to a batch after it arrived: by its source anew, or by the Centre beside it."""

    class Kind(models.TextChoices):
        SOURCE = "source"
        CENTRE = "centre"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="gradings")
    kind = models.CharField(max_length=8, choices=Kind)
    grade = models.CharField(max_length=16)
    former = models.CharField(max_length=16, default="", blank=True)
    """What it followed."""
    note = SealedWordsField(default="", blank=True)
    person = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["batch", "kind", "-at"])]


def set_terms(batches: Collection[Batch]) -> None:
    """Give each the end that follows from its handling set, where it has none."""
    unset = [each for each in batches if is_unset(each.expires_at)]
    sets = HandlingSet.objects.in_bulk({each.handling_set_id for each in unset})
    for each in unset:
        each.set_term(sets[each.handling_set_id])


_FEW_DELIVERIES = 20


def moments_of(change: Change, deliveries: Collection[int]) -> dict[int, datetime]:
    """Where the moments of each of these deliveries begin that change.

    An object has the moment HEAD and its place in the delivery behind that, whatever else of the delivery is open,
    hidden or purged: so no moment ever moves (`openings`).
    """
    return change.stretches(widths_of(deliveries))


def widths_of(deliveries: Collection[int]) -> dict[int, int]:
    """How many moments each of these deliveries takes; none where it has no objects."""
    among = Numbers(deliveries)
    found = dict(Delivery.objects.filter(pk__in=among, objects_count__gt=0).values_list("pk", "objects_count"))
    return {each: HEAD + found[each] if each in found else 0 for each in deliveries}


def _bring_forward(batches: models.QuerySet[Batch], handling: HandlingSet) -> None:
    """A set with a shorter term ends them earlier. A longer one gives nothing: that takes a reasoned review."""
    for received_at in batches.order_by().values_list("received_at", flat=True).distinct():
        end = end_under(handling, received_at)
        models.QuerySet.update(batches.filter(received_at=received_at, expires_at__gt=end), expires_at=end)


class Hold(models.Model):
    """Why a delivery is held before anything of it is used, and what was decided. Never deleted."""

    class Kind(models.TextChoices):
        LEGAL = "legal"  # Articles 2 and 3: a legal officer decides.
        PERSONAL = "personal-data"  # People's data under a label that is too wide: the source is asked first.

    class State(models.TextChoices):
        OPEN = "open"
        CLEARED = "cleared"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="holds")
    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    held_at = models.DateTimeField()
    facts = SealedJSONField(default=dict, always="delivery")
    """What the reading told of the delivery: format, title, numbers."""
    finds = SealedJSONField(default=list, always="delivery")
    """What was found, where, with the words around it."""
    checklist = SealedJSONField(default=dict, always="delivery")
    """Question of DOMAIN 2.6 → the officer's note."""
    answer = models.CharField(max_length=12, default="", blank=True)
    """What the source said when it was asked."""
    answer_text = SealedTextField(default="", blank=True, always="delivery")
    answered_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    answered_at = models.DateTimeField(null=True)
    decision = SealedTextField(default="", blank=True, always="delivery")
    """The reason in the officer's words. Of a refusal, the source reads it."""
    decided_by = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["delivery", "kind"], name="hold_of_a_kind_once")]
        indexes: ClassVar = [models.Index(fields=["state", "held_at"])]
