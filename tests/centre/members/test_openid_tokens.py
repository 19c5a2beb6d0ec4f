"""Tokens of a provider of OpenID Connect: which count, which do not, and what stays of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm
from tests import openid_provider
from tests.centre.members.test_openid import go, idp, inside, provider, reasons, who
from tests.openid_provider import CLIENT, SECRET, OpenIdProvider

from tocsin.centre.members.models import Provider

__all__ = ["idp", "inside", "provider"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("bent", [
    {"nonce": "another"}, {"nonce": None}, {"iss": "https://other.example"}, {"iss": None},
    {"aud": "another"}, {"aud": ["another", CLIENT]}, {"aud": ["another", CLIENT], "azp": "another"}, {"aud": None},
    {"azp": "another"}, {"sub": None}, {"sub": ""}, {"sub": "x" * 256}, {"sub": 7}, {"exp": None}, {"iat": None},
    {"exp": 1_000_000}, {"iat": 1_000_000}, {"iat": 99_999_999_999}, {"nbf": 99_999_999_999},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
], ids=lambda bent: ",".join(f"{name}={str(value)[:12]}" for name, value in bent.items()))  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in(
    bent: dict[str, Any], client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    idp.bent = bent
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["answer"])
    assert "cannot be trusted" in answer.content.decode()


def test_our_audience_among_others_counts_where_the_token_was_made_for_us(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    idp.bent = {"aud": [CLIENT, "another"], "azp": CLIENT}
    go(client, idp, provider)
    assert who(client) == "pia_partner"


@pytest.mark.parametrize("how", ["none", "shared secret", "another key"])
def test_a_token_that_the_provider_did_not_sign(
    how: str, client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    if how == "none":
        idp.algorithm, idp.signs_with = "none", ""
    elif how == "shared secret":
        idp.algorithm, idp.signs_with = "HS256", SECRET * 2
    else:
        idp.signs_with = openid_provider.new_key()
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["answer"])


def test_a_key_that_the_token_brings_along_counts_for_nothing(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    own = openid_provider.new_key()
    idp.signs_with = own
    idp.header = {
        "jwk": RSAAlgorithm.to_jwk(own.public_key(), as_dict=True), "jku": f"{idp.origin}/others",
        "x5u": f"{idp.origin}/others",
    }  # fmt: skip
    assert go(client, idp, provider).status_code == 403
    assert who(client) == ""
    assert "/others" not in idp.asked


@pytest.mark.parametrize("kind", ["at+jwt", "logout+jwt", "dpop+jwt"])
def test_a_token_of_another_kind_is_no_identity(
    kind: str, client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    idp.header = {"typ": kind}
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["answer"])


def test_no_token_of_the_provider_stays(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    """Neither the browser nor the database has it: it proved who came, and nothing else."""
    said = {}
    given = idp.token

    def token(form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        status, answer = given(form, authorization)
        said.update(answer)
        return status, answer

    idp.token = token  # type: ignore[method-assign]
    page = go(client, idp, provider)
    assert who(client) == "pia_partner"
    kept = str(dict(client.session.items())) + page.content.decode() + str(client.cookies)
    assert said["id_token"]
    assert said["id_token"] not in kept
    assert "opaque" not in kept


def test_a_new_key_of_the_provider_is_taken_at_once(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    idp.turn_key()
    go(client, idp, provider)
    assert who(client) == "pia_partner"
    assert Provider.objects.get().published["keys"] == idp.keys()


def test_a_withdrawn_key_signs_nothing_after_an_hour(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    old, number = idp.key, idp.number
    idp.turn_key()
    idp.signs_with = old
    token_number, idp.number = idp.number, number
    fresh = idp.keys()
    idp.keys = lambda: {"keys": [{**fresh["keys"][0], "kid": token_number}]}  # type: ignore[method-assign]
    Provider.objects.update(read_at=timezone.now() - timedelta(minutes=61))
    assert go(client, idp, provider).status_code == 403
    assert who(client) == ""
