"""Making a redacted version, closing it with its origin, opening it again after somebody looked at it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from django.db import transaction
from django.db.models import Q

from tocsin.centre.audit.services import record
from tocsin.centre.intake import originals
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.batch_rows import handling_row
from tocsin.centre.intake.models import Batch, BatchSet, Delivery, Origin
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import Conflict, Refused
from tocsin.core.profiles import Profile
from tocsin.credentials.content_keys import KeyMissing
from tocsin.handling import Derived, HandlingSet, Parent, derive
from tocsin.handling.leaks import Place, Protected, Scanner, Secret, Text
from tocsin.lake.questions.extract import rows_under
from tocsin.lake.scope import Batches

from . import cutting, guard, texts
from .guard import LeaksError
from .models import Redaction

ABILITY = "propose-release"
STANDARD = "stix-2"
"""Objects of this standard can be redacted: their fields are known one by one."""
ROWS_SUFFIX = ".csv"
MOST_OBJECTS = 2_000
MOST_ROWS = 100_000
SHORTEST_REPLACED = 3
"""A shorter text stands in too many places to be replaced."""


def objects_for(person: Person, delivery: Delivery, at: datetime) -> list[Object]:
    """Objects of the delivery that this person may make a redacted version of."""
    seen = visible_batches(viewer_of(person), at).filter(delivery=delivery)
    found = Object.objects.filter(delivery=delivery, batch__in=seen, standard__startswith=STANDARD, revoked=False)
    return list(found.order_by("pk")[:MOST_OBJECTS])


def others_for(person: Person, delivery: Delivery, at: datetime) -> list[str]:
    """Standards of the objects that the person sees and nobody can redact."""
    seen = visible_batches(viewer_of(person), at).filter(delivery=delivery)
    found = Object.objects.filter(delivery=delivery, batch__in=seen).exclude(standard__startswith=STANDARD)
    return list(found.order_by("standard").values_list("standard", flat=True).distinct())


def contents_of(things: Collection[Object]) -> dict[int, dict[str, Any]]:
    """Number of each object → what it says; one whose bytes are no JSON object is left out."""
    found = {}
    for each in things:
        try:
            body = orjson.loads(body_of(each).raw)
        except orjson.JSONDecodeError:
            continue
        if isinstance(body, dict) and body.get("type") not in {"marking-definition", "identity"}:
            found[each.pk] = body
    return found


def derived_of(batches: Collection[Batch]) -> Derived:
    """What holds for something made of these, and which of them decides it (DOMAIN 4.5)."""
    sets = {each.handling_set.digest: each for each in sorted(batches, key=lambda batch: -batch.pk)}
    return derive([Parent(f"{each.delivery.name} · {each.pk}", HandlingSet.from_json(each.handling_set.body))
                   for each in sets.values()], _bureaus())  # fmt: skip


def _bureaus() -> set[str]:
    return set(Organisation.objects.filter(is_bureau=True).values_list("slug", flat=True))


@contextmanager
def _leaks_noted(delivery: Delivery, by: Person, at: datetime) -> Iterator[None]:
    """One transaction; where a leak ends it, the log says so all the same."""
    try:
        with transaction.atomic():
            yield
    except LeaksError as found:
        record(by.login, "redaction.blocked", f"delivery:{delivery.pk}", guard.facts_of(found), at=at)
        raise


def redact_objects(
    delivery: Delivery, numbers: Collection[int], *, out: Collection[str], replaced: cutting.Replacements,
    reason: str, by: Person, at: datetime,
) -> Redaction:  # fmt: skip
    """Make a redacted version of these objects. Raises Refused with why not, Conflict where it is there already, and
    LeaksError where what is left holds what must not be read."""
    with _leaks_noted(delivery, by, at):
        return _redacted_objects(delivery, numbers, out, replaced, reason, by, at)


def _redacted_objects(
    delivery: Delivery, numbers: Collection[int], out: Collection[str], replaced: cutting.Replacements, reason: str,
    by: Person, at: datetime,
) -> Redaction:  # fmt: skip
    _require(by, reason, replaced)
    things = [each for each in objects_for(by, delivery, at) if each.pk in set(numbers)]
    contents = contents_of(things)
    if not contents:
        raise Refused("nothing-chosen")
    if not (set(out) & set(cutting.fields_of(contents.values())) or replaced):
        raise Refused("nothing-taken-out")
    content = cutting.redacted_bundle(list(contents.values()), out, replaced, _seed(delivery, by, at))
    batches = Batch.objects.filter(pk__in={each.batch_id for each in things if each.pk in contents})
    kept = sorted(set(out) & set(cutting.fields_of(contents.values())))
    numbers = set(batches.values_list("pk", flat=True))
    protected = _protected_beside_objects(delivery, list(contents.values()), kept, numbers, by, at)
    guard.refuse_leaks(texts.of_bundle(content), [*guard.of_replaced(replaced), *protected])
    return _kept(delivery, batches, content, f"redacted-{delivery.pk}-{{}}.json", None, kept, replaced, reason, by, at)


def redact_rows(
    delivery: Delivery, *, out: Collection[str], replaced: cutting.Replacements, reason: str, by: Person, at: datetime
) -> Redaction:
    """Make a redacted version of the rows of a delivery that the person sees. Raises as `redact_objects` does."""
    with _leaks_noted(delivery, by, at):
        return _redacted_rows(delivery, out, replaced, reason, by, at)


def _redacted_rows(
    delivery: Delivery, out: Collection[str], replaced: cutting.Replacements, reason: str, by: Person, at: datetime
) -> Redaction:
    _require(by, reason, replaced)
    groups = sorted(set(out) & set(cutting.COLUMN_GROUPS))
    if not (groups or replaced):
        raise Refused("nothing-taken-out")
    rows = _rows_for(by, delivery, at)
    if not rows.height:
        raise Refused("nothing-chosen")
    columns = cutting.columns_without(groups)
    profile = Profile(
        name="redacted rows", format="delimited", columns={name: name for name in columns if name in rows.columns},
        delimiter=",", header=True, lists={"tags": ";"} if "tags" in columns else {},
        source_time=(delivery.source_at or delivery.received_at).isoformat(),
    )  # fmt: skip
    content = cutting.redacted_rows(rows, groups, replaced)
    batches = Batch.objects.filter(pk__in=rows["batch"].unique().to_list())
    name = f"redacted-{delivery.pk}-{{}}{ROWS_SUFFIX}"
    numbers = rows["batch"].unique().to_list()
    protected = _protected_beside_rows(delivery, rows, numbers, groups, by, at)
    guard.refuse_leaks(texts.of_table(content), [*guard.of_replaced(replaced), *protected])
    return _kept(delivery, batches, content, name, profile, groups, replaced, reason, by, at)


def _protected_beside_objects(
    delivery: Delivery, contents: Sequence[dict[str, Any]], out: Collection[str], batches: Collection[int], by: Person,
    at: datetime,
) -> list[Protected]:  # fmt: skip
    handling = _handling_of(batches)
    made = guard.of_objects(delivery, contents, out, handling, by, at) + guard.of_source(delivery, handling)
    beside = guard.of_rows(delivery, batches, handling, by, at)
    victims = [each for each in beside if each.why is Secret.VICTIM]
    others = Scanner(each for each in beside if each.why is not Secret.VICTIM)
    # What these objects were made to say is theirs: a value without a known role is theirs, too.
    own = texts.said_by(contents)
    said = {found.number for found in others.find([Text(Place("pattern"), own)])}
    made += guard.of_recalled(delivery, batches)
    return made + victims + [each for number, each in enumerate(others.protected) if number not in said]


def _protected_beside_rows(
    delivery: Delivery, rows: pl.DataFrame, batches: Collection[int], out: Collection[str], by: Person, at: datetime
) -> list[Protected]:
    handling = _handling_of(batches)
    kept = set(rows["value"].drop_nulls()) if rows.height else set()
    gone = [name for group in out for name in cutting.COLUMN_GROUPS[group] if name in cutting.TELLING]
    made = [Protected(name, Secret.REMOVED) for name in cutting.said_in(rows, gone) if name not in kept]
    made += guard.of_source(delivery, handling) + guard.of_recalled(delivery, batches)
    return made + guard.of_rows(delivery, batches, handling, by, at)


def _handling_of(batches: Collection[int]) -> HandlingSet:
    parents = Batch.objects.filter(pk__in=batches).select_related("handling_set", "delivery")
    handling = derived_of(list(parents)).handling
    if handling is None:
        raise Refused("no-common-purpose")
    return handling


def _rows_for(by: Person, delivery: Delivery, at: datetime) -> pl.DataFrame:
    """What the gate shows this person of the delivery's rows."""
    scope = scope_of(viewer_of(by), at)
    own = Batches(list(Batch.objects.filter(delivery=delivery, rows__gt=0).values_list("pk", flat=True)))
    numbers = own & scope.batches
    if not numbers:
        return pl.DataFrame()
    rows = rows_under(guard.snapshot_of(numbers), scope, numbers, MOST_ROWS)
    if rows is None:
        raise Refused("too-many-rows")
    return rows


def _require(by: Person, reason: str, replaced: cutting.Replacements) -> None:
    if not (by.organisation.is_centre and may(by, ABILITY)):
        raise Refused("not-allowed")
    if not reason.strip():
        raise Refused("no-reason")
    if any(len(old) < SHORTEST_REPLACED for old, _new in replaced):
        raise Refused("too-short")


def _seed(delivery: Delivery, by: Person, at: datetime) -> str:
    return f"{delivery.receipt} {by.login} {at.isoformat()}"


def _kept(
    delivery: Delivery, batches: BatchSet, content: bytes, name: str, profile: Profile | None, out: Sequence[str],
    replaced: cutting.Replacements, reason: str, by: Person, at: datetime,
) -> Redaction:  # fmt: skip
    """Hand it in as a delivery of the same source, under what is derived from the parts that it was made of."""
    parents = list(batches.select_related("handling_set", "delivery"))
    handling = derived_of(parents).handling
    if handling is None:
        raise Refused("no-common-purpose")
    made = intake.receive(
        organisation=delivery.organisation, via=Delivery.Via.PAGE, chunks=[content], at=at, person=by, profile=profile,
        name=name.format(Redaction.objects.filter(of=delivery).count() + 1), drawn_from=delivery,
    )  # fmt: skip
    if made.state == Delivery.State.DUPLICATE:
        raise Conflict("this redacted version is there already")
    Delivery.objects.filter(pk=made.pk).update(under=handling_row(handling))
    Origin.objects.bulk_create(Origin(delivery=made, batch=each) for each in parents)
    redaction = Redaction.objects.create(
        delivery=made, of=delivery, out=list(out), replacements=len(replaced), reason=reason.strip()[:1_000],
        made_by=by, made_at=at,
    )  # fmt: skip
    facts = {"of": delivery.pk, "batches": [each.pk for each in parents], "out": list(out), "replaced": len(replaced)}
    record(by.login, "redaction.made", f"delivery:{made.pk}", facts, at=at)
    return redaction


def follow_origin(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """A keeper of the commit: what closed while a redacted version was read closes it, too."""
    del outcome, work
    if delivery.under is None or not Redaction.objects.filter(delivery=delivery).exists():
        return  # What else is drawn stands under more than its parts say, such as an alert under its own label.
    parents = list(Batch.objects.filter(drawn__delivery=delivery).select_related("handling_set", "delivery"))
    shown = [each for each in parents if each.hidden_at is None or each.hidden_at > at]
    handling = derived_of(parents).handling
    if len(shown) < len(parents) or handling is None or handling.digest != delivery.under.digest:
        Origin.close([delivery.pk], at)
    elif until := _until(parents):
        Origin.close([delivery.pk], until)


def _until(parents: Collection[Batch]) -> datetime | None:
    """When the first of them will be hidden, as far as that is known."""
    return min((each.hidden_at for each in parents if each.hidden_at), default=None)


def closed(redaction: Redaction, at: datetime) -> Origin | None:
    """The origin that closed it, where it is closed by one and by nothing else."""
    found = Origin.objects.filter(delivery=redaction.delivery, closed_at__lte=at).first()
    if found is None:
        return None
    by_origin = Batch.objects.filter(delivery=redaction.delivery, hidden_at=found.closed_at)
    return found if by_origin.exists() else None


def look_for_leaks(redaction: Redaction, *, by: Person, at: datetime) -> None:
    """Look at what it says once more, against what its origin holds now. Raises LeaksError with what is found.

    Which texts were replaced is not known any more; they were sought when it was made, and what it says is the same.
    """
    with _leaks_noted(redaction.delivery, by, at):
        of, numbers = redaction.of, set(redaction.delivery.origins.values_list("batch", flat=True))
        content = _content_of(redaction.delivery)
        if content is None:
            refused = [Text(Place("content"), "", unreadable="document-damaged")]
            guard.refuse_leaks(refused, [])
        elif redaction.delivery.name.endswith(ROWS_SUFFIX):
            protected = _protected_beside_rows(of, _rows_for(by, of, at), numbers, redaction.out, by, at)
            guard.refuse_leaks(texts.of_table(content), protected)
            guard.refuse_leaks(texts.values_of_table(content), guard.of_recalled(of, numbers))
        else:
            seed = _seed(of, redaction.made_by, redaction.made_at)
            things = contents_of(objects_for(by, of, at)).values()
            own = [each for each in things if cutting.new_id(each, seed).encode() in content]
            protected = _protected_beside_objects(of, own, redaction.out, numbers, by, at)
            guard.refuse_leaks(texts.of_bundle(content), protected)


def _content_of(delivery: Delivery) -> bytes | None:
    """What it says, as it was handed in; None where that cannot be read."""
    try:
        return originals.read(delivery_path(intake.store_folder(), delivery.sha256))
    except (OSError, KeyMissing):
        return None


def reopen(redaction: Redaction, *, by: Person, at: datetime) -> None:
    """Somebody looked at it after its origin changed: it waits anew, under what holds for the origin now.

    Refused while any part of the origin is hidden, and where what it says must not be read as things stand now. Two
    people let it go again.
    """
    _require_open(redaction, by, at)
    look_for_leaks(redaction, by=by, at=at)
    _reopen(redaction, by, at)


def _require_open(redaction: Redaction, by: Person, at: datetime) -> Origin:
    if not (by.organisation.is_centre and may(by, ABILITY)):
        raise Refused("not-allowed")
    origin = closed(redaction, at)
    if origin is None:
        raise Conflict("it is not closed")
    parents = redaction.delivery.origins.values_list("batch", flat=True)
    if visible_batches(viewer_of(by), at).filter(pk__in=parents).count() < len(set(parents)):
        raise Refused("origin-closed")
    return origin


@transaction.atomic
def _reopen(redaction: Redaction, by: Person, at: datetime) -> None:
    origin = _require_open(redaction, by, at)
    parents = list(Batch.objects.filter(drawn__delivery=redaction.delivery).select_related("handling_set", "delivery"))
    handling = derived_of(parents).handling
    if handling is None:
        raise Refused("no-common-purpose")
    row = handling_row(handling)
    Delivery.objects.filter(pk=redaction.delivery_id).update(under=row)
    batches: BatchSet = Batch.objects.filter(Q(hidden_at=origin.closed_at), delivery=redaction.delivery_id)
    numbers = list(batches.values_list("pk", flat=True))
    again: BatchSet = Batch.objects.filter(pk__in=numbers)
    set_audience(again, None)
    again.update(handling_set=row)
    again.update(hidden_at=None)
    Origin.objects.filter(delivery=redaction.delivery_id).update(closed_at=None)
    if until := _until(parents):
        Origin.close([redaction.delivery_id], until)
    Redaction.objects.filter(pk=redaction.pk).update(reopened_by=by, reopened_at=at)
    record(by.login, "redaction.reopened", f"delivery:{redaction.delivery_id}", {"batches": numbers}, at=at)
