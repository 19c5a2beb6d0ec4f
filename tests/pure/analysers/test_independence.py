"""Who copies is found by what he lists and when; who gathers from several, or saw the same by himself, is no copy."""

from __future__ import annotations

from datetime import date, timedelta

from tocsin.analysers import independence

DAY = date(2026, 1, 1)


def listed(values: range, later: int = 0) -> dict[str, date]:
    """Values with the day on which a source lists them."""
    return {str(each): DAY + timedelta(days=each % 50 + later) for each in values}


def test_copies_and_copies_of_copies_count_with_their_origin() -> None:
    seen = {
        "z": listed(range(100)),
        "b": listed(range(90), 2),
        "a": listed(range(80), 4),
        "own": listed(range(200, 300)),
    }
    assert independence.origins(seen) == {"a": "z", "b": "z"}
    [pair] = [each for each in independence.following(seen) if (each.copy, each.origin) == ("b", "z")]
    assert (pair.values, pair.share, pair.lead_days) == (90, 1, 2)


def test_the_same_list_under_two_names_counts_once() -> None:
    assert independence.origins({"b": listed(range(50)), "a": listed(range(50))}) == {"b": "a"}


def test_who_gathers_from_several_is_no_copy_and_makes_none() -> None:
    one, other = listed(range(100)), listed(range(200, 300))
    late = {value: day + timedelta(days=1) for value, day in (one | other).items()}
    assert independence.origins({"one": one, "other": other, "both": late}) == {}


def test_half_of_a_list_few_values_and_a_month_later_say_nothing() -> None:
    origin = listed(range(100))
    assert independence.origins({"o": origin, "half": listed(range(50, 150), 1)}) == {}
    assert independence.origins({"o": origin, "few": listed(range(19), 1)}) == {}
    assert independence.origins({"o": origin, "month": listed(range(100), 30)}) == {}
