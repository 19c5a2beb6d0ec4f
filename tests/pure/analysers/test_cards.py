"""Cards: complete, in agreement with the code, and changed by a measurement alone."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import pytest

from tocsin.analysers import ANALYSERS, cards, parameters
from tocsin.analysers.cards import Figure
from tocsin.core.errors import InputError
from tocsin.lab import laboratory

TEXT = """name = "example"
version = "2"
title = "Example"
question = "Which?"
decides = "Nobody."
method = "None."
data = "None."
licence = "CC0-1.0"
split = "By time."
fails = ["Always."]
measured_on = "2026-01-01"

[[figures]]
name = "brier"
says = "Brier score"
better = "lower"
floor = 0.1
goal = 0.04
measured = 0.0500

[[figures]]
name = "auc"
says = "Area"
better = "higher"
floor = 0.5
"""


def test_a_measurement_changes_figures_and_nothing_else() -> None:
    made = cards.with_measured(TEXT, {"brier": 0.03124, "auc": 0.75, "other": 1.0}, "2026-02-03")
    assert made == TEXT.replace("2026-01-01", "2026-02-03").replace("0.0500", "0.0312") + "measured = 0.7500\n"
    assert cards.with_measured(made, {"brier": 0.03124, "auc": 0.75}, "2026-02-03") == made
    found = cards.read(made).figure("auc")
    assert found is not None
    assert found.measured == 0.75


def test_floors_and_goals_go_the_way_that_is_better() -> None:
    brier, area = cards.read(TEXT).figures
    assert brier.holds(0.1, brier.floor)
    assert not brier.holds(0.11, brier.floor)
    assert area.holds(0.5, area.floor)
    assert not area.holds(0.49, area.floor)
    assert area.holds(0.1, area.goal)
    assert not brier.holds(math.nan, brier.floor)
    assert not Figure("x", "x", "higher", 0.0).holds(math.nan, 0.0)


def test_a_figure_that_was_not_measured_is_below_its_floor() -> None:
    found = list(laboratory.compared(cards.read(TEXT), {"auc": 0.9}))
    assert [each.is_above_floor for each in found] == [False, True]


@pytest.mark.parametrize("name", [*ANALYSERS])
def test_every_analyser_has_a_card_and_a_way_to_be_measured(name: str) -> None:
    card = cards.card(name)
    assert card.name == name
    assert card.fails
    assert any(each.floor is not None for each in card.figures)
    assert callable(laboratory.evaluation(name).evaluate)
    path = Path(importlib.import_module("tocsin.analysers").__file__ or "").parent / f"{name}.py"
    if path.exists():
        assert card.version == importlib.import_module(f"tocsin.analysers.{name}").VERSION
    # The measured figures hold what the card promises: who kept a worse one must have lowered the floor and said why.
    for each in card.figures:
        assert each.measured is None or each.holds(each.measured, each.floor), each.name


def test_the_list_is_the_folder() -> None:
    assert sorted(ANALYSERS) == sorted(path.stem for path in cards.FOLDER.glob("*.toml"))


def test_parameters_belong_to_one_version(tmp_path: Path) -> None:
    path = tmp_path / "example.json"
    parameters.write(path, "example", "2", "nothing", {"a": [1.5]})
    read = parameters.read(path, "example", "2")
    assert (read.values, len(read.digest)) == ({"a": [1.5]}, 16)
    for analyser, version in (("example", "1"), ("other", "2")):
        with pytest.raises(InputError, match="other-parameters"):
            parameters.read(path, analyser, version)
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"analyser": "example", "version": "2", "fitted_on": "", "values": 3}',
        b"\x80\x04.",
    ):
        path.write_bytes(body)
        with pytest.raises(InputError, match="not-parameters"):
            parameters.read(path, "example", "2")


def test_who_is_no_analyser() -> None:
    with pytest.raises(InputError, match="not-an-analyser"):
        laboratory.evaluation("astrology")
