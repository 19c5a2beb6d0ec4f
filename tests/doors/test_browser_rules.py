"""What browsers are told with every answer, over http and https. Numbers are those of OWASP ASVS 5.0.0."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.test import Client, override_settings
from django.urls import reverse
from tests import builders, people, scene
from tests.pure.test_leaked import written

from tocsin.centre.members.models import Person
from tocsin.centre.members.passwords import Lengthened
from tocsin.core.errors import Unavailable
from tocsin.site import settings as module

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]
ADDRESSES = ("/sign-in/", "/no-such-page/", "/static/site/tocsin.css", "/health/", "/api/v1/observations", "/%00")
NEW = "another set of plain words"


def settings_for(home: Path, monkeypatch: pytest.MonkeyPatch, origin: str) -> dict[str, Any]:
    """The settings of an installation at this address."""
    (home / "tocsin.toml").write_text(f'public_origin = "{origin}"\n', encoding="utf-8")
    monkeypatch.setenv("TOCSIN_HOME", str(home))
    return runpy.run_path(str(module.__file__), run_name="tocsin.site.settings")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_carries_the_rules(address: str, client: Client) -> None:
    """3.4.2 to 3.4.6, 3.4.8, 4.1.1: files and errors too."""
    said = client.get(address).headers
    policy = {part.split()[0]: part.split()[1:] for part in said["Content-Security-Policy"].split(";")}
    assert (
        policy["default-src"] == policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    )
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == ["'self'"]
    if address != "/%00":  # Refused before anything else looks at it.
        assert said["X-Content-Type-Options"] == "nosniff"
        assert said["Referrer-Policy"] == "same-origin"
        assert said["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in said, "nothing is promised where people come over http"
    assert "Access-Control-Allow-Origin" not in said
    assert said["Content-Type"].startswith("application/json") or said["Content-Type"].endswith(
        ("charset=utf-8", 'charset="utf-8"')
    )


@pytest.mark.parametrize("address", ADDRESSES)
def test_over_https_every_answer_asks_for_https(
    address: str, client: Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.4.1."""
    made = replace(settings.INSTALLATION, public_origin="https://tocsin.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    said = client.get(address, headers={"X-Forwarded-Proto": "https"}).headers
    assert said["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_cookies_are_bound_to_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3.3.1, 3.3.2, 3.3.3, 3.3.4: every cookie that there is, and there are three."""
    made = settings_for(tmp_path, monkeypatch, "https://tocsin.example")
    for name in ("SESSION", "CSRF", "LANGUAGE"):
        assert made[f"{name}_COOKIE_NAME"].startswith("__Host-")
        assert made[f"{name}_COOKIE_SECURE"] is made[f"{name}_COOKIE_HTTPONLY"] is True
        assert made[f"{name}_COOKIE_SAMESITE"] == "Lax"
    plain = settings_for(tmp_path, monkeypatch, "http://127.0.0.1:8000")
    assert not plain["SESSION_COOKIE_SECURE"]
    assert plain["SESSION_COOKIE_NAME"] == "sessionid"


def test_no_other_cookie_is_set(client: Client) -> None:
    """3.3.1 to 3.3.4 hold for all only if these are all."""
    people.call("dana_analyst")
    client.post(reverse("set-language"), {"language": "fr", "next": "/sign-in/"})
    client.get(reverse("sign-in"))
    client.post(reverse("sign-in"), {"login": "dana_analyst", "password": builders.PASSWORD})
    client.post(reverse("change-password"), {"old": builders.PASSWORD, "new": NEW, "again": NEW})
    client.get(reverse("home"))
    assert set(client.cookies) == {"sessionid", "csrftoken", "language"}
    assert all(cookie["httponly"] and cookie["samesite"] == "Lax" for cookie in client.cookies.values())


def test_forms_of_other_sites_change_nothing() -> None:
    """3.5.1, 3.5.3: without the token of the page nothing is taken, and nothing is changed by being fetched."""
    client = Client(enforce_csrf_checks=True)
    dana = people.let_in(client, "dana_analyst")
    for name in ("change-password", "set-language", "sign-out", "keys"):
        assert client.post(reverse(name), {"language": "ar"}).status_code == 403
    dana.refresh_from_db()
    assert dana.language != "ar"
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.get(reverse("home")).status_code == 200


@pytest.mark.parametrize("address", ["/", "/sign-in/", "/api/v1/observations", "/taxii2/"])
def test_requests_are_not_sent_back(address: str, client: Client) -> None:
    """13.4.4."""
    people.let_in(client, "dana_analyst")
    response = client.trace(address, headers={"X-Secret": "word-of-mine"})
    assert b"word-of-mine" not in response.content
    assert response.status_code == 405


def test_what_one_was_shown_is_not_kept(client: Client) -> None:
    """14.3.2."""
    people.let_in(client, "dana_analyst")
    for name in ("home", "countries", "lookup", "preferences"):
        assert "no-store" in client.get(reverse(name))["Cache-Control"]


@pytest.mark.parametrize(("new", "is_good"), [
    ("dana_analyst-dana", False), ("Dana Okafor 1", False), ("q1w2e3r4t5y6", False), ("short", False),
    ("lower case only is quite enough", True), ("كلمات قليلة لا صلة بينها", True), ("plain words " * 16, True),
    ("  with blanks at both ends  ", True),
])  # fmt: skip
def test_new_passwords(new: str, is_good: bool, client: Client) -> None:
    """6.2.1, 6.2.5, 6.2.8, 6.2.9, 6.2.11: long enough, any signs, taken as typed, not one's own name."""
    people.let_in(client, "dana_analyst")
    client.post(reverse("change-password"), {"old": builders.PASSWORD, "new": new, "again": new})
    dana = Person.objects.get(login="dana_analyst")
    assert dana.check_password(new) is is_good
    assert not dana.check_password(new.strip() + "x")
    assert dana.check_password(new.strip()) is (is_good and new == new.strip())


@pytest.mark.parametrize(("new", "is_lengthened"), [
    ("password1234", True), ("1234!Password", True), ("P@ssw0rd!!!!!!", True), ("iloveyoumonkey", True),
    ("dragondragon", True), ("abcabcabcabcabc", True), ("qwertyuiop12", True), ("trustno1trustno1", True),
    ("a bicycle under water", False), ("Kj8#qpLm2vXz", False), ("monkeys on a bicycle 12", False),
])  # fmt: skip
def test_what_many_use_is_no_better_for_being_longer(new: str, is_lengthened: bool) -> None:
    """6.2.4: few of the most used have twelve signs; what people put to the others is refused too."""
    assert Lengthened().is_lengthened(new.casefold()) is is_lengthened


def test_what_leaked_is_not_chosen(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """6.2.12: by a file of the installation, where a password is chosen; while it is away nobody goes on."""
    people.let_in(client, "dana_analyst")
    home = settings.INSTALLATION.home
    written(home, {NEW, "another"})
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, leaked_passwords="leaked"))
    said = {"old": builders.PASSWORD, "new": NEW, "again": NEW}
    assert "passwords that leaked" in client.post(reverse("change-password"), said).content.decode()
    fresh = {"old": builders.PASSWORD, "new": NEW + "!", "again": NEW + "!"}
    (home / "leaked").rename(home / "away")
    assert "cannot be checked now" in client.post(reverse("change-password"), fresh).content.decode()
    (home / "away").rename(home / "leaked")
    assert client.post(reverse("change-password"), fresh).status_code == 302


def test_password_fields_hide_and_let_managers_help(client: Client) -> None:
    """6.2.2, 6.2.3, 6.2.6, 6.2.7."""
    people.let_in(client, "dana_analyst")
    page = client.get(reverse("change-password")).content.decode()
    assert page.count('type="password"') == 3
    assert 'autocomplete="current-password"' in page
    assert page.count('autocomplete="new-password"') == 2
    assert "onpaste" not in page


def test_nothing_is_told_but_that_it_failed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """13.4.2, 16.5.1: no trace, no query, no setting."""
    assert settings_debug_is_off()
    people.let_in(client, "dana_analyst")
    client.raise_request_exception = False

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("tocsin.site.views.figures.home_figures", broken)
    response = client.get("/")
    assert response.status_code == 500
    assert b"secret of the house" not in response.content
    assert b"Traceback" not in response.content
    assert response["Content-Security-Policy"]


def test_what_does_not_answer_is_no_fault_of_the_page(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    people.let_in(client, "dana_analyst")

    def silent(*_: object, **__: object) -> None:
        raise Unavailable("the engine of the lake: nobody at 192.0.2.77", retry_after_seconds=45)

    monkeypatch.setattr("tocsin.site.views.figures.home_figures", silent)
    response = client.get("/")
    assert response.status_code == 503
    assert response["Retry-After"] == "45"
    assert b"192.0.2.77" not in response.content


def settings_debug_is_off() -> bool:
    return module.DEBUG is False and settings.DEBUG is False


@pytest.mark.parametrize(
    "address", ["/.git/config", "/static/", "/static/site/", "/static/../settings.py", "/tocsin.toml"]
)
def test_no_folder_is_listed_and_nothing_else_is_served(address: str, client: Client) -> None:
    """13.4.1, 13.4.3."""
    assert client.get(address).status_code == 404


def test_nobody_is_there_from_the_start() -> None:
    """6.3.2: no account comes with the tables."""
    assert not Person.objects.exists()


def test_passwords_are_hashed_with_what_is_advised_today() -> None:
    """11.4.2: Argon2id, far above 19 MiB and two rounds."""
    with override_settings(PASSWORD_HASHERS=module.PASSWORD_HASHERS):
        made = make_password(builders.PASSWORD)
        known = identify_hasher(made).decode(made)
    assert (known["algorithm"], known["variety"]) == ("argon2", "argon2id")
    assert known["memory_cost"] >= 19 * 1024
    assert known["time_cost"] >= 2


def test_names_of_others_make_no_header(client: Client) -> None:
    """5.4.1, 5.4.2: the name that a stranger chose ends inside its quotes."""
    shown = scene.make()
    shown.delivery.name = 'rows"; filename="evil.html\r\nX-Evil: 1\r\n\r\n<script>.csv'
    shown.delivery.save()
    people.let_in(client, "pia_partner")
    response = client.get(reverse("delivery-original", args=[shown.delivery.receipt]))
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert "\r" not in response["Content-Disposition"]
    assert "\n" not in response["Content-Disposition"]
    assert '"; filename="evil' not in response["Content-Disposition"]
    assert "X-Evil" not in response.headers


def test_what_stands_in_the_address_fills_no_form(client: Client) -> None:
    """15.3.7: a form is read from the body alone, and of two words with one name the last one counts."""
    dana = people.let_in(client, "dana_analyst")
    client.post(reverse("set-language") + "?language=ar", {})
    dana.refresh_from_db()
    assert dana.language != "ar"
    client.post(reverse("set-language"), {"language": ["ar", "es"]})
    dana.refresh_from_db()
    assert dana.language == "es"
