"""Passkeys against answers that are not good, by a device made of software. Numbers are those of OWASP ASVS 5."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.test import Client
from django.urls import reverse
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import passkeys
from tocsin.centre.members.models import Passkey, RecoveryCode

pytestmark = pytest.mark.django_db
ORIGIN = "https://tocsin.example"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@pytest.fixture(autouse=True)
def public_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with a name."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, public_origin=ORIGIN))


@dataclass
class Device:
    """One key pair that signs as a security key does; what it says of itself can be bent."""

    flags: int = PRESENT | VERIFIED
    origin: str = ORIGIN
    rp: str = "tocsin.example"
    uses: int = 0
    counts: bool = True
    """Passkeys that are kept in several devices at once do not count: they say 0 always."""
    number: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    def made(self, asked: dict[str, Any]) -> str:
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        attested = bytes(16) + struct.pack(">H", len(self.number)) + self.number + public
        data = self._data(ATTESTED) + attested
        body = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._said(self._client("webauthn.create", asked), attestationObject=body)

    def answered(self, asked: dict[str, Any]) -> str:
        self.uses += self.counts
        data, client = self._data(), self._client("webauthn.get", asked)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return self._said(client, authenticatorData=data, signature=signature)

    def _data(self, more: int = 0) -> bytes:
        return hashlib.sha256(self.rp.encode()).digest() + struct.pack(">BI", self.flags | more, self.uses)

    def _client(self, kind: str, asked: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": asked["challenge"], "origin": self.origin}).encode()

    def _said(self, client: bytes, **parts: bytes) -> str:
        response = {name: websafe_encode(part) for name, part in parts.items()}
        number = websafe_encode(self.number)
        return json.dumps({"id": number, "rawId": number, "type": "public-key",
                           "response": {**response, "clientDataJSON": websafe_encode(client)}})  # fmt: skip


def _asked(client: Client, purpose: str = "sign-in") -> dict[str, Any]:
    found: dict[str, Any] = client.post(reverse("passkey-challenge"), {"purpose": purpose}).json()["publicKey"]
    return found


def _register(client: Client, device: Device, name: str = "key") -> bool:
    said = {"name": name, "passkey": device.made(_asked(client, "new"))}
    before = Passkey.objects.count()
    client.post(reverse("passkey-add"), said)
    return Passkey.objects.count() > before


@pytest.fixture
def device(client: Client) -> Device:
    """A device with a passkey of Dana's."""
    made = Device()
    people.let_in(client, "dana_analyst")
    assert _register(client, made)
    client.post(reverse("sign-out"))
    return made


def _enters(client: Client, said: str) -> bool:
    client.post(reverse("sign-in-passkey"), {"passkey": said})
    return "_auth_user_id" in client.session


def _password(client: Client) -> None:
    client.post(reverse("sign-in"), {"login": "dana_analyst", "password": builders.PASSWORD})


def test_a_good_answer_opens_once(client: Client, device: Device) -> None:
    said = device.answered(_asked(client))
    assert _enters(client, said)
    assert not _enters(Client(), said)
    stolen = Client()
    _asked(stolen)
    assert not _enters(stolen, said), "the answer to another question"
    assert RecoveryCode.objects.count() == 10


BENT: dict[str, Callable[[Device], Device]] = {
    "another portal asked (phishing)": lambda device: replace(device, origin="https://tocsin.example.evil.example"),
    "by http": lambda device: replace(device, origin="http://tocsin.example"),
    "for another name": lambda device: replace(device, rp="evil.example"),
    "nobody was there": lambda device: replace(device, flags=VERIFIED),
    "nobody made sure who it was": lambda device: replace(device, flags=PRESENT),
    "another key": lambda device: replace(device, key=generate_private_key(SECP256R1())),
    "another number": lambda device: replace(device, number=secrets.token_bytes(16)),
}


@pytest.mark.parametrize("why", BENT)
def test_what_is_no_good_answer_opens_nothing(client: Client, device: Device, why: str) -> None:
    """6.3.3, 6.5.7: bound to the portal's name, and to who holds the device."""
    assert not _enters(client, BENT[why](device).answered(_asked(client)))
    assert Entry.objects.filter(action="sign-in.failed").exists()
    assert _enters(client, device.answered(_asked(client)))


@pytest.mark.parametrize("said", ["", "[]", "{}", "null", "[" * 100_000, '{"rawId": 7}', '{"rawId": "\x00"}', "\xff"])
def test_odd_answers(client: Client, device: Device, said: str) -> None:
    for kind in ("sign-in", "new"):
        if kind == "new":
            people.let_in(client, "dana_analyst")
        _asked(client, kind)
        address = reverse("sign-in-passkey" if kind == "sign-in" else "passkey-add")
        assert client.post(address, {"passkey": said, "name": "x"}).status_code < 500
    broken = json.loads(device.answered(_asked(client)))
    for part in list(broken["response"]):
        assert not _enters(Client(), json.dumps({**broken, "response": {**broken["response"], part: "AAAA"}}))
    assert Passkey.objects.count() == 1


def test_a_question_lasts_minutes(client: Client, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    said = device.answered(_asked(client))
    monkeypatch.setattr(passkeys, "LASTS", timedelta(0))
    assert not _enters(client, said)


def test_a_copy_of_the_device_is_found_out(client: Client, device: Device) -> None:
    copy = replace(device)
    assert _enters(client, device.answered(_asked(client)))
    other = Client()
    assert not _enters(other, copy.answered(_asked(other)))
    assert Entry.objects.filter(action="passkey.copied", actor="dana_analyst").count() == 1


def test_as_second_factor_only_the_own_one_counts(client: Client, device: Device) -> None:
    rui = Client()
    theirs = Device()
    people.let_in(rui, "rui_reviewer")
    assert _register(rui, theirs)
    _password(client)
    asked = _asked(client)
    assert [each["id"] for each in asked["allowCredentials"]] == [websafe_encode(device.number)]
    client.post(reverse("sign-in-second"), {"passkey": theirs.answered(asked)})
    assert "_auth_user_id" not in client.session
    assert Entry.objects.filter(action="sign-in.factor-failed", actor="dana_analyst").count() == 1
    client.post(reverse("sign-in-second"), {"passkey": replace(device, flags=PRESENT).answered(_asked(client))})
    assert client.session["_auth_user_id"], "after the password, having the device is enough"


def test_an_answer_of_one_kind_is_none_of_another(client: Client, device: Device) -> None:
    """A proof cannot be made of an answer that was given to sign in, and nobody is half in by a question alone."""
    said = device.answered(_asked(client))
    _password(client)
    client.post(reverse("sign-in-second"), {"passkey": said})
    assert "_auth_user_id" not in client.session
    said = device.answered(_asked(Client()))
    assert not _enters(client, said)
    client.post(reverse("sign-out"))
    said = device.answered(_asked(client))
    assert _enters(client, said)
    before = client.session["proved_at"]
    assert client.post(reverse("prove"), {"passkey": said, "password": builders.PASSWORD}).status_code == 200
    assert client.session["proved_at"] == before


def test_a_question_is_answered_once(client: Client) -> None:
    """6.7.2: no question counts twice, whether its first answer was good or not.

    It is so too with a passkey that does not count its uses.
    """
    people.let_in(client, "dana_analyst")
    device = Device(counts=False)
    assert _register(client, device)
    said = {"passkey": device.answered(_asked(client))}
    assert client.post(reverse("prove"), said).status_code == 302
    assert client.post(reverse("prove"), said).status_code == 200
    asked = _asked(client)
    stranger = Device(counts=False)
    assert client.post(reverse("prove"), {"passkey": stranger.answered(asked)}).status_code == 200
    assert client.post(reverse("prove"), {"passkey": device.answered(asked)}).status_code == 200


def test_making_one_needs_a_fresh_proof_and_a_new_device(client: Client, device: Device) -> None:
    rui = people.call("rui_reviewer")
    client.force_login(rui)
    assert client.post(reverse("passkey-challenge"), {"purpose": "new"}).status_code == 403
    people.let_in(client, "rui_reviewer")
    assert not _register(client, device), "it is registered already, with somebody else"
    assert not _register(client, Device(origin="https://evil.example"))
    assert _register(client, Device())


@pytest.mark.parametrize("who", ["person", "organisation"])
def test_the_suspended_stay_out(client: Client, device: Device, who: str) -> None:
    dana = people.call("dana_analyst")
    changed = dana if who == "person" else dana.organisation
    changed.is_active = False
    changed.save()
    assert not _enters(client, device.answered(_asked(client)))


@pytest.mark.parametrize(("origin", "possible"), [
    ("https://tocsin.example", True), ("http://localhost:8000", True), ("http://127.0.0.1:8000", False),
    ("https://192.0.2.1", False), ("https://[2001:db8::1]", False), ("http://tocsin.example", False), ("", False),
])  # fmt: skip
def test_where_browsers_offer_passkeys(
    origin: str, possible: bool, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, public_origin=origin))
    assert passkeys.are_possible() is possible
    assert ("data-passkey" in client.get(reverse("sign-in")).content.decode()) is possible
    assert client.post(reverse("passkey-challenge")).status_code == (200 if possible else 404)
