"""What an alert rests on is taken back: its police edition closes with it, and it returns to be written anew (W04).

That the police edition closes needs nothing here: it is drawn from its grounds, and whatever is drawn closes in the
transaction that closes these. What is left to do follows in the next round of a worker: take what closed out of the
public edition, mark the grounds, begin the draft of the next version.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import F, Q

from tocsin.centre.clock.services import judged_at
from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Person
from tocsin.products.alerts.draft import Draft, Indicator, to_json
from tocsin.products.alerts.record import Message

from . import grounds, withdrawing
from .models import Ground, Revision, Version
from .rules import IN_REVIEW, STANDING, WRITABLE, State
from .selectors import content_of, standing
from .services import copy_translations, note

RETURNED = "returned-by-recall"
NOT_SENT = "not-sent"


def tick(now: datetime) -> None:
    """Look for alerts of which some ground is closed, and for police editions whose reading failed."""
    for version in closed_versions(now):
        if version.state == State.PUBLIC:
            withdrawing.from_public(version, now)
            left = standing(version.alert)
            if left is None:
                continue  # All of it was cancelled, and what follows is begun.
            version = left
        take_back(version, now)
    lost = Version.objects.filter(state=State.SENDING, delivery__state__in=[
        Delivery.State.QUARANTINED, Delivery.State.HELD, Delivery.State.REFUSED, *Delivery.GONE,
    ])  # fmt: skip
    for version in lost.select_related("alert"):
        with transaction.atomic():
            not_sent(version, now)


def closed_versions(now: datetime) -> list[Version]:
    """Versions that are written or that stand, of which a ground closed that nobody has looked at."""
    closed = Q(batch__hidden_at__lte=now) & ~Q(batch__hidden_at__gt=now) | Q(batch__expires_at__lte=judged_at(now))
    closed |= Q(batch__parts__hidden_at__gt=F("version__alert__created_at"))
    of = Ground.objects.filter(closed, closed_at=None).values("version")
    found = Version.objects.filter(pk__in=of, state__in=[*WRITABLE, *STANDING]).select_related("alert")
    return list(found.order_by("pk"))


@transaction.atomic
def take_back(version: Version, at: datetime) -> Version | None:
    """Mark what closed, and give the alert back to its author: a draft where it is still written, else the draft of the
    next version. Returns that draft; None where there was nothing to do."""
    version = Version.objects.select_for_update(of=("self",)).select_related("alert").get(pk=version.pk)
    gone = _closed_grounds(version, at)
    if not gone or version.state not in {*WRITABLE, *STANDING}:
        return None
    Ground.objects.filter(version=version, batch__in=gone, closed_at=None).update(closed_at=at)
    if version.state in WRITABLE:
        return _returned(version, gone, at)
    if version.state == State.SENDING:
        return not_sent(version, at)
    following = Version.objects.filter(alert=version.alert, number__gt=version.number, state__in=WRITABLE).first()
    draft = _next(version, gone, at) if following is None else _returned(following, gone, at)
    note(version, RETURNED, version.state, None, at, facts={"grounds": len(gone), "next": draft.number})
    return draft


def _closed_grounds(version: Version, at: datetime) -> list[int]:
    known = set(Ground.objects.filter(version=version).exclude(closed_at=None).values_list("batch", flat=True))
    parted = Ground.objects.filter(version=version, batch__parts__hidden_at__gt=version.alert.created_at)
    return sorted(({*grounds.closed_among(version, at), *parted.values_list("batch", flat=True)}) - known)


def _returned(version: Version, gone: Sequence[int], at: datetime) -> Version:
    """Without the values of what closed, and to be reviewed anew."""
    was = version.state
    _without(version, gone, at)
    version.state = State.DRAFT
    version.save(update_fields=["state"])
    note(version, RETURNED, was, None, at, facts={"grounds": len(gone)})
    return version


def _next(version: Version, gone: Sequence[int], at: datetime) -> Version:
    """The draft of an update of what stands, begun by the clock in its author's name."""
    last = Version.objects.filter(alert=version.alert).order_by("-number").values_list("number", flat=True)[0]
    made = Version.objects.create(
        alert=version.alert, number=last + 1, message=Message.UPDATE.value, state=State.DRAFT, content=version.content
    )
    Revision.objects.create(version=made, number=1, content=made.content, by=_author(version), at=at)
    copy_translations(version, made)
    left = version.grounds.exclude(batch__in=gone).values_list("batch", flat=True)
    Ground.objects.bulk_create(Ground(version=made, batch_id=each) for each in left)
    _without(made, gone, at)
    note(made, RETURNED, "", None, at, facts={"grounds": len(gone)})
    return made


@transaction.atomic
def begin_again(version: Version, at: datetime) -> Version:
    """The draft of an update of what stands whose police edition was closed though nothing was taken back: others have
    to pass it under the label that holds now."""
    made = _next(version, (), at)
    note(version, RETURNED, version.state, None, at, facts={"grounds": 0, "next": made.number})
    return made


def _author(version: Version) -> Person:
    written = version.revisions.order_by("-number").select_related("by").first()
    return written.by if written is not None else version.alert.created_by


def _without(version: Version, gone: Sequence[int], at: datetime) -> None:
    """Take the values of what closed out of what it says. The words an officer has to look through."""

    draft = content_of(version)
    kept = tuple(each for each in draft.indicators if not _rests_on(each, gone))
    if len(kept) == len(draft.indicators):
        return
    made: Draft = msgspec.structs.replace(draft, indicators=kept)
    version.content = to_json(made)
    version.revision += 1
    version.save(update_fields=["content", "revision"])
    Revision.objects.create(
        version=version, number=version.revision, content=version.content, by=_author(version), at=at
    )


def _rests_on(indicator: Indicator, gone: Sequence[int]) -> bool:
    return indicator.batch in gone


def not_sent(version: Version, at: datetime) -> Version:
    """Its police edition could not be opened: it waits for its author again, and nothing of it was read by anybody."""
    was, version.state = version.state, State.DRAFT
    version.delivery = None
    version.save(update_fields=["state", "delivery"])
    note(version, NOT_SENT, was, None, at)
    return version


def is_closed(version: Version) -> bool:
    """Whether something that it rests on was taken back, and nobody has written it anew since."""
    return version.state not in IN_REVIEW and version.grounds.exclude(closed_at=None).exists()
