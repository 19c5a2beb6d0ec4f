"""Lists with one value a line, in the many shapes that their makers chose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.profiles import Profile
from tocsin.core.reading import Heading, Rows, Sample, Source
from tocsin.formats import plain_list


def read(text: str, name: str = "list.txt", block_bytes: int = 1 << 20) -> list[object]:
    return list(plain_list.read(Source(name, content=text.encode()), Profile(), block_bytes))


def rows(items: list[object]) -> list[dict[str, object]]:
    return [row for item in items if isinstance(item, Rows) for row in item.frame.to_dicts()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1\n\n# x\n198.51.100.0/24\n", [(1, "192.0.2.1"), (4, "198.51.100.0/24")]),
        ("; head\n192.0.2.0/24 ; SBL1\n", [(2, "192.0.2.0/24")]),
        ("// head\n192.0.2.9\n", [(2, "192.0.2.9")]),
        ("192.0.2.0 - 192.0.2.255\n203.0.113.8-203.0.113.9\n", [(1, "192.0.2.0/24"), (2, "203.0.113.8/31")]),
        ("192.0.2.1 - 192.0.2.3\n", [(1, "192.0.2.1"), (1, "192.0.2.2/31")]),
        ("192.0.2.9-192.0.2.1\n", [(1, "192.0.2.9-192.0.2.1")]),
        ("0.0.0.0 bad.example\n127.0.0.1\tlocalhost\n127.0.0.1 worse.example # x\n",
         [(1, "bad.example"), (3, "worse.example")]),
        ("[Adblock Plus]\n! x\n||bad.example^\n||worse.example^$third-party\n",
         [(3, "bad.example"), (4, "worse.example")]),
        ("http://bad.example/a;b?c=1#d\r\nhttps://worse.example/\r\n",
         [(1, "http://bad.example/a;b?c=1#d"), (2, "https://worse.example/")]),
        ("hxxp://bad[.]example/x\nworse(.)example\n", [(1, "hxxp://bad[.]example/x"), (2, "worse(.)example")]),
        ("\ufeff2001:db8::1\n2001:db8::/48\n", [(1, "2001:db8::1"), (2, "2001:db8::/48")]),
        ("AS64496 ; AE | EXAMPLE\n", [(1, "AS64496")]),
        ("bad.example/panel/gate.php\n", [(1, "bad.example/panel/gate.php")]),
    ],
)  # fmt: skip
def test_shapes(text: str, expected: list[tuple[int, str]]) -> None:
    assert plain_list.recognise(Sample(text.encode())) >= 50
    assert [(row["position"], row["value"]) for row in rows(read(text))] == expected


def test_what_stands_behind_a_value_is_kept() -> None:
    digest = "a" * 64
    [counted] = rows(read("192.0.2.1\t9\n"))
    assert counted["count"] == "9"
    [ported] = rows(read("192.0.2.1:8080\n"))
    assert (ported["value"], ported["port"]) == ("192.0.2.1", "8080")
    [named] = rows(read(f"{digest}  invoice.exe\n"))
    assert (named["value"], named["note"]) == (digest, "invoice.exe")
    [remarked] = rows(read("192.0.2.0/24 ; SBL1\n"))
    assert remarked["note"] == "SBL1"


def test_a_banner_states_title_and_count() -> None:
    heading = read("#\n# firehol_level1\n#\n# Entries         : 2 subnets, 512 unique IPs\n192.0.2.0/24\n")[0]
    assert heading == Heading(title="firehol_level1", stated_count=2)


def test_a_list_of_remarks_only_is_an_empty_delivery() -> None:
    text = "# feodo\n# Entries : 0 unique IPs\n"
    assert plain_list.recognise(Sample(text.encode())) > 0
    assert read(text) == [Heading(title="feodo", stated_count=0)]
    assert read("\n") == [Heading(stated_count=None)]


def test_trails_carry_family_and_reference() -> None:
    text = (
        "# Copyright (c) Maltrail developers\n\n# Reference: https://report.example/1\n\nbad.example\n\n"
        "# Reference: https://report.example/2\n\n192.0.2.1:443\n"
    )
    for block_bytes in (16, 1 << 20):
        first, second = rows(read(text, "static/malware/emotet.txt", block_bytes))
        assert (first["label"], first["reference"]) == ("emotet", "https://report.example/1")
        assert (second["value"], second["reference"]) == ("192.0.2.1", "https://report.example/2")


@pytest.mark.parametrize(
    "text",
    [
        "Dear colleague,\nplease find below what we saw.\nKind regards\n192.0.2.1\n",
        '{"a": "192.0.2.1"}\n',
        '[\n"http://bad.example/",\n"http://worse.example/"\n]\n',
        "src_ip,dst_ip\n192.0.2.1,192.0.2.2\n",
        "#separator \\x09\n#fields\tts\n",
        "Emotet\nTrickBot\nQakBot\n",
    ],
)
def test_other_things_are_not_claimed(text: str) -> None:
    assert plain_list.recognise(Sample(text.encode())) == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["192.0.2.1", "bad.example", "# x", "", "192.0.2.1:80", "192.0.2.7 # n"]), max_size=20),
    st.integers(1, 64),
)
def test_blocks_do_not_change_rows(lines: list[str], size: int) -> None:
    text = "\n".join(["198.51.100.1", *lines])

    def seen(block_bytes: int) -> list[tuple[object, ...]]:
        names = ("position", "value", "port", "note")
        return [tuple(row.get(name) for name in names) for row in rows(read(text, block_bytes=block_bytes))]

    assert seen(size) == seen(1 << 20)


def test_a_banner_says_whose_list_it_is() -> None:
    text = "; Spamhaus DROP List\n; http://www.spamhaus.org/drop/drop.txt\n192.0.2.0/24 ; SBL1\n"
    (row,) = rows(read(text))
    assert (row["type"], row["role"], row["kind"]) == ("blacklist", "ATTACKER_INFRA", "network")


def test_networks_of_a_hoster_are_not_accused() -> None:
    text = "# Copyright (c) 2014-2026 Maltrail developers\n\n192.0.2.0/24\n198.51.100.0/24\n"
    assert all("type" not in row for row in rows(read(text, "cdn_ranges.txt")))
    assert rows(read(text.replace("/24", ""), "emotet.txt"))[0]["type"] == "blacklist"


def test_fingerprints_of_servers_are_named_as_such() -> None:
    (row,) = rows(read("2ad2ad0002ad2ad00042d42d00000ad9bf51cc3f5a1e29eecb81d0c7b06eb1\n"))
    assert row["kind"] == "jarm"


@pytest.mark.parametrize("text", ["192.0.2.0/24,hoster\n" * 3, "\n\r\n \n"])
def test_what_is_no_list(text: str) -> None:
    assert plain_list.recognise(Sample(text.encode(), "x.txt", len(text))) == 0
