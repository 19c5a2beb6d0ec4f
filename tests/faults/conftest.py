"""One worker's handlers for each file of tests: starting the reading process takes a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from tests.faults.house import crew

from tocsin.centre.jobs.worker import Handler


@pytest.fixture(scope="module")
def handlers() -> Iterator[Mapping[str, Handler]]:
    with crew() as made:
        yield made
