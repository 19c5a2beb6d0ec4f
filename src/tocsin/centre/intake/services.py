"""Receiving a delivery, and committing what a reading made of it. Each is one transaction with its audit entry."""

from __future__ import annotations

import base64
import hashlib
import logging
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet

from tocsin.centre import rows
from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members import agreements, countries
from tocsin.centre.members.doors import require_open
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.questions import Question
from tocsin.core.errors import Conflict
from tocsin.core.profiles import Profile
from tocsin.core.words import Role, Tlp
from tocsin.lake import files
from tocsin.lake.keys import sealed_by

from . import data_types, grades, originals, pressure, store, urgency, vault
from .batch_rows import Interned, batches_of, insert_batches, settle
from .models import Batch, Change, Delivery, Hold, LakeFile, NameTally, Tally
from .reading import parts_of, profile_to_json
from .sealed_fields import Opened

log = logging.getLogger(__name__)
READ = "read-delivery"
"""Kind of the job that reads a delivery."""
SMALL_BYTES = 1 << 20
"""Of a delivery that may be read together with others."""
Keeper = Callable[[Delivery, dict[str, Any], Path, datetime], None]
"""Inserts its part of an outcome inside the commit: topics above intake keep objects, proposals, conflicts."""
Concerned = Callable[[Sequence[Delivery], dict[str, Any], datetime], Collection[int]]
"""Which of several deliveries that were read together, into this outcome, a keeper has anything to do for: by number.
Most have nothing to do, and to find that out for all of them costs what it costs for one."""
CONCLUDED = (
    "state", "reason", "reason_where", "format", "title", "language", "rows", "repeats", "objects_count",
    "proposals_count", "rejections", "conflicts", "countries", "seconds", "finished_at", "name", "ends_at",
    "defaults_applied",
)  # fmt: skip
"""What a commit says of a delivery."""


def store_folder() -> Path:
    """The installation's store."""
    return Path(settings.INSTALLATION.store_folder)


def receive(
    *,
    organisation: Organisation,
    via: str,
    name: str,
    chunks: Iterable[bytes],
    at: datetime,
    person: Person | None = None,
    profile: Profile | None = None,
    marking: str = "",
    grade: str = "",
    idempotency_key: str | None = None,
    source_at: datetime | None = None,
    mends: Delivery | None = None,
    drawn_from: Delivery | None = None,
    circular: Mapping[str, object] | None = None,
    urgent: str = "",
    priority: int = 0,
) -> Delivery:
    """Take a delivery into keeping. When this returns, its bytes and its row are durable: then the receipt counts.

    The same key, or the same bytes from the same organisation, change nothing: the first receipt comes back,
    or a row in state `duplicate` that points to it. What an organisation hands over anew needs its agreement in force
    at `at`; what the Centre draws from an earlier delivery (`drawn_from`) was agreed on when that one came. A
    `circular` goes from one bureau to others, under these fields of the handling set, and is not the Centre's to read.
    `urgent` says why somebody must take it up at once.
    Raises InputError("too-large" | "no-space" | "agreement-expired" | "agreement-not-in-force" | "country-restricted" |
    "country-suspended" | "not-a-grade" | "ambiguous-grade"), and what `pressure.taking` raises.
    """
    if idempotency_key and (known := _by_key(organisation, idempotency_key)) is not None:
        return known
    if drawn_from is None:
        agreements.require_in_force(organisation, at)  # Before a byte is read.
    stated_grade, why = grades.stated(grade, organisation), urgency.stated(urgent)
    kept = _kept(organisation, via, chunks, at, is_drawn=drawn_from is not None)
    actor = person.login if person else f"{via}:{organisation.slug}"
    values: dict[str, Any] = {
        "receipt": new_receipt(), "organisation": organisation, "person": person, "via": via,
        "name": _storable(Path(name).name, 255) or "delivery", "sha256": kept.sha256, "size_bytes": kept.size_bytes,
        "idempotency_key": idempotency_key, "received_at": at, "source_at": source_at, "mends": mends,
        "stated_marking": marking, "stated_grade": stated_grade, "profile": profile_to_json(profile) if profile else {},
        "profile_name": profile.name if profile else "",
        # The questions were asked of what it was drawn from.
        "passes": [] if drawn_from is None else [*Hold.Kind.values, data_types.NOT_ASKED],
        "keep_until": None if drawn_from is None else end_of(drawn_from),
        "urgent_at": at if why else None, "urgency": why,
    }  # fmt: skip
    values |= {} if circular is None else _values_of_circular(circular, marking)
    try:
        with transaction.atomic():
            _require_still_open(organisation, person, at, is_drawn=drawn_from is not None)
            delivery = Delivery.objects.create(**values)
            _enter(delivery, actor, priority)
        return delivery
    except IntegrityError:
        if idempotency_key and (known := _by_key(organisation, idempotency_key)) is not None:
            if known.sha256 != kept.sha256:
                raise Conflict("this idempotency key was used for other bytes") from None
            return known
        return _as_duplicate(values, actor, at)


def new_receipt() -> str:
    """A random number nobody can guess, which the standards of machine doors can write as a version 4 UUID."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def _kept(organisation: Organisation, via: str, chunks: Iterable[bytes], at: datetime, *, is_drawn: bool) -> store.Kept:
    """The bytes, durable; taken only where the organisation and the machine may take them. What the Centre fetches,
    draws or is given at its own command line is not turned away."""
    limit_bytes = settings.INSTALLATION.upload_limit_bytes
    if is_drawn or via in (Delivery.Via.FEED, Delivery.Via.COMMAND):
        return originals.keep(store_folder(), chunks, limit_bytes)
    with pressure.taking(organisation, at, is_page=via == Delivery.Via.PAGE):
        kept = originals.keep(store_folder(), chunks, limit_bytes)
    pressure.taken(organisation, kept.size_bytes, at)
    return kept


def _enter(delivery: Delivery, actor: str, priority: int) -> None:
    """Its job and its entry in the log, in the transaction of its row."""
    at, order = delivery.received_at, urgency.PRIORITY if delivery.urgent_at else priority
    enqueue_reading(delivery, at, order)
    facts: dict[str, object] = {"sha256": delivery.sha256, "via": delivery.via}
    facts |= {"supervised": True} if came_supervised(delivery) else {}
    facts |= {"urgent": True} if delivery.urgent_at else {}
    record(actor, "delivery.received", f"delivery:{delivery.pk}", facts, at=at)


def enqueue_reading(delivery: Delivery, at: datetime, priority: int = 0) -> None:
    """Its place in the queue: each organisation has its share of the work."""
    payload = {"delivery": delivery.pk} | ({jobs.TOGETHER: True} if _may_be_read_with_others(delivery) else {})
    jobs.enqueue(
        READ, f"delivery:{delivery.pk}", payload, at=at, priority=priority,
        owner=delivery.organisation_id, cost=delivery.size_bytes,
    )  # fmt: skip


def _may_be_read_with_others(delivery: Delivery) -> bool:
    """A small envelope of a program, about which nothing was said that others are not under: most of what comes by
    TAXII."""
    is_odd = delivery.is_circular or delivery.under_id or delivery.passes or delivery.profile or delivery.urgent_at
    return delivery.via == Delivery.Via.TAXII and delivery.size_bytes <= SMALL_BYTES and not is_odd


def _require_still_open(organisation: Organisation, person: Person | None, at: datetime, *, is_drawn: bool) -> None:
    """While the bytes came, the agreement may have been suspended, or the sender's key revoked."""
    if not is_drawn:
        agreements.require_in_force(organisation, at)
    if person is not None:
        require_open(person)


def _values_of_circular(circular: Mapping[str, object], marking: str) -> dict[str, Any]:
    return {
        "is_circular": True, "is_private": True, "stated_handling": dict(circular), "least_marking": marking,
        # It reaches bureaus alone, so that people's data in it are under no wide label.
        "passes": [Hold.Kind.PERSONAL.value],
    }  # fmt: skip


def end_of(delivery: Delivery) -> datetime | None:
    """When the first of its parts is over; None while it has none."""
    found: datetime | None = Batch.objects.filter(delivery=delivery).aggregate(first=Min("expires_at"))["first"]
    return found


def sent_before(*, organisation: Organisation, idempotency_key: str, chunks: Iterable[bytes]) -> Delivery | None:
    """The delivery that first came under this key; None when there is none, and then nothing was read.

    A sender that uses a key twice for different bytes would lose the second: Conflict is raised instead.
    """
    known = _by_key(organisation, idempotency_key)
    if known is None:
        return None
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    if digest.hexdigest() != known.sha256:
        raise Conflict("this idempotency key was used for other bytes")
    return known


def came_supervised(delivery: Delivery) -> bool:
    """Whether its country was supervised when it came in: somebody at the Centre checks it before others see it."""
    return countries.is_supervised(delivery.organisation, delivery.received_at)


def _by_key(organisation: Organisation, key: str) -> Delivery | None:
    return Delivery.objects.filter(organisation=organisation, idempotency_key=key).first()


def _as_duplicate(values: dict[str, Any], actor: str, at: datetime) -> Delivery:
    first = Delivery.objects.exclude(state__in=(Delivery.State.DUPLICATE, *Delivery.GONE)).get(
        organisation=values["organisation"], sha256=values["sha256"]
    )
    with transaction.atomic():
        again = Delivery.objects.create(
            **values, state=Delivery.State.DUPLICATE, duplicate_of=first, finished_at=at, format=first.format
        )
        record(actor, "delivery.duplicate", f"delivery:{again.pk}", {"of": first.pk}, at=at)
        urgency.sent_again(first, values["urgency"], actor=actor, at=at)
    return again


def commit(
    delivery: Delivery,
    outcome: dict[str, Any],
    work: Path,
    claim: jobs.Claim,
    at: datetime,
    keepers: Sequence[Keeper] = (),
) -> None:
    """Register everything that the reading left, move the delivery's state, log it: all of it or nothing.

    The files get their names first. A crash before the transaction ends leaves files that nobody knows;
    reading again replaces them under the same names. Raises Conflict when the lease was lost.

    From `settle` on, which is one of the keepers or follows them, nobody else changes batches: what takes long comes
    before. `outcome["change"]` tells keepers how far things were when this began.
    """
    jobs.renew(claim, at, done=outcome["rows"])  # Who lost the lease leaves the other's files alone.
    if outcome["state"] == "parsed" and (foreign := data_types.not_agreed(delivery, outcome, work)):
        quarantine(delivery, data_types.REASON, " ".join(foreign), claim, at)
        return
    moved = _move_files(delivery, outcome, work)
    outcome["change"] = _newest_change()
    interned = Interned()
    if outcome["state"] == "parsed":  # Rows that many share: who makes the first of a kind holds up nobody.
        batches_of(delivery, outcome, set(), at, interned)
    with transaction.atomic():
        jobs.finish(claim, at)
        delivery = _LOCKED(delivery.pk)[0]
        red: set[int] = set()
        if outcome["state"] == "parsed":
            red = insert_batches([(delivery, outcome)], _with_victims(outcome, work), at, interned)
            _register(delivery, moved, at)
            _insert_tallies(outcome, work)
            for keep in keepers:
                keep(delivery, outcome, work, at)
            settle(delivery, outcome, work, at)
        _conclude([(delivery, outcome)], red, at)


def _locked(number: int) -> QuerySet[Delivery]:
    found = Delivery.objects.select_for_update(of=("self",)).select_related("organisation", "under")
    return found.filter(pk=number)


_LOCKED = Question(_locked, -1)
_NEWEST = Question(lambda: Change.objects.order_by("-pk").values_list("pk", flat=True)[:1])


def _newest_change() -> int:
    return int(_NEWEST.first() or 0)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a reading of several deliveries left for all of them: the outcome that holds their files and parts, its work
    folder, and the keepers that take parts as they are, whosever they are."""

    outcome: dict[str, Any]
    work: Path
    keepers: Sequence[Keeper]
    concerned: Mapping[Keeper, Concerned] = field(default_factory=dict)


def commit_together(
    several: Sequence[tuple[Delivery, dict[str, Any], Path]], shared: Shared, claims: Sequence[jobs.Claim],
    at: datetime, keepers: Sequence[Keeper],
) -> None:  # fmt: skip
    """The same for deliveries of one day that were read together, each by its claim: all of them or none.

    The file of their rows has a name that no delivery read alone gives any. Raises Conflict when a lease was lost.
    """
    jobs.renew(claims[0], at, done=shared.outcome["rows"], beside=claims[1:])
    moved = _move_files(several[0][0], shared.outcome, shared.work)
    with transaction.atomic():  # Keys are durable before anything is sealed by them: all of them at once.
        vault.make_keys([originals.about_rejections(delivery) for delivery, outcome, _ in several if outcome["parts"]])
    interned = Interned()
    for delivery, outcome, work in several:
        _move_files(delivery, outcome, work)
        batches_of(delivery, outcome, set(), at, interned)
    shared.outcome["change"] = _newest_change()
    with transaction.atomic():
        jobs.finish(claims[0], at, beside=claims[1:])
        locked = {each.pk: each for each in Delivery.objects.select_for_update(of=("self",))
                  .select_related("organisation", "under").filter(pk__in=[one.pk for one, _, _ in several])
                  .order_by("pk")}  # fmt: skip
        several = [(locked[delivery.pk], outcome, work) for delivery, outcome, work in several]
        first = several[0][0]
        pairs = [(delivery, outcome) for delivery, outcome, _ in several]
        red = insert_batches(pairs, _with_victims(shared.outcome, shared.work), at, interned)
        _register(first, moved, at)
        _insert_tallies(shared.outcome, shared.work)
        for keep in keepers:
            if keep in shared.keepers:
                keep(first, shared.outcome, shared.work, at)
                continue
            ask = shared.concerned.get(keep)
            wanted = None if ask is None else ask([delivery for delivery, _ in pairs], shared.outcome, at)
            for delivery, outcome, work in several:
                if wanted is None or delivery.pk in wanted:
                    keep(delivery, outcome, work, at)
        settle(first, shared.outcome, shared.work, at)
        _conclude(pairs, red, at)


def _conclude(several: Sequence[tuple[Delivery, dict[str, Any]]], red: Collection[int], at: datetime) -> None:
    """What became of each, `red` being those that hold something TLP:RED."""
    for delivery, outcome in several:
        _fill(delivery, outcome, at)
        if delivery.pk in red:
            seal_name(delivery)
    rows.update(Delivery, CONCLUDED, [delivery for delivery, _ in several])
    for delivery, outcome in several:
        facts = {name: outcome[name] for name in ("rows", "repeats", "things", "rejections", "reason")}
        record("system", f"delivery.{delivery.state}", f"delivery:{delivery.pk}", facts, at=at)
    numbers = [delivery.pk for delivery, outcome in several if outcome["rows"]]
    if numbers:
        subject = f"delivery:{numbers[0]}" if len(several) == 1 else f"deliveries:{numbers[0]}-{numbers[-1]}"
        told = {"delivery": numbers[0]} if len(several) == 1 else {"deliveries": numbers}
        jobs.enqueue("standing-queries", subject, told, at=at)


def _move_files(delivery: Delivery, outcome: dict[str, Any], work: Path) -> list[dict[str, Any]]:
    folder = files.day_folder(delivery.received_at.date())
    moved = []
    for made in outcome["files"]:
        written = files.Written(**{**made, "path": work / made["path"]})
        relative = f"{folder}/{made['path']}"
        files.move_into(written, store_folder(), relative)
        moved.append({**made, "path": relative, "sealed_by": sealed_by(store_folder() / relative)})
    target = store_folder() / "rejections" / str(delivery.pk)
    shutil.rmtree(target, ignore_errors=True)  # What an earlier reading, with another profile, refused.
    for name in outcome["parts"].get("rejections", ()):
        target.mkdir(parents=True, exist_ok=True)
        originals.seal_rejections(delivery, work / name, target / name)
    return moved


def _with_victims(outcome: dict[str, Any], work: Path) -> set[int]:
    """The batches that have rows of victims."""
    is_victim = pl.col("role") == Role.VICTIM
    return {number for frame in parts_of(outcome, "tallies", work) for number in frame.filter(is_victim)["batch"]}


def _register(delivery: Delivery, moved: list[dict[str, Any]], at: datetime) -> None:
    LakeFile.objects.bulk_create(
        LakeFile(
            path=made["path"],
            day=delivery.received_at.date(),
            rows=made["rows"],
            size_bytes=made["size_bytes"],
            digest=made["digest"],
            first_batch=made["first_batch"],
            last_batch=made["last_batch"],
            sealed_by=made["sealed_by"],
            created_at=at,
        )
        for made in moved
    )


def _insert_tallies(outcome: dict[str, Any], work: Path) -> None:
    for frame in parts_of(outcome, "tallies", work):
        rows.insert_frame(Tally, frame.select("batch", "day", "country", "type", "role", "rows", "sightings"))
    for frame in parts_of(outcome, "names", work):
        columns = ("batch", "country", "malware", "rows", "last_day")
        of_these = Batch.objects.filter(pk__in=[made["number"] for made in outcome["batches"]])
        red = list(of_these.filter(handling_set__tlp=Tlp.RED.value).values_list("pk", flat=True))
        if red:
            words = {word: vault.sealed_word(word) for word in frame.filter(pl.col("batch").is_in(red))["malware"]}
            sealed = pl.col("malware").replace_strict(words, default=None, return_dtype=pl.String)
            frame = frame.with_columns(malware=pl.when(pl.col("batch").is_in(red)).then(sealed).otherwise("malware"))
        rows.insert_frame(NameTally, frame.select(columns))


def _fill(delivery: Delivery, outcome: dict[str, Any], at: datetime) -> None:
    state = Delivery.State.PARSED if outcome["state"] == "parsed" else Delivery.State.QUARANTINED
    delivery.state = state
    delivery.reason = outcome["reason"][:40]
    delivery.reason_where = _storable(outcome["where"], 200)
    delivery.format = outcome["format"][:40]
    delivery.title = _storable(outcome["title"], 300)
    delivery.language = _storable(outcome["language"], 12)
    delivery.rows, delivery.repeats = outcome["rows"], outcome["repeats"]
    delivery.objects_count, delivery.proposals_count = outcome["things"], outcome["proposals"]
    delivery.rejections, delivery.conflicts = outcome["rejections"], outcome["conflicts"]
    delivery.countries = outcome["countries"]
    delivery.seconds = float(outcome.get("cpu_seconds", 0))
    delivery.finished_at = at


def seal_name(delivery: Delivery) -> None:
    """Seal the name of a file that holds something TLP:RED."""
    if not isinstance(delivery.name, Opened):
        column: Any = Delivery._meta.get_field("name")
        delivery.name = column.sealed(delivery.name, vault.key_for(f"delivery:{delivery.pk}"))


def _storable(text: str | None, longest: int) -> str:
    """What any database takes: PostgreSQL knows no character zero, and half of a surrogate pair is no text."""
    return (text or "").replace("\x00", "").encode(errors="replace").decode()[:longest]


def quarantine(delivery: Delivery, reason: str, where: str, claim: jobs.Claim, at: datetime) -> None:
    """Set a delivery aside whole: its bytes stay, nothing of it is used."""
    with transaction.atomic():
        jobs.finish(claim, at)
        delivery.state, delivery.reason, delivery.finished_at = Delivery.State.QUARANTINED, reason, at
        delivery.reason_where = _storable(where, 200)
        delivery.save(update_fields=["state", "reason", "reason_where", "finished_at"])
        record("system", "delivery.quarantined", f"delivery:{delivery.pk}", {"reason": reason}, at=at)


def read_again(delivery: Delivery, *, by: Person, profile: Profile | None, at: datetime) -> None:
    """Queue a quarantined delivery again, with another profile where one is given. Raises Conflict for any other."""
    values: dict[str, Any] = {"state": Delivery.State.RECEIVED, "reason": "", "reason_where": "", "finished_at": None}
    if profile is not None:
        values |= {"profile": profile_to_json(profile), "profile_name": profile.name}
    with transaction.atomic():
        if not Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.QUARANTINED).update(**values):
            raise Conflict("it is not in quarantine any more")
        enqueue_reading(delivery, at)
        record(by.login, "delivery.read-again", f"delivery:{delivery.pk}", {}, at=at)


def dumps(value: object) -> str:
    """JSON text for a column that is written without the ORM."""
    return orjson.dumps(value).decode()
