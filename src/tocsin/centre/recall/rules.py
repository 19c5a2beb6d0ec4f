"""Who may recall, who must answer, when a recall is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

ANSWER_WITHIN = timedelta(hours=72)
"""SM-10: who has not answered by then is overdue, and the recall is escalated."""

SETTLES = timedelta(minutes=10)
"""So long a recall stays open in any case: what passed the gate before it closed may still be on its way out."""

ANSWERS = frozenset({"destroyed", "corrected", "objected"})
ANSWERED = ANSWERS | {"nothing-taken"}


def is_over(states: Iterable[str]) -> bool:
    """Whether everybody who was told has answered, or took nothing."""
    return all(state in ANSWERED for state in states)


def wanted_answers(action: str) -> frozenset[str]:
    """What may be answered to a recall of this sort: correcting is for corrections."""
    return ANSWERS if action == "correct" else ANSWERS - {"corrected"}


def is_overdue(state: str, confirm_by: datetime, now: datetime) -> bool:
    """Whether an answer is awaited and late."""
    return state not in ANSWERED and now >= confirm_by
