"""The start of a process: what it imports stays to its end, so nobody looks for garbage in it again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def starting() -> Iterator[None]:
    """While programs and tables are loaded. Looking for cycles among them is a sixth of the start of a worker."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
