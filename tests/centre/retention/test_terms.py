"""Terms (R6): set at the commit, known to the gate, reminded of, extended with a reason, over for everybody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from tests import builders, crew, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.retention import ending, reviewing
from tocsin.centre.retention.models import Reminder, Review
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.handling import retention

pytestmark = pytest.mark.django_db
NOW = builders.NOW
TABLE = b"domain,seen,malware\nc2.northwind-test.example,2025-11-20T10:00:00Z,andromeda\n"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal and a store of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    cache.clear()


@given(st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1)), st.integers(1, 60))
def test_a_term_counts_whole_months_and_ends_at_midnight(received: datetime, months: int) -> None:
    received = received.replace(tzinfo=UTC)
    end = retention.expires_at(received, months)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    last = retention.last_day_of(end)
    assert last == retention.last_day(received, months)
    assert (last.year * 12 + last.month) - (received.year * 12 + received.month) == months
    assert last.day == received.day or (last + timedelta(days=1)).day == 1
    assert retention.expires_at(received, months) <= retention.expires_at(received, months + 1)


def test_reminders_come_at_180_30_and_7_days() -> None:
    end = datetime(2027, 2, 1, tzinfo=UTC)
    got = {days: retention.reminder_at(end, end - timedelta(days=days)) for days in (181, 180, 31, 30, 8, 7, 1, 0)}
    assert {days: term.days if term else None for days, term in got.items()} == {
        181: None, 180: 180, 31: 180, 30: 30, 8: 30, 7: 7, 1: 7, 0: None
    }  # fmt: skip


def sent(content: bytes = TABLE, name: str = "table.csv", at: datetime = NOW, **said: object) -> Delivery:
    source = builders.organisation("northwind")
    made = intake.receive(organisation=source, via="api", name=name, chunks=[content], at=at, **said)  # type: ignore[arg-type]
    crew.work()
    made.refresh_from_db()
    return made


STIX = b"""{"type":"bundle","id":"bundle--11111111-1111-4111-8111-111111111111","objects":[{"type":"indicator",
"spec_version":"2.1","id":"indicator--11111111-1111-4111-8111-111111111112","created":"2026-01-01T00:00:00.000Z",
"modified":"2026-01-01T00:00:00.000Z","pattern":"[ipv4-addr:value = '198.51.100.9']","pattern_type":"stix",
"valid_from":"2026-01-01T00:00:00Z"}]}"""


@pytest.mark.parametrize(("content", "name"), [
    (TABLE, "table.csv"), (STIX, "bundle.json"), (b"one.example\ntwo.example\n", "list.txt"),
    (b"The server evil.example at 198.51.100.66 sent it.\n" * 9, "report.txt"),
])  # fmt: skip
@pytest.mark.parametrize("months", [12, 3])
def test_every_commit_sets_the_term(content: bytes, name: str, months: int) -> None:
    builders.organisation("northwind", defaults={"retention_months": months} if months != 12 else {})
    made = sent(content, name)
    batches = list(made.batches.all())
    assert made.state == "parsed"
    assert batches
    assert {each.expires_at for each in batches} == {retention.expires_at(NOW, months)}
    assert made.ends_at == retention.expires_at(NOW, months)


def test_a_stricter_label_brings_the_end_forward_and_a_wider_one_does_not_put_it_off() -> None:
    batch = builders.batch(builders.delivery(builders.organisation("northwind")), builders.handling(), expires_at=None)
    assert batch.expires_at == retention.expires_at(NOW, 12)
    Batch.objects.filter(pk=batch.pk).update(handling_set=builders.handling(Tlp.RED, retention_months=3))
    batch.refresh_from_db()
    assert batch.expires_at == retention.expires_at(NOW, 3)
    batch.handling_set = builders.handling(Tlp.GREEN, retention_months=60)
    batch.save()
    batch.refresh_from_db()
    assert batch.expires_at == retention.expires_at(NOW, 3)


def kept(until: datetime | None = None, source: str = "northwind", **said: object) -> Delivery:
    end = until or retention.expires_at(NOW, 12)
    made = builders.delivery(builders.organisation(source), ends_at=end, **said)
    builders.batch(made, builders.handling(Tlp.GREEN), expires_at=end)
    return made


def test_the_source_extends_with_a_reason_and_within_sixty_months() -> None:
    made, pia = kept(), people.call("pia_partner")
    with pytest.raises(InputError, match="missing-field"):
        reviewing.decide(made, "extend", until=date(2028, 1, 1), reason=" ", by=pia, at=NOW)
    latest = date(2031, 11, 21)
    for day in (latest + timedelta(days=1), date(2027, 11, 21), date(2026, 1, 1)):
        with pytest.raises(InputError, match="term-out-of-bounds"):
            reviewing.decide(made, "extend", until=day, reason="The operation goes on", by=pia, at=NOW)
    reviewing.decide(made, "extend", until=latest, reason="The operation goes on", by=pia, at=NOW)
    made.refresh_from_db()
    assert made.last_day == latest
    assert {each.expires_at for each in made.batches.all()} == {retention.end_of(latest)}
    entry = Entry.objects.get(action="term.extend")
    assert entry.actor == "pia_partner"
    assert "The operation goes on" in entry.detail


def test_the_centre_extends_only_with_the_sources_agreement() -> None:
    made, dana, pia = kept(), people.call("dana_analyst"), people.call("pia_partner")
    asked = reviewing.decide(made, "extend", until=date(2028, 6, 30), reason="Needed", by=dana, at=NOW)
    made.refresh_from_db()
    assert asked.state == "asked"
    assert made.last_day == date(2027, 11, 21)
    with pytest.raises(Conflict):
        reviewing.decide(made, "let-end", until=None, reason="x", by=pia, at=NOW)
    for stranger in (dana, people.call("omar_partner")):
        with pytest.raises(NotFound):
            reviewing.answer(asked, agrees=True, by=stranger, at=NOW)
    reviewing.answer(asked, agrees=True, by=pia, at=NOW)
    made.refresh_from_db()
    assert made.last_day == date(2028, 6, 30)
    with pytest.raises(Conflict):
        reviewing.answer(asked, agrees=False, by=pia, at=NOW)


def test_a_source_without_people_is_not_asked() -> None:
    made = kept(source="feed-provider")
    assert reviewing.decide(
        made, "extend", until=date(2028, 1, 1), reason="Still listed", by=people.call("dana_analyst"), at=NOW
    ).state == "in-force"  # fmt: skip


def test_shortening_is_for_both_sides_and_takes_what_was_drawn_from_it_along() -> None:
    made = kept()
    drawn = kept(keep_until=made.ends_at)
    builders.Delivery.objects.filter(pk=drawn.pk).update(ends_at=made.ends_at)
    made.proposals.create(batch=made.batches.get(), kind="domain", value="x.example", shown_as="x", became=drawn)
    repeat = kept(duplicate_of=made, state="duplicate")
    today = NOW.date()
    reviewing.decide(made, "shorten", until=today, reason="Not needed", by=people.call("dana_analyst"), at=NOW)
    end = retention.end_of(today)
    assert set(Delivery.objects.filter(pk__in=[made.pk, drawn.pk, repeat.pk]).values_list("ends_at", flat=True)) == {
        end
    }
    assert set(Batch.objects.filter(delivery__in=[made, drawn]).values_list("expires_at", flat=True)) == {end}
    with pytest.raises(InputError):
        reviewing.decide(made, "shorten", until=today - timedelta(days=1), reason="x", by=people.call("pia_partner"),
                         at=NOW)  # fmt: skip


def test_nobody_else_decides_and_nothing_comes_back_after_its_end() -> None:
    made = kept()
    for login in ("omar_partner", "fleur_officer", "rui_reviewer"):
        with pytest.raises(NotFound):
            reviewing.decide(made, "let-end", until=None, reason="x", by=people.call(login), at=NOW)
    with pytest.raises(NotFound):
        reviewing.decide(made, "extend", until=date(2030, 1, 1), reason="x", by=people.call("pia_partner"),
                         at=made.ends_at)  # fmt: skip


def test_reminders_are_noted_once_and_end_with_a_decision() -> None:
    made, later = kept(), kept(until=retention.expires_at(NOW, 24))
    end = made.ends_at
    for days in (200, 180, 100, 30, 29, 7, 1):
        ending.remind(end - timedelta(days=days))
    assert list(Reminder.objects.filter(delivery=made).order_by("at").values_list("days_before", flat=True)) == [
        180,
        30,
        7,
    ]
    assert not Reminder.objects.filter(delivery=later).exists()
    left = kept()
    reviewing.decide(left, "let-end", until=None, reason="Enough", by=people.call("pia_partner"), at=NOW)
    ending.remind(end - timedelta(days=100))
    assert not Reminder.objects.filter(delivery=left).exists()


def test_what_is_due_is_shown_to_its_source_and_to_the_centre() -> None:
    near = kept(until=NOW + timedelta(days=20))
    far, hidden = kept(until=NOW + timedelta(days=300)), kept(until=NOW + timedelta(days=21), source="southgate")
    Batch.objects.filter(delivery=hidden).update(hidden_at=NOW)
    assert list(reviewing.due_for(people.call("pia_partner"), NOW)) == [near]
    assert list(reviewing.due_for(people.call("dana_analyst"), NOW)) == [near]
    assert list(reviewing.due_for(people.call("dana_analyst"), NOW, timedelta(days=7))) == []
    for login in ("omar_partner", "fleur_officer", "ada_administrator", "rui_reviewer"):
        assert not reviewing.due_for(people.call(login), NOW).exists()
    assert far not in reviewing.due_for(people.call("pia_partner"), NOW)


def test_at_its_end_the_gate_shows_it_to_nobody() -> None:
    made = kept()
    batch = made.batches.get()
    for login in people.CAST:
        viewer = viewer_of(people.call(login))
        before = batch.pk in scope_of(viewer, made.ends_at - timedelta(microseconds=1)).batches
        assert before == visible_batches(viewer, made.ends_at - timedelta(microseconds=1)).filter(pk=batch.pk).exists()
        assert batch.pk not in scope_of(viewer, made.ends_at).batches
        assert not visible_batches(viewer, made.ends_at).filter(pk=batch.pk).exists()


def test_the_same_bytes_after_the_end_are_a_new_delivery() -> None:
    first = sent(at=NOW - timedelta(days=500))
    ending.end(NOW)
    first.refresh_from_db()
    assert (first.state, first.name, first.title) == ("expired", first.receipt, "")
    second = sent()
    assert (second.state, second.duplicate_of) == ("parsed", None)


TOKENS = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"|/deliveries/[\w-]+')


@pytest.mark.parametrize("login", ["pia_partner", "dana_analyst", "lena_legal"])
def test_over_is_as_if_it_had_never_been(client: Client, login: str) -> None:
    """Every page about it answers as for a receipt that does not exist; lists, counts and look-ups hold nothing."""
    made = sent()
    people.let_in(client, login)
    Delivery.objects.filter(pk=made.pk).update(ends_at=NOW - timedelta(days=1))
    Batch.objects.filter(delivery=made).update(expires_at=NOW - timedelta(days=1))
    for name in ("delivery", "receipt", "delivery-original", "delivery-rejections", "delivery-mend", "term-of"):
        gone, absent = (client.get(reverse(name, args=[receipt])) for receipt in (made.receipt, "no-such-receipt"))
        assert gone.status_code == absent.status_code == 404
        assert TOKENS.sub(b"", gone.content) == TOKENS.sub(b"", absent.content)
    for address in ("/deliveries/", "/", "/countries/", "/terms/", "/lookup/?q=c2.northwind-test.example"):
        page = client.get(address)
        assert page.status_code == 200
        assert made.name.encode() not in page.content
        shown = page.content.lower()
        for asked in (b"c2.northwind-test.example", b"c2[.]northwind-test[.]example"):
            shown = shown.replace(asked, b"")
        assert b"northwind" not in shown or login == "pia_partner"


class TestPages:
    """Through the doors."""

    def test_a_term_is_extended_on_its_page(self, client: Client) -> None:
        made = kept(until=retention.expires_at(datetime.now(UTC), 1))
        people.let_in(client, "pia_partner")
        listed = client.get(reverse("terms")).content.decode()
        assert made.name in listed
        address = reverse("term-of", args=[made.receipt])
        assert client.post(address, {"kind": "extend", "until": "2099-01-01", "reason": "x"}).status_code == 422
        day = (datetime.now(UTC) + timedelta(days=200)).date()
        assert client.post(address, {"kind": "extend", "until": day, "reason": "Goes on"}).status_code == 302
        assert "Goes on" in client.get(address).content.decode()
        assert made.name not in client.get(reverse("terms")).content.decode()

    def test_the_source_answers_the_centre(self, client: Client) -> None:
        made = kept(until=retention.expires_at(datetime.now(UTC), 1))
        day = (datetime.now(UTC) + timedelta(days=200)).date()
        people.call("pia_partner")
        people.let_in(client, "dana_analyst")
        assert client.post(
            reverse("term-of", args=[made.receipt]), {"kind": "extend", "until": day, "reason": "Goes on"}
        ).status_code == 302  # fmt: skip
        asked = Review.objects.get()
        answer = reverse("term-answer", args=[asked.pk])
        assert client.post(answer, {"answer": "agree"}).status_code == 404
        people.let_in(client, "pia_partner")
        assert "Goes on" in client.get(reverse("terms")).content.decode()
        assert client.post(answer, {"answer": "agree"}).status_code == 302
        made.refresh_from_db()
        assert made.last_day == day
