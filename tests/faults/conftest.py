"""A worker's handlers, for the tests that look at them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests import crew

from tocsin.centre.jobs.worker import Handler


@pytest.fixture
def handlers() -> Mapping[str, Handler]:
    return crew.handlers()
