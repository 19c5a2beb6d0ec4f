"""Taking a sealed copy out for a court: one legal officer asks with a reason, another opens it, for a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.core.errors import Conflict, InputError, NotFound, Refused

from .models import CopyOpening, LegalHold, SealedCopy
from .sealed_copies import holds_in_force, pieces_of

WAITS: Final = timedelta(hours=72)
LASTS: Final = timedelta(hours=24)
LONGEST_REASON = 4_000


def copy_for(person: Person, hold: LegalHold, at: datetime) -> SealedCopy:
    """The copy under this hold. Raises NotFound for others than legal officers, and where there is none to open."""
    copy = SealedCopy.objects.select_related("delivery__organisation").filter(delivery=hold.delivery_id).first()
    if not may(person, "hold-legally") or copy is None:
        raise NotFound
    return copy


def may_be_opened(copy: SealedCopy, at: datetime) -> bool:
    """Whether it is there and a hold still binds: what is to be destroyed is opened for nobody."""
    at = judged_at(at)
    return copy.destroyed_at is None and copy.delivery.legal_holds.filter(holds_in_force(at)).exists()


def waiting(copy: SealedCopy, at: datetime) -> CopyOpening | None:
    """What was asked for and not answered yet."""
    return _of(copy).filter(approved_at=None, asked_at__gt=judged_at(at) - WAITS).first()


def open_now(copy: SealedCopy, at: datetime) -> CopyOpening | None:
    """What lets the two who opened it take it out at this moment."""
    at = judged_at(at)
    if not may_be_opened(copy, at):
        return None
    return _of(copy).filter(approved_at__gt=at - LASTS, approved_at__lte=at).first()


def _of(copy: SealedCopy) -> QuerySet[CopyOpening]:
    return copy.openings.select_related("asked_by", "approved_by").order_by("-pk")


@transaction.atomic
def ask(hold: LegalHold, *, authority: str, reason: str, by: Person, at: datetime) -> CopyOpening:
    """Ask a second legal officer. Raises NotFound, InputError without a word, Conflict while one is asked or open."""
    at = judged_at(at)
    copy = SealedCopy.objects.select_for_update(of=("self",)).get(pk=copy_for(by, hold, at).pk)
    for name, text in (("authority", authority), ("reason", reason)):
        if not text.strip():
            raise InputError("missing-field", field=name)
    if not may_be_opened(copy, at):
        raise NotFound
    if waiting(copy, at) or open_now(copy, at):
        raise Conflict("it was asked for, or is open")
    made = CopyOpening.objects.create(
        copy=copy, authority=authority.strip()[:200], reason=reason.strip()[:LONGEST_REASON], asked_by=by, asked_at=at
    )
    facts = {"delivery": copy.delivery.receipt, "authority": made.authority}
    record(by.login, "legal-hold.copy-asked", f"legal-hold:{hold.pk}", facts, at=at)
    return made


@transaction.atomic
def approve(hold: LegalHold, *, by: Person, at: datetime) -> CopyOpening:
    """The second person opens it for a day. Raises NotFound, Conflict where nothing waits, Refused to who asked."""
    at = judged_at(at)
    copy = SealedCopy.objects.select_for_update(of=("self",)).get(pk=copy_for(by, hold, at).pk)
    asked = waiting(copy, at)
    if asked is None or not may_be_opened(copy, at):
        raise Conflict("nothing waits for an answer")
    if asked.asked_by_id == by.pk:
        raise Refused("copy-opened-by-one")
    asked.approved_by, asked.approved_at = by, at
    asked.save(update_fields=["approved_by", "approved_at"])
    facts = {"delivery": copy.delivery.receipt, "asked_by": asked.asked_by.login}
    record(by.login, "legal-hold.copy-opened", f"legal-hold:{hold.pk}", facts, at=at)
    return asked


@transaction.atomic
def take(hold: LegalHold, *, by: Person, at: datetime) -> tuple[SealedCopy, Iterator[bytes]]:
    """The bytes as received, for either of the two; each time is an act of its own.

    Raises NotFound for others and once the day is over, InputError or KeyMissing where no key here opens it.
    """
    copy = copy_for(by, hold, at)
    opening = open_now(copy, at)
    if opening is None or by.pk not in {opening.asked_by_id, opening.approved_by_id}:
        raise NotFound
    pieces = pieces_of(copy)
    first = next(pieces)  # What cannot be opened is told before an answer begins.
    CopyOpening.objects.filter(pk=opening.pk).update(taken=F("taken") + 1)
    facts = {"delivery": copy.delivery.receipt, "sha256": copy.delivery.sha256}
    record(by.login, "legal-hold.copy-taken", f"legal-hold:{hold.pk}", facts, at=at)
    return copy, chain([first], pieces)
