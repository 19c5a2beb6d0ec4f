"""Keys for programs: the ceiling at the gate, and what refuses a key, against plain references."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.members.key_rules import Bounds, Refusal, is_within, parsed_ranges, refusal, require_lifetime
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp
from tocsin.handling import Facts, HandlingSet, Viewer, may_see

from .test_handling import FACTS, NOW, ORGANISATIONS, VIEWERS

LABELS = list(Tlp)
SETS = st.builds(
    lambda tlp, audience, exclusions: HandlingSet(
        tlp=tlp, audience=tuple(audience - exclusions), exclusions=tuple(exclusions)
    ),
    st.sampled_from(LABELS),
    st.sets(st.sampled_from([*ORGANISATIONS, "country:FR"]), max_size=3),
    st.sets(st.sampled_from([*ORGANISATIONS, "country:BR"]), max_size=2),
)
READABLE = {
    None: {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"},
    Tlp.CLEAR: {"TLP:CLEAR"},
    Tlp.GREEN: {"TLP:CLEAR", "TLP:GREEN"},
    Tlp.AMBER: {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER"},
    Tlp.AMBER_STRICT: {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT"},
    Tlp.RED: {"TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"},
}
"""Written out, label by label: the plain reference of the rule."""


@given(VIEWERS, SETS, st.sampled_from(list(READABLE)))
def test_a_ceiling_takes_away_exactly_what_lies_above_it(viewer: Viewer, set_: HandlingSet, top: Tlp | None) -> None:
    below = replace(viewer, ceiling=top)
    for facts in (FACTS, replace(FACTS, hidden_at=NOW), Facts(viewer.organisation)):
        expected = may_see(viewer, set_, facts, NOW) and str(set_.tlp) in READABLE[top]
        assert may_see(below, set_, facts, NOW) is expected


@given(VIEWERS, SETS, st.sampled_from(LABELS), st.sampled_from(LABELS))
def test_a_ceiling_never_widens(viewer: Viewer, set_: HandlingSet, one: Tlp, other: Tlp) -> None:
    low, high = sorted((one, other), key=LABELS.index)
    seen = [may_see(replace(viewer, ceiling=top), set_, FACTS, NOW) for top in (low, high, None)]
    assert seen == sorted(seen)


AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPEN = Bounds(expires_at=AT + timedelta(days=1))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, None),
        ({"is_revoked": True}, Refusal.REVOKED),
        ({"expires_at": AT}, Refusal.EXPIRED),
        ({"person_is_active": False}, Refusal.PERSON),
        ({"organisation_is_active": False}, Refusal.ORGANISATION),
        ({"has_moved": True}, Refusal.MOVED),
        ({"ranges": ("192.0.2.0/24", "2001:db8::/32")}, None),
        ({"ranges": ("192.0.2.128/25",)}, Refusal.ADDRESS),
        ({"certificate": "ab", "certificate_ends_at": AT + timedelta(seconds=1)}, None),
        ({"certificate": "cd"}, Refusal.CERTIFICATE),
        ({"certificate": "ab", "certificate_ends_at": AT}, Refusal.CERTIFICATE_ENDED),
    ],
    ids=str,
)
def test_what_refuses_a_key(changed: dict[str, object], word: Refusal | None) -> None:
    assert refusal(replace(OPEN, **changed), AT, "192.0.2.7", "ab") is word  # type: ignore[arg-type]


def test_a_bound_key_needs_its_certificate_and_a_free_one_none() -> None:
    assert refusal(replace(OPEN, certificate="ab"), AT, "192.0.2.7", "") is Refusal.NO_CERTIFICATE
    assert refusal(OPEN, AT, "192.0.2.7", "") is None


V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(0, 2**128 - 1)


@given(V4, V4, st.integers(0, 32))
def test_ranges_of_version_4_by_their_bits(address: int, base: int, length: int) -> None:
    mask = (2**32 - 1) << (32 - length) & (2**32 - 1)
    network = f"{ipaddress.IPv4Address(base & mask)}/{length}"
    expected = address & mask == base & mask
    assert is_within(str(ipaddress.IPv4Address(address)), [network]) is expected
    assert is_within(f"::ffff:{ipaddress.IPv4Address(address)}", [network]) is expected
    if length >= 8:
        assert parsed_ranges(network) == [network]
        return
    with pytest.raises(InputError, match="network-too-wide"):
        parsed_ranges(network)


@given(V6, V6, st.integers(0, 128))
def test_ranges_of_version_6_by_their_bits(address: int, base: int, length: int) -> None:
    mask = (2**128 - 1) << (128 - length) & (2**128 - 1)
    network = f"{ipaddress.IPv6Address(base & mask)}/{length}"
    if ipaddress.IPv6Address(address).ipv4_mapped is None:
        assert is_within(str(ipaddress.IPv6Address(address)), [network]) is (address & mask == base & mask)


@pytest.mark.parametrize("said", ["", "unknown", "192.0.2.7:80", "192.0.2.0/24", "unix:"])
def test_what_is_no_address_lies_nowhere(said: str) -> None:
    assert not is_within(said, ["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize(
    "said", ["192.0.2.7/24", "192.0.2", "a", "2001:db8::1/32", "0xc0000200/24", "::ffff:192.0.2.0/120"]
)
def test_what_is_no_network_makes_no_range(said: str) -> None:
    with pytest.raises(InputError):
        parsed_ranges(f"198.51.100.0/24 {said}")


def test_ranges_are_kept_once_and_bounded() -> None:
    assert parsed_ranges(" 192.0.2.7,\n2001:DB8::/32 192.0.2.7/32 ") == ["192.0.2.7/32", "2001:db8::/32"]
    with pytest.raises(InputError):
        parsed_ranges(" ".join(f"192.0.2.{number}" for number in range(51)))


@pytest.mark.parametrize(("days", "fits"), [(-1, False), (0, False), (1, True), (365, True), (366, False)])
def test_every_key_ends_in_time(days: int, fits: bool) -> None:
    if fits:
        require_lifetime(AT, AT + timedelta(days=days), 365)
    else:
        with pytest.raises(InputError):
            require_lifetime(AT, AT + timedelta(days=days), 365)
