"""STIX patterns: written and read back, agreement with the public grammar, hostile ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.core.patterns import Comparison, is_valid, parse, plain_comparisons, quote, single_comparisons
from tocsin.core.words import Kind

values = st.text(alphabet="ab'\\ ]=[()é.", max_size=10)
PATHS = {
    "domain-name:value": Kind.DOMAIN,
    "url:value": Kind.URL,
    "file:hashes.'SHA-256'": Kind.SHA256,
    "file:hashes.md5": Kind.MD5,
    "mutex:name": Kind.MUTEX,
    "app:id": Kind.OTHER,
}
tests = st.tuples(st.sampled_from(sorted(PATHS)), values)


@given(st.lists(st.lists(tests, min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_reads_back(sent: list[list[tuple[str, str]]]) -> None:
    text = " OR ".join("[" + " OR ".join(f"{path} = {quote(value)}" for path, value in group) + "]" for group in sent)
    expected = [Comparison(PATHS[path], value, path.replace("'", "")) for group in sent for path, value in group]
    assert plain_comparisons(text) == expected
    assert is_valid(text)
    assert list(parse(text).plain or ()) == expected


@given(st.text(alphabet="[]()='ab:. \\ANDORt123<>", max_size=30))
@settings(max_examples=300)
def test_the_fast_way_and_the_grammar_agree(text: str) -> None:
    try:
        parsed = parse(text).plain
    except InputError:
        assert plain_comparisons(text) is None
        assert not is_valid(text)
    else:
        assert is_valid(text)
        assert plain_comparisons(text) == (None if parsed is None else list(parsed))


SINGLE = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["[", "", "[["]),
    st.sampled_from([*sorted(PATHS), "app", "file:hashes.'MD5"]),
    st.sampled_from([" = ", "=", " =", "= ", " != "]),
    values.map(quote) | st.sampled_from(["'a'", "'a", "a'", "''", "'", "'a\n'"]),
    st.sampled_from(["]", "", "]]"]),
)


@given(st.lists(SINGLE, max_size=4))
@settings(max_examples=300)
def test_single_comparisons_are_those_of_the_grammar(patterns: list[str]) -> None:
    """Each is the only comparison there is; those that are left out are escaped, unknown, or more than one."""
    for pattern, *single in zip(patterns, *single_comparisons(patterns), strict=True):
        plain = plain_comparisons(pattern)
        if single != [None, None]:
            assert [[one.kind.value, one.value] for one in plain or ()] == [single]
        elif plain and len(plain) == 1 and "\\" not in pattern:
            assert plain[0].kind is Kind.OTHER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[ipv4-addr:value = '198.51.100.0/24']", [(Kind.NETWORK, "198.51.100.0/24")]),
        ("[ipv4-addr:value = '198.51.100.1/32']", [(Kind.IPV4, "198.51.100.1")]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", [(Kind.NETWORK, "198.51.100.0/24")]),
        ("[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]", [(Kind.IPV4, "192.0.2.1"), (Kind.IPV4, "192.0.2.2")]),
        ("[ipv4-addr:value != '192.0.2.1']", None),
        ("[NOT ipv4-addr:value = '192.0.2.1']", None),
        ("[ipv4-addr:value NOT = '192.0.2.1']", None),
        ("[domain-name:value LIKE '%.example']", None),
        ("[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'a.example']", None),
        ("[ipv4-addr:value = '192.0.2.1'] AND [domain-name:value = 'a.example']", None),
        ("[file:hashes.MD5 = 'a' AND file:hashes.SHA1 = 'b' AND file:size = 5]", [(Kind.MD5, "a"), (Kind.SHA1, "b")]),
        ("[file:hashes.MD5 = 'a' AND file:hashes.MD5 = 'b']", None),
        ("[autonomous-system:number = 64500]", [(Kind.ASN, "64500")]),
    ],
)
def test_plain(text: str, expected: list[tuple[Kind, str]] | None) -> None:
    found = plain_comparisons(text)
    assert is_valid(text) or "NOT ipv4" in text
    assert (None if found is None else [(one.kind, one.value) for one in found]) == expected


@pytest.mark.parametrize("text", ["[" + "(" * 5000, "(" * 5000 + "[a:b = 1]", "[a:b = '" + "\\'" * 300_000])
def test_hostile_patterns_end_soon(text: str) -> None:
    assert not is_valid(text)
    assert plain_comparisons(text) is None


@pytest.mark.shared
def test_agrees_with_the_public_cases(shared_data: Path) -> None:
    for line in (shared_data / "malformed/stix-pattern-cases/patterns.jsonl").read_text().splitlines():
        case = json.loads(line)
        assert is_valid(case["pattern"]) == case["valid"], case


@given(st.lists(st.sampled_from(
    ["[", "]", "(", ")", "a:b", "file:hashes.'MD5'", "=", "!=", "'x'", "5", "AND", "OR", "NOT", "EXISTS", "IN",
     "FOLLOWEDBY", "LIKE", "WITHIN", "SECONDS", "REPEATS", "TIMES", "t'2026-01-01T00:00:00Z'", "[a:b = 1]"]
), min_size=1, max_size=9))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_agrees_with_the_public_grammar(words: list[str]) -> None:
    validator = pytest.importorskip("stix2patterns.validator")
    text = " ".join(words)
    assert is_valid(text) == (not validator.run_validator(text, stix_version="2.1")), text
