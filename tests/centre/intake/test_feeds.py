"""Feeds from the switch to the delivery: fetched when due, quiet when nothing is new, later with each failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.test import Client
from django.urls import reverse
from tests import people
from tests.doors.conftest import store

from tocsin.centre.intake import feeds
from tocsin.centre.intake.models import Delivery, FeedState
from tocsin.centre.jobs.models import Job
from tocsin.centre.jobs.worker import run_one
from tocsin.centre.members.agreement_states import State
from tocsin.centre.members.agreements import agreements_of, move
from tocsin.core.errors import NotFound
from tocsin.core.profiles import Profile
from tocsin.reference.feeds import Feed
from tocsin.transport.fetching import FetchLimits

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SLUG = "example/list"


class Answers:
    """What the server gives next."""

    status = 200
    body = b"9.9.9.9\n1.1.1.1\n"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_said: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            same = self.headers.get("If-None-Match") == '"a"' and answers.status == 200
            body = b"" if same else answers.body
            self.send_response(304 if same else answers.status)
            self.send_header("ETag", '"a"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    feed = Feed(
        slug=SLUG, provider="Example Lists", title="A list", address=f"http://127.0.0.1:{httpd.server_address[1]}/ip.txt",
        licence="CC0", profile=Profile(format="plain-list", marking="TLP:CLEAR"), every_minutes=60,
    )  # fmt: skip
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(feeds, "all_feeds", lambda: (feed,))
    monkeypatch.setattr(feeds, "limits", lambda: FetchLimits(back_off_seconds=0.01))
    yield answers
    httpd.shutdown()
    httpd.server_close()


def fetch_what_is_due(now: datetime) -> int:
    count = feeds.tick(now)
    while run_one("test", {feeds.FETCH: feeds.fetch_feed}):
        pass
    return count


def test_a_feed_that_goes_on_is_fetched_and_its_news_handed_over(served: Answers) -> None:
    at = datetime.now(UTC)
    assert feeds.tick(at) == 0
    feeds.switch(SLUG, on=True, by="test", at=at)
    assert fetch_what_is_due(at) == 1
    delivery = Delivery.objects.get()
    assert (delivery.via, delivery.name, delivery.stated_marking) == ("feed", "ip.txt", "TLP:CLEAR")
    assert (delivery.organisation.slug, delivery.organisation.name) == ("feed-example-lists", "Example Lists")
    state = FeedState.objects.get()
    assert (state.error, state.failures, state.last_delivery) == ("", 0, delivery)
    assert state.next_at is not None
    assert timedelta(minutes=59) < state.next_at - at < timedelta(minutes=70)


def test_nothing_new_is_fine_and_makes_no_delivery(served: Answers) -> None:
    at = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="test", at=at)
    fetch_what_is_due(at)
    assert fetch_what_is_due(at + timedelta(minutes=30)) == 0
    before = FeedState.objects.get()
    FeedState.objects.update(next_at=at)
    assert fetch_what_is_due(at) == 1
    after = FeedState.objects.get()
    assert Delivery.objects.count() == 1
    assert after.ok_at is not None
    assert before.ok_at is not None
    assert after.ok_at > before.ok_at


def test_failures_wait_longer_each_time_and_say_why(served: Answers) -> None:
    served.status = 500
    at = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="test", at=at)
    waits = []
    for _ in range(3):
        FeedState.objects.update(next_at=at)
        fetch_what_is_due(at)
        state = FeedState.objects.get()
        assert state.next_at is not None
        waits.append(state.next_at - datetime.now(UTC))
    assert waits[0] < waits[1] < waits[2]
    row = feeds.catalogue(at)[0]
    assert row.words == "The server answered with status 500."
    assert not Delivery.objects.exists()
    served.status = 200
    FeedState.objects.update(next_at=at)
    fetch_what_is_due(at)
    assert feeds.catalogue(at)[0].words == ""
    assert Delivery.objects.count() == 1


def test_many_workers_tick_and_one_job_comes_of_it(served: Answers) -> None:
    at = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="test", at=at)
    assert [feeds.tick(at), feeds.tick(at)] == [1, 0]
    assert Job.objects.filter(kind=feeds.FETCH).count() == 1


def test_switched_off_while_it_waited(served: Answers) -> None:
    at = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="test", at=at)
    feeds.tick(at)
    feeds.switch(SLUG, on=False, by="test", at=at)
    fetch_what_is_due(at)
    assert not Delivery.objects.exists()
    # Asked for by hand, it runs all the same and stays off.
    assert feeds.run_now(SLUG, by="test", at=at)
    fetch_what_is_due(at)
    assert Delivery.objects.count() == 1
    assert FeedState.objects.get().next_at is None


def test_a_feed_that_is_silent_for_long_is_late(served: Answers) -> None:
    at = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="test", at=at)
    fetch_what_is_due(at)
    assert not feeds.catalogue(at)[0].is_late
    assert feeds.catalogue(at + timedelta(hours=4))[0].is_late


def test_waits_never_pass_a_day(served: Answers) -> None:
    feed = feeds.feed_of(SLUG)
    now = datetime.now(UTC)
    assert feeds.next_at(feed, 30, now) - now < timedelta(days=1.2)
    rare = replace(feed, every_minutes=7 * 24 * 60)
    assert feeds.next_at(rare, 1, now) - now >= timedelta(days=7)


def test_unknown_feeds_have_no_switch() -> None:
    with pytest.raises(NotFound):
        feeds.switch("nobody/nothing", on=True, by="test", at=datetime.now(UTC))


@pytest.mark.parametrize(("login", "status"), [("ada_administrator", 302), ("dana_analyst", 404), ("pia_partner", 404)])
def test_who_turns_switches(served: Answers, client: Client, login: str, status: int) -> None:
    client.force_login(people.call(login))
    response = client.post(reverse("feed-switch"), {"feed": SLUG, "on": "1"})
    assert response.status_code == status
    assert FeedState.objects.filter(enabled=True).exists() == (status == 302)


def test_the_catalogue_is_shown_to_the_desk(served: Answers, client: Client) -> None:
    client.force_login(people.call("dana_analyst"))
    shown = client.get(reverse("feeds")).content
    assert b"A list" in shown
    assert b"Switch on" not in shown


def test_a_source_whose_agreement_is_suspended_is_not_even_asked(served: Answers) -> None:
    now = datetime.now(UTC)
    feeds.switch(SLUG, on=True, by="ada", at=now)
    source = feeds.source_of(feeds.feed_of(SLUG), now)
    [agreement] = agreements_of(source)
    assert (agreement.basis, agreement.state) == ("public", "active")
    move(agreement, State.SUSPENDED, reason="poisoned", by="paula", at=now)
    assert fetch_what_is_due(now) == 1
    state = FeedState.objects.get(slug=SLUG)
    assert (state.error, state.etag, Delivery.objects.count()) == ("agreement-not-in-force", "", 0)
    assert "No agreement with this organisation is in force" in feeds.words_of(state)
    move(agreement, State.ACTIVE, by="paula", at=now)
    FeedState.objects.update(next_at=now)
    assert fetch_what_is_due(now) == 1
    assert Delivery.objects.get().organisation == source
