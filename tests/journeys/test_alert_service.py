"""A citizen on a phone, without an account: subscribes by mail in Arabic, tells the police what happened, lets the
browser show alerts. Each page without a finding of axe."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page
from tests import far_ends, people
from tests.crew import work
from tests.far_ends import Mailbox

from tocsin.centre.referrals.models import Referral
from tocsin.centre.subscribers import door
from tocsin.centre.subscribers.models import Subscriber

from .conftest import enter
from .test_accessibility import grave_findings

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SHOTS = os.environ.get("TOCSIN_TEST_SHOTS", "")
"""A folder for pictures of what the tests see."""


@pytest.fixture
def mailbox(live_server: object, store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with far_ends.mail_relay() as box:
        here = replace(settings.INSTALLATION, mail=box.relay, public_origin=str(live_server))
        monkeypatch.setattr(settings, "INSTALLATION", here)
        monkeypatch.setattr(door, "YOUNGEST_SECONDS", 0.1)
        yield box


def look(page: Page, name: str) -> None:
    """Nothing on it keeps anybody from reading it; it fits."""
    assert grave_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize(("language", "size"), [("ar", PHONE), ("en", WIDE)])
def test_a_citizen_subscribes_by_mail(
    browser: Browser, live_server: object, mailbox: Mailbox, language: str, size: dict[str, int]
) -> None:
    context = browser.new_context(viewport=size, java_script_enabled=True, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{live_server}/alert-service/mail/{language}/")
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    look(page, f"subscribe-{language}")
    page.locator("#address").fill("badr@reader.example")
    page.locator("details").nth(2).locator("summary").click()
    page.locator('input[value="JO"]').check()
    page.locator("main form button").click()
    look(page, f"asked-{language}")
    work()
    [mail] = mailbox.of("badr@reader.example")
    html = mail.get_body(("html",))
    assert html is not None
    link = re.search(r'href="([^"]+/alert-service/confirm/[^"]+)"', html.get_content())
    assert link is not None
    page.goto(link[1])
    look(page, f"confirm-{language}")
    page.locator("main form button").click()
    assert Subscriber.objects.get().countries == ["JO"]
    page.locator('main a[href*="/own/"]').click()
    look(page, f"own-{language}")
    page.locator('form[action*="/leave/"] button').click()
    assert not Subscriber.objects.exists()
    assert context.cookies() == []
    context.close()


def test_a_victim_tells_the_police_and_the_bureau_reads_it(
    browser: Browser, live_server: object, mailbox: Mailbox
) -> None:
    people.call("fleur_officer")
    context = browser.new_context(viewport=PHONE, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{live_server}/alert-service/report/METHOD-2026-0042/ar/")
    look(page, "report-ar")
    page.locator("#facts").fill("دفعت رسومًا ثم اختفت أموالي.")
    page.locator("#country").select_option("FR")
    page.locator("main form button").click()
    look(page, "sent-ar")
    work()
    number = Referral.objects.get().number
    assert number in page.locator("main").inner_text()
    enter(context, str(live_server), "fleur_officer", "en")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto(f"{live_server}/referrals/")
    look(page, "referrals-en")
    page.get_by_text(number).click()
    assert "دفعت رسومًا" in page.locator("main").inner_text()
    look(page, "referral-en")
    context.close()


def test_a_browser_is_asked_and_says_when_it_cannot(browser: Browser, live_server: object, mailbox: Mailbox) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(f"{live_server}/alert-service/push/ar/")
    page.locator("#push").wait_for(state="visible")
    assert page.evaluate("navigator.serviceWorker.getRegistration('/alert-service/').then(found => !!found)")
    page.locator("main form button[type=submit]").click()
    page.locator("#not-able").wait_for(state="visible")  # A browser of tests reaches no push service.
    assert wrong == []
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/push-ar.png", full_page=True)
    assert not Subscriber.objects.exists()
    context.close()
