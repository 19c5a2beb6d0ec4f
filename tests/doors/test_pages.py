"""What holds for every page: no inline script, a strict policy, four languages, little to download."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.template.base import Template
from django.test import Client
from django.urls import reverse
from tests import builders, people, scene
from tests.doors.test_access import ARGUMENTS, ROWS

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]
FIRST_VIEW_BYTES = 150_000
FILES = {
    "act-proof",
    "acts-export",
    "acts-key",
    "alert-image",
    "circular-file",
    "delivery-mend",
    "delivery-original",
    "delivery-rejections",
    "emergency-original",
    "copy-certificate",
    "object-raw",
    "package-download",
    "purge-certificate",
    "recall-certificate",
    "recall-recalled",
    "receipt",
    "rights-letter",
    "scorecard-csv",
    "scorecards-csv",
}
"""Addresses that give a file and no page."""
PAGES = {
    name: next(login for login in row if row[login] == "+")
    for name, row in ROWS.items()
    if "+" in row.values() and name not in FILES
} | {"agreement": "paula_partnership"}  # With all that is filled in there.
"""Name → somebody who may open it."""


@pytest.fixture(autouse=True)
def fresh_figures() -> None:
    """Figures are kept for a minute: each test starts without those of another."""
    cache.clear()


@pytest.fixture
def world() -> None:
    """Enough rows that every part of the home page is drawn."""
    northwind = builders.organisation("northwind")
    sent = builders.delivery(northwind, rows=900)
    batch = builders.batch(sent, builders.handling())
    codes = [
        "FR",
        "DE",
        "US",
        "BR",
        "IN",
        "NG",
        "EG",
        "JO",
        "AR",
        "AU",
        "JP",
        "CN",
        "ZA",
        "MX",
        "GB",
        "IT",
        "ES",
        "PL",
        "UA",
        "TR",
    ]
    builders.tallies(
        batch,
        [
            (day, code, "c2-server", "ATTACKER_INFRA", 7 + place)
            for place, code in enumerate(codes)
            for day in builders.days(20)
        ],
    )
    builders.names(batch, [(code, "Andromeda", 5, builders.NOW.date()) for code in codes])


def _faults(page: str) -> list[str]:
    """What no page may have or lack, as far as this one has or lacks it."""
    ids = re.findall(r'\sid="([^"]+)"', page)
    found = {
        "a script in the page": re.search(r"<script(?![^>]*\bsrc=)", page),
        "a style or an act in the page": re.search(r"\son\w+=|\sstyle=|<style|javascript:", page),
        "something from outside": re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page),
        "not one heading": page.count("<h1") != 1,
        "not one main part": page.count("<main") != 1,
        "no title": not re.search(r"<title>\S", page),
        "the same id twice": len(ids) != len(set(ids)),
    }
    return [name for name, is_so in found.items() if is_so]


BY_A_TAG = "LANGUAGE_CODE"
"""Templates of form fields ask for it anew, and get the same."""


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the frame in place of which a view gives others: they stand on every page, such as the direction of
    its text."""
    found: set[str] = set()
    render: Any = vars(Template)["_render"]

    def looked(self: Template, context: Any) -> Any:
        place: int | None = vars(context).get("_processors_index")
        if place is not None:
            frame, given = context.dicts[place], context.dicts[place + 1 :]
            found.update(name for layer in given for name in layer if name in frame and name != BY_A_TAG)
        return render(self, context)

    monkeypatch.setattr(Template, "_render", looked)
    return found


@pytest.mark.parametrize("login", sorted(set(PAGES.values())))
def test_what_holds_for_every_page(login: str, client: Client, hidden: set[str]) -> None:
    shown, person = scene.make(), people.let_in(client, login)
    found = {}
    for name in (name for name, reader in PAGES.items() if reader == login):
        arguments = ARGUMENTS[name](shown, person) if name in ARGUMENTS else ()
        found[name] = _faults(client.get(reverse(name, args=arguments)).content.decode())
        found[name] += [f"hides {each} of the frame" for each in sorted(hidden)]
        hidden.clear()
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_policy_is_strict(client: Client) -> None:
    policy = client.get(reverse("sign-in"))["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("login", ["dana_analyst", "khalil_officer", "pia_partner"])
def test_first_view_is_light(login: str, client: Client, world: None) -> None:
    people.let_in(client, login)
    page = client.get(reverse("home")).content
    total = len(gzip.compress(page))
    files = {path.split("#")[0].split("?")[0] for path in re.findall(r'(?:src|href)="/static/([^"]+)"', page.decode())}
    assert files
    fonts = {"vendor/noto/noto-sans-latin.woff2", "vendor/noto/noto-sans-arabic.woff2"}
    for name in files | fonts:
        found = finders.find(name)
        assert found, name
        content = Path(found).read_bytes()
        total += len(content) if name.endswith(".woff2") else len(gzip.compress(content))
    assert total <= FIRST_VIEW_BYTES


@pytest.mark.parametrize(("language", "direction", "word"), [
    ("en", "ltr", "Sign in"), ("fr", "ltr", "Se connecter"),
    ("es", "ltr", "Iniciar sesión"), ("ar", "rtl", "تسجيل الدخول"),
])  # fmt: skip
def test_sign_in_speaks_four_languages(language: str, direction: str, word: str, client: Client) -> None:
    page = client.get(reverse("sign-in"), headers={"accept-language": language}).content.decode()
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert word in page


def test_language_switch_is_kept_with_the_person(client: Client) -> None:
    dana = people.call("dana_analyst")
    client.force_login(dana)
    client.post(reverse("set-language"), {"language": "ar", "next": "/countries/"})
    dana.refresh_from_db()
    assert dana.language == "ar"
    assert 'dir="rtl"' in client.get("/countries/").content.decode()


def test_country_of_the_map_leads_to_its_page(client: Client, world: None) -> None:
    people.let_in(client, "dana_analyst")
    page = client.get(reverse("home")).content.decode()
    assert '<a href="/countries/BR/' in page
    assert "Brazil" in page


def test_health_tells_no_more_than_it_must(client: Client) -> None:
    assert set(client.get(reverse("health")).json()) == {"status", "version"}
