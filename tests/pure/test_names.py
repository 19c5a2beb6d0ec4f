"""Names as they can be seen, and logins that stand for one person alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.names import ACTORS, is_login, plain_name


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  North   wind ", "North wind"),
        ("North\u202edniw\u202c", "Northdniw"),
        ("\u200fNorthwind\u200e", "Northwind"),
        ("North\u200bwind\u2060", "Northwind"),
        ("North\u200cwind", "Northwind"),
        ("North\x00\r\nwind", "North wind"),
        ("\u3164\u115f\u034f", ""),
        ("\u200f\u202e", ""),
        ("e\u0301toile", "étoile"),
        ("مي\u200cخواهم", "مي\u200cخواهم"),
        ("محمد\u200f الأول", "محمد الأول"),
        ("王 小明", "王 小明"),
    ],
)
def test_a_name_is_what_can_be_seen_of_it(said: str, kept: str) -> None:
    assert plain_name(said) == kept


@given(st.text(max_size=40))
def test_nothing_unseen_is_left_and_a_second_look_changes_nothing(said: str) -> None:
    kept = plain_name(said)
    assert plain_name(kept) == kept
    unseen = [sign for sign in kept if unicodedata.category(sign) in {"Cc", "Cf", "Zl", "Zp"}]
    assert set(unseen) <= {"\u200c", "\u200d"}
    assert kept == kept.strip()


@pytest.mark.parametrize("said", ["dana_analyst", "bo.ek@harbour.example", "0day", "محمد.2", "王ひ", "Éva", "a" * 120])
def test_logins(said: str) -> None:
    assert is_login(said)


@pytest.mark.parametrize(
    "said",
    ["", "-", "_x", ".x", "a b", "a/b", "<b>", "\u0430dmin", "admi\u043d", "a\u200fb", "a\x00", "\ufb01n", "Ａdmin",
     "e\u0301va", *sorted(ACTORS), *sorted(each.upper() for each in ACTORS)],
)  # fmt: skip
def test_no_logins(said: str) -> None:
    assert not is_login(said)
