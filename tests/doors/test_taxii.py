"""TAXII 2.1: partners hand over objects with the client that they use already."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from taxii2client.v21 import ApiRoot, Server, Status
from tests import builders, people
from tests.doors.conftest import GiveKey, work

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.originals import read
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.members.models import CodeApp
from tocsin.taxii.envelopes import named_objects
from tocsin.taxii.media_types import MEDIA_TYPE, accepts, is_taxii
from tocsin.taxii.status import status_id

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
MOMENT = "2026-11-20T10:00:00.000Z"
INBOX = "/taxii2/northwind/collections/inbox/"


def indicator(number: int, pattern: str | None = None) -> dict[str, Any]:
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": MOMENT, "modified": MOMENT, "valid_from": MOMENT, "pattern_type": "stix",
        "pattern": pattern or f"[ipv4-addr:value = '192.0.2.{number}']",
    }  # fmt: skip


GOOD = {"objects": [indicator(1), indicator(2)]}


def basic(login: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{secret}".encode()).decode()


def post(client: Client, secret: str, body: bytes, kind: str = MEDIA_TYPE, **headers: str) -> Any:
    said = {"Authorization": f"Bearer {secret}", "Accept": MEDIA_TYPE, **headers}
    # Said in both ways: the test client leaves the type of an empty body out.
    return client.post(f"{INBOX}objects/", body, content_type=kind, headers=said, CONTENT_TYPE=kind)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_key", [True, False], ids=["key", "password"])
def test_the_public_client_delivers_and_follows(
    live_server: Any, give_key: GiveKey, store: Path, with_key: bool
) -> None:
    secret = give_key() if with_key else (people.call("pia_partner") and builders.PASSWORD)
    envelope = {"objects": [indicator(1), indicator(2), {"type": "indicator", "spec_version": "2.1"}]}
    with Server(f"{live_server.url}/taxii2/", user="pia_partner", password=secret) as server:
        assert server.default.title == "Northwind"
        assert server.default.max_content_length > 0
        inbox = server.default.collections[0]
        assert (inbox.can_write, inbox.can_read) == (True, True)
        status = inbox.add_objects(envelope, wait_for_completion=False)
        assert (status.status, status.total_count, status.pending_count) == ("pending", 3, 3)
        work()
        status.refresh()
        assert status.status == "complete"
        assert (status.success_count, status.failure_count, status.pending_count) == (2, 1, 0)
        assert [each["id"] for each in status.successes] == [each["id"] for each in envelope["objects"][:2]]
        again = inbox.add_objects(envelope, wait_for_completion=False)
        assert (again.status, again.success_count) == ("complete", 2)


@pytest.mark.django_db(transaction=True)
def test_what_failed_is_named_with_its_reason(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    bad = {**indicator(2), "pattern": "[not a pattern"}
    receipt = post(client, secret, json.dumps({"objects": [indicator(1), bad]}).encode()).json()["id"]
    work()
    said = client.get(f"/taxii2/northwind/status/{receipt}/", headers={"Authorization": f"Bearer {secret}"}).json()
    assert [(each["id"], bool(each["message"])) for each in said["failures"]] == [(bad["id"], True)]
    assert said["success_count"] + said["failure_count"] == said["total_count"] == 2


def test_the_envelope_is_kept_byte_for_byte(client: Client, give_key: GiveKey, store: Path) -> None:
    body = b' { "more": false,\n"objects" : [' + json.dumps(indicator(1)).encode() + b', {"id": 7}] }\n'
    response = post(client, give_key(), body)
    assert (response.status_code, response["Content-Type"]) == (202, MEDIA_TYPE)
    delivery = Delivery.objects.get()
    assert (delivery.via, status_id(delivery.receipt)) == ("taxii", response.json()["id"])
    assert read(delivery_path(store, delivery.sha256)) == body
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", response.json()["request_timestamp"])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b'{"objects":[]}', b'{"objects":{}}', b'{"objects":[', b'{"objects":[{"id":"\xff"}]}',
        b"\xff\xfe{\0}\0", gzip.compress(b'{"objects":[{}]}'), b"[" * 60_000, b'{"objects":[' + b'{"a":' * 60_000,
        b'{"objects":[{"x":' + b"[" * 60_000 + b"]" * 60_000 + b"}]}",
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_envelope_is_refused_and_not_kept(
    client: Client, give_key: GiveKey, store: Path, body: bytes
) -> None:
    response = post(client, give_key(), body)
    assert response.status_code == 422
    assert response.json()["http_status"] == "422"
    assert not Delivery.objects.exists()
    assert not [path for path in store.rglob("*") if path.is_file()]


def test_too_large(client: Client, give_key: GiveKey) -> None:
    assert post(client, give_key(), b" " * ((1 << 20) + 1)).status_code == 413


def test_media_types(client: Client, give_key: GiveKey) -> None:
    secret, body = give_key(), json.dumps(GOOD).encode()
    assert post(client, secret, body, "application/json").status_code == 415
    assert post(client, secret, body, "application/taxii+json;version=2.0").status_code == 415
    assert post(client, secret, body, **{"Content-Encoding": "br"}).status_code == 415
    assert post(client, secret, body, Accept="application/json").status_code == 406
    assert not Delivery.objects.exists()
    for kind in ("application/taxii+json", 'application/taxii+json; version="2.1"'):
        assert post(client, secret, body, kind, Accept=kind).status_code == 202


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", True), ("*/*", True), ("text/html, */*;q=0.1", True), (MEDIA_TYPE, True),
        ("APPLICATION/TAXII+JSON; Version=2.1", True), ("application/taxii+json;version=2.0", False),
        ("application/json", False), (f"{MEDIA_TYPE};q=0", False), (f"{MEDIA_TYPE};q=0.5", True), (";;,", False),
    ],
)  # fmt: skip
def test_accept(header: str, expected: bool) -> None:
    assert accepts(header) is expected


def test_no_type_is_not_taxii() -> None:
    assert not is_taxii("")


def test_without_a_valid_word_nothing_opens(client: Client, give_key: GiveKey) -> None:
    wrong = {
        "none": {}, "key": {"Authorization": "Bearer toc_x"}, "junk": {"Authorization": "Basic %%%"},
        "password": {"Authorization": basic("pia_partner", "wrong")},
        "another's key": {"Authorization": basic("omar_partner", give_key())},
    }  # fmt: skip
    for headers in wrong.values():
        for path in ("/taxii2/", "/taxii2/northwind/", f"{INBOX}objects/", "/taxii2/none/"):
            response = client.get(path, headers=headers)
            assert response.status_code == 401
            assert "Basic" in response["WWW-Authenticate"]
            assert response.json()["http_status"] == "401"


def test_guessing_passwords_is_slowed(client: Client) -> None:
    people.call("pia_partner")
    for _ in range(5):
        assert client.get("/taxii2/", headers={"Authorization": basic("pia_partner", "x")}).status_code == 401
    response = client.get("/taxii2/", headers={"Authorization": basic("pia_partner", builders.PASSWORD)})
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0


def test_a_first_password_opens_no_machine_door(client: Client) -> None:
    person = people.call("pia_partner")
    person.must_change_password = True
    person.save()
    response = client.get("/taxii2/", headers={"Authorization": basic("pia_partner", builders.PASSWORD)})
    assert response.status_code == 401


@pytest.mark.parametrize("why", ["has one", "must have one"])
def test_with_a_second_factor_only_keys_open_machine_doors(
    client: Client, give_key: GiveKey, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "has one":
        CodeApp.objects.create(person=people.call("pia_partner"), sealed="", created_at=builders.NOW)
    else:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor="everyone"))
        people.call("pia_partner")
    words = {word: client.get("/taxii2/", headers={"Authorization": basic("pia_partner", word)})
             for word in ("wrong", builders.PASSWORD, give_key())}  # fmt: skip
    assert [each.status_code for each in words.values()] == [401, 403, 200]
    assert "use a key" in words[builders.PASSWORD].json()["title"]


def test_what_is_anothers_answers_as_what_is_not_there(client: Client, give_key: GiveKey) -> None:
    receipt = post(client, give_key(), json.dumps(GOOD).encode()).json()["id"]
    stranger = {"Authorization": f"Bearer {give_key('omar_partner')}"}
    hidden = ["", f"status/{receipt}/", "collections/", "collections/inbox/", "collections/inbox/objects/"]
    answers = [client.get(f"/taxii2/northwind/{path}", headers=stranger) for path in hidden]
    answers += [
        client.get(f"/taxii2/{path}/", headers=stranger) for path in ("nobody", "southgate/status/none", "a/b/c/d")
    ]
    answers.append(client.get(f"/taxii2/southgate/status/{receipt}/", headers=stranger))
    assert {each.status_code for each in answers} == {404}
    assert len({each.content for each in answers}) == 1
    posted = client.post(f"{INBOX}objects/", json.dumps(GOOD), content_type=MEDIA_TYPE, headers=stranger)
    assert posted.content == answers[0].content


def test_scopes_and_abilities(client: Client, give_key: GiveKey) -> None:
    body = json.dumps(GOOD).encode()
    assert post(client, give_key(scopes=["read"]), body).status_code == 403
    rui = {"Authorization": f"Bearer {give_key('rui_reviewer')}"}
    response = client.get("/taxii2/centre/collections/", headers=rui)
    assert [each["alias"] for each in response.json()["collections"]] == ["released", "alerts", "recalls"]
    key = {"Authorization": f"Bearer {give_key(scopes=['deliver', 'taxii'])}"}
    for tail in ("objects/", "manifest/", "objects/indicator--1/", "objects/indicator--1/versions/"):
        # Nobody reads out of an inbox with a key that only hands over.
        assert client.get(f"{INBOX}{tail}", headers=key).status_code == 403
    assert client.delete(f"{INBOX}objects/", headers=key).status_code == 405


def test_a_session_does_not_open_the_door(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    assert client.get("/taxii2/").status_code == 401


def test_the_collection_answers_under_both_names(client: Client, give_key: GiveKey) -> None:
    key = {"Authorization": f"Bearer {give_key()}"}
    by_alias = client.get(INBOX, headers=key).json()
    assert client.get(INBOX.replace("inbox", by_alias["id"]), headers=key).json() == by_alias


def test_identities_in_an_envelope() -> None:
    body = b'{"objects":[{"id":"a--1","modified":"m","created":"c"},{"id":"b--1","created":"c"},{"id":3},7]}'
    assert [(each.id, each.version) for each in named_objects(body)] == [
        ("a--1", "m"),
        ("b--1", "c"),
        ("", ""),
        ("", ""),
    ]


def test_client_classes_read_our_resources(live_server: Any, give_key: GiveKey, client: Client) -> None:
    receipt = post(client, give_key(), json.dumps(GOOD).encode()).json()["id"]
    said = {"user": "pia_partner", "password": give_key()}
    with ApiRoot(f"{live_server.url}/taxii2/northwind/", **said) as root:
        root.refresh()
        assert root.versions == [MEDIA_TYPE]
    with Status(f"{live_server.url}/taxii2/northwind/status/{receipt}/", **said) as status:
        assert [each["id"] for each in status.pendings] == [each["id"] for each in GOOD["objects"]]
