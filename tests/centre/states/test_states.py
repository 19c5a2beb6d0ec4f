"""The state machines of agreements (SM-1), deliveries (SM-2), alerts (SM-3) and recalls (SM-10), every pair walked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone
from tests.centre.states import agreement, alert, recall, submission
from tests.centre.states.walk import Machine, walk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.mark.parametrize("made", [agreement.machine, submission.machine, alert.machine, recall.machine])
def test_every_act_in_every_state_leads_where_the_table_says(
    made: Callable[[], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = made()
    monkeypatch.setattr(timezone, "now", lambda: machine.at)
    walk(machine)
