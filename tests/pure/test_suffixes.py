"""The vectorised registrable domain against tldextract, name by name."""

from __future__ import annotations

import polars as pl
import pytest
import tldextract
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.suffixes import _lines, registrable

EXTRACT = {
    private: tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=private)
    for private in (False, True)
}


RULES = set(_lines(True))
# tldextract overlooks that *.d.example reaches x.d.example where *.x.d.example exists too: the list says it does.
OVERLOOKED = {rule[2:] for rule in RULES if rule.startswith("*.") and "*." + rule[2:].partition(".")[2] in RULES}


def plain(host: str, private: bool) -> str | None:
    if private and host in OVERLOOKED:
        return None
    return EXTRACT[private](host).top_domain_under_public_suffix or None


ENDINGS = sorted({rule.removeprefix("!").removeprefix("*.") for rule in _lines(True)})
labels = st.sampled_from(["a", "www", "city", "co", "com", "github", "xn--p1ai", "b-c", "1"])
hosts = st.builds(
    lambda front, ending: ".".join([*front, ending]),
    st.lists(labels, max_size=4),
    st.sampled_from(ENDINGS)
    | st.sampled_from(["ck", "kawasaki.jp", "com", "nowhere", "192.0.2.1", "a.compute.amazonaws.com"]),
)


@pytest.mark.parametrize("private", [False, True])
@given(st.lists(hosts, min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_like_tldextract(private: bool, names: list[str]) -> None:
    assert registrable(pl.Series(names), private=private).to_list() == [plain(name, private) for name in names]


@pytest.mark.parametrize("private", [False, True])
def test_like_tldextract_for_every_rule_of_the_list(private: bool) -> None:
    names = [front + ending for ending in ENDINGS for front in ("", "a.", "b.a.", "c.b.a.")]
    found = registrable(pl.Series(names), private=private).to_list()
    wrong = [(name, got) for name, got in zip(names, found, strict=True) if got != plain(name, private)]
    assert wrong == []


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.police.example.co.uk", "example.co.uk"), ("co.uk", None), ("www.ck", "www.ck"), ("a.b.ck", "a.b.ck"),
        ("192.0.2.1", None), ("2001:db8::1", None), ("", None), (None, None), ("localhost", None),
        ("пример.рф", "пример.рф"), ("a.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),

        ("a.example.com.", "example.com"),
        ("me.github.io", "github.io"),
    ],
)  # fmt: skip
def test_named_cases(host: str | None, domain: str | None) -> None:
    assert registrable(pl.Series([host], dtype=pl.String)).to_list() == [domain]
