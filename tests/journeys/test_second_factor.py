"""Second factors in a real browser: an app for codes, and passkeys of a virtual device that Chromium brings."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import CDPSession, Page, expect
from tests import builders
from tests.journeys.conftest import sign_in
from tests.journeys.test_accessibility import grave_findings

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import CodeApp, Passkey
from tocsin.credentials import one_time

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NAME = "my laptop"


@pytest.fixture
def origin(live_server: object, store: object, monkeypatch: pytest.MonkeyPatch) -> str:
    """The portal at its public address."""
    made = replace(settings.INSTALLATION, public_origin=str(live_server))
    monkeypatch.setattr(settings, "INSTALLATION", made)
    return str(live_server)


class Device:
    """What keeps passkeys: a virtual authenticator of the browser's test interface."""

    def __init__(self, page: Page, *, verifies: bool) -> None:
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal" if verifies else "usb", "hasResidentKey": verifies,
            "hasUserVerification": verifies, "isUserVerified": verifies, "automaticPresenceSimulation": True,
        }  # fmt: skip
        self.id = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found

    def hold(self, credential: dict[str, Any]) -> None:
        """Hold this passkey and no other."""
        self.session.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})
        known = {name: value for name, value in credential.items() if name not in {"backupState", "backupEligibility"}}
        self.session.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": known})

    def close(self) -> None:
        self.session.send("WebAuthn.disable")
        self.session.detach()


def _another_key() -> str:
    made = generate_private_key(SECP256R1())
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return base64.b64encode(made.private_bytes(*form)).decode()


def _sign_out(page: Page, origin: str) -> None:
    page.locator("details.menu summary .avatar").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{origin}/sign-in/")


def _register(page: Page, origin: str) -> None:
    page.goto(f"{origin}/account/factors/")
    page.locator("input[name=name]").fill(NAME)
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")


@pytest.fixture
def laptop(page: Page, origin: str) -> Iterator[Device]:
    """A device that asks for a finger, with a passkey of Dana's; Dana has signed out."""
    made = Device(page, verifies=True)
    sign_in(page, origin, "dana_analyst")
    _register(page, origin)
    _sign_out(page, origin)
    yield made
    made.close()


def test_an_app_for_codes(page: Page, origin: str) -> None:
    sign_in(page, origin, "dana_analyst")
    page.goto(f"{origin}/account/factors/")
    page.get_by_role("link", name="Set up an app").click()
    expect(page.locator("main svg[width]").first).to_be_visible()
    typed = page.locator("#secret").inner_text().replace(" ", "")
    secret = base64.b32decode(typed)
    page.locator("input[name=code]").fill(one_time.code_of(secret, one_time.step_at(timezone.now()) - 1))
    page.locator("input[name=code]").press("Enter")
    expect(page.locator("main ol.list li")).to_have_count(10)
    recovery = page.locator("main ol.list li").first.inner_text()
    _sign_out(page, origin)
    sign_in(page, origin, "dana_analyst")
    expect(page).to_have_url(f"{origin}/sign-in/second/?next=%2F")
    page.goto(f"{origin}/deliveries/")
    expect(page).to_have_url(f"{origin}/sign-in/?next=/deliveries/")
    sign_in(page, origin, "dana_analyst")
    page.locator("input[name=code]").fill("000000")
    page.locator("input[name=code]").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    page.locator("input[name=code]").fill(one_time.code_of(secret, one_time.step_at(timezone.now())))
    page.locator("input[name=code]").press("Enter")
    expect(page).to_have_url(f"{origin}/")
    _sign_out(page, origin)
    sign_in(page, origin, "dana_analyst")
    page.locator("input[name=code]").fill(recovery)
    page.locator("input[name=code]").press("Enter")
    expect(page).to_have_url(f"{origin}/")
    assert CodeApp.objects.get().sealed != typed


def test_a_passkey_alone_signs_in(page: Page, origin: str, laptop: Device) -> None:
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{origin}/")
    assert '"by":["passkey"]' in Entry.objects.filter(action="sign-in").latest("pk").detail
    page.goto(f"{origin}/account/factors/")
    expect(page.get_by_role("row", name=NAME)).to_be_visible()


def test_a_passkey_as_second_factor_and_as_proof(page: Page, origin: str, laptop: Device) -> None:
    sign_in(page, origin, "dana_analyst")
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    assert grave_findings(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{origin}/")
    page.goto(f"{origin}/account/proof/?next=/account/keys/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{origin}/account/keys/")


@pytest.mark.parametrize("which", ["unknown", "forged", "copied"])
def test_another_device_does_not_come_in(page: Page, origin: str, laptop: Device, which: str) -> None:
    (mine,) = laptop.credentials()
    assert mine["signCount"] == Passkey.objects.get().uses > 0
    if which == "unknown":
        other = {
            **mine,
            "credentialId": base64.b64encode(secrets.token_bytes(16)).decode(),
            "privateKey": _another_key(),
        }
    elif which == "forged":
        other = {**mine, "privateKey": _another_key(), "signCount": 100}
    else:
        other = {**mine, "signCount": 0}
    laptop.hold(other)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator(".alert-error")).to_contain_text("This passkey opens no account")
    assert Entry.objects.filter(action="passkey.copied").exists() is (which == "copied")
    laptop.hold({**mine, "signCount": 7})
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{origin}/")


def test_a_removed_passkey_does_not_come_in(page: Page, origin: str, laptop: Device) -> None:
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{origin}/")
    page.goto(f"{origin}/account/factors/")
    page.get_by_role("button", name=f"Remove {NAME}").click()
    expect(page.get_by_role("status").first).to_contain_text("was removed")
    _sign_out(page, origin)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator(".alert-error")).to_contain_text("This passkey opens no account")
    page.locator("input[name=login]").fill("dana_analyst")
    page.locator("input[type=password]").fill(builders.PASSWORD)
    page.locator("input[type=password]").press("Enter")
    expect(page).to_have_url(f"{origin}/")


def test_a_plain_security_key_is_a_second_factor_and_no_more(page: Page, origin: str) -> None:
    device = Device(page, verifies=False)
    sign_in(page, origin, "dana_analyst")
    _register(page, origin)
    page.goto(f"{origin}/account/proof/?next=/account/keys/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").first).to_contain_text("This does not fit")
    page.locator("input[type=password]").fill(builders.PASSWORD)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{origin}/account/keys/")
    _sign_out(page, origin)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("[data-passkey-failed]")).to_be_visible()
    sign_in(page, origin, "dana_analyst")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{origin}/")
    device.close()
