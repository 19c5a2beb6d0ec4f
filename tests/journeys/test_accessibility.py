"""Every page in a real browser under axe-core: WCAG 2.2 AA, in English and Arabic, light and dark, wide and narrow.

It also watches the wire: whatever a page asks for, it asks of this installation alone.
"""

from __future__ import annotations

from collections.abc import Iterator
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
LOOK = """([tags, grave, without]) => {
  const {data, rules} = axe._audit;
  const asked = new Set(axe.getRules(tags).map(each => each.ruleId).filter(name => !without.includes(name)));
  const impacts = each => [each.impact, ...[...each.any, ...each.all, ...each.none].map(
    check => (data.checks[check.id || check] || {}).impact)];
  const chosen = rules.filter(each => asked.has(each.id) && impacts(each).some(how => !how || grave.includes(how)));
  const runOnly = {type: "rule", values: chosen.map(each => each.id)};
  return axe.run(document, {runOnly, resultTypes: ["violations"], preload: false});
}"""
"""Looks with those of the rules that can find something grave: what the others find is passed over in any case, and is
a third of the work. None of them reads style sheets or films: axe need not load them once more (`preload`)."""
PHONE = 390
LOOKS = {
    "en": (("light", 1360), ("dark", PHONE)),
    "ar": (("dark", 1360), ("light", PHONE)),
}
"""Language → how each of its pages is looked at: loaded once, then shown in each scheme and width, which the style
sheet alone knows. Motion is off: axe would judge what is half-way."""
SETTLED = """async () => {
  await document.fonts.ready;
  const busy = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added";
  while (document.querySelector(busy)) await new Promise(done => setTimeout(done, 5));
  await document.fonts.ready;
}"""
"""Nothing is under way any more: a page that is open asks for more through htmx alone."""
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


def grave_findings(page: Page, *, is_touched: bool = True) -> list[str]:
    """What is gravely wrong with the page that is open; the size of targets where fingers meet them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    without = [] if is_touched else ["target-size"]
    found: dict[str, Any] = page.evaluate(LOOK, [RULES, sorted(GRAVE), without])
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]


def _findings(page: Page, language: str) -> Iterator[str]:
    for scheme, width in LOOKS[language]:
        page.set_viewport_size({"width": width, "height": 840})
        page.emulate_media(color_scheme=scheme)
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        for each in grave_findings(page, is_touched=width == PHONE):
            yield f"{scheme}, {width}: {each}"
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            yield f"{scheme}, {width}: the page is wider than the window"
    if page.evaluate("[document.documentElement.lang, document.documentElement.dir].join()") != (
        "ar,rtl" if language == "ar" else "en,ltr"
    ):
        yield "language or direction is wrong"


@pytest.mark.timeout(900)  # A hundred pages: a busy machine takes its time.
@pytest.mark.parametrize("language", LOOKS)
def test_every_page(browser: Browser, live_server: object, language: str) -> None:
    shown, origin = scene.make(), str(live_server)
    wrong: dict[str, list[str]] = {}
    asked: list[str] = []
    seen: set[str] = set()
    context = browser.new_context(reduced_motion="reduce")
    context.on("request", lambda request: asked.append(request.url))
    context.add_init_script(AXE)
    page = context.new_page()
    for login in sorted(set(PAGES.values())):
        context.clear_cookies()
        enter(context, origin, login, language)
        for name in (name for name, who in PAGES.items() if who == login):
            seen.add(name)
            for address in _addresses(name, shown):
                page.goto(origin + address)
                page.evaluate(SETTLED)
                if findings := list(_findings(page, language)):
                    wrong[address] = findings
    context.close()
    assert seen == set(PAGES)
    foreign = {url for url in asked if urlsplit(url).netloc != urlsplit(origin).netloc and not url.startswith("data:")}
    assert foreign == set(), "a request left the installation"
    assert not wrong, "\n".join(f"{address}\n  " + "\n  ".join(found) for address, found in wrong.items())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_and_errors(browser: Browser, live_server: object, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for address in ("/sign-in/", "/no-such-page/", "/api/v1/docs"):
        page.goto(f"{live_server}{address}")
        assert grave_findings(page) == [], address
    context.close()


def test_a_look_finds_what_is_wrong(page: Page) -> None:
    """Whoever finds nothing on any page may be looking with closed eyes."""
    page.set_content("""<!doctype html><title>Odd</title><main><h1>Odd</h1><img src="data:," width="9" height="9">
      <p style="color: #999">Hardly to be read</p><select><option>1</select><ul><p>No entry</p></ul>
      <button style="width: 9px; height: 9px; padding: 0">a</button><button style="width: 9px; padding: 0">b</button>
      </main>""")
    found = {each.partition(" ")[0] for each in grave_findings(page)}
    assert found == {"html-has-lang", "image-alt", "color-contrast", "select-name", "list", "target-size"}
    assert found - {each.partition(" ")[0] for each in grave_findings(page, is_touched=False)} == {"target-size"}
