"""Cursors: sealed, for one purpose, and those of before still open."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from tests import builders

from tocsin.centre.pages import opened_cursor, seal, sealed_cursor, unseal
from tocsin.centre.release.given_items import Wanted
from tocsin.core.errors import InputError
from tocsin.taxii import cursors
from tocsin.taxii.filters import Asked


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_a_cursor_opens_for_its_purpose_alone(place, purpose, other):
    cursor = seal(place, purpose)
    assert unseal(cursor, purpose) == place
    assert seal(place, purpose) != cursor  # Two of one place tell nobody that they are of one place.
    if other != purpose:
        assert unseal(cursor, other) is None


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4), st.data())
def test_what_was_changed_is_nobodys(numbers, data):
    cursor = sealed_cursor("list", numbers)
    assert opened_cursor("list", cursor) == numbers
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InputError):
        opened_cursor("list", base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize(
    "odd", ["", "A", "AQ", "AQAA", "gAAAA", "gAAAAAnothing", "\x00", "é", "====", "A" * 5_000, "../"]
)
def test_what_is_none_is_none(odd):
    assert unseal(odd) is None


def test_one_of_before_opens():
    key = base64.urlsafe_b64encode(hashlib.sha256(f"given:{settings.SECRET_KEY}".encode()).digest())
    former = Fernet(key).encrypt(b"17.4").decode()
    assert opened_cursor("given", former) == [17, 4]
    with pytest.raises(InputError):
        opened_cursor("other", former)


@pytest.mark.django_db
def test_a_program_goes_on_with_a_next_of_before():
    person = builders.person("reader", builders.organisation("here"), "officer")
    asked, last = Asked(Wanted(types=frozenset({"indicator"}))), datetime(2026, 11, 23, tzinfo=UTC)
    said = f".{int(last.timestamp() * 1_000_000)}.inner"
    question = [person.pk, "", "collection", [], ["indicator"], ["last"], [], said]
    key = f"taxii-next:{settings.SECRET_KEY}".encode()
    tag = hmac.digest(key, json.dumps(question).encode(), "sha256")[:16].hex()
    now = cursors.bound(person, "collection", asked, "inner", last)
    for cursor in (f"{tag}.{said}", now):
        at = Asked(asked.wanted, cursor=cursor)
        assert cursors.opened(person, "collection", at) == cursors.Place("inner", None, last)
        for other in (Asked(Wanted(), cursor=cursor), Asked(asked.wanted, cursor=f"{cursor}1")):
            with pytest.raises(InputError):
                cursors.opened(person, "collection", other)
        with pytest.raises(InputError):
            cursors.opened(person, "another", at)
