"""The public site in a real browser: no finding of axe, nothing wider than the window, nothing that its policy
refuses; and what somebody does who is in a hurry, with scripts and without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests import alerts_made
from tests.centre.test_public_site import CANCELLED, FRAME, UPDATED, made_site
from tests.journeys.test_accessibility import AXE

from tocsin.centre.alerts.answers import common_headers
from tocsin.products.alerts import addresses

pytestmark = pytest.mark.browser
TYPES = {"css": "text/css", "js": "text/javascript", "json": "application/json", "woff2": "font/woff2",
         "svg": "image/svg+xml", "png": "image/png", "webmanifest": "application/manifest+json"}  # fmt: skip
NUMBERS = [each.number for each in alerts_made.editions(5)]
PAGES = [
    "{}/", "{}/" + NUMBERS[UPDATED] + "/", "{}/" + NUMBERS[CANCELLED] + "/", "{}/victim/", "{}/search/",
    "{}/country/FR/", "{}/alerts/", "widget/{}/", "{}/about/",
]  # fmt: skip
LOOKS = {"en": (("light", 1280),), "ar": (("dark", 390),)}
ALL_FINDINGS = """async () =>
  (await axe.run(document, {resultTypes: ["violations"], preload: false})).violations.flatMap(
  each => each.nodes.map(node => `${each.id} (${each.impact}): ${node.html.slice(0, 120)} ${node.failureSummary}`))"""


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files, gone, _ = made_site()
        path = self.path.partition("?")[0].removeprefix(FRAME.base)
        body = files.get(path)
        kind = TYPES.get(path.rpartition(".")[2], "text/html; charset=utf-8")
        self.send_response(404 if body is None else 410 if path in gone else 200)
        length = ("Content-Length", str(len(body or b"")))
        for name, value in [("Content-Type", kind), *common_headers(path, kind), length]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def origin() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{FRAME.base}"
    server.shutdown()


def _watched(page: Page) -> list[str]:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    usual = ("410 (Gone)", "blocked by Playwright")
    page.on("console", lambda each: said.append(each.text) if each.type in {"error", "warning"} and not any(
        one in each.text for one in usual) else None)  # fmt: skip
    return said


@pytest.mark.parametrize("language", LOOKS)
def test_every_sort_of_page(browser: Browser, origin: str, language: str) -> None:
    wrong: dict[str, Any] = {}
    for scheme, width in LOOKS[language]:
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 840}, reduced_motion="reduce",  # type: ignore[arg-type]
            service_workers="block", locale="en-GB",
        )  # fmt: skip
        page = context.new_page()
        said = _watched(page)
        for each in PAGES if language == "ar" else PAGES[:5]:
            path = each.format(language)
            page.goto(origin + path)
            page.evaluate(AXE)
            found = page.evaluate(ALL_FINDINGS)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append("wider than the window")
            if found or said:
                wrong[path] = [*found, *said]
            said.clear()
        context.close()
    assert not wrong, wrong


def test_searching(browser: Browser, origin: str) -> None:
    page = browser.new_page(service_workers="block")
    said = _watched(page)
    page.goto(f"{origin}en/search/")
    page.get_by_label("Words, or the number of an alert").fill("tÓlls")
    expect(page.locator(".results li").first).to_contain_text("unpaid tolls")
    assert all("tolls" in each for each in page.locator(".results h2").all_inner_texts())
    page.get_by_label("Words, or the number of an alert").fill(NUMBERS[0].lower())
    expect(page.locator(".results li")).to_have_count(1)
    assert page.locator(".results a").get_attribute("href") == f"../../en/{NUMBERS[0]}/"
    page.get_by_label("Words, or the number of an alert").fill("no such words")
    expect(page.locator(".found")).to_contain_text("Nothing was found")
    assert not said
    page.close()


def test_without_scripts_every_alert_is_still_found(browser: Browser, origin: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(f"{origin}ar/")
    page.get_by_role("link", name="لقد وقعتُ ضحية").first.click()
    page.get_by_role("link", name="فرنسا", exact=True).click()
    assert page.locator(".help a[href='tel:112']").count() == 1
    page.goto(f"{origin}ar/search/")
    assert page.locator("form.search").is_hidden()
    page.locator("#crimes + ul a").first.click()
    assert "/ar/alerts/crime/" in page.url
    context.close()


def test_a_poster_leads_to_the_readers_language(browser: Browser, origin: str) -> None:
    context = browser.new_context(locale="ar-EG", service_workers="block")
    page = context.new_page()
    page.goto(origin + addresses.permanent(NUMBERS[0]))
    page.wait_for_url(f"**/ar/{NUMBERS[0]}/")
    assert page.locator("html").get_attribute("dir") == "rtl"
    context.close()


def test_what_was_read_stays_without_a_connection(browser: Browser, origin: str) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{origin}en/")
    page.evaluate("navigator.serviceWorker.ready")
    page.goto(f"{origin}en/{NUMBERS[0]}/")
    context.set_offline(True)
    page.reload()
    assert page.locator("h1").inner_text()
    expect(page.locator(".offline")).to_be_visible()
    page.goto(f"{origin}en/about/")
    expect(page.locator("h1")).to_contain_text("offline")
    context.close()


class _Ministry(BaseHTTPRequestHandler):
    """Another origin, right to left, with a policy that lets in what the site's own page says, and no more."""

    page, policy = "", ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def ministry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ministry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


def _answer(route: Route) -> None:
    """The site at its public address, as the portal answers."""
    path = route.request.url.removeprefix(FRAME.absolute(""))
    kind = TYPES.get(path.rpartition(".")[2], "text/html; charset=utf-8")
    headers = {"Content-Type": kind, **dict(common_headers(path, kind))}
    route.fulfill(body=made_site()[0][path], headers=headers)


def test_a_ministry_embeds_it_under_a_strict_policy(browser: Browser, origin: str, ministry: str) -> None:
    """What a webmaster copies from the page for him, pasted into a page of another origin."""
    page = browser.new_page(service_workers="block", viewport={"width": 390, "height": 840})
    page.goto(f"{origin}ar/website/")
    script, frame, for_script, for_frame = page.locator(".snippet code").all_text_contents()
    page.route(f"{FRAME.absolute('')}**", _answer)
    refused: list[str] = []
    page.on("console", lambda each: refused.append(each.text) if "Content Security Policy" in each.text else None)
    policy = "default-src 'none'; base-uri 'none'; "
    _Ministry.page = f'<!doctype html><html lang="ar" dir="rtl"><title>M</title><body>{script}{frame}</body></html>'
    _Ministry.policy = f"{policy}{for_script}; {for_frame}"
    page.goto(ministry)
    expect(page.locator("[data-alerts] section li").first).to_be_visible()
    assert page.locator("[data-alerts] section").get_attribute("dir") == "rtl"
    expect(page.frame_locator("iframe").locator(".row").first).to_be_visible()
    assert not refused
    assert not page.context.cookies()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    # A policy that lets nothing in: the link stands there all the same.
    _Ministry.policy = policy
    page.goto(ministry)
    expect(page.locator("[data-alerts] a")).to_be_visible()
    assert page.locator("[data-alerts] a").get_attribute("href") == FRAME.absolute("ar/")
    # The script comes, its data do not: the same link.
    _Ministry.policy = f"{policy}{for_script.split(';')[0]}"
    page.goto(ministry)
    expect(page.locator("[data-alerts] a")).to_be_visible()
    page.close()
