"""Passkeys (WebAuthn, W3C level 2): what a browser is asked, and whether its answer is good.

The library of Yubico checks origin, challenge, flags and signature. A question is kept in the session, lasts a few
minutes and is answered once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tocsin.centre.audit.services import record

from .models import Passkey, Person

LASTS = timedelta(minutes=5)
_QUESTION = "passkey"
PASSKEYS_MOST = 20


@dataclass(frozen=True, slots=True)
class Answered:
    """Whose passkey answered, and whether the device made sure who held it (by PIN, finger or face)."""

    passkey: Passkey
    is_verified: bool


def are_possible() -> bool:
    """Whether browsers offer passkeys at the portal's address: a name, and https but on the machine itself."""
    parts = urlsplit(settings.INSTALLATION.public_origin)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return bool(host) and (parts.scheme == "https" or host == "localhost")
    return False


def ask_new(request: HttpRequest, person: Person, at: datetime) -> dict[str, Any]:
    """What the browser needs to make a passkey."""
    handle = salted_hmac("tocsin.passkeys", str(person.pk), algorithm="sha256").digest()
    user = PublicKeyCredentialUserEntity(id=handle, name=person.login, display_name=person.name)
    options, state = _server().register_begin(
        user, _credentials(person), resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )  # fmt: skip
    return _asked(request, "new", options, state, at)


def ask(request: HttpRequest, person: Person | None, at: datetime) -> dict[str, Any]:
    """What the browser needs to answer with a passkey of this person; with nobody named, one that says who it is."""
    if person is None:
        options, state = _server().authenticate_begin(None, user_verification=UserVerificationRequirement.REQUIRED)
        return _asked(request, "nobody", options, state, at)
    preferred = UserVerificationRequirement.PREFERRED
    options, state = _server().authenticate_begin(_credentials(person), user_verification=preferred)
    return _asked(request, f"person:{person.pk}", options, state, at)


def add(request: HttpRequest, *, person: Person, name: str, said: str, at: datetime) -> Passkey | None:
    """Keep the passkey that the browser made; None where its answer is not good."""
    state, response = _question(request, "new", at), _parsed(said)
    if state is None or response is None or person.passkeys.count() >= PASSKEYS_MOST:
        return None
    try:
        attested = _server().register_complete(state, response)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    data = attested.credential_data
    if data is None:
        return None
    number = websafe_encode(data.credential_id)
    try:
        with transaction.atomic():
            made = Passkey.objects.create(
                person=person, name=name, credential=number, body=bytes(data), uses=attested.counter, created_at=at
            )
            record(person.login, "factor.added", f"person:{person.pk}", {"kind": "passkey", "name": name}, at=at)
    except IntegrityError:  # Somebody has this one already.
        return None
    return made


def check(request: HttpRequest, person: Person | None, said: str, at: datetime) -> Answered | None:
    """Whose passkey answered the question; None where the answer is not good, or not of this person."""
    state = _question(request, "nobody" if person is None else f"person:{person.pk}", at)
    response = _parsed(said)
    if state is None or response is None:
        return None
    known = Passkey.objects.select_related("person__organisation").filter(credential=str(response.get("rawId", "")))
    passkey = known.first() if person is None else known.filter(person=person).first()
    if passkey is None:
        return None
    try:
        _server().authenticate_complete(state, [AttestedCredentialData(bytes(passkey.body))], response)
        seen = AuthenticationResponse.from_dict(response).response.authenticator_data
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not _counted(passkey, seen.counter, at):
        return None
    return Answered(passkey, seen.is_user_verified())


def _counted(passkey: Passkey, uses: int, at: datetime) -> bool:
    """Whether the device's count went on; one that did not comes of a copy (WebAuthn section 6.1.1)."""
    if (uses or passkey.uses) and uses <= passkey.uses:
        subject = f"person:{passkey.person_id}"
        record(passkey.person.login, "passkey.copied", subject, {"name": passkey.name}, at=at)
        return False
    mine = Passkey.objects.filter(pk=passkey.pk, uses=passkey.uses)
    return bool(mine.update(uses=uses, used_at=at))


def _asked(request: HttpRequest, of: str, options: Mapping[str, Any], state: Any, at: datetime) -> dict[str, Any]:
    request.session[_QUESTION] = {"of": of, "state": dict(state), "at": at.timestamp()}
    return dict(options)


def _question(request: HttpRequest, of: str, at: datetime) -> Any:
    """The question that this answers; it is gone with the answer, good or not."""
    asked = request.session.pop(_QUESTION, None)
    if not isinstance(asked, dict) or asked.get("of") != of:
        return None
    return asked["state"] if 0 <= at.timestamp() - asked["at"] < LASTS.total_seconds() else None


def _parsed(said: str) -> dict[str, Any] | None:
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _credentials(person: Person) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(each.body)) for each in person.passkeys.all()]


def _server() -> Fido2Server:
    origin = settings.INSTALLATION.public_origin.rstrip("/")
    rp = PublicKeyCredentialRpEntity(name=settings.INSTALLATION.organisation, id=urlsplit(origin).hostname or "")
    return Fido2Server(rp, verify_origin=lambda said: said == origin)
