"""A partner's table with headings nobody knows: from the upload page to the look-up, and on to the review queue."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.journeys.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ODD = "opferadresse;gesehen;bemerkung\n9.9.9.9;12.03.2026 10:00;hallo\n9.9.9.300;12.03.2026;x\n1.1.1.1;13.03.2026;y\n"


def test_from_unknown_headings_to_an_answer(page: Page, live_server: object, worker: None, tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    table.write_text(ODD, encoding="utf-8")
    origin = str(live_server)
    sign_in(page, origin, "dana_analyst")

    page.goto(f"{origin}/upload/")
    page.set_input_files("#id_files", str(table))
    page.get_by_role("button", name="Look at the columns of a table first").click()
    expect(page.get_by_role("heading", name="What do these columns mean?")).to_be_visible()
    page.get_by_label("opferadresse").select_option("value")
    page.get_by_label("bemerkung").select_option("note")
    page.get_by_label("Role where the table says none").select_option("VICTIM")
    expect(page.locator("#preview")).to_contain_text("9.9.9.300")
    page.get_by_label("Name of the map").fill("Odd table")
    page.get_by_role("button", name="Save the map and read the table").click()

    # The receipt follows by itself, without anybody loading the page again.
    expect(page.locator("#receipt")).to_contain_text("Read and usable", timeout=60_000)
    expect(page.locator("#receipt")).to_contain_text("1 record refused", timeout=60_000)

    page.locator("#find").fill("9[.]9[.]9[.]9")
    page.locator("#find").press("Enter")
    expect(page.get_by_role("heading", name="Newest rows")).to_be_visible()
    page.goto(f"{origin}/review/")
    expect(page.get_by_role("heading", name="Review", level=1)).to_be_visible()
