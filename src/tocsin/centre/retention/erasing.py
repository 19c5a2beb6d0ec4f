"""The steps of a purge. Each can be done again after a crash and then finds what is left; none shows anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Model, Q

from tocsin.centre.analysis.models import CountryConflict, Proposal, StandingHit
from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake import lake, originals, vault
from tocsin.centre.intake.models import Batch, Delivery, Grading, Hold, NameTally, Tally
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.knowledge import services as knowledge
from tocsin.centre.ledger.models import Chase, Kind, Response
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Notice, Part, Recall, Relabelling, Undo
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.selectors import batches_of, file_of
from tocsin.core.errors import Conflict
from tocsin.handling.personal import blanked
from tocsin.lake.files import is_older, sync
from tocsin.lake.scope import Batches

from . import sealed_copies
from .ending import strip
from .models import Purge, Review

Facts = dict[str, Any]
KEPT_AGAIN_SECONDS = 3600
"""Bytes that were written later than this before a purge may belong to a delivery whose row is not there yet."""
NOTES: tuple[tuple[type[Model], str, tuple[str, ...]], ...] = (
    (Recall, "delivery", ("note",)), (Notice, "recall__delivery", ("note",)), (Undo, "recall__delivery", ("note",)),
    (Relabelling, "delivery", ("note", "reason")), (Hold, "delivery", ("answer_text", "decision")),
    (Release, "delivery", ("reason", "closing_reason")), (Review, "delivery", ("reason",)),
    (Redaction, "of", ("reason",)), (Permission, "delivery", ("reason", "asked_reason", "answer", "closing_reason")),
    (Grading, "batch__delivery", ("note",)), (Circular, "delivery", ("check_reason",)),
)  # fmt: skip
"""What people wrote about a delivery, by how it leads there: what is no person's data in it stays (W05)."""


def packages(purge: Purge, held: Batches, at: datetime) -> Facts:
    """From now on nobody gets the packages that hold some of it; their files go with the other files."""
    found = [each for each in Package.objects.order_by("pk").iterator(chunk_size=100) if batches_of(each) & held]
    Package.objects.filter(pk__in=[each.pk for each in found], recalled_at=None).update(recalled_at=at)
    Package.objects.filter(pk__in=[each.pk for each in found]).update(summary={})
    return {"packages": [[each.number, each.sha256] for each in found]}


def rows_of_lake(purge: Purge, held: Batches, at: datetime) -> Facts:
    """Every file of observations anew without its rows; what was done is kept with each file."""

    def note(gone: lake.TakenOut) -> None:
        purge.steps["rows"] = [*purge.steps.get("rows", []), [gone.digest, gone.rows]]
        purge.save(update_fields=["steps"])

    lake.take_out(held, at, note)
    files = purge.steps.get("rows", [])
    return {"files": [digest for digest, _ in files], "observations": sum(count for _, count in files)}


def objects(purge: Purge, held: Batches, at: datetime) -> Facts:
    """Objects with their bytes and keys, documents."""
    return knowledge.take_out(purge.delivery, list(held))


def decisions(purge: Purge, held: Batches, at: datetime) -> Facts:
    """What was proposed, doubted, met and counted in it."""
    counted = {"proposals": Proposal, "conflicts": CountryConflict, "hits": StandingHit, "tallies": Tally,
               "names": NameTally}  # fmt: skip
    return {name: model.objects.filter(batch__in=list(held)).delete()[0] for name, model in counted.items()}  # type: ignore[attr-defined]


def texts(purge: Purge, held: Batches, at: datetime) -> Facts:
    """What people wrote about it: personal fields are blanked, and somebody is to look at it."""
    changed = []
    for model, leads, names in NOTES:
        for each in model._default_manager.filter(**{leads: purge.delivery}):
            changed += _blanked(each, names)
    for each in _said_of_releases(purge.delivery):
        changed += _blanked(each, ("note",))
    Part.objects.filter(recall__delivery=purge.delivery).update(key="", name="", values=[], became="")
    Relabelling.objects.filter(delivery=purge.delivery).update(keys=[], changes={})
    return {"blanked": changed}


def _blanked(row: Model, names: Sequence[str]) -> list[list[object]]:
    """Blank these fields of the row; names the row where that changed anything."""
    before = {name: getattr(row, name) for name in names}
    after = {name: blanked(text) for name, text in before.items()}
    if after == before:
        return []
    for name, text in after.items():
        setattr(row, name, text)
    row.save(update_fields=list(after))
    return [[row._meta.model_name, row.pk]]


def _said_of_releases(delivery: Delivery) -> Iterator[Model]:
    """What recipients answered about its releases, and what was noted while they were waited for."""
    for number in Release.objects.filter(delivery=delivery).values_list("pk", flat=True):
        yield from Chase.objects.filter(kind=Kind.RELEASE, number=number).exclude(note="")
        about = Response.objects.filter(kind=Kind.RELEASE, first__lte=number, last__gte=number).exclude(note="")
        yield from (each for each in about if number in Batches.unpacked(bytes(each.numbers)))


def skeleton(purge: Purge, held: Batches, at: datetime) -> Facts:
    """Of the rows of batches and, where nothing of it is alive, of the delivery, leave numbers."""
    delivery = purge.delivery
    Batch.objects.filter(pk__in=list(held)).update(purged_at=at)
    is_whole = not Batch.objects.filter(delivery=delivery, purged_at=None).exists() and delivery.ends_at <= at
    repeats = []
    if is_whole:
        repeats = list(Delivery.objects.filter(duplicate_of=delivery).values_list("pk", flat=True))
        for number in (delivery.pk, *repeats):
            strip(number, Delivery.State.PURGED)
        Hold.objects.filter(delivery=delivery).update(finds=[], facts={}, checklist={})
        for number in Batch.objects.filter(delivery=delivery).values_list("pk", flat=True):
            vault.forget_batch(number)  # Copies that lie elsewhere cannot be opened either.
    return {"whole": is_whole, "repeats": len(repeats)}


def files(purge: Purge, held: Batches, at: datetime) -> Facts:
    """Archives of packages, refused records and, where nothing of the delivery is alive, its bytes as received."""
    for number, _ in purge.steps["packages"]["packages"]:
        file_of(Package.objects.get(number=number)).unlink(missing_ok=True)
    shutil.rmtree(store_folder() / "rejections" / str(purge.delivery_id), ignore_errors=True)
    for left in (store_folder() / "work").glob(f"{purge.delivery_id}-*"):
        shutil.rmtree(left, ignore_errors=True)
    if not purge.steps["skeleton"]["whole"]:
        return {"original": "kept for what is alive of the delivery"}
    sealed = sealed_copies.keep(purge.delivery, at)
    return {"original": original_out(purge.delivery.sha256, at), "sealed_copy": sealed}


def original_out(sha256: str, at: datetime) -> str:
    """Delete the bytes that no delivery needs; says what became of them.

    Raises Conflict where the same bytes came in a moment ago: whoever sent them has no row yet.
    """
    if _is_needed(sha256):
        return "kept for another delivery"
    path = delivery_path(store_folder(), sha256)
    aside = path.with_name(path.name + ".purged")
    if path.exists():
        path.replace(aside)  # Who brings the same bytes from here on writes them anew.
    if aside.exists():
        if _is_needed(sha256) or not is_older(aside, at.timestamp() - KEPT_AGAIN_SECONDS):
            aside.replace(path)
            raise Conflict("the same bytes came in meanwhile")
        originals.forget(aside)
        sync(aside.parent)
    return "deleted"


def _is_needed(sha256: str) -> bool:
    first_needs = Q(duplicate_of=None) | ~Q(duplicate_of__state=Delivery.State.PURGED)
    return Delivery.objects.filter(first_needs, sha256=sha256).exclude(state=Delivery.State.PURGED).exists()


STEPS = {
    "packages": packages,
    "lake": rows_of_lake,
    "objects": objects,
    "decisions": decisions,
    "texts": texts,
    "skeleton": skeleton,
    "files": files,
}
"""In this order. What can be shown to nobody any more goes first, the bytes that all came from go last."""


def run(purge: Purge, at: datetime) -> None:
    """Do what is left to do, a transaction for each step."""
    held = Batches.unpacked(bytes(purge.batches))
    for name, step in STEPS.items():
        if name in purge.steps:
            continue
        if name == "lake":  # A transaction for each file.
            facts = step(purge, held, at)
            purge.steps[name] = facts
            purge.steps.pop("rows", None)
            purge.save(update_fields=["steps"])
            continue
        with transaction.atomic():
            purge.steps[name] = step(purge, held, at)
            purge.save(update_fields=["steps"])
    purge.deleted_at = at
    purge.save(update_fields=["deleted_at"])
