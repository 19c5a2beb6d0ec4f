"""Flags of columns against the explanation of single values, which goes through the lists one by one."""

from __future__ import annotations

import ipaddress

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.suffixes import registrable
from tocsin.reference import warnings


def frame_of(values: list[tuple[str, str]]) -> pl.DataFrame:
    hosts = [warnings._host(kind, value) for kind, value in values]
    return pl.DataFrame(
        {
            "kind": [kind for kind, _ in values],
            "value": [value for _, value in values],
            "ipv4": [int(ipaddress.IPv4Address(value)) if kind == "ipv4" else None for kind, value in values],
            "ipv6": [ipaddress.IPv6Address(value).packed if kind == "ipv6" else None for kind, value in values],
            "domain": registrable(pl.Series(hosts, dtype=pl.String)),
        },
        schema={"kind": pl.String, "value": pl.String, "ipv4": pl.UInt32, "ipv6": pl.Binary, "domain": pl.String},
    )


def groups_of(mask: int) -> set[str]:
    return {group for group in warnings.GROUPS if mask & warnings.BIT[group]}


def test_named_values() -> None:
    cases = {
        ("ipv4", "8.8.8.8"): "public-dns", ("ipv4", "10.0.0.1"): "bogon", ("ipv4", "104.16.0.1"): "cdn",
        ("domain", "x.duckdns.org"): "dynamic-dns", ("url", "https://bit.ly/abc"): "url-shortener",
        ("email", "a@mailinator.com"): "disposable-mail", ("md5", "d41d8cd98f00b204e9800998ecf8427e"): "empty-hash",
        ("email", "abuse@nowhere.invalid"): "contact-address", ("domain", "co.uk"): "reserved-name",
        ("ipv6", "2606:4700::1"): "cdn",
    }  # fmt: skip
    masks = warnings.flags(frame_of(list(cases)))
    for (_, value), group, mask in zip(cases, cases.values(), masks.to_list(), strict=True):
        assert group in groups_of(mask), value


def test_what_is_on_no_list_has_no_flag() -> None:
    values = [("domain", "quiet.invalid.xyz"), ("ipv4", "193.0.6.139"), ("md5", "0" * 32), ("other", "8.8.8.8")]
    assert warnings.flags(frame_of(values)).to_list() == [0, 0, 0, 0]
    assert warnings.flags(frame_of([])).to_list() == []


# Strategies are built when the test begins: whoever only collects the tests does not read the lists.
def listed_hosts() -> st.SearchStrategy[str]:
    entries = warnings._entries().filter(pl.col("entry").str.contains(r"^[a-z0-9.-]+\.[a-z]+$"))
    names = st.sampled_from(entries["entry"].to_list()[::97]) | st.just("unlisted.example")
    return st.builds(lambda front, name: front + name, st.sampled_from(["", "www.", "a.b."]), names)


def listed_addresses() -> st.SearchStrategy[str]:
    return st.sampled_from([str(network[0]) for _, network in warnings._networks() if network.version == 4][::301])


hosts = st.deferred(listed_hosts)
values = st.one_of(
    hosts.map(lambda host: ("domain", host)),
    hosts.map(lambda host: ("url", f"http://{host}:8080/path?q=1")),
    hosts.map(lambda host: ("email", f"someone@{host}")),
    st.ip_addresses(v=4).map(lambda address: ("ipv4", str(address))),
    st.ip_addresses(v=6).map(lambda address: ("ipv6", str(address))),
    st.deferred(listed_addresses).map(lambda text: ("ipv4", text)),
)


@given(st.lists(values, min_size=1, max_size=12))
@settings(deadline=None, max_examples=25)
def test_flags_of_a_column_are_what_the_explanation_of_each_value_says(rows: list[tuple[str, str]]) -> None:
    masks = warnings.flags(frame_of(rows)).to_list()
    for (kind, value), mask in zip(rows, masks, strict=True):
        assert groups_of(mask) == {each.group for each in warnings.explain(kind, value)}, value


def test_groups_keep_their_bits() -> None:
    assert len(warnings.GROUPS) <= 32
    assert warnings.GROUPS[:6] == ("public-dns", "cdn", "cloud", "top-site", "security-vendor", "sinkhole")
    assert warnings.BIT["contact-address"] == 1 << 29
    assert {each.group for each in warnings.lists()} <= set(warnings.GROUPS)
