"""The laboratory on small data of the shape of the research data: it measures, compares, and says no."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tocsin.cli.lab import lab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight campaigns, each told of by three publishers with addresses and files of its own; one name is in all."""
    own = tmp_path / "cross_publisher"
    own.mkdir()
    reports, names = [], []
    for number in range(24):
        campaign, publisher = divmod(number, 3)
        shared = [f"ip:{campaign:012x}01", f"h:{campaign:012x}02", f"h:{campaign:012x}03"]
        case = f"r{number:04}"
        reports.append(
            {
                "case": case,
                "publisher": "abc"[publisher],
                "indicators": [*shared, "d:00000000abcdef", f"d:{number:012x}ff", f"d:{number // 2:012x}fe"],
            }
        )
        if publisher < 2 or campaign % 2:
            names.append({"case": case, "entities": [f"campaign {campaign}"]})
    for name, rows in (("reports.jsonl.gz", reports), ("names_dev.jsonl.gz", names)):
        (own / name).write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return tmp_path


def test_every_figure_of_a_card_is_measured_and_compared(folder: Path) -> None:
    done = CliRunner().invoke(lab, ["evaluate", str(folder), "--only", "linking", "--json"])
    [said] = json.loads(done.output)
    figures = {each["name"]: each for each in said["figures"]}
    assert all(each["value"] is not None for each in figures.values())
    assert (figures["precision"]["value"], figures["recall"]["value"]) == (1, 1)
    assert figures["recall"]["is_goal_met"]
    assert said["cases"] == sum(each["count"] for each in said["reliability"])
    assert done.exit_code == (0 if all(each["is_above_floor"] for each in figures.values()) else 1)


def test_who_falls_below_a_floor_fails_the_run(folder: Path) -> None:
    # Names that have nothing to do with what is shared: no link is right.
    names = folder / "cross_publisher" / "names_dev.jsonl.gz"
    rows = [{"case": f"r{number:04}", "entities": [f"actor {number % 3} {number // 12}"]} for number in range(24)]
    names.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    done = CliRunner().invoke(lab, ["evaluate", str(folder), "--only", "linking"])
    assert done.exit_code == 1
    assert "below the floor" in done.output


def test_missing_data_is_named_and_fails_the_run(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["evaluate", str(tmp_path), "--only", "linking", "--json"])
    assert done.exit_code == 1
    [said] = json.loads(done.output)
    assert said["missing"].endswith("reports.jsonl.gz")


def test_answers_come_as_lines(folder: Path) -> None:
    done = CliRunner().invoke(lab, ["predict", "linking", str(folder)])
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert done.exit_code == 0
    assert {(each["one"], each["other"]) for each in rows} >= {("r0000", "r0001"), ("r0000", "r0002")}
    assert all(each["probability"] is None or 0 < each["probability"] < 1 for each in rows)
