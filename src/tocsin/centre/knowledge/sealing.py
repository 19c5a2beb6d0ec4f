"""Sealing what lies in the database already: of before there were seals, and of batches whose label became TLP:RED.

Each step is a transaction of its own that leaves nothing half sealed, so that who was stopped begins again and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q

from tocsin.centre.audit.services import record
from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, BatchSet, NameTally, Tally
from tocsin.centre.intake.sealed_fields import SealedColumn
from tocsin.centre.intake.services import seal_name
from tocsin.centre.jobs import services as jobs
from tocsin.centre.rows import insert
from tocsin.core.words import Role, Tlp

from .models import SEALED_COLUMNS, Block, Mention, Object, sealed_head
from .selectors import FINDER, sealed_key
from .services import OBJECTS_IN_DELIVERY

SEAL = "seal-red"
"""Kind of the job that seals batches whose label became TLP:RED."""
SUBJECT = "seals:batches"
ROUND_EVERY = timedelta(minutes=5)
ROWS_AT_ONCE = 500
IS_RED = Q(handling_set__tlp=Tlp.RED.value)


def tick(now: datetime) -> None:
    """Put a round into the queue when one is due and there is something to seal."""
    if Batch.objects.filter(IS_RED, sealed_at=None).exists():
        jobs.enqueue_every(ROUND_EVERY, SEAL, SUBJECT, at=now)


def run(claim: jobs.Claim) -> None:
    """The handler."""
    due = list(Batch.objects.filter(IS_RED, sealed_at=None).order_by("pk").values_list("pk", flat=True))
    for done, number in enumerate(due, start=1):
        seal_batch(number, datetime.now(UTC))
        jobs.renew(claim, datetime.now(UTC), done=done)
    jobs.finish(claim, datetime.now(UTC))


def unsealed() -> BatchSet:
    """Batches that ought to be sealed and are not."""
    victims = Tally.objects.filter(batch=OuterRef("pk"), role=Role.VICTIM.value)
    return Batch.objects.filter(IS_RED | Exists(victims), sealed_at=None).order_by("pk")


def seal_all(progress: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Seal whatever is not sealed yet: (batches, rows with sealed columns)."""
    batches = rows = 0
    for number in list(unsealed().values_list("pk", flat=True)):
        seal_batch(number, datetime.now(UTC))
        batches += 1
        progress()
    for model in apps.get_models():
        columns = [each for each in model._meta.concrete_fields if isinstance(each, SealedColumn) and each.always]
        for column in columns:
            rows += _seal_column(model, column, progress)
    return batches, rows


def seal_batch(number: int, at: datetime) -> None:
    """Seal the objects of a batch, and the words of one that is TLP:RED, in one transaction."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update(of=("self",)).select_related("handling_set", "delivery").get(pk=number)
        if batch.sealed_at is not None:
            return
        if batch.objects_count:
            _seal_objects(batch)
        if batch.handling_set.tlp == Tlp.RED.value:
            for tally in NameTally.objects.filter(batch=batch).exclude(malware__startswith=vault.PREFIX):
                tally.malware = vault.sealed_word(tally.malware)
                tally.save(update_fields=["malware"])
            seal_name(batch.delivery)
            batch.delivery.save(update_fields=["name"])
        Batch.objects.filter(pk=number).update(sealed_at=at)
        record("system", "batch.sealed", f"delivery:{batch.delivery_id}", {"batch": number}, at=at)


def _seal_objects(batch: Batch) -> None:
    first = batch.delivery_id * OBJECTS_IN_DELIVERY
    within = {"pk__gte": first, "pk__lt": first + OBJECTS_IN_DELIVERY}
    key, finder = vault.key_for(f"batch:{batch.pk}"), vault.key_for(FINDER)
    owner = dict(Object.objects.filter(**within).values_list("pk", "batch_id"))
    own = [number for number, of in owner.items() if of == batch.pk]
    for at in range(0, len(own), ROWS_AT_ONCE):
        numbers = own[at : at + ROWS_AT_ONCE]
        found = Object.objects.filter(pk__in=numbers, head=None).values_list("pk", *SEALED_COLUMNS)
        empty = dict.fromkeys(SEALED_COLUMNS, "")
        sealed = [Object(pk=number, head=sealed_head(key, said), **empty) for number, *said in found]
        Object.objects.bulk_update(sealed, ["head", *SEALED_COLUMNS])
        mentions = list(Mention.objects.filter(object_id__in=numbers).values_list("key", "object_id"))
        Mention.objects.filter(object_id__in=numbers).delete()
        insert(Mention, ("key", "object"), [(sealed_key(finder, each), number) for each, number in mentions])
    batch.renderings.all().delete()  # Of before it was sealed.
    starts = list(Block.objects.filter(**within).order_by("pk").values_list("pk", flat=True))
    for start, until in zip(starts, [*starts[1:], first + OBJECTS_IN_DELIVERY], strict=True):
        # Blocks of before there were seals may hold objects of several batches.
        batches = {of for number, of in owner.items() if start <= number < until}
        body = bytes(Block.objects.values_list("body", flat=True).get(pk=start))
        if batch.pk in batches and vault.opened(body, "block") == body:
            by = key if len(batches) == 1 else vault.key_for(f"delivery:{batch.delivery_id}")
            Block.objects.filter(pk=start).update(body=by.sealed(body, "block"))


def _seal_column(model: type[models.Model], column: Any, progress: Callable[[], None]) -> int:
    """Seal the rows of one column that are not; who reads and writes them meanwhile waits for a moment."""
    plain = column.unsealed()
    last, sealed = 0, 0
    while True:
        with transaction.atomic():
            found = model._default_manager.filter(plain, pk__gt=last).order_by("pk")
            rows = list(found.select_for_update(of=("self",))[:ROWS_AT_ONCE])
            for row in rows:
                row.save(update_fields=[column.name])
        if not rows:
            return sealed
        last, sealed = rows[-1].pk, sealed + len(rows)
        progress()
