"""Every page in a real browser under axe-core: WCAG 2.2 AA, in English and Arabic, light and dark, wide and narrow.

It also watches the wire: whatever a page asks for, it asks of this installation alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page
from tests import people, scene
from tests.doors.test_access import ARGUMENTS
from tests.doors.test_pages import PAGES
from tests.journeys.conftest import enter

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
AXE = (Path(__file__).with_name("axe") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = {"serious", "critical"}
LOOKS = {
    "English, light, wide": ("en", "light", 1360),
    "English, dark, narrow": ("en", "dark", 390),
    "Arabic, light, narrow": ("ar", "light", 390),
    "Arabic, dark, wide": ("ar", "dark", 1360),
}
FURTHER = {
    "lookup": ["?q=192[.]0[.]2[.]7", "?q=APT28"],
    "review": ["?tab=countries", "?tab=quarantined"],
    "organisations": ["?show=bureaus", "?show=ending"],
    "feeds": ["?show=trouble"],
    "acts": ["?sample=10", "?subject=nothing"],
}
"""Other states of a page, besides the first."""


def _addresses(name: str, shown: scene.Scene) -> list[str]:
    arguments = ARGUMENTS[name](shown, people.call(PAGES[name])) if name in ARGUMENTS else ()
    address = reverse(name, args=arguments)
    return [address, *(address + query for query in FURTHER.get(name, ()))]


def grave_findings(page: Page) -> list[str]:
    """What is gravely wrong with the page that is open."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS.values(), ids=LOOKS)
def test_every_page(browser: Browser, live_server: object, language: str, scheme: str, width: int) -> None:
    shown, origin = scene.make(), str(live_server)
    wrong: dict[str, list[str]] = {}
    by_login: dict[str, list[str]] = {}
    for name, login in PAGES.items():
        by_login.setdefault(login, []).append(name)
    for login, names in by_login.items():
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 840})  # type: ignore[arg-type]
        asked: list[str] = []
        context.on("request", lambda request, asked=asked: asked.append(request.url))
        enter(context, origin, login, language)
        page = context.new_page()
        for name in names:
            for address in _addresses(name, shown):
                page.goto(origin + address)
                page.wait_for_load_state("networkidle")
                findings = grave_findings(page)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    findings.append("the page is wider than the window")
                if page.evaluate("[document.documentElement.lang, document.documentElement.dir].join()") != (
                    "ar,rtl" if language == "ar" else "en,ltr"
                ):
                    findings.append("language or direction is wrong")
                if findings:
                    wrong[address] = findings
        foreign = {
            url for url in asked if urlsplit(url).netloc != urlsplit(origin).netloc and not url.startswith("data:")
        }
        assert foreign == set(), "a request left the installation"
        context.close()
    assert not wrong, "\n".join(f"{address}\n  " + "\n  ".join(found) for address, found in wrong.items())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_and_errors(browser: Browser, live_server: object, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for address in ("/sign-in/", "/no-such-page/", "/api/v1/docs"):
        page.goto(f"{live_server}{address}")
        assert grave_findings(page) == [], address
    context.close()
