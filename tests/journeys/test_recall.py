"""A recall from the source's page to its certificate, and a release by two, in a real browser."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests import builders, people
from tests.crew import work
from tests.journeys.conftest import enter, sign_in

from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.recall import services
from tocsin.centre.recall.models import Recall
from tocsin.credentials import load_or_make, verify

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TABLE = b"timestamp,ip,port,malware,country\n2026-11-01T10:00:00Z,198.51.100.9,443,Emotet,FR\n" \
        b"2026-11-02T10:00:00Z,203.0.113.7,443,Emotet,FR\n"  # fmt: skip


def handed_over(marking: str) -> Delivery:
    pia = people.call("pia_partner")
    made = intake.receive(
        organisation=pia.organisation, via="page", name="servers.csv", chunks=[TABLE], at=timezone.now(), person=pia,
        marking=marking,
    )  # fmt: skip
    work()
    made.refresh_from_db()
    assert made.state == "parsed"
    return made


def page_of(browser: Browser, origin: str, login: str) -> tuple[BrowserContext, Page]:
    """Somebody else, at another machine."""
    context = browser.new_context(accept_downloads=True)
    enter(context, origin, login)
    return context, context.new_page()


def test_a_partner_recalls_and_corrects_and_everybody_answers_to_the_certificate(
    page: Page, browser: Browser, live_server: object, store: Path, tmp_path: Path
) -> None:
    origin = str(live_server)
    fleur = people.call("fleur_officer")
    sent = handed_over("TLP:AMBER")
    set_audience(Batch.objects.filter(delivery=sent), BY_LABEL)
    took(fleur, Taking.Channel.API, list(sent.batches.values_list("pk", flat=True)), timezone.now())

    _recall_one_value(page, origin, sent)
    made = Recall.objects.get()
    expect(page).to_have_url(f"{origin}/recalls/{made.number}/")
    work()

    # The bureau has acted on it; it answers, and later undoes.
    bureau, theirs = page_of(browser, origin, "fleur_officer")
    theirs.goto(f"{origin}/recalls/{made.number}/")
    expect(theirs.locator("main")).to_contain_text("198.51.100.9")
    expect(theirs.locator("main")).to_contain_text("198.51.100.6")
    expect(theirs.locator("main")).not_to_contain_text("203.0.113.7")
    theirs.locator("select[name=state]").select_option("corrected")
    theirs.locator("input[name=acted]").check()
    theirs.locator("main form[action$='/answer/'] button[type=submit]").click()
    expect(theirs.locator("#undo")).to_be_visible()

    # The duty officer sees who answered, and that something is still to be undone.
    duty, desk = page_of(browser, origin, "dario_duty")
    desk.goto(f"{origin}/recalls/{made.number}/")
    expect(desk.locator("#undos")).to_be_visible()
    expect(desk.locator("main")).to_contain_text("NCB FR")

    theirs.locator("main form[action$='/undo/'] select[name=state]").select_option("done")
    theirs.locator("main form[action$='/undo/'] button[type=submit]").click()
    expect(theirs.locator("main form[action$='/undo/']")).to_have_count(0)
    services.tick(datetime.now(UTC) + timedelta(minutes=11))

    desk.reload()
    with desk.expect_download() as started:
        desk.get_by_role("link", name="Certificate").click()
    taken = tmp_path / "certificate.json"
    started.value.save_as(taken)
    certificate = json.loads(taken.read_text())
    installation: Any = settings.INSTALLATION
    public = load_or_make(installation.home / "keys", installation.organisation).public_pem
    assert verify(certificate["body"].encode(), base64.b64decode(certificate["signature"]), public)
    body = json.loads(certificate["body"])
    assert (body["answered"], body["undo"]) == (body["organisations"], {"open": 0, "done": 1, "not-applicable": 0})
    bureau.close()
    duty.close()


def _recall_one_value(page: Page, origin: str, sent: Delivery) -> None:
    """The partner, whose sign-in was a while ago, proves anew who it is before anything opens."""
    sign_in(page, origin, "pia_partner")
    _forget_proofs()
    page.goto(f"{origin}/deliveries/{sent.receipt}/")
    page.locator(f"a[href='/deliveries/{sent.receipt}/recall/']").click()
    page.get_by_role("link", name="Recall or correct single parts").click()
    expect(page).to_have_url(re.compile(r"/proof/\?next="))
    page.locator("main input[type=password]").fill(builders.PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.locator("input[name=part][value='198.51.100.9']").check()
    page.locator("select[name=reason]").select_option("wrong-data")
    page.locator("select[name=action]").select_option("correct")
    page.get_by_role("button", name="See what goes with it").click()
    page.locator("select[name=corrections-0-field]").select_option("value")
    page.locator("input[name=corrections-0-became]").fill("198.51.100.6")
    page.get_by_role("button", name="Recall and correct").click()
    expect(page.get_by_role("status").first).to_be_visible()


def _forget_proofs() -> None:
    """As if the sign-in was an hour ago."""
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    from tocsin.centre.members.sessions import PROVED_AT

    for each in Session.objects.all():
        session = SessionStore(each.session_key)
        if PROVED_AT in session:
            session[PROVED_AT] = timezone.now().timestamp() - 3600
            session.save()


def test_what_an_analyst_proposes_and_a_reviewer_releases_a_bureau_sees(
    page: Page, browser: Browser, live_server: object, store: Path
) -> None:
    origin = str(live_server)
    people.call("fleur_officer")
    sent = handed_over("TLP:GREEN")
    bureau, theirs = page_of(browser, origin, "fleur_officer")
    theirs.goto(f"{origin}/lookup/?q=203.0.113.7")
    expect(theirs.locator("main")).not_to_contain_text("Emotet")

    enter(page.context, origin, "dana_analyst")
    page.goto(f"{origin}/release/delivery/{sent.receipt}/")
    page.locator("#propose-reason").fill("Bureaus wait for it")
    page.get_by_role("button", name="Propose the release").click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.get_by_role("button", name="Release it to these recipients")).to_have_count(0)

    second, other = page_of(browser, origin, "rui_reviewer")
    other.goto(f"{origin}/release/")
    other.locator(f"a[href='/release/delivery/{sent.receipt}/']").first.click()
    expect(other.locator("main")).to_contain_text("NCB FR")
    other.get_by_role("button", name="Release it to these recipients").click()
    expect(other.get_by_role("status").first).to_be_visible()

    theirs.reload()
    expect(theirs.locator("main")).to_contain_text("Emotet")
    bureau.close()
    second.close()
