"""The range tables against plain loops, the special registries against ipaddress, and updates."""

from __future__ import annotations

import ipaddress
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.reference import address_files, addresses, ranges, special, store

DAY = date(2031, 1, 1)


def v4(*texts: str) -> np.ndarray:
    return np.array([int(ipaddress.IPv4Address(text)) for text in texts], dtype=np.uint32)


def v6(*texts: str) -> tuple[np.ndarray, np.ndarray]:
    numbers = [int(ipaddress.IPv6Address(text)) for text in texts]
    return (
        np.array([number >> 64 for number in numbers], dtype=np.uint64),
        np.array([number & (1 << 64) - 1 for number in numbers], dtype=np.uint64),
    )


def countries_of(indices: np.ndarray) -> list[str | None]:
    return [addresses.COUNTRIES[index] for index in indices.tolist()]


# Networks in a small space, so that they nest and touch; addresses at their edges.
small_v4 = st.builds(
    lambda number, bits: ipaddress.ip_network((number >> (32 - bits) << (32 - bits), bits)),
    st.integers(0, 7).map(lambda number: number << 29 | number << 7),
    st.sampled_from([1, 2, 3, 8, 24, 25, 30, 32]),
)
small_v6 = st.builds(
    lambda number, bits: ipaddress.IPv6Network((number >> (128 - bits) << (128 - bits), bits)),
    st.integers(0, 15).map(lambda number: number << 124 | number << 62),
    st.sampled_from([1, 2, 3, 48, 63, 64, 65, 68, 128]),
)


def plain_answer(networks: list[tuple[ranges.Network, int]], number: int) -> int:
    """The value of the longest network that holds the address, the last one given where two are the same."""
    best, answer = -1, 0
    for network, value in networks:
        if int(network[0]) <= number <= int(network[-1]) and network.prefixlen >= best:
            best, answer = network.prefixlen, value
    return answer


def edges(networks: list[tuple[ranges.Network, int]], top: int) -> list[int]:
    marks = {0, top}
    for network, _ in networks:
        marks |= {int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1}
    return sorted(mark for mark in marks if 0 <= mark <= top)


def distinct(networks: list[ranges.Network]) -> list[tuple[ranges.Network, int]]:
    return [(network, number + 1) for number, network in enumerate(dict.fromkeys(networks))]


@given(st.lists(small_v4, max_size=8).map(distinct), st.lists(small_v4, max_size=8).map(distinct))
@settings(deadline=None, max_examples=25)
def test_ipv4_tables_answer_like_a_loop_over_networks(asns: list, geos: list) -> None:
    def layer(networks: list) -> ranges.Layer:
        return ranges.layer_v4(
            np.array([int(network[0]) for network, _ in networks], np.uint64),
            np.array([int(network[-1]) for network, _ in networks], np.uint64),
            np.array([value for _, value in networks], np.uint32),
        )

    nothing = ranges.layer_v4(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint32))
    empty_v6 = dict.fromkeys(addresses.ATTRIBUTES, ranges.layer_v6([], [], np.zeros(0, np.uint32)))
    layers = {"asn": layer(asns), "registry_country": nothing, "geo_country": layer(geos)}
    tables = addresses.AddressTables.of_layers(DAY, "", layers, empty_v6, {})
    asked = edges(asns + geos, (1 << 32) - 1)
    found = tables.lookup_v4(np.array(asked, dtype=np.uint32))
    assert found.asn.tolist() == [plain_answer(asns, number) for number in asked]
    assert found.geo_country.tolist() == [plain_answer(geos, number) for number in asked]
    # The index of /24 networks gives the same answers, and every network's text holds its addresses.
    assert tables._pages_v4 is not None
    again = tables.lookup_v4(np.array(asked, dtype=np.uint32))
    assert all((getattr(again, name) == getattr(found, name)).all() for name in again.__slots__)
    for number, asn, geo, text in zip(
        asked,
        found.asn.tolist(),
        found.geo_country.tolist(),
        tables.network_texts_v4(found.network),
        strict=True,
    ):
        assert (text is None) == (asn == 0 and geo == 0)
        if text:
            first, last = bounds(text)
            assert int(first) <= number <= int(last)
            assert text == addresses.range_text(first, last)


def bounds(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    if "/" in text:
        network = ipaddress.IPv4Network(text)
        return network[0], network[-1]
    first, last = text.split("-")
    return ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)


@given(st.lists(small_v6, max_size=8).map(distinct))
@settings(deadline=None)
def test_ipv6_tables_answer_like_a_loop_over_networks(networks: list) -> None:
    layer = ranges.layer_v6(
        [int(network[0]) for network, _ in networks],
        [int(network[-1]) for network, _ in networks],
        np.array([value for _, value in networks], np.uint32),
    )
    none_v6 = ranges.layer_v6([], [], np.zeros(0, np.uint32))
    nothing = ranges.layer_v4(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint32))
    tables = addresses.AddressTables.of_layers(
        DAY,
        "",
        dict.fromkeys(addresses.ATTRIBUTES, nothing),
        {"asn": layer, "registry_country": none_v6, "geo_country": none_v6},
        {},
    )
    # The very last address is given up (see layer_v6).
    asked = edges(networks, (1 << 128) - 2)
    high, low = v6(*(str(ipaddress.IPv6Address(number)) for number in asked))
    assert tables.lookup_v6(high, low).asn.tolist() == [plain_answer(networks, number) for number in asked]


def test_shipped_tables_know_well_known_addresses() -> None:
    tables = addresses.shipped()
    found = tables.lookup_v4(v4("8.8.8.8", "193.0.6.139", "192.0.2.1", "10.0.0.1", "255.255.255.255"))
    assert found.asn.tolist() == [15169, 3333, 0, 0, 0]
    assert countries_of(found.registry_country) == ["US", "NL", None, None, None]
    assert countries_of(found.geo_country) == ["US", "NL", None, None, None]
    assert tables.network_texts_v4(found.network).to_list() == [
        "8.8.8.0/24",
        "193.0.0.0/21",
        None,
        None,
        None,
    ]
    assert tables.names[3333].startswith("Reseaux IP")
    found = tables.lookup_v6(*v6("2003::1", "2001:db8::1", "::1", "ffff::"))
    assert found.asn.tolist() == [3320, 0, 0, 0]
    assert countries_of(found.registry_country) == ["DE", None, None, None]
    assert tables.network_texts_v6(found.network).to_list()[1:] == [None, None, None]


def test_shipped_tables_are_sorted_start_at_zero_and_claim_only_known_countries() -> None:
    tables = addresses.shipped()
    assert tables.v4_starts[0] == 0
    assert (np.diff(tables.v4_starts.astype(np.int64)) > 0).all()
    keys = ranges.v6_from_halves(tables.v6_high, tables.v6_low)
    assert keys[0] == b""
    assert (keys[1:] > keys[:-1]).all()
    for table in (tables.v4, tables.v6):
        for column in (table.registry_country, table.geo_country):
            assert column.max() < len(addresses.COUNTRIES)
            assert len(np.unique(column)) > 200
    assert "CC BY 4.0" in tables.licence


def test_no_special_address_has_a_claim() -> None:
    tables = addresses.shipped()
    for each in special.special_networks():
        if not each.is_global and each.network.version == 4:
            asked = np.array([int(each.network[0]), int(each.network[-1])], dtype=np.uint32)
            if not special.is_public_v4(asked).any():
                assert tables.lookup_v4(asked).network.tolist() == [-1, -1]


@given(st.lists(st.integers(0, (1 << 32) - 1) | st.sampled_from(
    [int(each.network[place]) for each in special.special_networks() if each.network.version == 4 for place in (0, -1)]
), min_size=1))  # fmt: skip
@settings(deadline=None)
def test_public_ipv4_is_what_ipaddress_calls_global_and_unicast(numbers: list[int]) -> None:
    # Python took the two anycast addresses and the deprecated relay up at different versions.
    unsettled = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24")]
    for number, public in zip(numbers, special.is_public_v4(np.array(numbers, dtype=np.uint32)).tolist(), strict=True):
        address = ipaddress.IPv4Address(number)
        if not any(address in network for network in unsettled):
            assert public == (address.is_global and not address.is_multicast), address


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("::", False), ("::1", False), ("::2", False), ("64:ff9b::808:808", True), ("64:ff9b:1::1", False),
        ("100::1", False), ("2001::1", True), ("2001:1::1", True), ("2001:1::4", False), ("2001:2::1", False),
        ("2001:4:112::1", True), ("2001:20::1", True), ("2001:200::1", True), ("2001:db8::1", False),
        ("2002::1", True), ("2a00::1", True), ("3fff::1", False), ("3fff:1000::1", True), ("4000::1", False),
        ("fc00::1", False), ("fe80::1", False), ("ff02::1", False), ("::ffff:8.8.8.8", False), ("fff0::", False),
    ],
)  # fmt: skip
def test_public_ipv6(text: str, public: bool) -> None:
    assert special.is_public_v6(*v6(text)).tolist() == [public]


@given(st.lists(st.integers(0, (1 << 128) - 1), min_size=1))
def test_public_ipv6_is_never_what_ipaddress_calls_private(numbers: list[int]) -> None:
    high, low = v6(*(str(ipaddress.IPv6Address(number)) for number in numbers))
    for number, public in zip(numbers, special.is_public_v6(high, low).tolist(), strict=True):
        address = ipaddress.IPv6Address(number)
        if address not in ipaddress.IPv6Network("2001::/23"):
            assert public <= (address.is_global and number >> 125 in {0, 1})


PREFIXES = "prefix,asn,country\n198.51.100.0/24,64500,FR\n198.51.100.128/25,AS64501,XK\n2001:db8::/32,64502,KE\n"


def test_a_prefix_list_is_laid_over_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "prefixes.csv"
    path.write_text(PREFIXES)
    tables = address_files.from_csv(path, on=DAY, licence="own", over=addresses.shipped())
    found = tables.lookup_v4(v4("198.51.100.1", "198.51.100.129", "193.0.6.139"))
    assert found.asn.tolist() == [64500, 64501, 0]
    assert countries_of(found.registry_country) == ["FR", None, None]
    assert countries_of(found.geo_country) == [None, None, "NL"]
    assert tables.network_texts_v4(found.network).to_list()[:2] == ["198.51.100.0/25", "198.51.100.128/25"]
    assert tables.lookup_v6(*v6("2001:db8::1")).asn.tolist() == [64502]


@pytest.mark.parametrize("text", ["", "# nothing\n", "prefix,asn,country\n", "192.0.2.0/33,1,FR\n", "192.0.2.0/24,x\n"])
def test_an_unusable_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prefixes.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        address_files.from_csv(path, on=DAY, licence="own")


def mmdb(path: Path, records: dict[str, dict]) -> Path:
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def test_an_mmdb_file_gives_countries_and_systems(tmp_path: Path) -> None:
    path = mmdb(
        tmp_path / "own.mmdb",
        {
            "198.51.100.0/24": {"country": {"iso_code": "SN"}, "autonomous_system_number": 64510},
            "2001:db8:1::/48": {"country": {"iso_code": "UY"}},
        },
    )
    tables = address_files.from_mmdb(path, on=DAY, licence="own")
    found = tables.lookup_v4(v4("198.51.100.77", "198.51.101.1"))
    assert found.asn.tolist() == [64510, 0]
    assert countries_of(found.geo_country) == ["SN", None]
    assert countries_of(tables.lookup_v6(*v6("2001:db8:1::5")).geo_country) == ["UY"]
    (tmp_path / "broken.mmdb").write_bytes(b"no database")
    with pytest.raises(InputError):
        address_files.from_mmdb(tmp_path / "broken.mmdb", licence="own")


def test_the_newest_set_is_in_force_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    assert store.installed(None) is addresses.shipped()
    assert store.installed(folder) is addresses.shipped()
    path = tmp_path / "prefixes.csv"
    path.write_text(PREFIXES)
    for day in (DAY, DAY, date(2031, 1, 2)):
        store.update(folder, [path], on=day, licence="own")
    assert sorted(each.name for each in folder.iterdir()) == [
        "addresses-2031-01-01-0002",
        "addresses-2031-01-02-0001",
    ]
    (tmp_path / "bad.csv").write_text("nothing,of,use\n")
    with pytest.raises(InputError):
        store.update(folder, [path, tmp_path / "bad.csv"], on=date(2031, 1, 3), licence="own")
    tables = store.installed(folder)
    assert tables.date == date(2031, 1, 2)
    assert tables.lookup_v4(v4("198.51.100.1", "193.0.6.139")).asn.tolist() == [64500, 0]
    # A set that is older than the shipped one is passed over, and so is half a set.
    store.update(tmp_path / "old", [path], on=date(2020, 1, 1), licence="own")
    assert store.installed(tmp_path / "old") is addresses.shipped()
    (folder / "addresses-2031-01-02-0001" / addresses.FILES[1]).unlink()
    assert store.installed(folder).date == date(2031, 1, 1)
