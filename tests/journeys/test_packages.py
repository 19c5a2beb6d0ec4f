"""A bureau's officer asks for the country's package, waits for it, takes it away and checks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect
from tests import builders, people

from tocsin.centre.jobs.worker import run_one
from tocsin.products.verify import verify
from tocsin.site import wiring

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[None]:
    """A store of its own."""
    before = settings.INSTALLATION
    settings.INSTALLATION = replace(before, home=tmp_path, store="")
    yield
    settings.INSTALLATION = before


def test_asked_for_made_and_taken_away(page: Page, live_server: object, store: None, tmp_path: Path) -> None:
    people.call("dana_analyst")
    origin = str(live_server)
    page.goto(f"{origin}/sign-in/")
    page.locator("input[name=login], input[name=username]").first.fill("dana_analyst")
    page.locator("input[type=password]").fill(builders.PASSWORD)
    page.locator("main button[type=submit]").click()
    page.goto(f"{origin}/packages/")
    page.locator("select[name=country]").select_option("FR")
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("status").first).to_be_visible()
    handlers = wiring.handlers()
    assert run_one("journey", handlers)
    wiring.close(handlers)
    page.goto(f"{origin}/packages/")
    link = page.get_by_role("link", name="FR-20")
    expect(link).to_be_visible()
    with page.expect_download() as started:
        link.click()
    taken = tmp_path / "taken.zip"
    started.value.save_as(taken)
    assert verify(taken).is_valid
