"""Sets of batch numbers are sets, whatever they are kept in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.lake.scope import Batches

NUMBERS = st.sets(st.integers(0, 40) | st.integers(0, 2**60), max_size=30)


@given(one=NUMBERS, other=NUMBERS, is_part=st.booleans())
def test_sets_of_batches_are_sets(one, other, is_part):
    if is_part:
        other = other | one
    left, right = Batches(one), Batches(other)
    assert (left <= right) is (one <= other)
    assert (right <= left) is (other <= one)
    assert set(left & right) == one & other
    assert set(left | right) == one | other
    assert set(left - right) == one - other
    assert set(Batches.unpacked(left.packed())) == one
    assert all(number in left for number in one)
    assert (left == right) is (one == other)
