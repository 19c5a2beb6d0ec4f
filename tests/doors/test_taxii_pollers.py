"""Programs that people have poll a live server while others write: nobody misses anything, nobody sees what is hidden.

What is imitated was read in the programs' own sources: `ingestionManager.ts` of OpenCTI and `client_taxii.py` of its
connector taxii2, `TaxiiServer.php` and `taxii_push.py` of MISP.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
import requests
import stix2
import taxii2client
from django.db import connection
from requests.auth import HTTPBasicAuth
from stix2.datastore.filters import Filter
from stix2.datastore.taxii import TAXIICollectionSink, TAXIICollectionSource
from taxii2client.v21 import Server, as_pages
from tests import builders, people
from tests.doors.conftest import GiveKey, work
from tests.doors.taxii_readers import sent

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import set_audience
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
LIMIT = 4
WRITTEN, HIDDEN_EVERY, LATE_EVERY = 36, 5, 7


class Polls(Protocol):
    """A program that asks once, remembers where it is, and keeps what it got."""

    seen: set[str]

    def poll(self) -> bool:
        """Ask once. Whether there may be more at once."""


class ByState:
    """OpenCTI's own ingestion: one page each time; `next` while there is more, else the last date, cut to milliseconds.

    Where a page brings nothing, it changes nothing of what it remembers.
    """

    def __init__(self, root: str, secret: str, name: str = "released") -> None:
        self.url = f"{root}collections/{name}/objects/"
        self.headers = {"Accept": MEDIA_TYPE, "Authorization": f"Bearer {secret}"}
        self.state: dict[str, str | None] = {"next": None, "added_after": None}
        self.seen: set[str] = set()

    def poll(self) -> bool:
        asked = {**self.state, "limit": str(LIMIT)}
        answer = requests.get(self.url, params=asked, headers=self.headers, timeout=30)
        answer.raise_for_status()
        body, last = answer.json(), answer.headers.get("x-taxii-date-added-last")
        objects = body.get("objects") or []
        self.seen |= {each["id"] for each in objects}
        if not objects:
            return False
        if body.get("more") and body.get("next"):
            self.state["next"] = body["next"]
            return True
        moment = datetime.fromisoformat(last) if last else datetime.now(UTC)
        self.state = {"next": None, "added_after": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        return False


class FirstPage:
    """The many programs that read one page and go on from its last date, and know nothing of `more` and `next`."""

    def __init__(self, root: str, secret: str) -> None:
        self.url = f"{root}collections/released/objects/"
        self.headers = {"Accept": "application/taxii+json", "Authorization": f"Bearer {secret}"}
        self.after: str | None = None
        self.seen: set[str] = set()

    def poll(self) -> bool:
        answer = requests.get(self.url, params={"added_after": self.after}, headers=self.headers, timeout=30)
        answer.raise_for_status()
        self.seen |= {each["id"] for each in answer.json().get("objects", [])}
        self.after = answer.headers["X-TAXII-Date-Added-Last"]
        return False


class FromTheBeginning:
    """MISP's view of a server: pages of one size by `next`, from the beginning each time; `basic` in small letters."""

    def __init__(self, root: str, login: str, secret: str) -> None:
        self.url = f"{root}collections/released/objects/"
        key = base64.b64encode(f"{login}:{secret}".encode()).decode()
        self.headers = {"Accept": MEDIA_TYPE, "Content-type": MEDIA_TYPE, "Authorization": f"basic {key}"}
        self.next = ""
        self.seen: set[str] = set()

    def poll(self) -> bool:
        answer = requests.get(self.url, params={"limit": 5, "next": self.next}, headers=self.headers, timeout=30)
        answer.raise_for_status()
        body = answer.json()
        self.seen |= {each["id"] for each in body.get("objects", [])}
        self.next = body.get("next", "")
        return bool(body.get("more"))


class Connector:
    """OpenCTI's connector taxii2: the public client; the question's date goes missing from the second page on, and the
    next run begins where this one's clock stood at its start, in whole seconds."""

    def __init__(self, root: str, login: str, secret: str) -> None:
        self.server = Server(root.rsplit("/", 2)[0] + "/", auth=HTTPBasicAuth(login, secret))
        self.filters: dict[str, Any] = {"limit": LIMIT}
        self.seen: set[str] = set()

    def run(self) -> None:
        begun = int(datetime.now(UTC).timestamp())
        [root] = [each for each in self.server.api_roots if each.url.split("/")[-2] == "ncb-fr"]
        [collection] = [each for each in root.collections if each.title == "Released"]
        answer = collection.get_objects(**self.filters)
        if "objects" in answer and len(answer["objects"]) > 0:
            assert "spec_version" in answer["objects"][0], "else it takes the server for one of TAXII 2.0"
            while True:
                self.seen |= {each["id"] for each in answer["objects"]}
                if answer.get("more") is not True:
                    break
                self.filters.pop("added_after", None)
                self.filters["next"] = answer["next"]
                answer = collection.get_objects(**self.filters)
        at = datetime.fromtimestamp(begun, tz=UTC)
        self.filters = {"limit": LIMIT, "added_after": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


class ByPages:
    """The public client's own pages, all of them each time, from the last date."""

    def __init__(self, root: str, login: str, secret: str) -> None:
        server = Server(root.rsplit("/", 2)[0] + "/", user=login, password=secret)
        self.collection = next(each for each in server.default.collections if each.title == "Released")
        self.after: str | None = None
        self.seen: set[str] = set()

    def poll(self) -> bool:
        for page in as_pages(self.collection.get_objects, per_request=LIMIT, added_after=self.after):
            self.seen |= {each["id"] for each in page.get("objects", [])}
        for entries in as_pages(self.collection.get_manifest, per_request=50, added_after=self.after):
            for each in entries.get("objects", []):
                self.after = each["date_added"] if each["id"] in self.seen else self.after
        return False


def _write(stop: threading.Event) -> None:
    """Deliveries of some objects each; some are kept from France, some are released to it later."""
    late: list[Batch] = []
    try:
        for number in range(WRITTEN):
            numbers = range(number * 3, number * 3 + 1 + number % 3)
            if number % HIDDEN_EVERY == 0:
                sent(*numbers, exclusions=("country:FR",))
            elif number % LATE_EVERY == 0:
                late.append(sent(*numbers, released_to=None))
            else:
                sent(*numbers)
            if late and number % 3 == 0:
                set_audience(Batch.objects.filter(pk=late.pop(0).pk), ())
        for batch in late:
            set_audience(Batch.objects.filter(pk=batch.pk), ())
    finally:
        stop.set()
        connection.close()


@contextmanager
def writing() -> Iterator[threading.Event]:
    """Somebody writes meanwhile."""
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(stop,))
    writer.start()
    try:
        yield stop
    finally:
        writer.join()


@pytest.fixture
def root(live_server: Any) -> str:
    return f"{live_server.url}/taxii2/ncb-fr/"


def everything(root: str, secret: str) -> set[str]:
    """What is open to France now, in one page of the most."""
    answer = requests.get(
        f"{root}collections/released/objects/", headers={"Authorization": f"Bearer {secret}"}, timeout=30
    ).json()
    assert "more" not in answer
    return {each["id"] for each in answer["objects"]}


def test_whoever_polls_while_others_write_misses_nothing(root: str, give_key: GiveKey) -> None:
    people.call("pia_partner")
    secret = give_key("fleur_officer")
    made: list[Callable[[], Polls]] = [
        lambda: ByState(root, secret), lambda: FirstPage(root, secret), lambda: ByState(root, secret, "released"),
        lambda: FromTheBeginning(root, "fleur_officer", secret), lambda: ByPages(root, "fleur_officer", secret),
    ]  # fmt: skip
    programs = [make() for make in made]
    with writing() as stop:
        while not stop.is_set():
            for each in programs:
                each.poll()
    for each in programs:
        for _ in range(3):  # What came while a pass was under way comes in the next.
            while each.poll():
                pass
    shown = everything(root, secret)
    assert len(shown) > WRITTEN
    assert everything(root.replace("ncb-fr", "ncb-jo"), give_key("khalil_officer")) > shown, (
        "something was kept from it"
    )
    for each in programs:
        assert each.seen == shown, type(each).__name__


def test_the_connector_misses_nothing_from_run_to_run(root: str, give_key: GiveKey) -> None:
    secret = give_key("fleur_officer")
    connector = Connector(root, "fleur_officer", secret)
    for number in range(4):
        sent(*range(number * 10, number * 10 + 6))
        sent(number * 10 + 7, exclusions=("country:FR",))
        connector.run()
    assert connector.seen == everything(root, secret)


def test_misp_looks_at_an_object_and_pushes_envelopes(root: str, live_server: Any, give_key: GiveKey) -> None:
    sent(1)
    login = "fleur_officer"
    secret = give_key(login)
    auth = HTTPBasicAuth(*f"{login}:{secret}".split(":"))
    with taxii2client.ApiRoot(f"{live_server.url}/taxii2/ncb-fr", auth=auth) as api_root:
        most = api_root.max_content_length
        inbox = next(each.id for each in api_root.collections if each.can_write)
    content = b'{"objects":[' + json.dumps(builders.indicator(5)).encode() + b"]}"
    assert len(content) < most
    with taxii2client.Collection(f"{live_server.url}/taxii2/ncb-fr/collections/{inbox}", auth=auth) as collection:
        status = collection.add_objects(content, wait_for_completion=False)
        assert (status.pending_count, status.failure_count) == (1, 0)
    one = next(each for each in everything(root, secret) if each.startswith("indicator--"))
    answer = requests.get(
        f"{root}collections/released/objects/{one}/", headers={"Accept": MEDIA_TYPE}, auth=auth, timeout=30
    )
    assert answer.json()["objects"][0]["id"] == one


@contextmanager
def working() -> Iterator[None]:
    """A worker reads what is handed over."""
    stop = threading.Event()

    def loop() -> None:
        try:
            while not stop.wait(0.1):
                work()
        finally:
            connection.close()

    worker = threading.Thread(target=loop)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def test_python_stix2_reads_and_writes_as_into_a_store(root: str, give_key: GiveKey) -> None:
    secret = give_key("fleur_officer")
    for version in (1, 2):
        sent(1, version=version)
    sent(2, 3)
    server = Server(root.rsplit("/", 2)[0] + "/", user="fleur_officer", password=secret)
    by_title = {each.title: each for each in server.default.collections}
    source = TAXIICollectionSource(by_title["Released"], items_per_page=2)
    environment = stix2.Environment(source=source, sink=TAXIICollectionSink(by_title["Inbox"]))
    found = environment.query([Filter("type", "=", "indicator")])
    assert [each.name for each in found] == ["address 1", "address 2", "address 3"]
    assert environment.get(found[0].id) == found[0]
    assert environment.get("indicator--99999999-9999-4999-8999-999999999999") is None
    assert [each.modified.day for each in environment.all_versions(found[0].id)] == [1, 2]
    assert environment.query([Filter("type", "=", "malware")]) == []
    assert (
        len(environment.query([Filter("added_after", "=", "2000-01-01T00:00:00Z"), Filter("name", "=", "address 3")]))
        == 1
    )
    with working():
        environment.add(stix2.v21.Indicator(
            pattern="[ipv4-addr:value = '192.0.2.77']", pattern_type="stix", valid_from="2026-11-01T10:00:00Z"
        ))  # fmt: skip
    assert Delivery.objects.filter(organisation__slug="ncb-fr", via="taxii").get().state == "parsed"


def test_the_public_client_waits_until_all_is_read(root: str, give_key: GiveKey) -> None:
    secret = give_key("fleur_officer")
    with Server(root.rsplit("/", 2)[0] + "/", user="fleur_officer", password=secret) as server, working():
        inbox = next(each for each in server.default.collections if each.can_write)
        bad = {**builders.indicator(2), "pattern": "[no"}
        status = inbox.add_objects({"objects": [builders.indicator(1), bad]}, poll_interval=0.2)
        assert (status.status, status.success_count, status.failure_count) == ("complete", 1, 1)
        again = server.default.get_status(status.id)
        assert again.failures == status.failures
