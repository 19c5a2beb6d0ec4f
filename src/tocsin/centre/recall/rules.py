"""Who may recall, who must answer, when a recall is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tocsin.handling import HandlingSet
from tocsin.handling.sets import CLASSIFICATIONS, PAP

ANSWER_WITHIN = timedelta(hours=72)
"""SM-10: who has not answered by then is overdue, and the recall is escalated."""

SETTLES = timedelta(minutes=10)
"""So long a recall stays open in any case: what passed the gate before it closed may still be on its way out."""

STILL_TAKING = timedelta(minutes=2)
"""What began to leave by then may hold what was recalled of a batch that others go on seeing."""

IN_THE_MAKING = timedelta(hours=24)
"""No package is longer in the making: one that was begun before a recall is looked at when it is there."""

UNDO_WITHIN = timedelta(hours=72)
"""So long whoever acted on something wrong has to undo it."""

ANSWERS = frozenset({"destroyed", "corrected", "objected"})
ANSWERED = ANSWERS | {"nothing-taken"}


def answer_by(asked_at: datetime) -> datetime:
    """When an answer is overdue: so long after it was asked for, in UTC, whatever clock is set meanwhile (I9)."""
    return asked_at.astimezone(UTC) + ANSWER_WITHIN


def undo_by(asked_at: datetime) -> datetime:
    """The same of what is to be undone."""
    return asked_at.astimezone(UTC) + UNDO_WITHIN


def is_over(states: Iterable[str]) -> bool:
    """Whether everybody who was told has answered, or took nothing."""
    return all(state in ANSWERED for state in states)


def wanted_answers(action: str) -> frozenset[str]:
    """What may be answered to a recall of this sort: correcting is for corrections."""
    return ANSWERS if action == "correct" else ANSWERS - {"corrected"}


def is_overdue(state: str, confirm_by: datetime, now: datetime) -> bool:
    """Whether an answer is awaited and late."""
    return state not in ANSWERED and now >= confirm_by


def is_not_wider(new: HandlingSet, old: HandlingSet) -> bool:
    """Whether nobody may have, or do, more under the new set than under the old one."""
    return (
        new.tlp.rank >= old.tlp.rank
        and set(new.audience) <= set(old.audience)
        and bool(new.audience) >= bool(old.audience)
        and set(new.exclusions) >= set(old.exclusions)
        and set(new.codes) >= set(old.codes)
        and set(new.restrictions) >= set(old.restrictions)
        and set(new.purposes) <= set(old.purposes)
        and PAP.index(new.pap) >= PAP.index(old.pap)
        and CLASSIFICATIONS.index(new.classification) >= CLASSIFICATIONS.index(old.classification)
        and new.retention_months <= old.retention_months
    )
