"""Two who act in the same moment, on either database: one wins, the other is told, and nothing is seen beyond that.

Two who release: tests/centre/release/test_releasing.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from tests import builders, people
from tests.centre.recall.conftest import own_store  # noqa: F401 - a fixture.

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members import units
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import relabelling, services
from tocsin.centre.recall.models import Recall, Relabelling
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Release
from tocsin.core.errors import Conflict, InputError, NotFound, Refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_store")]
Act = Callable[[], object]


def at_once(*acts: Act) -> list[str]:
    """What each came to: "done", or the kind of its refusal."""
    ready = threading.Barrier(len(acts))

    def run(act: Act) -> str:
        try:
            ready.wait(timeout=30)
            act()
        except (Conflict, InputError, NotFound, Refused) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def sent(released: object = ()) -> Delivery:
    """A delivery of northwind, TLP:GREEN; the bureau of France is there."""
    people.call("fleur_officer")
    pia = people.call("pia_partner")
    made = builders.delivery(pia.organisation, person=pia, rows=10)
    batch = builders.batch(made, builders.handling(codes=("H1",)), released_to=released)
    if released is not None:
        builders.release(batch)
    return made


def narrowed(delivery: Delivery, **changes: Any) -> Act:
    """Its source lays down that it is stricter, as it saw it a moment ago."""
    seen, pia = relabelling.chosen_of(delivery, ()).mark, people.call("pia_partner")
    changes = changes or {"exclusions": ["ncb-fr"]}
    return lambda: relabelling.relabel(delivery, (), changes, seen=seen, note="", by=pia, at=timezone.now())


def fleur_sees(delivery: Delivery) -> bool:
    return visible_batches(viewer_of(people.call("fleur_officer"))).filter(delivery=delivery).exists()


def test_two_relabel_in_the_same_moment() -> None:
    delivery = sent()
    said = at_once(narrowed(delivery), narrowed(delivery, pap="PAP:RED"))
    assert sorted(said) == ["Conflict", "done"]
    assert Relabelling.objects.filter(state="done").count() == 1
    assert fleur_sees(delivery) is (said[1] == "done")


def test_a_relabel_and_a_release_in_the_same_moment() -> None:
    delivery = sent(released=None)
    proposed = releasing.propose(
        delivery, Batch.objects.all(), audience=(), reason="r", by=people.call("dana_analyst"), at=timezone.now()
    )
    dora = people.call("dora_dissemination")
    said = at_once(narrowed(delivery), lambda: releasing.release(proposed, by=dora, is_proved=True, at=timezone.now()))
    assert said[0] in {"done", "Conflict"}
    assert said[1] in {"done", "Refused"}
    assert "done" in said
    assert fleur_sees(delivery) is (said[0] != "done"), "released before or after: the stricter label holds"
    assert Release.objects.get().state == ("released" if said[1] == "done" else "proposed")


def test_a_relabel_and_a_recall_in_the_same_moment() -> None:
    delivery = sent()
    pia = people.call("pia_partner")
    reasons: dict[str, Any] = {"reason": "wrong-data", "action": "destroy", "note": ""}
    said = at_once(narrowed(delivery), lambda: services.recall(delivery, by=pia, at=timezone.now(), **reasons))
    assert "done" in said
    assert set(said) <= {"done", "Conflict", "NotFound", "InputError"}
    assert not fleur_sees(delivery), "either of the two keeps it from France"
    assert Recall.objects.filter(delivery=delivery).exists()


def test_one_person_in_two_sessions_releases_once() -> None:
    delivery = sent(released=None)
    proposed = releasing.propose(
        delivery, Batch.objects.all(), audience=(), reason="r", by=people.call("dana_analyst"), at=timezone.now()
    )
    dora = people.call("dora_dissemination")
    act = lambda: releasing.release(proposed, by=dora, is_proved=True, at=timezone.now())  # noqa: E731
    assert sorted(at_once(act, act)) == ["Conflict", "done"]


def test_two_who_place_organisations_below_one_another_make_no_circle() -> None:
    builders.centre()
    bureau = builders.bureau("FR")
    one, two = (
        builders.organisation(slug, class_name="law-enforcement", country="FR", parent=bureau) for slug in ("a", "b")
    )
    at = builders.NOW + timedelta(hours=1)
    said = at_once(
        lambda: units.place(one, two, by="t", at=at), lambda: units.place(two, one, by="t", at=at),
    )  # fmt: skip
    assert sorted(said) == ["InputError", "done"]
    assert not any(each.has_circle() for each in Organisation.objects.all())
