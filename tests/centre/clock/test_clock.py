"""Steps of the machine's clock around what ends: what is over stays over, and a jump ahead ends nothing for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.clock import services as clock
from tocsin.centre.clock.models import Clock
from tocsin.centre.intake.deliveries import deliveries_for, is_over
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members import admission, agreements, browsers, countries, doors, emergency, sessions, units
from tocsin.centre.members.models import Agreement, EmergencyAccess, Key, OpenSession, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.services import key_digest
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.selectors import grants_for
from tocsin.centre.release.models import StandingOrder
from tocsin.centre.release.orders import orders_in_force
from tocsin.centre.retention import reviewing
from tocsin.cli.clock import clock as clock_command
from tocsin.core.errors import NotFound
from tocsin.site import wiring

pytestmark = pytest.mark.django_db
BEFORE = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 30)
END = datetime(2026, 12, 1, tzinfo=UTC)
AFTER = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SECRET = doors.KEY_PREFIX + "x" * 43


class Machine:
    """A machine whose clock can be set; its monotonic clock goes on as time does."""

    def __init__(self) -> None:
        self.now, self.seconds = BEFORE, 1_000.0

    def wait(self, span: timedelta) -> None:
        """So much time passes."""
        self.now, self.seconds = self.now + span, self.seconds + span.total_seconds()

    def restart(self) -> None:
        """What this process remembered is gone."""
        clock._known = None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(timezone, "now", lambda: made.now)
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: made.seconds))
    return made


def ending() -> dict[str, Callable[[datetime], object]]:
    """Name → whether it opens something at a moment. All of these end with the last day of November."""
    pia, rui, dana = (people.call(each) for each in ("pia_partner", "rui_reviewer", "dana_analyst"))
    viewer = viewer_of(people.call("fleur_officer"))
    source, handling = pia.organisation, builders.handling()
    Agreement.objects.filter(organisation=source).update(ends_on=LAST_DAY)
    delivery = builders.delivery(source, ends_at=END)
    batch = builders.batch(delivery, handling, expires_at=END)
    said = {"organisation": dana.organisation, "name": "k", "scopes": ["read"], "created_at": BEFORE}
    Key.objects.create(person=dana, digest=key_digest(SECRET), expires_at=END, **said)
    seated = builders.person("sam_seated", builders.centre(), "analyst", seat_until=LAST_DAY)
    asked = {"source": source, "delivery": delivery, "sets": [handling.digest], "audience": ["ncb-fr"],
             "until": LAST_DAY, "asked_by": dana, "asked_for": dana.organisation, "asked_at": BEFORE}  # fmt: skip
    Permission.objects.create(
        **asked, state="granted", permitted_audience=["ncb-fr"], permitted_until=LAST_DAY, answered_by=pia,
        answered_at=BEFORE,
    )  # fmt: skip
    StandingOrder.objects.create(
        title="t", organisation=source, ceiling="TLP:GREEN", purposes=["PROTECT"], starts_on=LAST_DAY,
        ends_on=LAST_DAY, first_by=dana, first_at=BEFORE, second_by=rui, second_at=BEFORE,
    )  # fmt: skip
    EmergencyAccess.objects.create(
        asked_by=dana, asked_at=END - timedelta(hours=13), reason="r", hours=4, organisation=source, approved_by=rui,
        approved_at=END - timedelta(hours=12, minutes=30),
    )  # fmt: skip

    def extended(at: datetime) -> bool:
        try:
            reviewing.decide(delivery, "let-end", until=None, reason="r", by=pia, at=at)
        except NotFound:
            return False
        return True

    return {
        "the gate": lambda at: visible_batches(viewer, at).filter(pk=batch.pk).exists(),
        "the lake": lambda at: list(scope_of(viewer, at).batches),
        "the delivery": lambda at: deliveries_for(pia).exists() and not is_over(delivery, at),
        "its review": extended,
        "the agreement": lambda at: not agreements.refusal_of(source, at),
        "a key": lambda at: doors.by_key(RequestFactory().get("/"), SECRET, at),
        "a seat": lambda at: admission.is_admitted(Person.objects.get(pk=seated.pk), at),
        "a permission": lambda at: grants_for(delivery, at.date()),
        "an order": lambda at: orders_in_force(at).exists(),
        "an alarm": lambda at: emergency.alarms_for(rui, at),
    }  # fmt: skip


def opened(ends: dict[str, Callable[[datetime], object]], at: datetime) -> set[str]:
    return {name for name, opens in ends.items() if opens(at)}


def acts() -> list[str]:
    return list(Entry.objects.filter(action__startswith="clock.").order_by("pk").values_list("action", flat=True))


def test_w18_what_is_over_stays_over_where_the_clock_is_set_back(machine: Machine) -> None:
    ends = ending()
    clock.note(machine.now)
    assert opened(ends, machine.now) == ends.keys()
    machine.wait(AFTER - BEFORE)
    assert opened(ends, machine.now) == set()
    clock.note(machine.now)
    machine.now = BEFORE
    assert opened(ends, machine.now) == set()
    machine.restart()
    assert opened(ends, machine.now) == set(), "nor after a restart"
    for _ in range(2):
        assert clock.note(machine.now) == AFTER
    assert acts() == ["clock.behind"], "told once"
    machine.wait(timedelta(hours=2))
    assert clock.judged_at(machine.now) == AFTER + timedelta(hours=2), "time goes on"
    # It was wrong before, and somebody says so: then what was over too early is not.
    machine.now = BEFORE
    clock.confirm(by="command", at=machine.now)
    Delivery.objects.update(state="parsed")
    assert opened(ends, machine.now) == ends.keys()
    assert acts() == ["clock.behind", "clock.confirmed"]


def test_a_clock_that_jumps_ahead_closes_and_ends_nothing_for_good(machine: Machine) -> None:
    ends = ending()
    clock.note(machine.now)
    machine.now = BEFORE + timedelta(days=400)
    for _ in range(2):
        wiring.tick(machine.now)
        machine.wait(timedelta(seconds=20))
    assert opened(ends, machine.now) == set(), "it may be right"
    assert Delivery.objects.get().state == "parsed"
    assert Permission.objects.get().state == "granted"
    machine.now = BEFORE + timedelta(minutes=1)
    wiring.tick(machine.now)
    assert opened(ends, machine.now) == ends.keys()
    assert acts() == ["clock.ahead", "clock.agrees"]
    # What was queued meanwhile waits for no year to pass.
    assert jobs.claim("w", ["keep-terms"], machine.now) is not None


def test_a_jump_that_is_right_is_confirmed_and_counts(machine: Machine) -> None:
    ends = ending()
    clock.note(machine.now)
    machine.now = AFTER + timedelta(days=9)
    machine.restart()
    assert clock.note(machine.now) < END, "nothing ran for ten days, or the clock is wrong"
    clock.confirm(by="command", at=machine.now)
    wiring.tick(machine.now)
    assert Delivery.objects.get().state == "expired"
    assert Permission.objects.get().state == "ended"
    machine.now = BEFORE
    assert opened(ends, machine.now) == set()


def test_what_holds_at_once_holds_whatever_the_clock_says_later(machine: Machine) -> None:
    fleur = people.call("fleur_officer")
    clock.note(machine.now)
    unit = builders.organisation("unit", class_name="law-enforcement", country="FR", parent=fleur.organisation)
    una = builders.person("una", unit, "officer")
    machine.now = BEFORE + timedelta(days=400)
    units.withdraw(unit, reason="r", by=people.call("hugo_head"), at=machine.now)
    machine.now = BEFORE
    assert admission.refusal_of(Person.objects.get(pk=una.pk), machine.now) == "authorisation-withdrawn"
    machine.now = BEFORE + timedelta(days=400)
    countries.set_status("FR", "suspended", reason="r", by="t", at=machine.now)
    machine.now = BEFORE
    assert admission.refusal_of(Person.objects.get(pk=fleur.pk), machine.now) == "country-suspended"
    machine.now = BEFORE - timedelta(days=400)
    countries.set_status("FR", "active", reason="r", by="t", at=machine.now)
    assert admission.is_admitted(Person.objects.get(pk=fleur.pk), machine.now), "the last word holds"


def test_sessions_and_proofs_end_with_the_time_that_passes(machine: Machine) -> None:
    dana = people.call("dana_analyst")
    request = RequestFactory().get("/")
    request.session = Client().session  # type: ignore[attr-defined]
    clock.note(machine.now)
    sessions.mark_proved(request, machine.now)
    browsers.begin(request, person=dana, at=machine.now)
    machine.wait(timedelta(hours=3))
    clock.note(machine.now)
    machine.now = BEFORE + timedelta(minutes=1)
    assert not browsers.is_open(request, person=dana, at=machine.now)
    assert not sessions.is_proved(request, timedelta(minutes=10), machine.now)
    # With a clock that is behind one signs in and goes on as ever.
    OpenSession.objects.all().delete()
    browsers.begin(request, person=dana, at=machine.now)
    sessions.mark_proved(request, machine.now)
    machine.wait(timedelta(minutes=5))
    assert browsers.is_open(request, person=dana, at=machine.now)
    assert sessions.is_proved(request, timedelta(minutes=10), machine.now)
    # What was opened while the clock was ahead is over once it is right: nobody knows for how long it was open.
    OpenSession.objects.all().delete()
    browsers.begin(request, person=dana, at=machine.now + timedelta(days=400))
    assert not browsers.is_open(request, person=dana, at=machine.now)


def test_work_goes_on_behind_and_after_a_clock_that_was_ahead(machine: Machine) -> None:
    clock.note(machine.now)
    jobs.enqueue("a", "1", at=machine.now)
    machine.now = BEFORE - timedelta(days=30)
    claimed = jobs.claim("w", ["a"], machine.now)
    assert claimed is not None
    assert jobs.claim("v", ["a"], machine.now) is None, "its lease holds"
    jobs.renew(claimed, machine.now)
    machine.wait(timedelta(minutes=2))
    assert jobs.claim("v", ["a"], machine.now) is not None, "and ends"
    machine.now = BEFORE + timedelta(days=400)
    assert jobs.enqueue_every(timedelta(hours=1), "b", "2", at=machine.now) is not None
    machine.now = BEFORE + timedelta(minutes=3)
    again = jobs.claim("w", ["b"], machine.now)
    assert again is not None
    jobs.finish(again, machine.now)
    assert jobs.enqueue_every(timedelta(hours=1), "b", "2", at=machine.now) is None
    machine.wait(timedelta(hours=1))
    assert jobs.enqueue_every(timedelta(hours=1), "b", "2", at=machine.now) is not None


def test_the_command_tells_and_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.clock.setup", lambda: None)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(clock_command, words)
        return done.exit_code, done.output

    code, said = run("show")
    assert (code, "nothing yet" in said) == (0, True)
    Clock.objects.create(pk=1, latest_at=timezone.now() + timedelta(days=2))
    clock._known = None
    code, said = run("show")
    assert (code, "was set back" in said) == (1, True)
    code, said = run("show", "--json")
    assert (code, '"reading": "behind"' in said) == (1, True)
    assert run("confirm", "--yes")[0] == 0
    assert run("show")[0] == 0
    assert acts() == ["clock.confirmed"]


def test_administrators_are_warned_on_every_page_and_nobody_else(client: Client) -> None:
    Clock.objects.create(pk=1, latest_at=timezone.now() + timedelta(hours=2))
    for login, is_told in (("ada_administrator", True), ("dana_analyst", False)):
        people.let_in(client, login)
        assert ("tocsin clock confirm" in client.get("/").content.decode()) is is_told
    people.let_in(client, "ada_administrator")
    assert "Set back behind what is known" in client.get(reverse("settings")).content.decode()
