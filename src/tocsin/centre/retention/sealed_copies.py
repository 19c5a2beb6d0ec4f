"""Sealed copies under a legal hold: the bytes as received, encrypted with a key outside the database, for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from tocsin.centre.audit.services import record
from tocsin.centre.certificates import signed
from tocsin.centre.intake import originals
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.credentials.sealed_files import opened_file, seal_file
from tocsin.credentials.sealing import SealingKey, sealing_key
from tocsin.lake.files import sync

from .models import LegalHold, SealedCopy


def holds_in_force(at: datetime) -> Q:
    """Which holds bind at that moment."""
    return Q(lifted_at=None) & (Q(until=None) | Q(until__gte=at.astimezone(UTC).date()))


def keep(delivery: Delivery, at: datetime) -> bool:
    """Seal a copy where a legal hold is on the delivery; says whether there is one."""
    if not delivery.legal_holds.filter(holds_in_force(at)).exists():
        return False
    relative = f"sealed/{delivery.receipt}"
    target = store_folder() / relative
    source = delivery_path(store_folder(), delivery.sha256)
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(target.name + ".plain").unlink(missing_ok=True)  # Of a process that was killed.
        draft = target.with_name(target.name + ".new")
        plain = originals.plain_copy(source, target.with_name(target.name + ".plain"))
        try:
            seal_file(_key(), plain, draft, about=delivery.receipt)
        finally:
            if plain != source:
                plain.unlink(missing_ok=True)
        draft.replace(target)
        sync(target.parent)
    SealedCopy.objects.get_or_create(delivery=delivery, defaults={"path": relative, "sealed_at": at})
    return True


def pieces_of(copy: SealedCopy) -> Iterator[bytes]:
    """The bytes as received. Who asks is the caller's matter."""
    return opened_file(_key(), store_folder() / copy.path, about=copy.delivery.receipt)


def destroy_unheld(at: datetime) -> int:
    """Destroy the copies that no hold keeps any more, each with its certificate; how many."""
    held = LegalHold.objects.filter(holds_in_force(at)).values("delivery")
    found = SealedCopy.objects.filter(destroyed_at=None).exclude(delivery__in=held).select_related("delivery")
    for copy in found:
        with transaction.atomic():
            path: Path = store_folder() / copy.path
            path.unlink(missing_ok=True)
            sync(path.parent)
            copy.destroyed_at = at
            copy.certificate = signed(
                {"sealed_copy": copy.delivery.receipt, "sha256": copy.delivery.sha256,
                 "sealed_at": copy.sealed_at.astimezone(UTC).isoformat(),
                 "destroyed_at": at.astimezone(UTC).isoformat()}
            )  # fmt: skip
            copy.save(update_fields=["destroyed_at", "certificate"])
            record("system", "legal-hold.copy-destroyed", f"delivery:{copy.delivery_id}", {}, at=at)
    return len(found)


def _key() -> SealingKey:
    installation: Any = settings.INSTALLATION
    return sealing_key(installation.keys_folder)
