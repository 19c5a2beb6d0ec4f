"""An alert from a finding to everybody, and back: four people and two translators, each at a browser of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect
from tests import alert_life, alerts_at_desk, people
from tests.crew import work
from tests.found_alerts import C2, hand_over
from tests.journeys.conftest import enter

from tocsin.centre.alerts.models import Alert, PublicFile, Version
from tocsin.centre.alerts.public import lists

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TITLES = alert_life.TITLES


@pytest.fixture
def site(store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public site; of its two thousand lists, those that an alert is in."""
    installation: Any = settings.INSTALLATION
    monkeypatch.setattr(settings, "INSTALLATION", replace(installation, public_origin="https://alerts.example"))
    monkeypatch.setattr(lists, "all_facets", list)


class Desk:
    """A browser for each person of the desk."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self.browser, self.origin = browser, origin
        self.pages: dict[str, Page] = {}

    def at(self, login: str, path: str) -> Page:
        if login not in self.pages:
            context = self.browser.new_context(viewport={"width": 1280, "height": 900})
            enter(context, self.origin, login)
            self.pages[login] = context.new_page()
        page = self.pages[login]
        page.goto(f"{self.origin}{path}")
        return page

    def close(self) -> None:
        for page in self.pages.values():
            page.context.close()


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("status").first).to_be_visible()


def test_an_alert_from_a_finding_to_everybody_and_back(browser: Browser, live_server: object, site: None) -> None:
    for login in ("fleur_officer", "rui_reviewer", "lena_legal", "dora_dissemination"):
        people.call(login)
    for login in ("tara_translator", "timo_translator"):
        alerts_at_desk.translator(login)
    desk = Desk(browser, str(live_server))
    try:
        address = _written(desk)
        press(desk.at("rui_reviewer", f"{address}review/"), "Pass its quality")
        press(desk.at("lena_legal", f"{address}review/"), "Pass as to the law")
        for language in ("fr", "es", "ar"):
            _translated(desk, address, language)
        author = desk.at("dana_analyst", address)
        expect(author.get_by_role("button", name="Approve and send to the police")).to_have_count(0)
        press(desk.at("dora_dissemination", address), "Approve and send to the police")
        work()
        press(desk.at("dora_dissemination", address), "Publish to everybody")
        number = Alert.objects.get().number
        _read_on_a_phone(desk, f"/alerts/ar/{number}/")
        _updated(desk, address)
        _read_on_a_phone(desk, f"/alerts/ar/{number}/", "2099-05-01")
        _cancelled(desk, address)
        assert PublicFile.objects.get(path=f"ar/{number}/").is_gone
        gone = desk.at("dana_analyst", f"/alerts/ar/{number}/")
        expect(gone.locator("body")).to_contain_text("احتوى هذا التنبيه على خطأ")
    finally:
        desk.close()


def _written(desk: Desk) -> str:
    """From the page of what a partner handed over: the draft is filled with what was found there."""
    page = desk.at("dana_analyst", f"/deliveries/{hand_over().receipt}/")
    page.get_by_role("button", name="Start an alert").click()
    expect(page.locator("input[name=indicators-0-value]")).to_have_value(C2)
    page.locator("select[name=type]").select_option("METHOD")
    page.locator("input[name=title]").fill(TITLES["en"])
    for name in ("at_risk", "recognise", "if_victim", "bottom_line", "assessment", "never", "questions"):
        page.locator(f"textarea[name={name}]").fill("")
    for box in page.locator("input[name^=tasks-][name$=-DELETE]").all():
        box.check()
    page.locator("select[name=offence]").select_option("computer-related-fraud")
    page.locator("select[name=severity]").select_option("Severe")
    page.locator("select[name=urgency]").select_option("Immediate")
    page.locator("select[name=certainty]").select_option("Observed")
    page.locator("input[name=expires]").fill("2099-01-01T10:00")
    page.locator("textarea[name=happening]").fill("Notwithstanding considerable institutional vigilance, " * 8)
    expect(page.locator("#plain")).to_contain_text("Harder than everybody reads")
    page.locator("textarea[name=happening]").fill(alert_life.HAPPENING["en"])
    page.locator("textarea[name=do_now]").fill("Do not open the link.\nCall your bank.")
    page.locator("textarea[name=facts]").fill(alert_life.HAPPENING["en"])
    expect(page.locator("#plain")).not_to_contain_text("Harder than everybody reads")
    page.get_by_role("button", name="Save and hand in").click()
    expect(page.get_by_role("status").first).to_be_visible()
    alert = Alert.objects.get()
    assert Version.objects.get().state == "quality-review"
    return f"/alert-desk/{alert.reference}/"


def _translated(desk: Desk, address: str, language: str) -> None:
    page = desk.at("tara_translator", f"{address}translations/{language}/")
    page.locator("input[name=title]").fill(TITLES[language])
    for name in ("happening", "do_now", "facts"):
        page.locator(f"textarea[name={name}]").fill(alert_life.HAPPENING[language])
    press(page, "Save the translation")
    press(desk.at("timo_translator", f"{address}translations/{language}/"), "It says the same: checked")


def _updated(desk: Desk, address: str) -> None:
    """A second version that holds longer. Its words are as they were translated; the first stands until it
    replaces it."""
    press(desk.at("dana_analyst", address), "Begin an update")
    page = desk.at("dana_analyst", f"{address}write/")
    page.locator("input[name=expires]").fill("2099-05-01T10:00")
    page.get_by_role("button", name="Save and hand in").click()
    expect(page.get_by_role("status").first).to_be_visible()
    press(desk.at("rui_reviewer", f"{address}review/"), "Pass its quality")
    press(desk.at("lena_legal", f"{address}review/"), "Pass as to the law")
    press(desk.at("dora_dissemination", address), "Approve and send to the police")
    work()
    press(desk.at("dora_dissemination", address), "Publish to everybody")
    assert [each.state for each in Version.objects.order_by("number")] == ["updated", "published-public"]


def _read_on_a_phone(desk: Desk, path: str, until: str = "2099-01-01") -> None:
    context = desk.browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{desk.origin}{path}")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("h1")).to_contain_text(TITLES["ar"])
    expect(page.locator(f'time[datetime^="{until}"]').first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    context.close()


def _cancelled(desk: Desk, address: str) -> None:
    page = desk.at("dana_analyst", f"{address}cancel/")
    page.locator("select[name=ready]").select_option("error")
    press(page, "Ask that it is cancelled")
    expect(page.get_by_role("button", name="Cancel it everywhere now")).to_have_count(0)
    press(desk.at("dora_dissemination", address), "Cancel it everywhere now")


def test_two_browsers_that_write_at_once_lose_nothing(browser: Browser, live_server: object, store: object) -> None:
    alert = alerts_at_desk.alert()
    people.call("dario_duty")
    desk = Desk(browser, str(live_server))
    try:
        address = f"/alert-desk/{alert.reference}/"
        hers, his = desk.at("dana_analyst", f"{address}write/"), desk.at("dario_duty", f"{address}write/")
        hers.locator("input[name=title]").fill("Her title")
        press(hers, "Save")
        his.locator("input[name=title]").fill("His title")
        his.locator("textarea[name=at_risk]").fill("Only he says this.")
        his.get_by_role("button", name="Save", exact=True).click()
        expect(his.locator("h1")).to_contain_text("Two wrote at once")
        expect(his.locator("main")).to_contain_text("Her")
        his.locator("input[value=theirs]").check()
        press(his, "Save both changes together")
        texts = Version.objects.get().content["texts"]
        assert (texts["title"], texts["at_risk"]) == ("Her title", "Only he says this.")
    finally:
        desk.close()
