"""Reads of recalls, by who asks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tocsin.centre.intake import parting
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.secondees import known_to
from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import IS_SEALED, body_of, identified
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.lake.scope import Batches

from .models import Notice, Part, Recall, Undo

_TIES = frozenset({"relationship", "sighting", "marking-definition", "identity"})
"""Types that one seldom looks for."""
MOST_OFFERED = 50


def may_recall(person: Person, delivery: Delivery) -> bool:
    """The source may at any time, its agreement in force or not; at the Centre those whose office it is."""
    if not may(person, "recall"):
        return False
    return person.organisation.is_centre or delivery.organisation_id == person.organisation_id


def may_recall_parts(person: Person, delivery: Delivery) -> bool:
    """Whoever chooses among what is in it reads it: at the Centre, those to whom the gate opens all that is shown.

    Others recall the whole.
    """
    if not may_recall(person, delivery):
        return False
    return delivery.organisation_id == person.organisation_id or reads_all(person, delivery)


def reads_all(person: Person, delivery: Delivery) -> bool:
    """Whether the gate opens to the person all that is shown of it."""
    shown = Batch.objects.filter(delivery=delivery, hidden_at=None)
    return not shown.exclude(in_seen(visible_batches(viewer_of(person)), "pk")).exists()


def recalls_for(person: Person) -> QuerySet[Recall]:
    """Recalls that the person may follow: the Centre's people all, a source's people those of its own deliveries."""
    notices, undos = Notice.objects.filter(recall=OuterRef("pk")), Undo.objects.filter(recall=OuterRef("pk"))
    # Each counted for itself: joined, all of them would be grouped before the first page is cut.
    found = Recall.objects.select_related("delivery", "organisation").order_by("-pk").annotate(
        told=_count_of(notices),
        open=_count_of(notices.filter(state=Notice.State.INFORMED)),
        asked_undos=_count_of(undos),
        open_undos=_count_of(undos.filter(state=Undo.State.OPEN)),
    )  # fmt: skip
    if person.organisation.is_centre:
        found = known_to(person, found.filter(delivery__is_private=False))
        return found if may(person, "read-all-deliveries") else found.none()
    return found.filter(source=person.organisation) if may(person, "recall") else found.none()


def overdue_for(person: Person, now: datetime) -> QuerySet[Recall]:
    """Of those that the person may follow, the open ones where an answer or an undoing is late."""
    late = Undo.objects.filter(recall=OuterRef("pk"), state=Undo.State.OPEN, due_at__lte=now)
    unanswered = Notice.objects.filter(recall=OuterRef("pk"), state=Notice.State.INFORMED)
    found = recalls_for(person).filter(closed_at=None)
    return found.filter(Exists(unanswered) & Q(confirm_by__lte=now) | Exists(late))


def _count_of(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().values("recall").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


def notices_for(person: Person) -> QuerySet[Notice]:
    """What the person's organisation was told, the newest first."""
    if not may(person, "read") or person.organisation.is_centre:
        return Notice.objects.none()
    return person.organisation.recall_notices.select_related("recall__delivery").order_by("-pk")


def reference_of(notice: Notice) -> str:
    """Under which reference whoever was told has what it took, as its list of what was received names it.

    Packages and circulars carry numbers of their own; who took nothing is told of nothing.
    """
    delivery = notice.recall.delivery
    took_itself = any(channel != Taking.Channel.PACKAGE for channel, _name, _day in notice.taken)
    return delivery.receipt if took_itself and not delivery.is_circular else ""


def contents_of(person: Person, delivery: Delivery, text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """What is shown of a delivery and holds this text, the first of its objects and values: type → (id, name), the
    type of values being "". What only ties others together comes last.

    Values are offered to whoever may read victims' rows; others type what they were told of.
    """
    batches = list(Batch.objects.filter(delivery=delivery, hidden_at=None).values_list("pk", flat=True))
    things = Object.objects.filter(delivery=delivery, batch__in=batches).order_by("pk")
    if text:
        things = things.filter(IS_SEALED | Q(object_id__icontains=text) | Q(name__icontains=text))
    told = ((each.object_id, each.name) for each in things.iterator(chunk_size=MOST_OFFERED))
    # What is sealed the database cannot look through.
    fitting = islice((each for each in told if text.lower() in " ".join(each).lower()), MOST_OFFERED)
    found: dict[str, dict[str, str]] = {}
    for key, name in fitting:
        found.setdefault(key.partition("--")[0], {}).setdefault(key, name)
    if delivery.organisation_id == person.organisation_id or viewer_of(person).is_victim_desk:
        found[""] = dict.fromkeys(parting.values_in(batches, text, MOST_OFFERED), "")
    ordered = sorted(found, key=lambda kind: kind in _TIES)
    return [(kind, list(found[kind].items())) for kind in ordered if found[kind]]


def recalled_of(made: Recall, parts: Iterable[Part]) -> dict[str, Any]:
    """What was recalled, for programs: values, what stands in their place, and STIX objects as revoked versions."""
    chosen = list(parts)
    ids = [each.key for each in chosen if each.kind == Part.Kind.OBJECT]
    hidden = list(Batches.unpacked(bytes(made.batches)))
    of_standard = Object.objects.filter(batch__in=hidden, standard__startswith="stix-2")
    things = identified(of_standard, ids).distinct().order_by("pk")
    return {
        "recall": made.number,
        "action": made.action,
        "parts": [
            {"key": each.key, "values": each.values, **({each.field: each.became} if each.field else {})}
            for each in chosen
        ],
        "stix": [_revoked(orjson.loads(body_of(each).raw), made) for each in things],
    }


def _revoked(item: dict[str, Any], made: Recall) -> dict[str, Any]:
    if "modified" in item:
        item |= {"modified": made.asked_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", "revoked": True}
    return item
