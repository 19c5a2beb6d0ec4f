"""Sign-in by SAML 2.0: our request goes with the browser, the signed answer comes back in a form.

A browser sends a form of another host without our cookie. So the answer is checked by itself first, kept for a moment
and given a ticket; with that the browser comes on to a page of ours, which sees whether it was this browser that asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from tocsin.credentials import saml
from tocsin.credentials.proofs import NotProved, Proof

from . import providers
from .departures import PROVE, Departure
from .models import Provider, SeenAssertion


def read(metadata: str) -> tuple[str, dict[str, Any]]:
    """The provider's name, and what it publishes as far as it is needed. Raises NotProved."""
    try:
        found = saml.read_metadata(metadata.strip().encode())
    except NotProved as error:
        raise NotProved("provider", error.detail) from error
    scheme = urlsplit(found.address).scheme
    if scheme != "https" and not (scheme == "http" and settings.INSTALLATION.inner_providers):
        raise NotProved("not-allowed", found.address[:200])
    return found.issuer, {"address": found.address, "certificates": list(found.certificates)}


def departs_to(provider: Provider, departure: Departure, at: datetime) -> str:
    """The provider's address to send the browser to."""
    return saml.request_address(
        provider.published["address"], number=departure.state, audience=audience_of(provider.key),
        recipient=recipient_of(provider.key), asks_anew=departure.purpose == PROVE, at=at,
    )  # fmt: skip


def audience_of(key: str) -> str:
    """Our name for this provider: the address of what it may read about us."""
    return providers.address(key, "provider-metadata")


def recipient_of(key: str) -> str:
    """Where the provider sends its answers."""
    return providers.address(key, "provider-assertion")


def own_metadata(key: str) -> bytes:
    """What the provider may read about us."""
    return saml.own_metadata(audience_of(key), recipient_of(key))


def keep(provider: Provider, said: str, at: datetime) -> str:
    """Check the answer and keep it, once for all; gives the ticket to come on with. Raises NotProved."""
    try:
        body = base64.b64decode("".join(said.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise NotProved("answer", "no answer in base64") from error
    expected = saml.Expected(
        provider.issuer, tuple(provider.published["certificates"]), audience_of(provider.key),
        recipient_of(provider.key),
    )  # fmt: skip
    found = saml.check(body, expected, at=at)
    ticket = secrets.token_urlsafe(24)
    proof = found.proof
    kept = {**asdict(proof), "ways": sorted(proof.ways), "claims": dict(proof.claims), "request": found.request,
            "proved_at": proof.proved_at.timestamp() if proof.proved_at else None}  # fmt: skip
    SeenAssertion.objects.filter(expires_at__lt=at).delete()
    try:
        with transaction.atomic():
            SeenAssertion.objects.create(
                provider=provider, digest=_digest(f"{provider.pk}\n{found.number}"), ticket=_digest(ticket), body=kept,
                expires_at=found.expires_at,
            )  # fmt: skip
    except IntegrityError as error:
        raise NotProved("used", "this assertion came before") from error
    return ticket


def proof_of(provider: Provider, ticket: str) -> tuple[str, Proof]:
    """The request that was answered, and who came back: once for each ticket. Raises NotProved."""
    digest = _digest(ticket)
    with transaction.atomic():
        found = SeenAssertion.objects.filter(provider=provider, ticket=digest).first()
        # What it said is forgotten now; that it was there is not.
        spent = {"ticket": f"used:{found.pk}" if found else "", "body": {}}
        if found is None or not SeenAssertion.objects.filter(pk=found.pk, ticket=digest).update(**spent):
            raise NotProved("used", "no such ticket, or it was used before")
    said = found.body
    proved_at = datetime.fromtimestamp(said["proved_at"], UTC) if said["proved_at"] is not None else None
    proof = Proof(said["issuer"], said["subject"], said["claims"], proved_at, frozenset(said["ways"]))
    return said["request"], proof


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()
