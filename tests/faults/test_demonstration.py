"""The demonstration ends as its plan says: every delivery's outcome, reason and counts, through the whole road."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.conf import settings

from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.originals import read_rejections
from tocsin.centre.intake.services import store_folder
from tocsin.centre.jobs.worker import run_one
from tocsin.centre.ledger.models import Response
from tocsin.centre.members import applications
from tocsin.centre.members.models import Organisation
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Recall
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Package, Release
from tocsin.centre.rights.models import SubjectRequest
from tocsin.cli import demo_people
from tocsin.cli.demo import PASSWORD, hand_over, people, sign_orders
from tocsin.exercise import generate
from tocsin.exercise.plan import Delivery as Planned
from tocsin.exercise.plan import Outcome
from tocsin.site import wiring

OBSERVATIONS = 2_000


def reasons_of(delivery: Delivery) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in (store_folder() / "rejections" / str(delivery.pk)).glob("*.parquet"):
        found.update(read_rejections(part)["reason"].to_list())
    return found


def differences(planned: Planned, delivery: Delivery) -> list[str]:
    expected, wrong = planned.expected, []
    if delivery.state == Delivery.State.DUPLICATE:
        outcome = Outcome.DUPLICATE
    elif delivery.state == Delivery.State.QUARANTINED:
        outcome = Outcome.QUARANTINED
    elif delivery.state == Delivery.State.HELD:
        outcome = Outcome.HELD
    else:
        outcome = Outcome.ACCEPTED_WITH_REJECTIONS if delivery.rejections else Outcome.ACCEPTED
    if outcome != expected.outcome:
        wrong.append(f"{outcome} instead of {expected.outcome} ({delivery.reason} {dict(reasons_of(delivery))})")
    if expected.reason and delivery.reason != expected.reason:
        wrong.append(f"reason {delivery.reason} instead of {expected.reason}")
    for name, count in (("rows", delivery.rows), ("repeats", delivery.repeats), ("things", delivery.objects_count)):
        if getattr(expected, name) is not None and getattr(expected, name) != count:
            wrong.append(f"{name}: {count} instead of {getattr(expected, name)}")
    if expected.rejections is not None and outcome == Outcome.ACCEPTED_WITH_REJECTIONS:
        found = dict(reasons_of(delivery))
        if found != dict(expected.rejections):
            wrong.append(f"rejections {found} instead of {dict(expected.rejections)}")
    if expected.proposals_at_least is not None and delivery.proposals_count < expected.proposals_at_least:
        wrong.append(f"{delivery.proposals_count} proposals, fewer than {expected.proposals_at_least}")
    return wrong


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_delivery_ends_as_planned(tmp_path: Path) -> None:
    from tocsin.cli.installation import make

    make("Exercise Centre")
    plan = generate(tmp_path, until=date(2026, 11, 1), observations=OBSERVATIONS)
    people(plan)
    demo_people.add_unit(datetime.now(UTC), PASSWORD)
    sign_orders(datetime.now(UTC))
    hand_over(plan, tmp_path)
    assert demo_people.write_circular(datetime.now(UTC)) == 1
    handlers = wiring.handlers()
    try:
        while run_one("exercise", handlers):
            pass
    finally:
        wiring.close(handlers)
    found: dict[str, list[str]] = {}
    taken: set[int] = set()
    for planned in plan.deliveries:
        delivery = (
            Delivery.objects.filter(idempotency_key=planned.idempotency_key, organisation__slug=planned.organisation)
            .exclude(pk__in=taken)
            .order_by("pk")
            .first()
        )
        if delivery is None:
            # The same key twice gives the first receipt back: no second row.
            if planned.expected.outcome != Outcome.DUPLICATE:
                found[planned.name] = ["no row at all"]
            continue
        taken.add(delivery.pk)
        wrong = differences(planned, delivery)
        if wrong:
            found[f"{planned.organisation}/{planned.name}"] = wrong
    assert not found, json.dumps(found, indent=1)
    # What leaves cites an order that two signed; what universities send waits for people.
    waiting = releasing.waiting_batches()
    assert set(waiting.values_list("organisation__class_name", flat=True)) == {"academia"}
    for release in Release.objects.select_related("order"):
        assert release.order is not None
        assert release.order.first_by_id != release.order.second_by_id
    assert Release.objects.exists()
    assert Path(settings.INSTALLATION.home).exists()
    # People act then, once: something taken, answered for, asked, written and taken back can be looked at.
    for _ in range(2):
        demo_people.act(datetime.now(UTC))
        assert demo_people.write_circular(datetime.now(UTC)) == 0
    assert Package.objects.count() == len(demo_people.PACKAGED)
    assert set(Response.objects.values_list("step", flat=True)) == {"opened", "acknowledged", "acted", "no-action"}
    assert [each.source.is_bureau for each in Permission.objects.all()] == [False]
    assert Circular.objects.get().sent_at is not None
    assert [each.application["person"] for each in applications.waiting()] == ["Willem Oosterlaak"]
    assert SubjectRequest.objects.count() == 1
    assert Organisation.objects.get(slug=demo_people.UNIT).parent.slug == "ncb-fr"  # type: ignore[union-attr]
    assert Recall.objects.get().notices.filter(state="destroyed").exists()


def test_the_plan_is_large_enough(tmp_path: Path) -> None:
    plan = generate(tmp_path, until=date(2026, 11, 1), observations=OBSERVATIONS)
    assert len(plan.organisations) >= 12
    assert len(plan.deliveries) >= 60
    assert len({delivery.format for delivery in plan.deliveries}) >= 8
