"""The second factor: asked for, spent once, guessed in vain, sealed at rest, reset.

Numbers in the descriptions are those of OWASP ASVS 5.
"""

from __future__ import annotations

import base64
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import factors, signing_in
from tocsin.centre.members.models import CodeApp, Guesses, OpenSession, Person, RecoveryCode
from tocsin.centre.members.sessions import FAILURES_ALLOWED
from tocsin.cli.people import person as person_command
from tocsin.credentials import one_time

pytestmark = pytest.mark.django_db
SECRET = b"12345678901234567890"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with keys of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path))
    return tmp_path


def _code(steps: int = 0) -> str:
    return one_time.code_of(SECRET, one_time.step_at(timezone.now()) + steps)


@pytest.fixture
def dana() -> Person:
    """Somebody with an app; the code before the present one is spent."""
    made = people.call("dana_analyst")
    assert factors.add_app(person=made, secret=SECRET, said=_code(-1), at=timezone.now())
    return made


def _password(client: Client, password: str = builders.PASSWORD, target: str = "") -> str:
    said = {"login": "dana_analyst", "password": password, "next": target}
    return client.post(reverse("sign-in"), said).get("Location", "")


def _second(client: Client, code: str, **said: str) -> int:
    return client.post(reverse("sign-in-second"), {"code": code, **said}).status_code


def test_the_password_alone_opens_nothing(client: Client, dana: Person) -> None:
    assert _password(client, target="/countries/") == reverse("sign-in-second", query={"next": "/countries/"})
    for name in ("home", "countries", "factors", "prove", "change-password", "sessions"):
        assert client.get(reverse(name))["Location"].startswith(reverse("sign-in"))
    assert client.get("/api/v1/observations").status_code == 401
    assert not Entry.objects.filter(action="sign-in").exists()
    assert "one-time-code" in client.get(reverse("sign-in-second")).content.decode()


def test_the_right_code_opens_and_each_step_has_another_session(client: Client, dana: Person) -> None:
    """7.2.4: a new token at each authentication."""
    before = client.session.session_key
    _password(client, target="/countries/")
    half = client.session.session_key
    assert half != before
    entered = client.post(reverse("sign-in-second"), {"code": _code(), "next": "/countries/"})
    assert entered["Location"] == "/countries/"
    assert client.session.session_key != half
    assert not Session.objects.filter(session_key=half).exists()
    assert client.get(reverse("countries")).status_code == 200
    assert '"by":["password","code"]' in Entry.objects.get(action="sign-in").detail


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example"])
def test_the_second_step_never_leaves_the_site(client: Client, dana: Person, target: str) -> None:
    _password(client)
    assert client.post(reverse("sign-in-second"), {"code": _code(), "next": target})["Location"] == "/"


def test_a_code_counts_once(client: Client, dana: Person) -> None:
    """6.5.1: replay within the same half minute, and of the code before, is refused."""
    code = _code()
    _password(client)
    assert _second(client, code) == 302
    again = Client()
    _password(again)
    assert _second(again, code) == 200
    assert _second(again, one_time.code_of(SECRET, one_time.step_at(timezone.now()) - 1)) == 200
    assert not again.session.get("_auth_user_id")


def test_guessing_codes_ends_after_five_wherever_they_come_from(dana: Person) -> None:
    """6.3.1: who knows the password and has many addresses has five tries as well."""
    statuses = []
    for number in range(FAILURES_ALLOWED + 1):
        client = Client(REMOTE_ADDR=f"198.51.100.{number}")
        _password(client)
        statuses.append(_second(client, "000000" if number < FAILURES_ALLOWED else _code()))
    assert statuses == [200] * FAILURES_ALLOWED + [429]
    assert Entry.objects.filter(action="sign-in.factor-failed", actor="dana_analyst").count() == FAILURES_ALLOWED
    Guesses.objects.update(began_at=timezone.now() - timedelta(minutes=16))
    _password(client)
    assert _second(client, _code()) == 302


def test_the_owner_hears_of_failures_at_the_second_factor(dana: Person) -> None:
    """6.3.5: suspicious attempts are told."""
    stranger, owner = Client(), Client()
    _password(stranger)
    _second(stranger, "000000")
    _password(owner)
    assert _second(owner, _code()) == 302
    assert "somebody knew your password" in owner.get("/").content.decode()


def test_the_half_open_door_closes(client: Client, dana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    _password(client)
    monkeypatch.setattr(signing_in, "HALF_LASTS", timedelta(0))
    assert client.post(reverse("sign-in-second"), {"code": _code()})["Location"].startswith(reverse("sign-in"))


@pytest.mark.parametrize("change", ["password", "person", "organisation"])
def test_what_changes_between_the_steps_counts(client: Client, dana: Person, change: str) -> None:
    _password(client)
    if change == "password":
        dana.set_password("another set of plain words")
        dana.save()
    else:
        changed = dana if change == "person" else dana.organisation
        changed.is_active = False
        changed.save()
    assert client.post(reverse("sign-in-second"), {"code": _code()})["Location"].startswith(reverse("sign-in"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["code", "recovery"])
def test_of_two_with_the_same_code_one_comes_in(kind: str) -> None:
    dana = people.call("dana_analyst")
    factors.add_app(person=dana, secret=SECRET, said=_code(-1), at=timezone.now())
    code = _code() if kind == "code" else factors.renew_codes(person=dana, at=timezone.now())[0]
    together = threading.Barrier(4)

    def one(_: int) -> str:
        together.wait(timeout=30)
        try:
            return factors.check_code(person=dana, said=code, address="198.51.100.7", at=timezone.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(bool(how) for how in pool.map(one, range(4))) == 1


def test_a_recovery_code_opens_once(client: Client, dana: Person) -> None:
    codes = factors.renew_codes(person=dana, at=timezone.now())
    _password(client)
    assert _second(client, codes[3].lower().replace("-", " ")) == 302
    again = Client()
    _password(again)
    assert _second(again, codes[3]) == 200
    assert factors.codes_left(dana) == len(codes) - 1


@pytest.mark.usefixtures("contexts")
def test_nothing_of_the_secrets_is_in_the_database(client: Client, dana: Person) -> None:
    """A dump of every table that holds something of them shows neither secret nor code."""
    people.let_in(client, "rui_reviewer")
    client.get(reverse("factor-app"))
    proposed = client.get(reverse("factor-app")).context["typed"].replace(" ", "")
    codes = factors.renew_codes(person=dana, at=timezone.now())
    rows = [*CodeApp.objects.all(), *RecoveryCode.objects.all(), *Entry.objects.all(), *Person.objects.all()]
    dump = serializers.serialize("json", rows) + str([each.get_decoded() for each in Session.objects.all()])
    for secret in (one_time.typed(SECRET), SECRET.decode(), SECRET.hex(), proposed, *codes):
        assert secret not in dump
        assert secret.replace("-", "") not in dump


def test_the_sealed_secret_of_one_is_worth_nothing_to_another(client: Client, dana: Person) -> None:
    rui = people.call("rui_reviewer")
    CodeApp.objects.create(person=rui, sealed=CodeApp.objects.get().sealed, created_at=timezone.now())
    assert factors.check_code(person=rui, said=_code(), address="", at=timezone.now()) == ""


@pytest.mark.usefixtures("contexts")
def test_setting_up_an_app(client: Client) -> None:
    dana = people.let_in(client, "dana_analyst")
    other = Client()
    people.let_in(other, "dana_analyst")
    assert other.get("/").status_code == 200
    page = client.get(reverse("factor-app"))
    assert "<svg" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    secret = _decoded(page.context["typed"])
    assert "not the code of this secret" in client.post(reverse("factor-app"), {"code": "000000"}).content.decode()
    code = one_time.code_of(secret, one_time.step_at(timezone.now()))
    done = client.post(reverse("factor-app"), {"code": code}).content.decode()
    codes = set(re.findall(r"(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}", done))
    assert len(codes) == one_time.RECOVERY_CODES
    assert factors.has_factor(dana)
    assert other.get("/").status_code == 302, "other sessions ended"
    assert client.get("/").status_code == 200
    shown_later = client.get(reverse("factors")).content.decode()
    assert not [code for code in codes if code in shown_later]
    _password(other)
    assert _second(other, code) == 200, "the code of the setting-up is spent"
    assert _second(other, codes.pop()) == 302


def _decoded(typed: str) -> bytes:
    plain = typed.replace(" ", "")
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def test_removing_needs_password_and_code(client: Client, dana: Person) -> None:
    """7.5.1: a fresh full proof before a factor changes."""
    factors.renew_codes(person=dana, at=timezone.now())
    client.force_login(dana)
    asked = client.post(reverse("factor-app-remove"))["Location"]
    assert asked == reverse("prove", query={"next": reverse("factors")})
    for said in ({"password": builders.PASSWORD}, {"password": builders.PASSWORD, "code": "000000"},
                 {"password": "wrong", "code": _code()}, {}):  # fmt: skip
        assert client.post(reverse("prove"), {**said, "next": reverse("factors")}).status_code == 200
        assert client.post(reverse("factor-app-remove"))["Location"] == asked
    before = client.session.session_key
    said = {"password": builders.PASSWORD, "code": _code(), "next": reverse("factors")}
    assert client.post(reverse("prove"), said)["Location"] == reverse("factors")
    assert client.session.session_key != before
    assert client.post(reverse("factor-app-remove"))["Location"] == reverse("factors")
    assert not factors.has_factor(dana)
    assert not RecoveryCode.objects.exists()
    assert {"factor.added", "factor.removed", "sign-in.proved"} <= set(Entry.objects.values_list("action", flat=True))


def test_a_first_password_is_changed_after_the_second_factor(client: Client, dana: Person) -> None:
    Person.objects.update(must_change_password=True)
    _password(client)
    assert client.get(reverse("change-password")).status_code == 302
    _second(client, _code())
    assert client.get("/")["Location"] == reverse("change-password")
    assert client.get(reverse("change-password")).status_code == 200


def test_a_first_password_is_changed_before_a_factor_is_set_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor="centre"))
    people.call("dana_analyst")
    Person.objects.update(must_change_password=True)
    _password(client)
    assert client.get(reverse("factors"))["Location"] == reverse("change-password")
    new = "another set of plain words"
    client.post(reverse("change-password"), {"old": builders.PASSWORD, "new": new, "again": new})
    assert client.get("/")["Location"] == reverse("factors")
    assert "demands a second factor" in client.get(reverse("factors")).content.decode()


@pytest.mark.parametrize(("rule", "led"), [
    ("offered", []), ("centre", ["dana_analyst"]), ("everyone", ["dana_analyst", "pia_partner"]),
])  # fmt: skip
def test_who_must_have_one(rule: str, led: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor=rule))
    found = []
    for login in ("dana_analyst", "pia_partner"):
        client = Client()
        people.let_in(client, login)
        if client.get("/").get("Location") == reverse("factors"):
            found.append(login)
    assert found == led


def test_an_administrator_takes_lost_factors_away(
    client: Client, dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.4.4, 7.4.5: recovery without touching the database; sessions end, the person is told."""
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    factors.renew_codes(person=dana, at=timezone.now())
    people.let_in(client, "dana_analyst")
    assert client.get("/").status_code == 200
    ran = CliRunner().invoke(person_command, ["reset-factors", "dana_analyst"])
    assert ran.exit_code == 0, ran.output
    assert client.get("/").status_code == 302
    assert not RecoveryCode.objects.exists()
    assert not OpenSession.objects.exists()
    assert _password(client) == "/"
    assert "An administrator took away your second factor" in client.get("/").content.decode()
    assert Entry.objects.get(action="person.factors-reset").actor == "command"
    assert CliRunner().invoke(person_command, ["reset-factors", "nobody"]).exit_code == 1


def test_who_runs_out_of_recovery_codes_is_told(client: Client, dana: Person) -> None:
    codes = factors.renew_codes(person=dana, at=timezone.now())
    for used in codes[:7]:
        assert factors.check_code(person=dana, said=used, address="", at=timezone.now()) == factors.RECOVERY
    _password(client)
    _second(client, codes[7])
    assert "2 recovery codes are left. Make new ones" in client.get("/").content.decode()


def test_without_its_sealing_key_no_code_is_right_but_recovery_codes_are(
    client: Client, dana: Person, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    codes = factors.renew_codes(person=dana, at=timezone.now())
    (home / "keys" / "sealing-key").unlink()  # As after a restore of the database alone.
    _password(client)
    assert _second(client, _code()) == 200
    assert "Restore the file keys/sealing-key" in caplog.text
    assert _second(client, codes[0]) == 302
