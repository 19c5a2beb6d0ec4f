"""While a process starts nobody looks for garbage; afterwards somebody does, whatever became of the start."""

from __future__ import annotations

import gc

import pytest

from tocsin.core.starting import starting


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_looked_for_again(fails: bool) -> None:
    try:
        with starting():
            assert not gc.isenabled()
            if fails:
                raise LookupError
    except LookupError:
        assert fails
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
