"""Defanged forms are made whole, and one typed value is told for what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.typed import Refanged, recognise_value, refang
from tocsin.core.words import Kind

FORMS = [
    ("hxxp://bad[.]example", "http://bad.example"),
    ("hXXps://bad(.)example/x", "https://bad.example/x"),
    ("hxxps[:]//bad{.}example", "https://bad.example"),
    ("hxxp[://]bad[.example", "http://bad.example"),
    ("http[:]//bad[dot]example", "http://bad.example"),
    ("h**p://bad.example", "http://bad.example"),
    ("hxxp[s]://bad.example", "https://bad.example"),
    ("bad\\[.\\]example", "bad.example"),
    ("bad\\.example", "bad.example"),
    ("198[.]51[.]100[.]7", "198.51.100.7"),
    ("198.51.100[.]7", "198.51.100.7"),
    ("198.51.100[.7", "198.51.100.7"),
    ("john[at]bad[.]example", "john@bad.example"),
    ("john [at] bad [dot] example", "john@bad.example"),
    ("john[@]bad.example", "john@bad.example"),
    ("198.51.100.7[:]8080", "198.51.100.7:8080"),
    ("２０３．０．１１３．９", "203.0.113.9"),
    ("٢٠٣.٠.١١٣.٩", "203.0.113.9"),
    ("bad\u200b.example", "bad.example"),
    ("bad。example", "bad.example"),
    ("fxp://bad.example", "ftp://bad.example"),
]


@pytest.mark.parametrize(("shown", "whole"), FORMS)
def test_defanged_forms_are_made_whole(shown: str, whole: str) -> None:
    assert refang(shown) == whole
    assert refang(whole) == whole


@pytest.mark.parametrize(
    "prose", ["See [1]. Then (2).", "a list: [a, b]", "He said (at noon) that", "f(x)", "[.] alone"]
)
def test_ordinary_prose_stays(prose: str) -> None:
    assert refang(prose) == prose


VALUES = [
    ("198[.]51[.]100[.]7", Kind.IPV4, "198.51.100.7"),
    ("2001:DB8:0:0::1", Kind.IPV6, "2001:db8::1"),
    ("203.0.113.0/24", Kind.NETWORK, "203.0.113.0/24"),
    ("203.0.113.5/32", Kind.IPV4, "203.0.113.5"),
    ("Bad[.]EXAMPLE.com.", Kind.DOMAIN, "bad.example.com"),
    ("hxxp://Bad[.]Example.com/Path?Q=1", Kind.URL, "http://bad.example.com/Path?Q=1"),
    ("bad.example.com/gate.php", Kind.URL, "http://bad.example.com/gate.php"),
    ("D41D8CD98F00B204E9800998ECF8427E", Kind.MD5, "d41d8cd98f00b204e9800998ecf8427e"),
    ("da39a3ee5e6b4b0d3255bfef95601890afd80709", Kind.SHA1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("John.Doe [at] example [dot] com", Kind.EMAIL, "john.doe@example.com"),
    ("john at example dot com", Kind.EMAIL, "john@example.com"),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Kind.WALLET, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("0x52908400098527886E0F7030069857D2E4169EE7", Kind.WALLET, "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("+33 1 42 34 56 78", Kind.PHONE, "+33142345678"),
    ("DE89 3704 0044 0532 0130 00", Kind.IBAN, "DE89370400440532013000"),
    ("4111 1111 1111 1111", None, ""),
    ("4012 8888 8888 1881", Kind.CARD, "4012888888881881"),
    ("cve-2021-44228", Kind.CVE, "CVE-2021-44228"),
    ("as64500", Kind.ASN, "AS64500"),
    ("“bad.example.com”,", Kind.DOMAIN, "bad.example.com"),
    ("пример.рф", Kind.DOMAIN, "xn--e1afmkfd.xn--p1ai"),
    ("setup.exe", None, ""),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", None, ""),
    ("DE89370400440532013001", None, ""),
    ("00000000000000000000000000000000", None, ""),
    ("", None, ""),
    ("some words", None, ""),
]


@pytest.mark.parametrize(("typed", "kind", "value"), VALUES)
def test_typed_values(typed: str, kind: Kind | None, value: str) -> None:
    assert recognise_value(typed) == (None if kind is None else (kind, value))


pieces = st.lists(
    st.sampled_from(
        ["hxxp", "[.]", "(at)", "[:]", "://", "1", "٣", "a", "\\", "[", "]", " ", "\u200b", "．", "s", "://["]
    )
).map("".join)


@given(st.one_of(pieces, st.text(max_size=200)))
def test_any_text_ends_well_and_offsets_stay_inside(text: str) -> None:
    made = Refanged(text)
    places = [made.original_offset(place) for place in range(len(made.text))]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    recognise_value(text)


@given(st.sampled_from([entry for entry in VALUES if entry[1]]))
def test_canonical_values_are_recognised_as_themselves(entry: tuple[str, Kind, str]) -> None:
    assert recognise_value(entry[2]) == entry[1:]
