"""The kernel on columns against the kernel on dicts, on generated rows; and its parts against plain loops."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engines import plain

from tocsin.core import typed, values
from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rows, draft_frame
from tocsin.core.words import Kind
from tocsin.lake import canonical, places, repeats
from tocsin.lake.moments import moments, one_moment
from tocsin.lake.normalise import Context, Normalised, normalise
from tocsin.reference.addresses import COUNTRY_INDEX, AddressTables
from tocsin.reference.ranges import layer_v4, layer_v6

RECEIVED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
# Network → system, country of the registry, country of the geolocation.
NETWORKS: dict[str, tuple[int, str, str]] = {
    "8.8.0.0/16": (64_500, "FR", "FR"),
    "8.9.0.0/16": (64_501, "FR", "BR"),
    "9.9.9.0/24": (64_502, "KE", "KE"),
    "2a00::/24": (64_503, "DE", "DE"),
}


@cache
def tables() -> AddressTables:
    v4 = [(ipaddress.ip_network(each), facts) for each, facts in NETWORKS.items() if ":" not in each]
    v6 = [(ipaddress.ip_network(each), facts) for each, facts in NETWORKS.items() if ":" in each]

    def column(found: Sequence[tuple[Any, tuple[int, str, str]]], at: int) -> np.ndarray:
        return np.array([facts[at] if at == 0 else COUNTRY_INDEX[str(facts[at])] for _, facts in found], np.uint32)

    first, last = (np.array([int(each[at]) for each, _ in v4], np.uint64) for at in (0, -1))
    names = ("asn", "registry_country", "geo_country")
    return AddressTables.of_layers(
        date(2026, 11, 1), "none",
        {name: layer_v4(first, last, column(v4, at)) for at, name in enumerate(names)},
        {name: layer_v6([int(each[0]) for each, _ in v6], [int(each[-1]) for each, _ in v6], column(v6, at))
         for at, name in enumerate(names)},
        {},
    )  # fmt: skip


def locate(text: str) -> tuple[int | None, str | None, str | None]:
    for network, facts in NETWORKS.items():
        if ipaddress.ip_address(text) in ipaddress.ip_network(network):
            return facts
    return None, None, None


ADDRESS = st.one_of(
    st.sampled_from(["8.8.8.8", "8.9.1.2", "9.9.9.9", "1.1.1.1", "192.0.2.7", "203.0.113.255"]),
    st.builds("8.8.{}.{}".format, st.integers(0, 3), st.integers(0, 255)),
    st.sampled_from(["10.0.0.1", "127.0.0.1", "0.0.0.0", "224.1.1.1", "256.1.1.1", "1.2.3", "01.2.3.4"]),
    st.builds("8.8.8.{}:{}".format, st.integers(0, 3), st.sampled_from([0, 80, 65_535, 65_536, 99_999])),
)
NAME = st.sampled_from(
    ["phish.example", "PHISH.Example.", "*.phish.example", "a.b.bank.fr", "x.co.uk", "münchen.de", "login.gov.br",
     "no_dots", "-bad-.example", "a..b", "xn--mnchen-3ya.de", "phish.example:8080", "a" * 64 + ".example"]
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[str]] = {
    "ipv4": ADDRESS,
    "ipv6": st.sampled_from(["2a00::1", "2A00:0:0::5", "2001:db8::1", "fe80::1", "::1", "2a00:::1", "[2a00::9]"]),
    "network": st.sampled_from(["8.8.0.0/16", "8.8.4.4/24", "0.0.0.0/0", "10.0.0.0/8", "2a00::/32", "8.8.8.8/33"]),
    "domain": NAME,
    "url": st.sampled_from(
        ["http://phish.example/a", "HTTPS://Phish.Example/A b", "http://8.8.8.8:8080/x", "http://10.0.0.1/", "nonsense",
         "ftp://u:p@bank.fr/", "http://[2a00::1]/", "http://a b/", "https://x.co.uk?q=1#f", "http://münchen.de/ü"]
    ),
    "email": st.sampled_from(["A@Bank.FR", "mailto:x@phish.example", "x@@y", "nobody", "<x@bank.fr>"]),
    "md5": st.sampled_from(["d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E", "0x" + "a" * 32]),
    "sha256": st.sampled_from(["e" * 64, "E" * 64, "g" * 64]),
}  # fmt: skip
CELL = st.sampled_from(["", "-", "unknown", "a\u202eb", "bell\x07", "=1+1", "plain", "two; words"])
MOMENT = st.sampled_from(
    ["2026-11-01T10:00:00Z", "2026-11-01T10:04:59+00:00", "2026-11-01 10:05:00", "2026-11-01T12:00:00.250+02:00",
     "2026-11-01 10:00", "2026-11-01", "Sun, 01 Nov 2026 10:00:00 +0000", "1793527200", "1793527200000", "never",
     "2099-01-01T00:00:00Z", "1980-01-01T00:00:00Z", "2026-13-01", "-"]
)  # fmt: skip


@st.composite
def drawn_rows(draw: st.DrawFn) -> list[plain.Row]:
    kinds = draw(st.sampled_from([*([kind] for kind in VALUES), list(VALUES), ["ipv4", "domain", "url"]]))
    names = draw(st.sets(st.sampled_from(
        ["first_at", "last_at", "type", "role", "severity", "offence", "port", "confidence", "count", "stated_country",
         "note", "tags"]
    )))  # fmt: skip
    cells = {
        "first_at": MOMENT,
        "last_at": MOMENT,
        "type": st.sampled_from(["phishing", "c2", "Infected System", "botnet_drone", "nonsense", "-"]),
        "role": st.sampled_from(["VICTIM", "attacker-infra", "boss", "n/a"]),
        "severity": st.sampled_from(["high", "LOW", "odd", ""]),
        "offence": st.sampled_from(["ransomware", "NONE", "theft", ""]),
        "port": st.sampled_from(["0", "443", " 80 ", "65535", "65536", "-1", "http", ""]),
        "confidence": st.sampled_from(["0", "100", "101", "high"]),
        "count": st.sampled_from(["0", "1", "7"]),
        "stated_country": st.sampled_from(["FR", "fr", "France", "BRA", "Kenya", "ZZ", "Atlantis", "EU", "NA"]),
        "note": CELL,
        "tags": CELL,
    }
    made = []
    for position in range(1, draw(st.integers(1, 12)) + 1):
        kind = draw(st.sampled_from(kinds))
        value = draw(st.one_of(VALUES[kind], st.sampled_from(["", " "])) if draw(st.booleans()) else VALUES[kind])
        row = {"position": position, "kind": draw(st.sampled_from([kind, kind.upper()])), "value": value}
        made.append(row | {name: draw(st.one_of(st.none(), cells[name])) for name in sorted(names)})
    return made


def rows_of(made: list[plain.Row]) -> Rows:
    return Rows(draft_frame({name: [row[name] for row in made] for name in made[0]}))


def kernel(made: list[plain.Row], **profile: Any) -> Normalised:
    return normalise(rows_of(made), Context(Profile(**profile), RECEIVED, tables()))


def assert_same(made: list[plain.Row], defaults: dict[str, str], window: int) -> None:
    done = kernel(made, defaults=defaults, window_minutes=window)
    good, refused = plain.normalised(made, plain.House(RECEIVED, defaults, locate, window_minutes=window))
    assert {row["position"]: (row["field"], row["reason"]) for row in done.rejections.to_dicts()} == refused
    columns = [name for name in good[0] if name != "address"] if good else []
    assert done.frame["position"].to_list() == [row["position"] for row in good]
    assert done.frame.select(columns).to_dicts() == [{name: row[name] for name in columns} for row in good]
    assert done.frame.height + done.rejections.height + done.repeats == len(made)
    for row, expected in zip(done.frame.to_dicts(), good):
        address = expected["address"]
        is_v4 = bool(address) and ":" not in address
        assert row["ipv4"] == (int(ipaddress.IPv4Address(address)) if is_v4 else None)


@settings(max_examples=60, deadline=None)
@given(drawn_rows(), st.sampled_from([{}, {"type": "phishing"}, {"role": "VICTIM", "severity": "low"}]))
def test_the_kernel_agrees_with_the_plain_one(made: list[plain.Row], defaults: dict[str, str]) -> None:
    assert_same(made, defaults, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "value": st.sampled_from(["8.8.8.8", "8.8.4.4"]),
                "first_at": st.integers(0, 40).map(lambda minutes: f"2026-11-01T10:{minutes:02d}:00Z"),
                "note": st.sampled_from(["a", "b"]),
                "port": st.sampled_from(["80", "443"]),
                "count": st.sampled_from(["1", "3"]),
            }
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([1, 5, 60]),
)
def test_windows_agree(drawn: list[dict[str, str]], window: int) -> None:
    assert_same([{"position": at, "kind": "ipv4", **row} for at, row in enumerate(drawn, 1)], {}, window)


@settings(max_examples=60, deadline=None)
@given(drawn_rows(), st.integers(1, 11))
def test_chunks_lose_and_double_nothing(made: list[plain.Row], cut: int) -> None:
    """In two chunks as in one: a repeat in the second chunk adds to the count of the row of the first."""
    whole = kernel(made)
    seen, recount = repeats.Seen(), repeats.Recount(Path())  # Nothing is set aside here.
    context = Context(Profile(), RECEIVED, tables())
    parts = [normalise(rows_of(part), context, seen) for part in (made[:cut], made[cut:]) if part]
    keys, height = [], 0
    for part in parts:
        recount.note(part.again)
        keys.append(part.keys.with_columns(pl.col("row") + height))
        height += part.frame.height
    [joined] = recount.settled(pl.concat([part.frame for part in parts]), pl.concat(keys))
    assert joined.equals(whole.frame)
    assert sum(part.repeats for part in parts) == whole.repeats
    assert pl.concat([part.rejections for part in parts]).equals(whole.rejections)


def test_a_column_of_kinds_without_a_word_leaves_them_to_the_values() -> None:
    made = [{"position": 1, "value": "8.8.8.8", "kind": None}, {"position": 2, "value": "bank.fr", "kind": None}]
    for rows in (made, made[:1]):
        kinds = kernel(rows).frame["kind"].to_list()
        assert kinds == ["ipv4", "domain"][: len(rows)]


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=14))
def test_what_was_seen_stays_seen(chunks: list[list[int]]) -> None:
    seen, before = repeats.Seen(), set[int]()
    for chunk in chunks:
        distinct = sorted(set(chunk))
        digests = repeats.row_digests(pl.DataFrame({"number": distinct}, schema={"number": pl.Int64}))
        assert seen.are_new(repeats.keys_of(digests)).tolist() == [number not in before for number in distinct]
        before |= set(distinct)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", None])), max_size=30))
def test_first_places(rows: list[tuple[int, str | None]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    first, counts = repeats.first_places(repeats.row_digests(frame))
    distinct = list(dict.fromkeys(rows))
    assert first.tolist() == [rows.index(row) for row in distinct]
    assert counts.tolist() == [rows.count(row) for row in distinct]


LETTERS = st.text(alphabet="abAB019.-_:/@ []()*%é\u202e\x00#?xn", max_size=40)


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("kind", list(Kind))
@given(data=st.data())
def test_columns_are_canonical_as_single_values_are(kind: Kind, data: st.DataObject) -> None:
    right = VALUES.get(kind.value, st.nothing())
    texts = data.draw(st.lists(st.one_of(LETTERS, *VALUES.values(), right), min_size=1, max_size=8))
    texts = [text.strip() for text in texts]
    forms, reasons = canonical.canonical_column(kind, pl.Series(texts, dtype=pl.String))
    for text, form, reason in zip(texts, forms, reasons):
        try:
            expected: tuple[str | None, str | None] = values.canonical(kind, text), None
        except InputError as error:
            expected = None, error.reason
        assert (form, reason) == expected, text
        if form is not None:
            assert values.canonical(kind, form) == form


@given(st.lists(st.one_of(LETTERS, ADDRESS, st.sampled_from(["hxxp://a[.]example/x", "1[.]2(.)3{.}4"])), max_size=8))
def test_columns_are_refanged_as_single_values_are(texts: list[str]) -> None:
    suspicious = pl.Series(texts, dtype=pl.String).str.contains(canonical.DEFANGED).to_list()
    expected = [typed.refang(text) if odd else text for text, odd in zip(texts, suspicious)]
    assert canonical.refang(pl.Series(texts, dtype=pl.String)).to_list() == expected


@given(st.lists(st.tuples(*[st.sampled_from(["FR", "BR", "KE", None])] * 4), min_size=1, max_size=20))
def test_claims_decide_as_a_vote_does(claims: list[tuple[str | None, ...]]) -> None:
    frame = pl.DataFrame(claims, schema=dict.fromkeys(places.CLAIMS, pl.String), orient="row")
    assert places.decide(frame).rows() == [plain.vote(row) for row in claims]


WRITTEN = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00", "%a, %d %b %Y %H:%M:%S +0000",
           "%d %b %Y %H:%M:%S", "%Y%m%dT%H%M%SZ", "%s")  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1)), st.sampled_from(WRITTEN)),
        min_size=1, max_size=8,
    ),
    st.lists(st.sampled_from(["", "never", "0000-00-00", "2026-02-30", "12", "99:99"]), max_size=2),
)  # fmt: skip
def test_moments_agree_with_one_moment(written: list[tuple[datetime, str]], bad: list[str]) -> None:
    exact = [at.replace(microsecond=0, tzinfo=UTC) for at, _ in written]
    texts = [str(int(at.timestamp())) if form == "%s" else at.strftime(form) for at, (_, form) in zip(exact, written)]
    read = moments(pl.Series([*texts, *bad], dtype=pl.String)).to_list()
    assert read == [*exact, *[None] * len(bad)]
    assert [one_moment(text) for text in texts] == exact


@given(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["Europe/Paris", "Asia/Kolkata"]))
def test_a_zone_that_the_profile_says(at: datetime, zone: str) -> None:
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    read = moments(pl.Series([text]), time_zone=zone)[0]
    expected = plain.read_moment(text, zone)
    assert expected is not None
    # An hour that does not exist is read or refused, but never moved by more than the hour.
    assert read is None or abs(read - expected) <= timedelta(hours=1)


@given(st.lists(st.one_of(ADDRESS, st.ip_addresses(v=4).map(str)), max_size=20))
def test_addresses_as_numbers(texts: list[str]) -> None:
    def number(text: str) -> int | None:
        try:
            return int(ipaddress.IPv4Address(text))
        except ValueError:
            return None

    assert canonical.ipv4_numbers(pl.Series(texts, dtype=pl.String)).to_list() == [number(text) for text in texts]


@pytest.mark.parametrize(("shows", "days"), [(True, [3, 21]), (False, [11, 21])])
def test_the_order_of_day_and_month_that_a_table_shows_is_kept(shows: bool, days: list[int]) -> None:
    frame = pl.DataFrame(
        {"position": [1, 2], "value": ["192.0.2.1", "192.0.2.2"], "first_at": ["03/11/2025 10:00", "21/10/2025 08:00"]}
    )
    done = normalise(Rows(frame, day_first=shows), Context(Profile(), RECEIVED, tables()))
    assert [at.day for at in done.frame.sort("position")["first_at"]] == days


def test_dots_say_that_the_day_comes_first() -> None:
    assert one_moment("03.11.2026") == datetime(2026, 11, 3, tzinfo=UTC)
    assert one_moment("03.11.2026", day_first=True) == datetime(2026, 11, 3, tzinfo=UTC)
    assert one_moment("03/11/2026") == datetime(2026, 3, 11, tzinfo=UTC)
