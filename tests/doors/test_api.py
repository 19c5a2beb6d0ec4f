"""The API: receipts that hold, answers through the gate, errors of one shape."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests import builders, people
from tests.doors.conftest import GiveKey, work

from tocsin.api.urls import api
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.originals import read
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import Key
from tocsin.centre.release.models import Fetch, Package
from tocsin.cli.people import person as command

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
DELIVERIES = "/api/v1/deliveries"
TABLE = b"ip,last_seen\n192.0.2.7,2026-11-20T10:00:00Z\n198.51.100.9,2026-11-20T11:00:00Z\nnonsense,2026-11-20\n"


def signed(secret: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", **headers}


def post(client: Client, secret: str, body: bytes = TABLE, query: str = "", **headers: str) -> Any:
    return client.post(
        f"{DELIVERIES}{query}", body, content_type="application/octet-stream", headers=signed(secret, **headers)
    )


def without_length(body: bytes) -> dict[str, Any]:
    """What a server says of a body that came in chunks."""
    return {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}


def kept_files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_a_receipt_proves_bytes_row_job_and_log(client: Client, give_key: GiveKey, store: Path) -> None:
    response = post(client, give_key(), query="?name=seen.csv&marking=tlp:green")
    said = response.json()
    assert response.status_code == 202
    digest = hashlib.sha256(TABLE).hexdigest()
    assert (said["sha256"], said["size_bytes"], said["state"]) == (digest, len(TABLE), "received")
    assert response["Location"] == said["status_url"] == f"{DELIVERIES}/{said['receipt']}"
    assert read(delivery_path(store, digest)) == TABLE
    delivery = Delivery.objects.get(receipt=said["receipt"])
    assert (delivery.name, delivery.via, delivery.stated_marking) == ("seen.csv", "api", "TLP:GREEN")
    assert Job.objects.get().payload == {"delivery": delivery.pk}
    assert Entry.objects.get(action="delivery.received").actor == "pia_partner"


@pytest.mark.django_db(transaction=True)
def test_what_became_of_it_and_of_each_refused_record(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    receipt = post(client, secret, query="?name=seen.csv").json()["receipt"]
    work()
    status = client.get(f"{DELIVERIES}/{receipt}", headers=signed(secret)).json()
    assert (status["state"], status["rows"], status["rejections"], status["format"]) == ("parsed", 2, 1, "delimited")
    lines = client.get(status["rejections_url"], headers=signed(secret)).getvalue().splitlines()
    refused = [json.loads(line) for line in lines]
    assert [(each["position"], each["field"]) for each in refused] == [(4, "value")]
    assert refused[0]["text"].endswith(".")
    assert "nonsense" in refused[0]["excerpt"]


def test_the_form_of_browsers_and_curl(client: Client, give_key: GiveKey) -> None:
    response = client.post(DELIVERIES, {"file": SimpleUploadedFile("seen.csv", TABLE)}, headers=signed(give_key()))
    assert response.status_code == 202
    assert Delivery.objects.get().name == "seen.csv"


def test_a_body_declared_as_a_form_by_curl_is_kept_whole(client: Client, give_key: GiveKey) -> None:
    body = b"a=" + b"x" * 900_000
    kind = "application/x-www-form-urlencoded"
    response = client.post(DELIVERIES, body, content_type=kind, headers=signed(give_key()))
    assert response.json()["size_bytes"] == len(body)


def test_the_same_key_gives_the_same_receipt_once(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    first = post(client, secret, **{"Idempotency-Key": "a"})
    again = post(client, secret, **{"Idempotency-Key": "a"})
    assert first.json() == again.json()
    assert Delivery.objects.count() == Job.objects.count() == 1


def test_the_same_key_for_other_bytes_is_a_conflict(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    post(client, secret, **{"Idempotency-Key": "a"})
    other = post(client, secret, TABLE + b"203.0.113.4,2026-11-20\n", **{"Idempotency-Key": "a"})
    assert (other.status_code, other.json()["reason"]) == (409, "conflict")
    assert Delivery.objects.count() == 1


def test_the_same_key_of_another_organisation_is_another(client: Client, give_key: GiveKey) -> None:
    first = post(client, give_key(), **{"Idempotency-Key": "a"}).json()
    other = post(client, give_key("omar_partner"), **{"Idempotency-Key": "a"}).json()
    assert first["receipt"] != other["receipt"]


def test_the_same_bytes_without_a_key_point_to_the_first(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    first = post(client, secret).json()["receipt"]
    again = post(client, secret).json()
    assert again["state"] == "duplicate"
    assert client.get(again["status_url"], headers=signed(secret)).json()["duplicate_of"] == first


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "where", ["tocsin.centre.intake.services.jobs.enqueue", "tocsin.centre.intake.services.record"]
)
def test_killed_between_bytes_and_row(
    client: Client, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    secret = give_key()
    logged = Entry.objects.count()

    def killed(*_said: object, **_more: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(where, killed)
        with pytest.raises(SystemExit):
            post(client, secret, **{"Idempotency-Key": "a"})
    assert not Delivery.objects.exists()
    assert not Job.objects.exists()
    assert Entry.objects.count() == logged
    assert post(client, secret, **{"Idempotency-Key": "a"}).status_code == 202
    assert Delivery.objects.count() == Job.objects.count() == 1


HOSTILE = {
    "deep": b'{"a":' * 60_000,
    "utf-16": "ip\n192.0.2.7\n".encode("utf-16"),
    "wrong utf-8": b"ip\n\xff\xfe\xc3\x28\n",
    "gzip": gzip.compress(TABLE),
    "nul": b"\0" * 5_000,
    "formula": b"ip\n=cmd|' /C calc'!A0\n",
}


@pytest.mark.django_db(transaction=True)
def test_hostile_bodies_are_kept_as_they_came_and_settled(client: Client, give_key: GiveKey, store: Path) -> None:
    secret = give_key()
    receipts = {name: post(client, secret, body).json() for name, body in HOSTILE.items()}
    for name, body in HOSTILE.items():
        digest = hashlib.sha256(body).hexdigest()
        assert receipts[name]["sha256"] == digest
        assert read(delivery_path(store, digest)) == body
    work()
    settled = {name: client.get(said["status_url"], headers=signed(secret)).json() for name, said in receipts.items()}
    assert {each["state"] for each in settled.values()} <= {"parsed", "quarantined"}
    assert settled["gzip"]["rows"] == 2
    assert (settled["deep"]["state"], settled["deep"]["rows"]) == ("quarantined", 0)
    assert settled["deep"]["text"]


def test_nothing_is_no_delivery(client: Client, give_key: GiveKey, store: Path) -> None:
    response = post(client, give_key(), b"")
    assert (response.status_code, response.json()["reason"]) == (422, "empty-file")
    assert not Delivery.objects.exists()
    assert kept_files(store) == []


@pytest.mark.parametrize("announces", [True, False])
def test_too_much_is_refused_and_leaves_nothing(
    client: Client, give_key: GiveKey, store: Path, announces: bool
) -> None:
    body = b"x" * ((1 << 20) + 1)
    said = {} if announces else without_length(body)
    response = client.generic("POST", DELIVERIES, body, "text/plain", headers=signed(give_key()), **said)
    assert (response.status_code, response.json()["reason"]) == (413, "too-large")
    assert kept_files(store) == []


def test_without_a_length_the_body_is_read_to_its_end(client: Client, give_key: GiveKey) -> None:
    response = client.generic(
        "POST", DELIVERIES, TABLE, "text/csv", headers=signed(give_key()), **without_length(TABLE)
    )
    assert response.json()["size_bytes"] == len(TABLE)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_ends_early_leaves_nothing(live_server: Any, give_key: GiveKey, store: Path) -> None:
    head = (
        f"POST {DELIVERIES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {give_key()}\r\nContent-Length: 99\r\n"
    )
    with socket.create_connection((live_server.thread.host, live_server.thread.port), timeout=20) as line:
        line.sendall(head.encode() + b"Content-Type: text/csv\r\n\r\nip\n192.0.2.7\n")
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read()
    assert b" 422 " in answer.splitlines()[0]
    assert b"truncated" in answer
    assert not Delivery.objects.exists()
    assert kept_files(store) == []


def test_a_full_disk_is_told_and_leaves_nothing(
    client: Client, give_key: GiveKey, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.centre.intake.store.RESERVE_BYTES", 1 << 62)
    response = post(client, give_key())
    assert (response.status_code, response.json()["reason"]) == (503, "unavailable")  # Before a byte was read.
    assert int(response["Retry-After"]) > 0
    assert kept_files(store) == []


def test_a_disk_that_fills_while_a_body_comes_is_told_and_leaves_nothing(
    client: Client, give_key: GiveKey, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.centre.intake.pressure.require_means", lambda: None)
    monkeypatch.setattr("tocsin.centre.intake.store.RESERVE_BYTES", 1 << 62)
    response = post(client, give_key())
    assert (response.status_code, response.json()["reason"]) == (507, "no-space")
    assert kept_files(store) == []


@pytest.mark.parametrize(
    ("query", "reason"), [("?marking=TLP:PURPLE", "unknown-label"), ("?profile=nobodys", "unknown-profile")]
)
def test_what_is_said_beside_the_body_is_checked_first(
    client: Client, give_key: GiveKey, store: Path, query: str, reason: str
) -> None:
    response = post(client, give_key(), query=query)
    assert (response.status_code, response.json()["reason"]) == (422, reason)
    assert kept_files(store) == []


def test_a_stranger_gets_the_same_answer_as_for_nothing(client: Client, give_key: GiveKey) -> None:
    receipt = post(client, give_key()).json()["receipt"]
    stranger = signed(give_key("omar_partner"))
    for tail in ("", "/rejections"):
        others = client.get(f"{DELIVERIES}/{receipt}{tail}", headers=stranger)
        absent = client.get(f"{DELIVERIES}/nothing{tail}", headers=stranger)
        assert others.status_code == absent.status_code == 404
        assert others.content == absent.content
    assert client.get(f"{DELIVERIES}/{receipt}", headers=signed(give_key("dana_analyst"))).status_code == 200


AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("changed", [{"expires_at": AGO}, {"revoked_at": AGO}, {"digest": "0" * 64}], ids=str)
def test_keys_that_no_longer_open(client: Client, give_key: GiveKey, changed: dict[str, object]) -> None:
    response = post(client, give_key(**changed))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert not Delivery.objects.exists()


def test_who_may_no_longer_come_in_has_no_key(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    person = people.call("pia_partner")
    person.is_active = False
    person.save()
    assert post(client, secret).status_code == 401


def test_no_key_at_all(client: Client) -> None:
    for path in ("/lookup?q=a", "/feeds", "/observations", "/deliveries/x"):
        assert client.get(f"/api/v1{path}").status_code == 401


def test_scopes(client: Client, give_key: GiveKey) -> None:
    reader, sender = give_key(scopes=["read"]), give_key(scopes=["deliver"])
    assert post(client, reader).status_code == 403
    receipt = post(client, sender).json()["receipt"]
    assert client.get("/api/v1/lookup?q=192.0.2.7", headers=signed(sender)).status_code == 403
    assert client.get(f"{DELIVERIES}/{receipt}", headers=signed(sender)).status_code == 200
    assert client.get("/api/v1/lookup?q=192.0.2.7", headers=signed(reader)).status_code == 200


def test_who_administers_sees_no_content(client: Client, give_key: GiveKey) -> None:
    key = signed(give_key("ada_administrator"))
    for path in ("/lookup?q=192.0.2.7", "/observations", "/deliveries/x", "/countries/FR/packages"):
        assert client.get(f"/api/v1{path}", headers=key).status_code == 403
    assert client.get("/api/v1/feeds", headers=key).status_code == 200


def test_the_last_use_is_noted_once_a_minute(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    client.get("/api/v1/lookup?q=192.0.2.7", headers=signed(secret))
    first = Key.objects.get().used_at
    client.get("/api/v1/lookup?q=192.0.2.7", headers=signed(secret))
    assert first is not None
    assert Key.objects.get().used_at == first
    Key.objects.update(used_at=first - timedelta(minutes=2))
    client.get("/api/v1/lookup?q=192.0.2.7", headers=signed(secret))
    assert Key.objects.get().used_at > first - timedelta(seconds=1)


def test_a_session_must_prove_that_the_page_is_ours() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.call("pia_partner"))
    assert client.get("/api/v1/lookup?q=192.0.2.7").status_code == 200
    assert client.post(DELIVERIES, TABLE, content_type="text/csv").status_code == 403
    assert not Delivery.objects.exists()


def test_a_session_with_a_first_password_opens_nothing(client: Client) -> None:
    pia = people.call("pia_partner")
    client.force_login(pia)
    assert client.get("/api/v1/lookup?q=192.0.2.7").status_code == 200
    pia.must_change_password = True
    pia.save()
    assert client.get("/api/v1/lookup?q=192.0.2.7").status_code == 401
    assert post(client, "", query="").status_code == 401


def test_excerpts_that_leave_are_in_the_log(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    receipt = post(client, secret).json()["receipt"]
    work()
    client.get(f"{DELIVERIES}/{receipt}/rejections", headers=signed(secret)).getvalue()
    assert Entry.objects.filter(action="delivery.rejections-fetched", actor="pia_partner").count() == 1


def test_errors_speak_the_readers_language(client: Client, give_key: GiveKey) -> None:
    response = post(client, give_key(), b"", **{"Accept-Language": "fr"})
    assert response["Content-Language"] == "fr"
    assert set(response.json()) == {"reason", "text", "position", "field", "excerpt"}


@pytest.mark.django_db(transaction=True)
def test_look_ups_observations_and_the_gate(client: Client, give_key: GiveKey) -> None:
    pia, omar, dana = signed(give_key()), signed(give_key("omar_partner")), signed(give_key("dana_analyst"))
    post(client, give_key(), query="?name=seen.csv&marking=TLP:AMBER")
    work()
    for key, rows in ((pia, 1), (omar, 0), (dana, 1)):
        said = client.get("/api/v1/lookup?q=192.0.2[.]7", headers=key).json()
        assert (said["kind"], said["value"], said["rows"]) == ("ipv4", "192.0.2.7", rows)
        assert len(said["observations"]) == rows
        many = client.post(
            "/api/v1/lookups", {"values": ["192.0.2.7", "198.51.100.9"]}, content_type="application/json", headers=key
        ).json()
        assert [each["rows"] for each in many] == [rows, rows]
        lines = client.get("/api/v1/observations", headers=key).getvalue().splitlines()
        assert len(lines) == 2 * rows
        assert {json.loads(line)["tlp"] for line in lines} <= {"TLP:AMBER"}
    first = client.get("/api/v1/observations?limit=1", headers=pia)
    following = first["Link"].split(">")[0].removeprefix("<")
    second = client.get(following, headers=pia)
    values = [json.loads(page.getvalue())["value"] for page in (first, second)]
    assert values == ["198.51.100.9", "192.0.2.7"]
    assert "Link" not in second
    assert client.get("/api/v1/observations?since=2100-01-01", headers=pia).getvalue() == b""
    assert Entry.objects.filter(action="lookup").exists()
    assert Entry.objects.filter(action="observations.read", actor="pia_partner").exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [("country=QQ", "country"), ("cursor=x", "cursor"), ("since=soon", "since"), ("limit=0", "limit")],
)
def test_wrong_questions(client: Client, give_key: GiveKey, query: str, field: str) -> None:
    response = client.get(f"/api/v1/observations?{query}", headers=signed(give_key()))
    assert (response.status_code, response.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    "body", [b"", b"[", b"[" * 60_000, b"\xff", b'{"values":[]}', b'{"values":["' + b'","'.join([b"a"] * 101) + b'"]}']
)
def test_wrong_bodies_of_look_ups(client: Client, give_key: GiveKey, body: bytes) -> None:
    response = client.post("/api/v1/lookups", body, content_type="application/json", headers=signed(give_key()))
    assert response.status_code in {400, 422}
    assert response.json()["text"]


def test_a_country_fetches_its_own_packages(client: Client, give_key: GiveKey, store: Path) -> None:
    (store / "packages").mkdir(parents=True)
    (store / "packages" / "a.zip").write_bytes(b"PK")
    for code in ("FR", "JO"):
        Package.objects.create(
            country=code, number=f"{code}-2026-0001", arrived_from=AGO, arrived_until=builders.NOW, language="fr",
            path="packages/a.zip", sha256="0" * 64, size_bytes=2, rows=1, summary={"tlp": "TLP:AMBER"},
            created_at=builders.NOW,
        )  # fmt: skip
    fleur = signed(give_key("fleur_officer"))
    listed = client.get("/api/v1/countries/fr/packages", headers=fleur).json()
    assert [(each["number"], each["tlp"]) for each in listed] == [("FR-2026-0001", "TLP:AMBER")]
    assert client.get(listed[0]["download_url"], headers=fleur).getvalue() == b"PK"
    assert Fetch.objects.get().via == "api"
    for path in ("JO/packages", "JO/packages/JO-2026-0001", "FR/packages/JO-2026-0001", "FR/packages/none"):
        assert client.get(f"/api/v1/countries/{path}", headers=fleur).status_code == 404
    assert client.get("/api/v1/countries/FR/packages", headers=signed(give_key())).status_code == 403


def test_the_catalogue_of_feeds(client: Client, give_key: GiveKey) -> None:
    lines = client.get("/api/v1/feeds", headers=signed(give_key("dana_analyst"))).json()
    assert lines
    assert not any(each["enabled"] for each in lines)


@pytest.mark.any_database
def test_the_description_is_valid_and_the_page_fetches_nothing(client: Client) -> None:
    described = client.get("/api/v1/openapi.json").json()
    # Its import takes longer than all other tests of this file need to be collected.
    from openapi_spec_validator import validate

    validate(described)
    assert described["paths"].keys() == api.get_openapi_schema(path_prefix="/api/v1/")["paths"].keys()
    page = client.get("/api/v1/docs").content.decode()
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    for address in described["paths"]:
        assert address in page


def test_the_database_is_not_there(client: Client, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    secret = give_key()

    def gone(**_said: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(services, "receive", gone)
    response = post(client, secret)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_a_key_from_the_command_line_opens_the_door_until_it_is_revoked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.call("pia_partner")
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    made = CliRunner().invoke(command, ["key", "pia_partner", "--scope", "deliver"])
    number, secret = Key.objects.get().pk, made.output.split()[-1]
    assert post(client, secret).status_code == 202
    assert CliRunner().invoke(command, ["revoke-key", str(number)]).exit_code == 0
    assert post(client, secret).status_code == 401
    assert Entry.objects.filter(action__in=["key.added", "key.revoked"]).count() == 2
