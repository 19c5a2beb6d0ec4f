"""Three days' work in Arabic on a telephone: mending a delivery, reviewing a report, looking up and keeping watch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests import people
from tests.journeys.conftest import enter

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("worker")]
LONG = 60_000
TABLE = "ip,timestamp,malware\n9.9.9.9,2026-03-12T10:00:00Z,Emotet\n9.9.9.300,2026-03-12T10:00:00Z,Emotet\n"
REPORT = """# Heron

The loader calls heron-gate[.]example and hxxp://heron-gate[.]example/gate.php from time to time.
A second stage lies at heron-files[.]example. Mails come from clerk@heron-post[.]example.
"""


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, accept_downloads=True
    )
    context.set_default_timeout(20_000)
    yield context
    context.close()


def _hand_over(login: str, name: str, text: str) -> Delivery:
    person = people.call(login)
    return services.receive(
        organisation=person.organisation, via="page", name=name, chunks=[text.encode()], at=datetime.now(UTC),
        person=person, marking="TLP:GREEN",
    )  # fmt: skip


def _fits(page: Page) -> None:
    """Arabic runs from the right, and nothing sticks out of the screen."""
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir].join()") == "ar,rtl"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def test_a_refused_record_is_mended(phone: BrowserContext, live_server: object, tmp_path: Path) -> None:
    enter(phone, str(live_server), "pia_partner", "ar")
    table = tmp_path / "rows.csv"
    table.write_text(TABLE, encoding="utf-8")
    page = phone.new_page()
    page.goto(f"{live_server}/upload/")
    _fits(page)
    page.set_input_files("#id_files", str(table))
    page.locator("#upload button.btn-primary").click()
    page.locator("[data-results] a.btn").click()

    expect(page.locator("#refused")).to_be_visible(timeout=LONG)  # The receipt follows by itself.
    expect(page.locator("#refused")).to_contain_text("9.9.9.300")
    _fits(page)
    with page.expect_download() as started:
        page.locator("#refused .card-header a[href$='/mend/']").click()
    mended = tmp_path / "mended.csv"
    started.value.save_as(mended)
    text = mended.read_text(encoding="utf-8")
    assert "9.9.9.300" in text
    assert "9.9.9.9," not in text, "only what was refused is handed back"
    mended.write_text(text.replace("9.9.9.300", "9.9.9.30"), encoding="utf-8")
    page.set_input_files("#id_file", str(mended))
    page.locator("form.mend button").click()

    expect(page.locator(".timeline .is-done")).to_have_count(3, timeout=LONG)
    expect(page.locator("#receipt a[href^='/deliveries/']:not([href$='/term/'])").first).to_have_text("rows.csv")
    _fits(page)
    first, second = Delivery.objects.order_by("pk")
    assert (second.mends_id, first.rows, first.rejections, second.rows, second.rejections) == (first.pk, 1, 1, 1, 0)


def test_a_report_is_reviewed(phone: BrowserContext, live_server: object) -> None:
    report = _hand_over("pia_partner", "heron.md", REPORT)
    enter(phone, str(live_server), "rui_reviewer", "ar")
    page = phone.new_page()
    page.goto(f"{live_server}/deliveries/{report.receipt}/")
    expect(page.locator(".timeline .is-done")).to_have_count(3, timeout=LONG)
    page.goto(f"{live_server}/review/?tab=proposals")
    _fits(page)
    boxes = page.locator(".ticks input[type=checkbox]")
    found = Proposal.objects.count()
    assert found >= 3
    expect(boxes).to_have_count(found)

    # With the keyboard alone: nothing ticked, then the first by x, the second by j and x.
    page.locator("[data-tick-all]").set_checked(True)
    page.locator("[data-tick-all]").set_checked(False)
    boxes.first.focus()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(boxes.nth(1)).to_be_focused()
    assert [boxes.nth(place).is_checked() for place in range(found)] == [True, True] + [False] * (found - 2)
    page.locator("button[value=accept]").click()
    expect(page.locator(".alert-success")).to_be_visible()
    expect(page.locator(".ticks input[type=checkbox]")).to_have_count(found - 2)
    page.locator("button[value=refuse-all]").click()
    expect(page.locator(".empty")).to_be_visible()
    _fits(page)
    states = sorted(Proposal.objects.values_list("state", flat=True))
    assert states == ["accepted"] * 2 + ["refused"] * (found - 2)
    became = Proposal.objects.filter(state="accepted").first()
    assert became is not None
    assert became.became is not None

    page.goto(f"{live_server}/deliveries/{became.became.receipt}/")
    expect(page.locator(".timeline .is-done")).to_have_count(3, timeout=LONG)
    page.goto(f"{live_server}/lookup/")
    page.locator("#id_q").fill(became.shown_as)
    page.locator("form.look-up button").click()
    expect(page.locator("#rows")).to_be_visible()
    _fits(page)


def test_a_defanged_value_is_looked_up_and_watched(phone: BrowserContext, live_server: object) -> None:
    sent = _hand_over("pia_partner", "rows.csv", TABLE)
    enter(phone, str(live_server), "dana_analyst", "ar")
    page = phone.new_page()
    page.goto(f"{live_server}/deliveries/{sent.receipt}/")
    expect(page.locator(".timeline .is-warn")).to_have_count(1, timeout=LONG)
    page.locator("#find").fill("9[.]9[.]9[.]9")
    page.locator("#find").press("Enter")
    expect(page.locator("#rows")).to_be_visible()
    expect(page.locator(".headline-value")).to_have_text("9[.]9[.]9[.]9")
    assert page.locator(".headline-value bdi").get_attribute("dir") == "ltr"
    _fits(page)
    page.locator("form[action='/watches/add/'] button").click()
    expect(page.locator(".alert-success")).to_contain_text("9.9.9.9")
    _fits(page)

    again = _hand_over("pia_partner", "later.csv", TABLE.replace("2026-03-12", "2026-03-13"))
    page.goto(f"{live_server}/deliveries/{again.receipt}/")
    expect(page.locator(".timeline .is-warn")).to_have_count(1, timeout=LONG)
    hit = page.locator("section[aria-labelledby=hits] li")
    for _attempt in range(20):  # The standing queries are put to a delivery right after it was read.
        page.goto(f"{live_server}/watches/")
        if hit.count():
            break
        page.wait_for_timeout(500)
    expect(hit).to_have_count(1)
    expect(hit.locator(".badge")).to_be_visible()
    _fits(page)
