"""A bureau's officer asks for the country's package, waits for it, takes it away and checks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests import crew
from tests.journeys.conftest import sign_in

from tocsin.centre.jobs.worker import run_one
from tocsin.products.verify import verify

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_asked_for_made_and_taken_away(page: Page, live_server: object, store: Path, tmp_path: Path) -> None:
    origin = str(live_server)
    sign_in(page, origin, "dana_analyst")
    page.goto(f"{origin}/packages/")
    page.locator("select[name=country]").select_option("FR")
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("status").first).to_be_visible()
    page.goto(f"{origin}/countries/")  # The list follows by itself: not while the work is done in this thread.
    assert run_one("journey", crew.handlers())
    page.goto(f"{origin}/packages/")
    link = page.get_by_role("link", name="FR-20")
    expect(link).to_be_visible()
    with page.expect_download() as started:
        link.click()
    taken = tmp_path / "taken.zip"
    started.value.save_as(taken)
    assert verify(taken).is_valid
