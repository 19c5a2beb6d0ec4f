"""The lines that tell of refused requests, and those that hand the log of acts on. Numbers are those of OWASP ASVS."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit import tree
from tocsin.centre.audit.services import record
from tocsin.centre.intake.vault import sealed_fact
from tocsin.centre.members.sessions import PROVED_AT
from tocsin.centre.refusals import KINDS
from tocsin.cli.audit import audit
from tocsin.cli.package import package
from tocsin.core.log_lines import LogLine, WithoutRefusals
from tocsin.credentials.log_tree import leaf_hash
from tocsin.site.act_log import log_of_acts

from .conftest import GiveKey

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The lines written since the last call, as another system reads them."""
    caplog.set_level(logging.INFO)

    def told() -> list[dict[str, Any]]:
        shown = [each for each in caplog.records if WithoutRefusals().filter(each)]
        found = [json.loads(LogLine().format(each)) for each in shown]
        caplog.clear()
        return [each for each in found if each["logger"] == "tocsin.refusals"]

    return told


def test_what_is_refused_is_told_without_what_was_asked_for(lines: Any, client: Client, give_key: GiveKey) -> None:
    """16.3.2, 16.3.3: one line for each request, by a number, with the kind and without a value."""
    client.get(reverse("lookup"), {"q": "203.0.113.77"})  # The beginning of a visit: asked to sign in, and no refusal.
    client.post(reverse("watch-add"), {"value": "203.0.113.77"})
    dana = people.let_in(client, "dana_analyst")
    client.get(reverse("acts"), {"actor": "203.0.113.77"})
    client.get("/deliveries/nobody-knows-203.0.113.77/")
    session = client.session
    session[PROVED_AT] = (timezone.now() - timedelta(hours=1)).timestamp()
    session.save()
    client.get(reverse("change-password"))
    client.post(reverse("prove"), {"password": "wrong and long enough"})
    with_checks = Client(enforce_csrf_checks=True)
    with_checks.force_login(dana)
    with_checks.post(reverse("change-password"), {"new": "words-of-mine-203.0.113.77"})
    secret = give_key("dana_analyst", scopes=["deliver"])
    bound = give_key("dana_analyst", ranges=["198.51.100.0/24"])
    for word in (secret, bound, "toc_unknown"):
        Client(headers={"Authorization": f"Bearer {word}"}).get("/api/v1/lookup", {"q": "203.0.113.77"})
        Client(headers={"Authorization": f"Bearer {word}", "Accept": "text/html"}).get("/taxii2/")
    found = lines()
    assert [(each["door"], each["kind"], each["status"]) for each in found] == [
        ("pages", "sign-in", 302), ("pages", "ability", 404), ("pages", "absent", 404), ("pages", "proof", 302),
        ("pages", "password", 200), ("pages", "forged", 403),
        ("api", "scope", 403), ("taxii", "method", 406), ("api", "key-address", 401), ("taxii", "key-address", 401),
        ("api", "key", 401), ("taxii", "key", 401),
    ]  # fmt: skip
    assert all(each["actor"] == f"person:{dana.pk}" for each in found[1:6])
    assert found[6]["actor"].startswith("key:")
    assert {each["address"] for each in found} == {"127.0.0.1"}
    assert all(each["at"].endswith("+00:00") for each in found), "16.2.2"
    said = json.dumps(found)
    for word in ("203.0.113.77", "dana_analyst", secret, "words-of-mine"):
        assert word not in said


def test_what_is_served_writes_no_line(lines: Any, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    assert client.get(reverse("home")).status_code == 200
    assert client.get(reverse("lookup"), {"q": "192.0.2.1"}).status_code == 200
    assert lines() == []


def test_a_fault_of_ours_says_where_and_repeats_no_content(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16.3.4: kind of fault and place in the code; the text of an exception would repeat what it stumbled over."""
    people.let_in(client, "dana_analyst")
    client.raise_request_exception = False

    def broken(*_: object, **__: object) -> None:
        raise ValueError("cannot read 'victim.example'")

    monkeypatch.setattr("tocsin.site.views.figures.home_figures", broken)
    assert client.get("/?span=victim.example").status_code == 500
    shown = [json.loads(LogLine().format(each)) for each in caplog.records if WithoutRefusals().filter(each)]
    assert {each["logger"] for each in shown} == {"django.request", "tocsin.refusals"}
    fault = next(each for each in shown if "exception" in each)
    assert fault["exception"] == "builtins.ValueError"
    assert fault["frames"][-1].startswith("tests.doors.test_refusals:")
    assert any(each.startswith("tocsin.site.views:") for each in fault["frames"])
    assert "victim.example" not in json.dumps(shown)


def test_a_package_that_was_changed_is_told(lines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16.3.3: by the command that a person calls, in an installation."""
    (tmp_path / "tocsin.toml").write_text('secret = "s"\n')
    file = tmp_path / "package.zip"
    file.write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    assert CliRunner().invoke(package, ["verify", str(file)]).exit_code == 1
    assert [each["kind"] for each in lines()] == ["package"]


def test_the_guide_names_every_kind() -> None:
    """16.1.1."""
    text = (ROOT / "docs" / "security" / "logs.md").read_text(encoding="utf-8")
    for kind, meaning in KINDS.items():
        assert f"| `{kind}` | {meaning} |" in text


def test_the_log_of_acts_is_handed_on_and_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """16.4.3: each entry once, in order, as it was written; what was sealed stays so."""
    at = timezone.now()
    builders.centre()
    record("dana", "lookup", "value:ipv4", {"value": sealed_fact("192.0.2.1"), "rows": 3}, at=at)
    record("dana", "lookup", "value:ipv4", {"value": "192.0.2.2", "rows": 4}, at=at)
    tree.keep(log_of_acts(), at)
    state = tmp_path / "sent"
    settings.INSTALLATION.home.joinpath("tocsin.toml").touch()
    monkeypatch.setenv("TOCSIN_HOME", str(settings.INSTALLATION.home))
    sent = _exported(state)
    assert [each["place"] for each in sent] == list(range(len(sent)))
    sealed, unsealed = sent[-2:]
    body = json.dumps([sealed[name] for name in ("at", "actor", "action", "subject", "detail")], separators=(",", ":"),
                      ensure_ascii=False)  # fmt: skip
    assert leaf_hash(body.encode()).hex() == sealed["leaf"]
    assert unsealed["withheld"] == ["rows", "value"]
    assert "192.0.2." not in json.dumps(sent)
    tree.keep(log_of_acts(), at)
    assert [each["action"] for each in _exported(state)] == ["log.exported"], "it goes on from where it was"


def _exported(state: Path) -> list[dict[str, Any]]:
    ended = CliRunner().invoke(audit, ["export", "--state", str(state)])
    assert ended.exit_code == 0, ended.output
    return [json.loads(line) for line in ended.output.splitlines()]
