"""A feed of MISP events: the manifest is followed, only what changed is fetched, and no trouble loses an event."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.doors.conftest import store

from tocsin.centre.intake import feeds, misp_feeds
from tocsin.centre.intake.models import Delivery, FeedState
from tocsin.centre.jobs.worker import run_one
from tocsin.core.profiles import Profile
from tocsin.reference.feeds import Feed
from tocsin.transport.fetching import FetchLimits

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SLUG = "example/events"
IDS = [f"11111111-2222-4333-8444-{number:012d}" for number in range(5)]


class Site:
    """What the server holds, and which pages were asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.trouble = 0

    def put(self, uuid: str, timestamp: int, value: str, *, listed: bool = True, there: bool = True) -> None:
        manifest = json.loads(self.pages.get("manifest.json", b"{}"))
        if listed:
            manifest[uuid] = {"timestamp": str(timestamp), "info": "A campaign", "Orgc": {"name": "Example"}}
            self.pages["manifest.json"] = json.dumps(manifest).encode()
        if there:
            self.pages[f"{uuid}.json"] = json.dumps(event(uuid, timestamp, value)).encode()


def event(uuid: str, timestamp: int, value: str) -> dict[str, Any]:
    attribute = {"uuid": uuid.replace("1111", "2222"), "type": "ip-dst", "category": "Network activity", "value": value,
                 "to_ids": True, "timestamp": str(timestamp)}  # fmt: skip
    return {"Event": {"uuid": uuid, "info": "A campaign", "timestamp": str(timestamp), "date": "2026-01-01",
                      "published": True, "Attribute": [attribute]}}  # fmt: skip


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    held = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_said: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            name = self.path.removeprefix("/feed/")
            held.asked.append(name)
            body = held.pages.get(name)
            mark = f'"{hash(body)}"'
            same = body is not None and self.headers.get("If-None-Match") == mark
            self.send_response(held.trouble or (304 if same else 200 if body is not None else 404))
            self.send_header("ETag", mark)
            self.send_header("Content-Length", str(0 if same else len(body or b"")))
            self.end_headers()
            self.wfile.write(b"" if same else body or b"")

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    feed = Feed(
        slug=SLUG, provider="Example Events", title="Events", licence="CC0", every_minutes=60,
        address=f"http://127.0.0.1:{httpd.server_address[1]}/feed/manifest.json",
        profile=Profile(format="misp", marking="TLP:CLEAR"),
    )  # fmt: skip
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(feeds, "all_feeds", lambda: (feed,))
    monkeypatch.setattr(feeds, "limits", lambda: FetchLimits(back_off_seconds=0.01, attempts=1))
    yield held
    httpd.shutdown()
    httpd.server_close()


def run() -> FeedState:
    feeds.run_now(SLUG, by="test", at=datetime.now(UTC))
    while run_one("test", {feeds.FETCH: feeds.fetch_feed}):
        pass
    return FeedState.objects.get()


def test_only_events_that_changed_are_fetched(site: Site) -> None:
    for number in range(3):
        site.put(IDS[number], 1_760_000_000 + number, f"9.9.9.{number + 1}")
    state = run()
    assert state.error == ""
    assert site.asked == ["manifest.json", *(f"{uuid}.json" for uuid in reversed(IDS[:3]))], "the latest first"
    assert Delivery.objects.count() == 3
    site.asked.clear()
    run()
    assert site.asked == ["manifest.json"], "nothing new"
    site.asked.clear()
    site.put(IDS[1], 1_770_000_000, "9.9.9.77")
    site.put(IDS[3], 1_770_000_001, "9.9.9.4")
    run()
    assert site.asked == ["manifest.json", f"{IDS[3]}.json", f"{IDS[1]}.json"]
    assert Delivery.objects.count() == 5


def test_an_event_that_is_not_there_stops_nothing(site: Site) -> None:
    site.put(IDS[0], 1_760_000_000, "9.9.9.1")
    site.put(IDS[1], 1_760_000_001, "9.9.9.2", there=False)
    assert run().error == ""
    assert [each.name for each in Delivery.objects.all()] == [f"{IDS[0]}.json"]


def test_another_event_than_the_manifest_names_is_refused_and_tried_again(site: Site) -> None:
    site.put(IDS[0], 1_760_000_000, "9.9.9.1")
    site.put(IDS[1], 1_760_000_001, "9.9.9.2")
    site.pages[f"{IDS[1]}.json"] = b"<html>Sorry</html>"
    state = run()
    assert (state.error, state.failures) == ("not-json", 1)
    assert [each.name for each in Delivery.objects.all()] == [f"{IDS[0]}.json"], "the others came in"
    site.pages[f"{IDS[1]}.json"] = json.dumps(event(IDS[4], 1_760_000_001, "9.9.9.2")).encode()
    assert run().error == "invalid-object"
    site.put(IDS[1], 1_760_000_001, "9.9.9.2")
    assert run().error == ""
    assert Delivery.objects.count() == 2


def test_a_large_feed_comes_in_portions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misp_feeds, "EVENTS_IN_RUN", 2)
    for number in range(5):
        site.put(IDS[number], 1_760_000_000 + number, f"9.9.9.{number + 1}")
    counts = []
    for _ in range(4):
        run()
        counts.append(Delivery.objects.count())
    assert counts == [2, 4, 5, 5]
    assert site.asked.count("manifest.json") == 4


def test_a_broken_event_does_not_keep_the_next_portion_waiting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misp_feeds, "EVENTS_IN_RUN", 2)
    for number in range(5):
        site.put(IDS[number], 1_760_000_000 + number, f"9.9.9.{number + 1}")
    site.pages[f"{IDS[4]}.json"] = b"<html>Sorry</html>"
    assert run().error == ""
    assert run().error == "not-json", "said when the others are in"
    assert Delivery.objects.count() == 4


def test_the_lease_is_kept_while_nothing_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = []
    monkeypatch.setattr(feeds, "RENEW_SECONDS", -1)
    monkeypatch.setattr(feeds.jobs, "renew", lambda *said, **more: renewed.append(said))
    site.put(IDS[0], 1_760_000_000, "9.9.9.1", there=False)
    run()
    with_one = len(renewed)
    for number in range(1, 5):
        site.put(IDS[number], 1_760_000_000 + number, "9.9.9.2", there=False)
    run()
    assert len(renewed) - with_one == with_one + 4


def test_the_lease_is_kept_before_another_try(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = []
    monkeypatch.setattr(feeds, "RENEW_SECONDS", -1)
    monkeypatch.setattr(feeds.jobs, "renew", lambda *said, **more: renewed.append(said))
    monkeypatch.setattr(feeds, "limits", lambda: FetchLimits(back_off_seconds=0.01, attempts=3))
    site.trouble = 503
    assert run().error == "status: 503"
    assert len(renewed) == 2


def test_a_server_that_names_very_many_events_and_has_none_holds_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misp_feeds, "TRIES_IN_RUN", 3)
    for number in range(5):
        site.put(IDS[number], 1_760_000_000 + number, "9.9.9.2", there=False)
    state = run()
    assert len(site.asked) == 1 + 3
    assert state.next_at is None or state.next_at > datetime.now(UTC)


def test_an_event_beyond_measure_stops_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misp_feeds, "EVENT_BYTES", 1_000)
    site.put(IDS[0], 1_760_000_000, "9.9.9.1")
    site.put(IDS[1], 1_760_000_001, "x" * 1_000)
    assert run().error == "too-large"
    assert [each.name for each in Delivery.objects.all()] == [f"{IDS[0]}.json"]


@pytest.mark.parametrize(("manifest", "code"), [
    (b"no json", "not-json"), (b"[]", "invalid-object"),
    (b'{"../../etc/passwd": {"timestamp": "1"}}', "invalid-object"),
])  # fmt: skip
def test_a_manifest_that_is_none_says_so(site: Site, manifest: bytes, code: str) -> None:
    site.pages["manifest.json"] = manifest
    assert run().error == code
    assert site.asked == ["manifest.json"]
