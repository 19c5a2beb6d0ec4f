"""What stands in the place of something wrong: a delivery of its own, under the release of what it corrects.

The wrong version is recalled first, in one transaction. The right one is then drawn from what was hidden, read like
anything that comes in, and goes to whom the wrong one went, unless its label would open it to more: then two people
look at it. A newer version of an object by whoever made it, with another pattern, is the same thing.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import polars as pl
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake import parting
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.services import came_supervised
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.jobs import services as jobs
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of, identified, may_have_namesakes
from tocsin.centre.members.models import Person
from tocsin.centre.release.models import Release
from tocsin.centre.release.releasing import bureaus, refusal_of
from tocsin.core.errors import Conflict, InputError
from tocsin.core.observations import DRAFT
from tocsin.core.profiles import Profile
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet, narrowest
from tocsin.lake.compaction import PARTED_BY
from tocsin.lake.scope import Batches

from .models import Part, Recall
from .rules import is_not_wider
from .services import Correction, Said, recalled_parts

COMPARE = "compare-versions"
"""Kind of the job that looks for newer versions of what was released."""
VALUE = "value"
ROW_FIELDS = ("role", "type", "malware", "actor", "label", "severity", "confidence", "port", "protocol",
              "stated_country", "first_at", "last_at", "note", "reference", "tags")  # fmt: skip
OBJECT_FIELDS = ("name", "description", "pattern", "valid_from", "valid_until")
FIELDS = (VALUE, *ROW_FIELDS, *(name for name in OBJECT_FIELDS if name not in ROW_FIELDS))
_AT_ONCE = 500
_STIX = "stix-2"


def checked(field: str, became: str) -> Correction:
    """A correction that can be made. Raises InputError."""
    text = became.replace("\x00", "").strip()
    if field not in FIELDS:
        raise InputError("invalid-object", field="field", excerpt=field[:40])
    if not text or len(text) > 2048:
        raise InputError("no-value" if not text else "too-long", field="became")
    return Correction(field, text)


def send_corrected(claim: jobs.Claim) -> None:
    """The handler: the corrected version as a delivery of the same source. Done twice it is done once."""
    made = Recall.objects.select_related("delivery__organisation").get(pk=claim.payload["recall"])
    now = datetime.now(UTC)
    files = _files(made, now) if made.successor is None else []
    if not files:
        jobs.finish(claim, now)
        return
    name, content, profile = _packed(made, files)
    label = narrowest(Tlp(each.handling_set.tlp) for each in _origins(made)).value
    with transaction.atomic():
        jobs.finish(claim, now)
        successor = intake.receive(
            organisation=made.delivery.organisation, via=made.delivery.via, name=name, chunks=[content], at=now,
            person=_person(made), profile=profile, marking=label, idempotency_key=f"correction:{made.number}",
            source_at=made.delivery.source_at, drawn_from=made.delivery,
        )  # fmt: skip
        Delivery.objects.filter(pk=successor.pk).update(least_marking=label)
        Recall.objects.filter(pk=made.pk).update(successor=successor)
        facts = {"recall": made.number, "delivery": successor.receipt}
        record("system", "recall.corrected", f"recall:{made.number}", facts, at=now)


def _person(made: Recall) -> Person | None:
    person = Person.objects.filter(login=made.asked_by, is_active=True).first()
    return person if person is not None and person.organisation_id == made.delivery.organisation_id else None


def _origins(made: Recall) -> list[Batch]:
    if made.origins is None:
        return []
    found = Batch.objects.filter(pk__in=list(Batches.unpacked(bytes(made.origins))))
    return list(found.select_related("handling_set", "terms__audience").order_by("pk"))


def _files(made: Recall, at: datetime) -> list[tuple[str, bytes]]:
    """(name, content) of each: STIX objects as a bundle, rows that come of no such object as a table."""
    parts = list(made.parts.exclude(field="").order_by("pk"))
    batches = list(Batches.unpacked(bytes(made.batches)))
    things = list(Object.objects.filter(batch__in=batches, standard__startswith=_STIX).order_by("pk"))
    files = []
    bundle, places = [], set()
    for thing in things:
        body = body_of(thing)
        places.add((thing.batch_id, body.position))
        corrected = _object(orjson.loads(body.raw), thing, parts, at)
        if corrected is not None:
            bundle.append(corrected)
    if bundle:
        whole = {"type": "bundle", "id": f"bundle--{uuid4()}", "objects": bundle}
        files.append(("corrected.json", orjson.dumps(whole)))
    table = _table(batches, places, parts)
    if table.height:
        files.append(("corrected.csv", table.write_csv().encode()))
    return files


def _object(item: dict[str, Any], thing: Object, parts: Iterable[Part], at: datetime) -> dict[str, Any] | None:
    """The next version of an object; None where nothing in it is corrected."""
    text = orjson.dumps(item).decode()
    was = text
    for part in parts:
        is_own = part.kind == Part.Kind.OBJECT and part.key == thing.object_id
        if part.field == VALUE and (is_own or part.kind == Part.Kind.VALUE):
            for old in part.values:
                text = _replaced(text, old, orjson.dumps(part.became).decode()[1:-1])
        elif is_own:
            text = orjson.dumps({**orjson.loads(text), part.field: part.became}).decode()
    if text == was:
        return None
    made: dict[str, Any] = orjson.loads(text)
    if "modified" in made:
        made["modified"] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    else:  # An observable has no versions: another value is another object.
        made["id"] = f"{made['type']}--{uuid4()}"
    return made


def _replaced(text: str, old: str, became: str) -> str:
    pattern = re.compile(r"(?<![\w.@/-])" + re.escape(old) + r"(?![\w@/-]|\.\w)", re.IGNORECASE)
    return pattern.sub(lambda _: became, text)


def _table(batches: Sequence[int], places: set[tuple[int, int]], parts: Sequence[Part]) -> pl.DataFrame:
    """The rows as a reader would be given them, corrected. What is derived, such as the country, is found anew."""
    values = frozenset(value for part in parts for value in part.values)
    rows = parting.rows_of(batches, parting.Chosen(values))
    own = [
        (row["batch"], row["position"]) not in places for row in rows.select("batch", "position").iter_rows(named=True)
    ]
    rows = rows.filter(pl.Series(own, dtype=pl.Boolean)) if rows.height else rows
    names = [name for name in DRAFT if name != "position"]
    rows = rows.select(names)
    was = rows
    for part in parts:
        held = pl.any_horizontal(pl.col(name).is_in(part.values).fill_null(False) for name in PARTED_BY)
        if part.field == VALUE:
            rows = rows.with_columns(
                pl.when(pl.col(name).is_in(part.values)).then(pl.lit(part.became)).otherwise(name).alias(name)
                for name in PARTED_BY
            )
        elif part.field in ROW_FIELDS:
            text = pl.col(part.field).cast(pl.String)
            rows = rows.with_columns(pl.when(held).then(pl.lit(part.became)).otherwise(text).alias(part.field))
    changed = rows.cast(pl.String).hash_rows() != was.cast(pl.String).hash_rows()
    rows = rows.filter(changed)
    return rows.select(each.name for each in rows.iter_columns() if each.null_count() < rows.height)


def _packed(made: Recall, files: Sequence[tuple[str, bytes]]) -> tuple[str, bytes, Profile | None]:
    start = f"{made.number}-"
    if len(files) == 1:
        name, content = files[0]
        if not name.endswith(".csv"):
            return start + name, content, None
        columns = next(csv.reader(io.StringIO(content.decode())))
        profile = Profile(
            name="corrected", format="delimited", columns={each: each for each in columns}, delimiter=",", header=True
        )
        return start + name, content, profile
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return f"{start}corrected.zip", packed.getvalue(), None


def release_corrected(delivery: Delivery, _outcome: dict[str, Any], _work: Path, at: datetime) -> None:
    """A keeper of the commit: what corrects something goes where that went, unless it is wider."""
    recalls = list(Recall.objects.filter(successor=delivery))
    if recalls:
        under_the_same_release(delivery, recalls, at)


def correcting(deliveries: Sequence[Delivery], _outcome: dict[str, Any], _at: datetime) -> set[int]:
    """Which of these deliveries correct something."""
    found = Recall.objects.filter(successor__in=deliveries).values_list("successor_id", flat=True)
    return {int(number) for number in found}


def under_the_same_release(delivery: Delivery, recalls: Iterable[Recall], at: datetime) -> None:
    """Release the batches of a correction as those were that it corrects; what would be wider waits for two people."""
    if came_supervised(delivery):
        return
    old = [each for made in recalls for each in _origins(made) if each.terms.audience.entries is not None]
    clients = bureaus()
    for batch in Batch.objects.filter(delivery=delivery, hidden_at=None).select_related(
        "handling_set", "terms__audience"
    ):
        handling = HandlingSet.from_json(batch.handling_set.body)
        like = next(
            (each for each in old if is_not_wider(handling, HandlingSet.from_json(each.handling_set.body))), None
        )
        if batch.terms.audience.entries is not None or like is None:
            continue
        entries = like.terms.audience.entries or []
        if refusal_of([handling], delivery.organisation, entries, clients, at) is not None:
            continue
        set_audience(Batch.objects.filter(pk=batch.pk), entries)
        for release in Release.objects.filter(batches=like, state=Release.State.RELEASED):
            release.batches.add(batch)
        facts = {"delivery": delivery.pk, "batch": batch.pk, "as": like.pk}
        record("system", "release.corrected", f"delivery:{delivery.pk}", facts, at=at)


def compare_later(delivery: Delivery, outcome: dict[str, Any], _work: Path, at: datetime) -> None:
    """A keeper of the commit: STIX objects of a source that sent some before may be newer versions of these. It comes
    after what keeps them, which notes whose id another one has: most of what programs send is new, and no job needs to
    find that out again."""
    if not outcome["things"] or not str(outcome["format"]).startswith("stix2"):
        return
    if delivery.pk not in with_namesakes([delivery], outcome, at):
        return
    earlier = Delivery.objects.filter(organisation=delivery.organisation, objects_count__gt=0).exclude(pk=delivery.pk)
    if earlier.exists() and not Recall.objects.filter(successor=delivery).exists():
        jobs.enqueue(COMPARE, f"delivery:{delivery.pk}", {"delivery": delivery.pk}, at=at)


def with_namesakes(deliveries: Sequence[Delivery], outcome: dict[str, Any], _at: datetime) -> set[int]:
    """Which of these deliveries may hold an object whose id another one has. What was kept in this transaction says so
    itself; else it is asked for."""
    if "namesakes" in outcome:
        return set(outcome["namesakes"]) & {each.pk for each in deliveries}
    return {each.pk for each in deliveries if may_have_namesakes(each)}


def compare_versions(claim: jobs.Claim) -> None:
    """The handler: what the newer version says otherwise is recalled in the older one, and the newer replaces it."""
    delivery = Delivery.objects.select_related("organisation").get(pk=claim.payload["delivery"])
    found: dict[int, dict[str, Correction]] = {}
    new = Object.objects.filter(delivery=delivery, standard__startswith=_STIX, batch__hidden_at=None).exclude(
        version="", head=None
    )
    for start in range(0, new.count(), _AT_ONCE):
        for old, correction in _changed(list(new.order_by("pk")[start : start + _AT_ONCE]), delivery):
            found.setdefault(old.delivery_id, {})[old.object_id] = correction
        jobs.renew(claim, datetime.now(UTC))
    made = [_superseded(key, corrections, delivery) for key, corrections in sorted(found.items())]
    now = datetime.now(UTC)
    with transaction.atomic():
        jobs.finish(claim, now)
        under_the_same_release(delivery, [each for each in made if each is not None], now)


def _changed(new: Sequence[Object], delivery: Delivery) -> Iterable[tuple[Object, Correction]]:
    """Released objects of the same source and creator, older and with another pattern or value."""
    ids = {each.object_id: each for each in new}
    shown = Object.objects.filter(delivery__organisation=delivery.organisation, batch__hidden_at=None, revoked=False)
    released = shown.exclude(delivery=delivery).filter(batch__terms__audience__entries__isnull=False)
    for old in identified(released, ids).distinct().order_by("pk"):
        newer = ids[old.object_id]
        if newer.revoked or not old.version or not old.version < newer.version:
            continue
        was, now = body_of(old), body_of(newer)
        said, says = was.pattern or old.name, now.pattern or newer.name
        if old.type != newer.type or _creator(was.refs) != _creator(now.refs) or said == says:
            continue
        if was.pattern or old.type.endswith(("-addr", "domain-name", "url")):
            yield old, Correction("pattern" if was.pattern else VALUE, says[:2048])


def _creator(refs: Iterable[tuple[str, str]]) -> str:
    return next((target for name, target in refs if name == "created_by_ref"), "")


def _superseded(key: int, corrections: dict[str, Correction], by: Delivery) -> Recall | None:
    old = Delivery.objects.get(pk=key)
    login = by.person.login if by.person else f"{by.via}:{by.organisation.slug}"
    said = Said(Recall.Reason.WRONG, Recall.Action.CORRECT, login, by.organisation, datetime.now(UTC))
    try:
        return recalled_parts(old, sorted(corrections), said, corrections, successor=by)
    except (Conflict, InputError):
        return None  # It was taken out by another hand since; then there is nothing to correct.
