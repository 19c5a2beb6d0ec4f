"""People on their way to a provider and back: what the browser was sent with, kept in its session until it returns."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from tocsin.credentials.proofs import NotProved

from .models import Provider

LASTS = timedelta(minutes=10)
AT_ONCE = 5
"""How many windows of one browser may be on the way."""
ENTER, PROVE = "enter", "prove"
_AWAY = "departures"


@dataclass(frozen=True, slots=True)
class Departure:
    """One way there. What is random in it cannot be guessed by who did not send the browser."""

    state: str
    nonce: str
    verifier: str
    provider: int
    issuer: str
    purpose: str
    target: str
    began_at: float


def begin(request: HttpRequest, *, provider: Provider, purpose: str, target: str, at: datetime) -> Departure:
    """Note that the browser leaves."""
    # A SAML request's number must not begin with a digit, and is the state of that way.
    made = Departure(
        state="s" + secrets.token_hex(20), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48),
        provider=provider.pk, issuer=provider.issuer, purpose=purpose, target=target, began_at=at.timestamp(),
    )  # fmt: skip
    away = _away(request)
    kept = sorted(away.items(), key=lambda item: item[1]["began_at"])[-(AT_ONCE - 1) :]
    request.session[_AWAY] = {**dict(kept), made.state: asdict(made)}
    return made


def take(request: HttpRequest, *, provider: Provider, state: str, at: datetime) -> Departure:
    """The way that this answer ends; no other answer does. Raises NotProved."""
    away = _away(request)
    found = away.pop(state, None)
    if found is None:
        raise NotProved("state", "this browser was not sent there, or came back already")
    request.session[_AWAY] = away
    departure = Departure(**found)
    if (departure.provider, departure.issuer) != (provider.pk, provider.issuer):
        raise NotProved("state", "the answer came to the address of another provider")
    if not 0 <= at.timestamp() - departure.began_at < LASTS.total_seconds():
        raise NotProved("state", "too long on the way")
    return departure


def _away(request: HttpRequest) -> dict[str, dict[str, Any]]:
    found = request.session.get(_AWAY)
    return dict(found) if isinstance(found, dict) else {}
