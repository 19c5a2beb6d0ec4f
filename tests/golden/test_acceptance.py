"""The small files of every real set, through the product's own reader, against docs/reference/acceptance.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli.acceptance import EXPECTED, deliveries_in, expectation
from tocsin.cli.acceptance_rules import Rule, judge, load, set_of
from tocsin.cli.acceptance_run import Measured, measure_all

FILES_OF_SET = 3
LARGEST_BYTES = 16_000


def _small(folder: Path) -> list[Path]:
    """The first few small files of each set, and every hostile one that is small."""
    sets: dict[str, list[Path]] = {}
    for path in deliveries_in(folder):
        if path.stat().st_size <= LARGEST_BYTES:
            sets.setdefault(set_of(path.relative_to(folder).as_posix()), []).append(path)
    return [path for part in sets.values() for path in part[:FILES_OF_SET]]


@pytest.mark.shared
@pytest.mark.slow
def test_small_files_of_every_set_end_as_expected(shared_data: Path) -> None:
    paths = _small(shared_data)
    everything = [path.relative_to(shared_data).as_posix() for path in deliveries_in(shared_data)]
    measured = measure_all(shared_data, paths, "2026-11-22T00:00:00+00:00")
    assert len(measured) == len(paths) > 150
    verdict = judge(measured, load(EXPECTED), everything)
    assert verdict.failures == []
    assert verdict.uncovered == []


def test_a_file_that_ends_otherwise_is_a_failure() -> None:
    rules = (Rule("a/*", formats=("csv",), sums=("rows + repeats == 3",)), Rule("b/*", never=("not-json",)))
    good = Measured("a/1", format="csv", state="parsed", rows=2, repeats=1)
    assert judge([good], rules, ["a/1"]).good
    assert judge([Measured("a/1", format="prose", state="parsed", rows=3)], rules, ["a/1"]).failures == [
        "a/1: read as prose instead of csv"
    ]
    assert judge([good], rules, ["a/1", "a/2"]).good, "a sum over files that were not all read says nothing"
    assert judge([Measured("a/1", format="csv", state="parsed")], rules, ["a/1"]).failures == [
        "a/*: rows + repeats is 0, not == 3"
    ]
    assert judge([Measured("b/1", state="parsed", reasons={"not-json": 1})], rules, ["b/1"]).failures
    assert judge([Measured("b/1", state="lost", fault="timeout")], rules, ["b/1"]).failures == ["b/1: timeout"]
    assert judge([Measured("c/1", state="parsed")], rules, ["c/1"]).uncovered == ["c/1"]


def test_refusals_are_counted_by_reason() -> None:
    rules = (Rule("a/*", refused={"not-public": 2}),)
    exact = Measured("a/1", state="parsed", rejected=2, reasons={"not-public": 2})
    assert judge([exact], rules, ["a/1"]).good
    other = Measured("a/1", state="parsed", rejected=3, reasons={"not-public": 2, "not-a-url": 1})
    assert judge([other], rules, ["a/1"]).failures == ["a/*: 1 refused as not-a-url, not 0"]


def test_every_rule_can_be_read_and_is_shown() -> None:
    rules = load(EXPECTED)
    assert len(rules) > 80
    assert all(expectation(rule).count(" | ") == 4 for rule in rules)
    assert all(rule.why or rule.manifest for rule in rules), "every rule gives its reason"
