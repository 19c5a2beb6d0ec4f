"""Sign-in with one's own organisation in a real browser, at a provider that others made and that is another process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect
from tests import allauth_provider, people
from tests.allauth_provider import CLIENT, LOGIN, PASSWORD, SECRET
from tests.journeys.conftest import enter
from tests.journeys.test_accessibility import grave_findings

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import providers
from tocsin.centre.members.models import Identity, OpenSession, Provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def origin(live_server: object, store: object, monkeypatch: pytest.MonkeyPatch) -> str:
    """The portal at its public address; providers may lie on this machine."""
    made = replace(settings.INSTALLATION, public_origin=str(live_server), inner_providers=True)
    monkeypatch.setattr(settings, "INSTALLATION", made)
    return str(live_server)


@pytest.fixture
def issuer(origin: str, tmp_path: Path) -> Iterator[str]:
    """Where the provider of northwind listens."""
    key = providers.key_of(people.call(LOGIN).organisation)
    with allauth_provider.running(tmp_path, providers.address(key, "provider-back")) as found:
        yield found


def test_an_administrator_sets_it_up_and_somebody_comes_in_by_it(
    context: BrowserContext, page: Page, origin: str, issuer: str
) -> None:
    enter(context, origin, "ada_administrator")
    page.goto(f"{origin}/organisations/northwind/")
    page.get_by_role("link", name="Own sign-in").click()
    page.get_by_label("Issuer").fill(issuer)
    page.get_by_label("Client ID").fill(CLIENT)
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_label("Claim that holds the login").fill("preferred_username")
    page.get_by_role("button", name="Check and save").click()
    expect(page.get_by_text("The provider was looked at and kept.")).to_be_visible()
    assert grave_findings(page) == []
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("People come in by the provider now.")).to_be_visible()
    context.clear_cookies()

    page.goto(f"{origin}/account/preferences/")
    page.get_by_role("link", name="Sign in with your organisation").click()
    page.get_by_label("Login").fill(LOGIN)
    assert grave_findings(page) == []
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{issuer}/**")  # The page between leads there by itself.
    _sign_in_there(page)
    page.wait_for_url(f"{origin}/account/preferences/")
    assert Identity.objects.get().person.login == LOGIN
    assert OpenSession.objects.get(person__login=LOGIN).proved_by == "provider"
    page.goto(f"{origin}/account/sessions/")
    expect(page.get_by_text("Organisation's provider")).to_be_visible()
    assert Entry.objects.filter(action="sign-in", actor=LOGIN).count() == 1


def test_who_says_no_there_reads_what_to_do(page: Page, origin: str, issuer: str) -> None:
    from django.utils import timezone

    from tocsin.centre.members import openid

    setup = providers.Setup(
        kind="openid", issuer=issuer, claim="preferred_username", published=openid.read(issuer), client=CLIENT,
        secret=SECRET,
    )  # fmt: skip
    made = providers.set_up(organisation=people.call(LOGIN).organisation, said=setup, by="test", at=timezone.now())
    providers.switch(provider=made, is_on=True, by="test", at=timezone.now())
    page.goto(origin + reverse("provider-start", args=[Provider.objects.get().key]))
    page.locator("input[name=login]").fill(LOGIN)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").first.click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="You were not let in")).to_be_visible()
    assert grave_findings(page) == []
    page.get_by_role("link", name="To the sign-in page").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert '"denied"' in Entry.objects.get(action="sign-in.provider-failed").detail


def _sign_in_there(page: Page) -> None:
    page.locator("input[name=login]").fill(LOGIN)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").first.click()
    page.get_by_role("button", name="Authorize").click()
