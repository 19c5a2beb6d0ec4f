"""A partner comes in: from its own application to its first delivery, by two officers of the Centre."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.journeys.conftest import enter
from tests.journeys.test_accessibility import grave_findings

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Organisation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
VETTING = ("ownership", "jurisdiction", "conflicts", "security", "human_rights")
OWN_PASSWORD = "seven brown ferries at dawn"


def test_from_an_application_to_the_first_delivery(
    browser: Browser, live_server: object, worker: None, tmp_path: Path
) -> None:
    origin = str(live_server)
    with browser.new_context() as context:
        _applies(context.new_page(), origin)
    with browser.new_context() as context:
        enter(context, origin, "paula_partnership")
        _is_vetted_and_signed(context.new_page(), origin)
    with browser.new_context() as context:
        enter(context, origin, "ada_administrator")
        page = context.new_page()
        page.goto(f"{origin}/organisations/{_slug()}/agreement/")
        _step(page, "active")
        expect(page.get_by_text("The agreement is now: Active.")).to_be_visible()
        page.goto(f"{origin}/organisations/{_slug()}/")
        _opens_the_organisation(page)
    with browser.new_context() as context:
        enter(context, origin, "paula_partnership")
        password = _appoints_the_first(context.new_page(), origin)
    with browser.new_context() as context:
        _hands_over(context.new_page(), origin, password, tmp_path)
    delivery = Delivery.objects.get()
    assert (delivery.organisation.name, delivery.rows) == ("Harbour Labs", 1)


def _slug() -> str:
    return Organisation.objects.get(name="Harbour Labs").slug


def _applies(page: Page, origin: str) -> None:
    page.goto(f"{origin}/sign-in/")
    page.get_by_role("link", name="Become a partner").click()
    page.get_by_label("Name of the organisation").fill("Harbour Labs")
    page.get_by_label("What it is").select_option("private")
    page.get_by_label("Country of its seat").select_option("FR")
    page.get_by_label("Whom we may ask").fill("Bo Ek")
    page.get_by_label("E-mail address").fill("bo@harbour.example")
    page.locator("[name=data_types][value=indicators]").check()
    page.get_by_label("What you know, and why you want to share it").fill("We run a sinkhole.")
    assert grave_findings(page) == []
    page.get_by_role("button", name="Send the application").click()
    expect(page.get_by_text("Your application was received.")).to_be_visible()


def _is_vetted_and_signed(page: Page, origin: str) -> None:
    page.goto(origin)
    page.get_by_role("link", name="Applications of would-be partners").click()
    page.get_by_role("link", name="Harbour Labs").click()
    page.get_by_role("link", name="Terms, vetting and history").click()
    expect(page.get_by_text("We run a sinkhole.")).to_be_visible()
    _step(page, "vetting")
    today = datetime.now(UTC).date()
    _fill(page, "vetting", **dict.fromkeys(VETTING, "looked at"), vetted_until=f"{today + timedelta(days=90)}")
    _step(page, "negotiated")
    _fill(page, "terms", title="Feeds", starts_on=str(today))
    _fill(
        page, "signatures", signed_for_centre="Ann", signed_for_centre_on=str(today),
        signed_for_partner="Bo Ek", signed_for_partner_on=str(today),
    )  # fmt: skip
    _step(page, "signed")
    part = _part(page, "security")
    part.locator("[name=is_page_only]").check()
    _fill(page, "security", security_contact="soc@harbour.example")
    expect(page.get_by_text("Another person than the one who passed the vetting")).to_be_visible()


def _opens_the_organisation(page: Page) -> None:
    page.get_by_role("link", name="Change").first.click()
    page.locator("[name=is_active]").check()
    page.locator("main form:has([name=is_active]) button[type=submit]").click()
    assert Organisation.objects.get(name="Harbour Labs").is_active


def _appoints_the_first(page: Page, origin: str) -> str:
    page.goto(f"{origin}/people/add/?organisation={_slug()}")
    page.locator("[name=login]").fill("bo.ek")
    page.locator("main [name=name]").fill("Bo Ek")
    page.locator("[name=roles][value=manager]").check()
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("heading", name="First password")).to_be_visible()
    return page.locator(".secret code").inner_text()


def _hands_over(page: Page, origin: str, password: str, folder: Path) -> None:
    table = folder / "seen.csv"
    table.write_text("ip,last_seen\n9.9.9.9,2026-11-20T10:00:00Z\n9.9.9.300,2026-11-20T10:00:00Z\n", encoding="utf-8")
    page.goto(origin)
    page.locator("input[name=login]").fill("bo.ek")
    page.locator("input[type=password]").fill(password)
    page.locator("main button[type=submit]").click()
    expect(page.get_by_text("Choose a password of your own before you go on.")).to_be_visible()
    old, new, again = page.locator("main input[type=password]").all()
    old.fill(password)
    new.fill(OWN_PASSWORD)
    again.fill(OWN_PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.goto(f"{origin}/upload/")
    page.set_input_files("#id_files", str(table))
    page.get_by_role("button", name="Hand over").click()
    page.locator("main a.btn-small[href*=deliveries]").click()
    expect(page.locator("#receipt")).to_contain_text("1 record refused", timeout=60_000)
    page.goto(f"{origin}/agreement/")
    expect(page.get_by_text("Feeds", exact=True)).to_be_visible()


def _step(page: Page, to: str) -> None:
    page.locator(f"form:has(input[name=to][value={to}])").get_by_role("button").click()


def _part(page: Page, name: str) -> Locator:
    part = page.locator(f"#part-{name}")
    if part.get_attribute("open") is None:
        part.locator("summary").first.click()
    return part


def _fill(page: Page, name: str, **said: str) -> None:
    part = _part(page, name)
    for field, text in said.items():
        part.locator(f"[name={field}]").fill(text)
    part.locator("button[type=submit]").click()
    page.wait_for_load_state()
    assert not page.locator(".field-error").count(), page.locator(".field-error").first.inner_text()
