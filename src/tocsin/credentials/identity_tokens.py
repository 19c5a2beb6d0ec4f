"""Identity tokens of OpenID Connect (Core 1.0, section 3.1.3.7): whose they are, if they are good.

Signatures are `joserfc`'s matter, the rules of the claims Authlib's. What is stricter here says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from .proofs import LEEWAY_SECONDS, NotProved, Proof

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Of a key pair alone: neither `none` nor a shared secret signs who somebody is."""
OLDEST = timedelta(minutes=10)
"""A token comes straight from the provider: one made longer ago was kept by somebody."""
TOKEN_CHARACTERS = 100_000
SUBJECT_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must be about."""

    issuer: str
    client: str
    nonce: str


def keys_of(document: bytes) -> dict[str, Any]:
    """The provider's public keys that can check a signature. Raises NotProved where there are none."""
    try:
        said = json.loads(document)
        listed = [each for each in said["keys"] if isinstance(each, dict) and each.get("use", "sig") == "sig"]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise NotProved("provider", "the provider's keys are no set of keys") from error
    usable = []
    for each in listed[:50]:
        try:
            KeySet.import_key_set({"keys": [each]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # A kind of key that we cannot use stands in nobody's way.
        if each.get("kty") != "oct" and "d" not in each:
            usable.append(each)
    if not usable:
        raise NotProved("provider", "the provider shows no key that checks a signature")
    return {"keys": usable}


def check(token: str, keys: Mapping[str, Any], expected: Expected, *, access_token: str, at: datetime) -> Proof:
    """Who the token is about. Raises NotProved; its code is `key` where no known key signed it."""
    if len(token) > TOKEN_CHARACTERS:
        raise NotProved("answer", "the identity token is too long")
    said = _signed(token, keys)
    options: Any = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client},
        "nonce": {"essential": True, "value": expected.nonce},
    }
    about = {"nonce": expected.nonce, "client_id": expected.client, "access_token": access_token}
    claims = CodeIDToken(said.claims, said.header, options, about)
    now = int(at.timestamp())
    try:
        claims.validate(now=now, leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as error:
        raise NotProved("answer", f"identity token: {error}"[:200]) from error
    if str(said.header.get("typ", "JWT")).upper() != "JWT":
        raise NotProved("answer", "identity token: a token of another kind")  # An at+jwt, a logout+jwt: RFC 8725, 3.11.
    _require_strict(said.claims, expected, now)
    return Proof(
        expected.issuer, said.claims["sub"], dict(said.claims), _moment(said.claims.get("auth_time")),
        _ways(said.claims),
    )  # fmt: skip


def _signed(token: str, keys: Mapping[str, Any]) -> jwt.Token:
    try:
        return jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=list(ALGORITHMS))  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotProved("key", f"identity token: {type(error).__name__}: {error}"[:200]) from error


def _require_strict(claims: Mapping[str, Any], expected: Expected, now: int) -> None:
    """What the library lets pass: other audiences beside ours, old tokens, odd subjects."""
    audience, subject = claims["aud"], claims["sub"]
    if audience not in (expected.client, [expected.client]) and claims.get("azp") != expected.client:
        raise NotProved("answer", "identity token: meant for others too, and not asked for by us")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS or not subject.isprintable():
        raise NotProved("answer", "identity token: no usable subject")
    if now - int(claims["iat"]) > OLDEST.total_seconds() + LEEWAY_SECONDS:
        raise NotProved("answer", "identity token: made too long ago")


def _moment(said: object) -> datetime | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    try:
        return datetime.fromtimestamp(said, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _ways(claims: Mapping[str, Any]) -> frozenset[str]:
    acr, amr = claims.get("acr"), claims.get("amr")
    found = {acr} if isinstance(acr, str) else set()
    return frozenset(found | {each for each in amr if isinstance(each, str)} if isinstance(amr, list) else found)
