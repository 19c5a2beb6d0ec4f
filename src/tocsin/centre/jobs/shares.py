"""Whose turn it is: within a priority every owner gets an equal share of the work, whatever waits of the others.

Start-time fair queueing (decision 45). The queue has a clock that counts work, not time: it shows the turn of what was
claimed last. What comes in gets the turn at which its owner's work before it would be done, and never one that has
passed: so a flood of ten thousand deliveries lines up behind itself, and one delivery of another goes in at the front.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Greatest

from tocsin.centre.questions import Act, Question

from .models import Job, Share

HOUSE = 0
"""Nobody's: what the Centre does for itself, which goes ahead and takes no share from anybody."""
LEAST_COST = 1 << 16
"""Of the smallest piece of work: what a small delivery costs beside its bytes."""


def turn_of(owner: int, priority: int, cost: int) -> int:
    """The turn of a piece of work that comes in now, in the transaction in which it does."""
    passed = _TURN.first(HOUSE, priority)
    if passed is None:
        Share.objects.bulk_create([Share(owner=HOUSE, priority=priority)], ignore_conflicts=True)
        passed = 0
    if owner == HOUSE:
        return passed
    if not _WAITING(priority):
        # Nobody waits: who had the machine alone owes nothing for it, and who was away has saved nothing up.
        passed = max(passed, Share.objects.filter(priority=priority).aggregate(most=Max("turn"))["most"] or 0)
    said = (owner, priority, passed, LEAST_COST + max(0, cost))
    if not _TAKEN(*said):
        Share.objects.bulk_create([Share(owner=owner, priority=priority)], ignore_conflicts=True)
        _TAKEN(*said)
    return int(_TURN(owner, priority)[0]) - LEAST_COST - max(0, cost)


def _turns(owner: int, priority: int) -> QuerySet[Share, int]:
    return Share.objects.filter(owner=owner, priority=priority).values_list("turn", flat=True)


def _waiting(priority: int) -> QuerySet[Job, int]:
    """One that waits, where one does."""
    return Job.objects.filter(state=Job.State.WAITING, priority=priority).values_list("pk", flat=True)[:1]


_TURN = Question(_turns, -1, -2)
_WAITING = Question(_waiting, -1)
_TAKEN = Act(
    lambda owner, priority, passed, cost: (
        Share.objects.filter(owner=owner, priority=priority), {"turn": Greatest(F("turn"), passed) + cost}
    ),
    -1, -2, 29, 31,
)  # fmt: skip


def pass_on(priority: int, turn: int) -> None:
    """Work of this turn was begun: what comes in from now on comes no earlier."""
    with transaction.atomic():
        _PASSED(priority, turn)


_PASSED = Act(
    lambda priority, turn: (Share.objects.filter(owner=HOUSE, priority=priority, turn__lt=turn), {"turn": turn}), -1, -2
)
