"""Countries that are in doubt, decided without ever touching the mouse: ticked and decided in bulk, and one by one."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests import scene
from tests.journeys.conftest import enter

from tocsin.centre.analysis.models import CountryConflict

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TABS = 40


@pytest.fixture
def conflicts(store: object) -> list[CountryConflict]:
    """Four of them, largest first, as the page shows them."""
    first = scene.make().conflict
    claims = [{"stated": "FR", "registry": "JO"}, {"stated": "BR", "geo": "JO"}, {"stated": "JO", "registry": "FR"}]
    others = [
        CountryConflict.objects.create(
            batch=first.batch, kind="network", value=f"198.51.100.{32 * place}/27", rows=9 - place, claims=each
        )
        for place, each in enumerate(claims)
    ]
    return [first, *others]


def _tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus, as a person does."""
    for _ in range(TABS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    expect(wanted).to_be_focused()


def _decided() -> dict[int, str]:
    return dict(CountryConflict.objects.exclude(decided_at=None).values_list("pk", "country"))


def test_the_queue_is_worked_off_with_the_keyboard(
    context: BrowserContext, live_server: object, conflicts: list[CountryConflict]
) -> None:
    enter(context, str(live_server), "rui_reviewer")
    page = context.new_page()
    page.goto(f"{live_server}/review/?tab=countries")
    boxes = page.locator(".ticks input[type=checkbox]")
    expect(boxes).to_have_count(4)
    page.locator("#id_follow").focus()
    _tab_to(page, boxes.first)

    # j goes down and stops at the end, k goes up, x ticks; Shift with a tick takes all between.
    for key in ("j", "j", "j", "j", "k", "k", "k"):
        page.keyboard.press(key)
    expect(boxes.first).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    assert [box.is_checked() for box in boxes.all()] == [True, True, True, False]

    # All that were ticked follow the registry, chosen by its first letters; one has no such claim and stays.
    page.locator("#id_follow").focus()
    page.keyboard.type("the network")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Decide ticked")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".alert-success")).to_be_visible()
    expect(boxes).to_have_count(2)
    assert _decided() == {conflicts[0].pk: "BR", conflicts[1].pk: "JO"}

    # The rest by their buttons, reached with Tab from the line.
    for left, country in ((conflicts[2], "JO"), (conflicts[3], "FR")):
        _tab_to(page, boxes.first)
        _tab_to(page, page.locator(f"button.claim[formaction$='/{left.pk}/'][value={country}]"))
        page.keyboard.press("Enter")
        expect(page.locator(f"#id_c{left.pk}")).to_have_count(0)
    expect(page.locator(".empty")).to_be_visible()
    assert _decided() == {
        conflicts[0].pk: "BR", conflicts[1].pk: "JO", conflicts[2].pk: "JO", conflicts[3].pk: "FR",
    }  # fmt: skip
