"""Actor hypotheses measured on small data of the shape of the research data."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from tocsin.analysers.contract import UNKNOWN
from tocsin.lab.evaluations import actors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten groups, each with four reports that share software of its own; two techniques are in all."""
    own = tmp_path / "ttp_attribution"
    own.mkdir()
    profiles, cases = [], []
    for group in range(10):
        common = [*(f"software:{group} {each}" for each in range(3)), "T1105", "T1059.001", f"T12{group:02}"]
        profiles.append({"group": f"Group {group}", "features": [*common, *(f"T13{each:02}" for each in range(4))]})
        for number in range(4):
            cases.append(
                {"case": f"d{group}{number}", "features": [*common, f"T13{number:02}"], "group": f"Group {group}",
                 "features_also_in_other_reports": common, "year": 2018 + number}
            )  # fmt: skip
    inputs = [{"case": "h0", "features": ["T1105"]}]
    for name, rows in (("profiles_dev", profiles), ("cases_dev", cases), ("cases_heldout_inputs", inputs)):
        (own / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return tmp_path


def test_groups_with_software_of_their_own_are_found_and_those_taken_out_are_not_named(folder: Path) -> None:
    found = actors.evaluate(folder)
    assert (found.figures["top_1"], found.figures["top_1_left_out"], found.figures["mrr"]) == (1, 1, 1)
    assert found.figures["risk_at_fifth"] == 0
    assert found.figures["abstains_on_unknown"] > 0.8
    assert found.figures["abstains_on_known"] < 0.2
    assert not any(math.isnan(each) for each in found.figures.values())
    assert found.cases == 80


def test_what_only_the_report_says_is_taken_out_of_the_profile(folder: Path) -> None:
    profiles, cases = actors.read(folder)
    known, unknown = actors._questions(profiles, cases)
    for each in known:
        [own] = [one for one in each.profiles.all if one.group == each.case.group]
        assert own.features == profiles[each.case.group] - {each.case.features[-1]}
        assert own.reports == 3
    assert all(each.case.group not in each.profiles.groups for each in unknown)


def test_answers_name_groups_and_unknown(folder: Path) -> None:
    [answer] = actors.predict(folder)
    assert answer["case"] == "h0"
    assert UNKNOWN in {each["answer"] for each in answer["answers"]}
