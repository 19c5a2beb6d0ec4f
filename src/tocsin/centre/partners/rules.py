"""What a scorecard says, worked out of counts. Pure: no share tells of one other source what only that one knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.lake.questions.contributions import DELAY_HOURS, Contribution

SPANS = (30, 90, 365)
"""Days that a scorecard looks back."""
OTHERS_LEAST = 3
"""Compared is with at least so many other sources."""
VALUES_LEAST = 100
"""Shares of fewer than these say little, and would answer questions about single values."""
STEP_PERCENT = 5
"""Compared shares come in steps, cut off: one value more or less seldom shows in them."""
TOO_FEW_OTHERS, TOO_FEW = "too-few-others", "too-few"


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known beside the lake about the deliveries of one organisation over one span."""

    deliveries: int = 0
    duplicates: int = 0
    """Deliveries whose bytes were there already."""
    accepted: int = 0
    """Records that were read."""
    rejected: int = 0
    decided: int = 0
    """Proposals out of its reports on which reviewers decided."""
    refused: int = 0
    opined: int = 0
    """Objects of its own on which at least three others gave an opinion."""
    disagreed: int = 0
    """Of them, those with which most disagree."""
    urgent: int = 0
    """Deliveries that it called urgent."""


def card_of(lake: Contribution, counts: Counts) -> dict[str, Any]:
    """The scorecard for keeping: name of a measure → percent or null, what it rests on, and why there is none."""
    compared = {
        "known_before": (lake.values_known, lake.values_new),
        "first_to_report": (lake.values_first, lake.values_shared),
        "unique": (lake.values_new - lake.values_shared, lake.values_new),
    }
    own = {
        "timed": (lake.rows_timed, lake.rows),
        "within_day": (sum(lake.delays[: DELAY_HOURS.index(24) + 1]), lake.rows_timed),
        "own_repeats": (max(0, lake.rows - lake.values_new), lake.rows),
        "warned": (lake.rows_warned, lake.rows),
        "refused_by_reviewers": (counts.refused, counts.decided),
        "disagreed": (counts.disagreed, counts.opined),
        "rejected": (counts.rejected, counts.accepted + counts.rejected),
        "same_bytes": (counts.duplicates, counts.deliveries),
        "urgent": (counts.urgent, counts.deliveries),
    }
    return {
        "deliveries": counts.deliveries, "rows": lake.rows, "values_new": lake.values_new,
        "delays": list(lake.delays), "half_within_hours": half_within(lake.delays),
        "measures": {name: _share(*said) for name, said in own.items()}
        | {name: _compared(*said, lake.others) for name, said in compared.items()},
    }  # fmt: skip


def _share(part: int, whole: int) -> dict[str, Any]:
    if not whole:
        return {"percent": None, "rests_on": 0, "why": TOO_FEW}
    return {"percent": round(100 * part / whole, 1), "rests_on": whole, "why": ""}


def _compared(part: int, whole: int, others: int) -> dict[str, Any]:
    """A share that tells of others: in steps, of enough values, among enough sources; else nothing, not even counts."""
    if others < OTHERS_LEAST:
        return {"percent": None, "rests_on": 0, "why": TOO_FEW_OTHERS}
    if whole < VALUES_LEAST:
        return {"percent": None, "rests_on": 0, "why": TOO_FEW}
    percent = STEP_PERCENT * (100 * part // (whole * STEP_PERCENT))
    # How many values others share is itself about them: it is told roughly.
    return {"percent": percent, "rests_on": _roughly(whole), "why": ""}


def _roughly(number: int) -> int:
    """The number with one digit that counts."""
    size = int("1" + "0" * (len(str(number)) - 1))
    return number // size * size


def measure_of(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One measure of a scorecard; one that was worked out before there was this measure says nothing of it."""
    found: dict[str, Any] = card["measures"].get(name) or _share(0, 0)
    return found


def half_within(delays: list[int]) -> int | None:
    """The least number of hours within which half of the timed rows arrived; 0: later than any; None: none is timed."""
    total, seen = sum(delays), 0
    for count, hours in zip(delays, DELAY_HOURS, strict=False):
        seen += count
        if total and 2 * seen >= total:
            return hours
    return 0 if total else None


def cells_of(card: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every figure as (name, value, what it rests on), for tables."""
    rows = [(name, str(card[name]), "") for name in ("deliveries", "rows", "values_new")]
    half = card["half_within_hours"]
    rows.append(("half_within_hours", "" if half is None else str(half), ""))
    for name, said in card["measures"].items():
        value = said["why"] if said["percent"] is None else str(said["percent"])
        rows.append((name, value, str(said["rests_on"] or "")))
    return rows
