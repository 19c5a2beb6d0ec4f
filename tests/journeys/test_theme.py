"""The look that a reader chooses holds, is said, and costs nothing each time it is chosen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.journeys.conftest import enter

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
COUNTS = """
  window.listening = 0;
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (...said) { window.listening += 1; return add.apply(this, said); };
"""


def test_a_look_is_chosen_often(page: Page, live_server: object) -> None:
    page.add_init_script(COUNTS)
    enter(page.context, str(live_server), "pia_partner")
    page.goto(f"{live_server}/")
    before = page.evaluate("window.listening")
    assert before
    for choice in ("dark", "light", "dark"):
        page.evaluate(f"document.querySelector('[data-theme-choice={choice}]').click()")
        expect(page.locator("html")).to_have_attribute("data-theme", choice)
        expect(page.locator(f"[data-theme-choice={choice}]").first).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.listening") == before
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
