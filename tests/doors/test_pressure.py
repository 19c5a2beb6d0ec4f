"""What may come in: who asks too much, and everybody where the machine is short, hears it before a byte is read."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.doors.conftest import GiveKey
from tests.doors.test_taxii import INBOX, indicator

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import pressure, store
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.services import receive
from tocsin.centre.members.limits import TooOften
from tocsin.core.errors import Unavailable
from tocsin.site import installation
from tocsin.taxii.answers import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
AT = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
NOTHING = dict.fromkeys(installation.LIMITS, 0)
Limit = Callable[..., None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    def only(**said: int) -> None:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, limits=NOTHING | said))

    return only


def unread() -> Iterator[bytes]:
    raise AssertionError("it was read")
    yield b""


class Door:
    """One way in: hands something new over each time."""

    def __init__(self, client: Client, secret: str, kind: str) -> None:
        self.client, self.secret, self.kind, self.number = client, secret, kind, 0

    def send(self, language: str = "en") -> Any:
        self.number += 1
        body = f"ip\n198.51.100.{self.number}\n".encode()
        if self.kind == "page":
            file = SimpleUploadedFile(f"{self.number}.csv", body, "text/csv")
            said = {"files": file, "organisation": "northwind", "marking": "TLP:AMBER"}
            headers = {"Accept-Language": language, "Accept": "application/json"}
            return self.client.post(reverse("upload"), said, headers=headers)
        headers = {"Authorization": f"Bearer {self.secret}", "Accept-Language": language}
        if self.kind == "api":
            return self.client.post("/api/v1/deliveries", body, content_type="text/csv", headers=headers)
        content = json.dumps({"objects": [indicator(self.number)]})
        headers["Accept"] = MEDIA_TYPE
        return self.client.post(f"{INBOX}objects/", content, content_type=MEDIA_TYPE, headers=headers)


@pytest.fixture(params=["page", "api", "taxii"])
def door(request: pytest.FixtureRequest, give_key: GiveKey) -> Door:
    made = Door(Client(), give_key("pia_partner"), request.param)
    if request.param == "page":
        people.let_in(made.client, "pia_partner")
    return made


def _is_taken(response: Any, door: Door) -> bool:
    if door.kind == "page":
        return response.status_code == 200 and bool(response.json()["results"][0]["received"])
    return bool(response.status_code == 202)


def _text(response: Any, door: Door) -> str:
    body = response.json()
    match door.kind:
        case "taxii":
            assert response["Content-Type"] == MEDIA_TYPE
            assert body["http_status"] == str(response.status_code)
            return str(body["title"])
        case "api":
            return str(body["text"])
    return str(body["results"][0]["message"] if body["results"] else body["errors"][0])


@pytest.mark.parametrize("name", ["organisation_deliveries", "organisation_waiting"])
def test_an_organisation_that_asks_too_much_hears_when_to_come_again_at_every_door(
    name: str, door: Door, limit: Limit
) -> None:
    limit(**{name: 3})
    assert all(_is_taken(door.send(), door) for _ in range(3))
    refused = door.send()
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert _text(refused, door) != _text(door.send("fr"), door) or door.kind == "page"
    assert Delivery.objects.count() == 3
    assert Entry.objects.filter(action="delivery.received").count() == 3
    # Another organisation goes on.
    receive(organisation=builders.organisation("kestrel"), via="api", name="a", chunks=[b"8.8.8.8\n"], at=AT)
    assert Delivery.objects.count() == 4


@pytest.mark.parametrize("short", ["memory", "store", "queue"])
def test_where_the_machine_is_short_everybody_is_told_and_nothing_is_read(
    short: str, door: Door, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(machine_memory_megabytes=256, machine_waiting=1)
    assert _is_taken(door.send(), door)
    pressure.forget()
    if short == "memory":
        limit(machine_memory_megabytes=256)
        monkeypatch.setattr(pressure, "available_memory", lambda: 255 << 20)
    elif short == "store":
        limit()
        monkeypatch.setattr(store, "RESERVE_BYTES", 1 << 62)
    refused = door.send()
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert _text(refused, door)
    assert Delivery.objects.count() == 1


def test_nothing_is_read_of_what_is_refused(limit: Limit, monkeypatch: pytest.MonkeyPatch) -> None:
    source = builders.organisation("kestrel")
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, upload_limit_bytes=2 << 20))
    limit(organisation_megabytes=1)
    receive(organisation=source, via="api", name="a", chunks=[b"8" * (3 << 19)], at=AT)  # A larger one than is left.
    with pytest.raises(TooOften):
        receive(organisation=source, via="api", name="b", chunks=unread(), at=AT)
    limit(organisation_waiting_megabytes=1)
    pressure.forget()
    with pytest.raises(TooOften):
        receive(organisation=source, via="api", name="c", chunks=unread(), at=AT)
    limit(machine_memory_megabytes=1 << 40)
    with pytest.raises(Unavailable):
        receive(organisation=source, via="api", name="d", chunks=unread(), at=AT)
    # What the Centre itself does is not turned away.
    receive(organisation=source, via="command", name="e", chunks=[b"8.8.4.4\n"], at=AT)


def test_so_many_uploads_at_once_and_the_next_when_one_is_over(limit: Limit) -> None:
    source, other = builders.organisation("kestrel"), builders.organisation("northwind")
    limit(organisation_uploads=2)
    with pressure.under_way(source), pressure.under_way(source):
        with pytest.raises(TooOften), pressure.under_way(source):
            pass
        with pressure.under_way(other):
            pass
    with pressure.under_way(source):
        pass
    refused = []

    def one() -> None:
        try:
            with pressure.under_way(source):
                gone.wait(20)
        except TooOften:
            refused.append(1)

    gone = threading.Event()
    threads = [threading.Thread(target=one) for _ in range(10)]
    for each in threads:
        each.start()
    while len(refused) < 8 and any(each.is_alive() for each in threads):
        pass
    gone.set()
    for each in threads:
        each.join()
    assert len(refused) == 8


def test_a_large_form_of_a_stranger_is_refused_before_it_is_read(client: Client) -> None:
    class Unread:
        def read(self, *_size: int) -> bytes:
            raise AssertionError("it was read")

        readline = read

    said = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(5 << 30), "CONTENT_TYPE": "multipart/form-data; boundary=b"}
    token = {"HTTP_COOKIE": f"csrftoken={'a' * 32}"}
    for path in (reverse("sign-in"), reverse("upload"), "/no-such-page/"):
        assert client.generic("POST", path, **said, **token).status_code == 413
    people.let_in(client, "pia_partner")
    answer = client.generic("POST", reverse("upload"), **said, headers={"Accept": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["errors"]


def test_a_large_form_for_which_there_is_no_room_is_told_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    people.let_in(client, "pia_partner")
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, upload_limit_bytes=1 << 60))
    said = {"CONTENT_LENGTH": str(1 << 59), "CONTENT_TYPE": "multipart/form-data; boundary=b"}
    answer = client.generic("POST", reverse("upload"), **said)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("bound", "kept", "left"), [("max", 0, 8_000), ("5000000", 0, 2_000), ("5000000", 3_000, 5_000)]
)
def test_memory_is_that_of_the_machine_or_of_the_group(
    bound: str, kept: int, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable: 8000 kB\n")
    monkeypatch.setattr(pressure, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(pressure, "GROUPS", tmp_path)
    (tmp_path / "memory.max").write_text(bound)
    (tmp_path / "memory.current").write_text("3000000")
    (tmp_path / "memory.stat").write_text(f"anon 7\ninactive_file {kept * 1000}\n")
    assert pressure.available_memory() == (8_000 * 1024 if bound == "max" else left * 1000)
