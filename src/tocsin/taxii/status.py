"""The status resource: a delivery in TAXII's words.

An object failed when a record of it was refused, unless the refusal only says that it was kept without rows. The
rest succeeded: an object that was repeated or known before is no failure.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Sequence
from typing import Any

from django.core.cache import cache

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake import originals, services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.reasons import sentence
from tocsin.core.errors import NotFound

from .answers import moment
from .envelopes import Named, named_objects
from .filters import NO_VERSION

LISTED_MOST = 1_000
"""Objects of one outcome that are named one by one; of more there is only the count."""
KEPT = frozenset({"pattern-kept-whole", "boolean-tree-kept-whole", "unsupported-record", "attachment-kept"})
"""Reasons under which the object itself was kept."""
REMEMBERED_SECONDS = 3600


def status_id(receipt: str) -> str:
    """The status's identifier: the number that the receipt spells, in the form of a version 4 UUID.

    Receipts of before they were such numbers stand for themselves.
    """
    try:
        number = uuid.UUID(bytes=base64.urlsafe_b64decode(receipt + "=="))
    except (ValueError, binascii.Error):
        return receipt
    return str(number) if number.version == 4 and _spelt(number) == receipt else receipt


def receipt_of(status: str) -> str:
    """The receipt that a status identifier, or a receipt, stands for."""
    try:
        number = uuid.UUID(status)
    except ValueError:
        return status
    return _spelt(number)


def _spelt(number: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(number.bytes).rstrip(b"=").decode()


def status_of(delivery: Delivery, stated: Sequence[Named] | None = None) -> dict[str, Any]:
    """The resource. `stated` are the envelope's objects where they are at hand; else they are read again.

    Raises NotFound where the bytes are there no more.
    """
    stated = _stated(delivery) if stated is None else stated
    first = delivery.duplicate_of or delivery
    body: dict[str, Any] = {
        "id": status_id(delivery.receipt),
        "request_timestamp": moment(delivery.received_at),
        "total_count": len(stated),
    }
    if first.state in (Delivery.State.RECEIVED, Delivery.State.HELD):
        counts = {"success_count": 0, "failure_count": 0, "pending_count": len(stated)}
        return body | {"status": "pending", **counts, **_listed("pendings", [(each, "") for each in stated])}
    failed = _failed(first, len(stated))
    successes = [(each, "") for number, each in enumerate(stated, 1) if number not in failed]
    failures = [(stated[number - 1], message) for number, message in sorted(failed.items())]
    counts = {"success_count": len(successes), "failure_count": len(failures), "pending_count": 0}
    return body | {"status": "complete", **counts, **_listed("successes", successes), **_listed("failures", failures)}


def _listed(name: str, found: Sequence[tuple[Named, str]]) -> dict[str, Any]:
    """Details of all these objects. Left out where they are none, too many, or not all state an identity.

    Clients compare the length of a list with its count, so a list is whole or absent.
    """
    if not 0 < len(found) <= LISTED_MOST or not all(each.id for each, _message in found):
        return {}
    details = [
        {"id": each.id, "version": each.version or NO_VERSION} | ({"message": message} if message else {})
        for each, message in found
    ]
    return {name: details}


def _failed(delivery: Delivery, total: int) -> dict[int, str]:
    """Number of the object → why it was refused."""
    if delivery.state in (Delivery.State.QUARANTINED, Delivery.State.REFUSED, Delivery.State.WITHDRAWN):
        return dict.fromkeys(range(1, total + 1), sentence(delivery.reason))
    failed: dict[int, str] = {}
    for frame in selectors.rejection_frames(delivery):
        for position, unit, reason, field in frame.select("position", "unit", "reason", "field").iter_rows():
            if unit == "object" and reason not in KEPT and 1 <= position <= total:
                failed.setdefault(position, f"{field}: {sentence(reason)}" if field else sentence(reason))
    return failed


def _stated(delivery: Delivery) -> list[Named]:
    key = f"taxii-envelope:{delivery.sha256}"
    found: list[Named] | None = cache.get(key)
    if found is None:
        try:
            found = named_objects(originals.read(delivery_path(services.store_folder(), delivery.sha256)))
        except FileNotFoundError as error:
            raise NotFound from error
        cache.set(key, found, REMEMBERED_SECONDS)
    return found
