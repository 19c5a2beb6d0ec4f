"""Sign-in by OpenID Connect: the authorization code with PKCE, and nothing else (RFC 9700, Core 1.0 section 3.1)."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.utils.translation import get_language

from tocsin.credentials import identity_tokens
from tocsin.credentials.proofs import NotProved, Proof
from tocsin.transport.asking import Answer, ask, require_askable
from tocsin.transport.fetching import FetchError

from . import providers
from .departures import PROVE, Departure
from .models import Provider

log = logging.getLogger(__name__)
READ_EVERY = timedelta(hours=1)
"""How soon a key that the provider withdrew signs nothing any more."""
SCOPES = "openid profile email"
WELL_KNOWN = "/.well-known/openid-configuration"
CODE_CHARACTERS = 4096
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_AUTHENTICATION = {"client_secret_basic": "basic", "client_secret_post": "post"}
_PLAIN_ERROR = re.compile(r"[a-z_]{1,60}")


def read(issuer: str) -> dict[str, Any]:
    """What the provider publishes of itself, as far as it is needed, with its keys. Raises NotProved."""
    said = _document(_asked(issuer.rstrip("/") + WELL_KNOWN))
    if said.get("issuer") != issuer:
        raise NotProved("issuer", f"the provider calls itself {str(said.get('issuer'))[:200]}")
    found: dict[str, Any] = {}
    for name in (*_ENDPOINTS, "userinfo_endpoint"):
        address = said.get(name)
        if address is None and name not in _ENDPOINTS:
            continue
        found[name] = _askable(name, address)
    _require_flow(said)
    known = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    ways = [_AUTHENTICATION[each] for each in _AUTHENTICATION if each in known]
    if not ways:
        raise NotProved("provider", "it takes no client secret (client_secret_basic or client_secret_post)")
    found["authentication"] = ways[0]
    found["names_itself"] = said.get("authorization_response_iss_parameter_supported") is True
    found["keys"] = identity_tokens.keys_of(_asked(found["jwks_uri"]).body)
    return found


def _require_flow(said: Mapping[str, Any]) -> None:
    """What is not said is supposed to be there, as Discovery 1.0 has it; what is said must do."""
    wanted = {
        "response_types_supported": {"code"},
        "code_challenge_methods_supported": {"S256"},
        "id_token_signing_alg_values_supported": set(identity_tokens.ALGORITHMS),
    }
    for name, words in wanted.items():
        listed = said.get(name)
        if listed is not None and not (isinstance(listed, list) and words & {str(each) for each in listed}):
            raise NotProved("provider", f"{name} holds nothing that is known here")


def departs_to(provider: Provider, departure: Departure) -> str:
    """The provider's address to send the browser to."""
    more: dict[str, str] = {
        "nonce": departure.nonce,
        "code_challenge": create_s256_code_challenge(departure.verifier),
        "code_challenge_method": "S256",
        "ui_locales": get_language() or "en",
    }
    if departure.purpose == PROVE:
        more |= {"prompt": "login", "max_age": "0"}
    if provider.counts_as_factor and provider.factor_words:
        more["acr_values"] = " ".join(provider.factor_words)
    address: str = prepare_grant_uri(
        provider.published["authorization_endpoint"], provider.client, "code",
        redirect_uri=providers.address(provider.key, "provider-back"), scope=SCOPES, state=departure.state, **more,
    )  # fmt: skip
    return address


def proof_of(provider: Provider, departure: Departure, said: Mapping[str, str], at: datetime) -> Proof:
    """Who came back with this answer. Raises NotProved."""
    issuer = said.get("iss", "")
    if issuer != provider.issuer and (issuer or provider.published.get("names_itself")):
        raise NotProved("issuer", f"the answer is of {issuer[:200] or 'nobody'}")  # RFC 9207.
    if error := said.get("error", ""):
        raise NotProved("denied", error if _PLAIN_ERROR.fullmatch(error) else "the provider sent an error")
    code = said.get("code", "")
    if not 0 < len(code) <= CODE_CHARACTERS:
        raise NotProved("answer", "no code")
    tokens = _tokens(provider, departure, code)
    expected = identity_tokens.Expected(provider.issuer, provider.client, departure.nonce)
    token, access = tokens.get("id_token"), tokens.get("access_token")
    if not isinstance(token, str):
        raise NotProved("answer", "no identity token")
    access = access if isinstance(access, str) else ""
    proof = _checked(provider, token, expected, access, at)
    if provider.claim in proof.claims or provider.identities.filter(subject=proof.subject).exists():
        return proof
    return replace(proof, claims={**_user_info(provider, access, proof.subject), **proof.claims})


def _checked(
    provider: Provider, token: str, expected: identity_tokens.Expected, access: str, at: datetime
) -> Proof:  # fmt: skip
    """The proof, by keys that were read lately; where none of them signed, by those of this moment."""
    if not timedelta() <= at - provider.read_at < READ_EVERY:
        _read_again(provider, at)
    try:
        return identity_tokens.check(token, provider.published["keys"], expected, access_token=access, at=at)
    except NotProved as error:
        if error.code != "key" or not _read_again(provider, at):
            raise NotProved("answer", error.detail) from error
    try:
        return identity_tokens.check(token, provider.published["keys"], expected, access_token=access, at=at)
    except NotProved as error:
        raise NotProved("answer", error.detail) from error


def _read_again(provider: Provider, at: datetime) -> bool:
    """Take over what the provider publishes now. Where it does not answer, what is known goes on to count."""
    try:
        provider.published = read(provider.issuer)
    except NotProved as error:
        log.warning("The provider %s was not read anew: %s", provider.issuer, error)
        return False
    provider.read_at = at
    Provider.objects.filter(pk=provider.pk, issuer=provider.issuer).update(published=provider.published, read_at=at)
    return True


def _tokens(provider: Provider, departure: Departure, code: str) -> dict[str, Any]:
    """Change the code for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": providers.address(provider.key, "provider-back"),
        "code_verifier": departure.verifier,
    }
    headers, secret = {}, providers.secret_of(provider)
    if provider.published["authentication"] == "basic":
        # Both are written as in a form first (RFC 6749, section 2.3.1); a space as all read it.
        pair = f"{quote(provider.client, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": provider.client, "client_secret": secret}
    answer = _asked(provider.published["token_endpoint"], form, headers, may_fail=True)
    if answer.status >= 500:
        raise NotProved("unreachable", f"token address: {answer.status}")
    said = _document(answer)
    if answer.status != 200:
        error = str(said.get("error", ""))
        raise NotProved("answer", f"token address: {error if _PLAIN_ERROR.fullmatch(error) else answer.status}")
    return said


def _user_info(provider: Provider, access: str, subject: str) -> dict[str, Any]:
    """What more the provider says of the same person (Core 1.0, section 5.3)."""
    address = provider.published.get("userinfo_endpoint")
    if not address or not access:
        return {}
    said = _document(_asked(address, headers={"Authorization": f"Bearer {access}"}))
    if said.get("sub") != subject:
        raise NotProved("answer", "the user information is about somebody else")
    return said


def _asked(
    address: str,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    may_fail: bool = False,
) -> Answer:
    may_lie_inside = settings.INSTALLATION.inner_providers
    try:
        answer = ask(address, form=form, headers=headers, may_lie_inside=may_lie_inside)
    except FetchError as error:
        raise NotProved("not-allowed" if error.code == "not-allowed" else "unreachable", str(error)) from error
    if answer.status != 200 and not may_fail:
        raise NotProved("unreachable", f"{address[:200]} answered {answer.status}")
    return answer


def _askable(name: str, address: object) -> str:
    if not isinstance(address, str):
        raise NotProved("provider", f"{name} is missing")
    try:
        require_askable(address, may_lie_inside=settings.INSTALLATION.inner_providers)
    except FetchError as error:
        raise NotProved("not-allowed", f"{name}: {error}") from error
    return address


def _document(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise NotProved("unreachable", "no JSON came") from error
    if not isinstance(said, dict):
        raise NotProved("unreachable", "no JSON object came")
    return said
