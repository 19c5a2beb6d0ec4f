"""However a machine's clock jumps: what is known of the time never goes back, and is never led far astray."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.clock.rules import MOST_AHEAD, Reading, later, reading

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(st.timedeltas(timedelta(), timedelta(hours=3)), st.timedeltas(timedelta(days=-900), timedelta(days=900))),
    max_size=12,
)


@given(STEPS)
def test_what_is_known_goes_on_and_follows_no_jump(steps: list[tuple[timedelta, timedelta]]) -> None:
    """Each step: so much time passes by the monotonic clock, and the machine's clock is wrong by so much."""
    known = true = NOW
    for passed, wrong in steps:
        true, known = true + passed, known + passed
        clock = true + wrong
        after = later(clock, known)
        assert known <= after <= known + MOST_AHEAD
        assert after in {known, clock}
        assert (reading(clock, known) is Reading.AHEAD) == (clock > known + MOST_AHEAD)
        known = after
        assert known >= true, "nothing that is surely over opens"
