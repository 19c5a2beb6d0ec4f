"""Linking agrees with a plain way of counting pairs, grows with the data, and is led by nobody."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.analysers import linking
from tocsin.analysers.contract import UNKNOWN
from tocsin.analysers.linking import HUB, KINDS, SAME, Graph, Index

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROWS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 14)), max_size=120)


def index_of(rows: list[tuple[int, int]]) -> Index:
    """A value's kind is its number by four: one value has one kind."""
    keys, reports = [key for key, _ in rows], [report for _, report in rows]
    kinds = [key % len(KINDS) for key in keys]
    return linking.index_of(np.array(keys, np.uint64), np.array(reports, np.uint32), np.array(kinds, np.uint8))


def plainly(rows: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[Counter[int], Counter[int]]]:
    """Pair -> sums of 1 / (n - 1) and counts of values, by kind."""
    holders: dict[int, set[int]] = defaultdict(set)
    for key, report in rows:
        holders[key].add(report)
    made: dict[tuple[int, int], tuple[Counter[int], Counter[int]]] = {}
    for key, reports in holders.items():
        if 2 <= len(reports) <= HUB:
            for pair in itertools.combinations(sorted(reports), 2):
                weights, counts = made.setdefault(pair, (Counter(), Counter()))
                weights[key % len(KINDS)] += 1 / (len(reports) - 1)
                counts[key % len(KINDS)] += 1
    return made


@given(ROWS)
def test_links_are_those_of_the_plain_way(rows: list[tuple[int, int]]) -> None:
    found = linking.links(index_of(rows))
    expected = plainly(rows)
    assert list(zip(found.one.tolist(), found.other.tolist(), strict=True)) == sorted(expected)
    for pair, weights, counts in zip(sorted(expected), found.weights, found.counts, strict=True):
        assert weights.tolist() == pytest.approx([expected[pair][0][kind] for kind in range(len(KINDS))])
        assert counts.tolist() == [expected[pair][1][kind] for kind in range(len(KINDS))]


@given(ROWS, st.integers(0, 15))
def test_what_comes_later_is_merged_in_as_if_it_had_been_there(rows: list[tuple[int, int]], last: int) -> None:
    before, after = [row for row in rows if row[1] < last], [row for row in rows if row[1] >= last]
    made, whole = linking.merged(index_of(before), index_of(after)), index_of(rows)
    for one, other in ((made.keys, whole.keys), (made.reports, whole.reports), (made.kinds, whole.kinds)):
        assert one.tolist() == other.tolist()


@given(ROWS, st.sets(st.integers(0, 14)))
def test_what_is_hidden_leaves_no_trace(rows: list[tuple[int, int]], hidden: set[int]) -> None:
    """W06: links of who may not see some reports are those of a world without them."""
    seen = linking.without(index_of(rows), np.array(sorted(hidden), np.uint32))
    apart = linking.links(index_of([row for row in rows if row[1] not in hidden]))
    found = linking.links(seen)
    assert (found.one.tolist(), found.other.tolist()) == (apart.one.tolist(), apart.other.tolist())
    assert linking.probabilities(found).tolist() == linking.probabilities(apart).tolist()


@given(ROWS)
def test_a_walk_finds_what_lies_within_its_steps(rows: list[tuple[int, int]]) -> None:
    found = linking.links(index_of(rows))
    graph = Graph(found, linking.probabilities(found), 15)
    pairs = list(zip(found.one.tolist(), found.other.tolist(), strict=True))
    reached = {0}
    expected: set[int] = set()
    for _ in range(3):
        near = {number for number, pair in enumerate(pairs) if set(pair) & reached}
        expected |= near
        reached |= {end for number in near for end in pairs[number]}
    assert set(graph.around(0).tolist()) == expected


def test_a_hundred_thousand_reports_that_share_one_digest_are_linked_by_nothing() -> None:
    reports = np.arange(100_000, dtype=np.uint32)
    index = linking.index_of(np.full(100_000, 7, np.uint64), reports, np.full(100_000, 2, np.uint8))
    assert len(linking.links(index)) == 0
    finding = linking.explained(index, (1, 2), {7: "d41d8cd9"}, [str(each) for each in reports.tolist()], NOW)
    assert finding.is_unknown
    same = next(each for each in finding.hypotheses if each.answer == SAME)
    assert (same.probability, [(each.what, each.value, each.weight) for each in same.evidence]) == (
        0,
        [("hub", "d41d8cd9", 0)],
    )


def test_a_link_is_explained_by_the_very_values() -> None:
    rows = [(4, 0), (4, 1), (5, 0), (5, 1), (5, 2), (8, 1), (9, 0), *((11, report) for report in range(12))]
    index = index_of(rows)
    words = {4: "a.example", 5: "192.0.2.1", 11: "common.exe"}
    finding = linking.explained(index, (0, 1), words, [f"report--{each}" for each in range(12)], NOW)
    same = next(each for each in finding.hypotheses if each.answer == SAME)
    assert {(each.what, each.value) for each in same.evidence} == {
        ("shared-domain", "a.example"), ("shared-address", "192.0.2.1"), ("hub", "common.exe"), ("kinds-agree", "2"),
    }  # fmt: skip
    found = linking.links(index)
    [place] = [each for each in range(len(found)) if (found.one[each], found.other[each]) == (0, 1)]
    assert same.probability == pytest.approx(linking.probabilities(found)[place])
    # What each value weighs adds up to what lies between no link and this one.
    assert sum(each.weight for each in same.evidence) == pytest.approx(same.score)
    assert {each.sources for each in same.evidence} == {("report--0", "report--1")}
    assert finding.hypotheses[0].answer in (SAME, UNKNOWN)
    assert (
        linking.explained(index, (0, 1), words, [f"report--{each}" for each in range(12)], NOW).digest == finding.digest
    )


def test_two_campaigns_are_two_communities_though_one_value_is_in_both() -> None:
    first = [(key, report) for key in range(1, 400, 4) for report in (0, 1, 2)]
    second = [(key, report) for key in range(1001, 1400, 4) for report in (3, 4, 5)]
    found = linking.links(index_of([*first, *second, (2000, 2), (2000, 3)]))
    assert linking.communities(found, linking.probabilities(found), linking.LEAST) == [[0, 1, 2], [3, 4, 5]]
    again = linking.communities(found, linking.probabilities(found), linking.LEAST)
    assert again == [[0, 1, 2], [3, 4, 5]]


def test_the_index_is_bounded_by_the_data() -> None:
    rows = [(key, report) for key in range(100) for report in range(100)]
    assert index_of(rows).size_bytes == 13 * len(rows)
    assert len(linking.links(index_of(rows))) == 0
