"""What leaves in packages keeps the grade as given; the number beside it says what it loses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pymisp import MISPEvent

from tocsin.core.grading import EXTENSION, Grade, Scheme, grade_in_stix, grade_in_tags, grade_of, stix_confidence
from tocsin.products.misp_event import write_misp
from tocsin.products.stix_bundle import write_stix
from tocsin.products.values import Figures, Values

from .test_products import ORDER, share

GRADES = ("admiralty:B2", "4x4:X4", "3x5x2:1AP", "admiralty:F6", "4x4:A1", "admiralty:G-")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return pl.read_parquet(share(tmp_path_factory.mktemp("graded") / "share.parquet"))


@pytest.fixture(scope="module")
def grades(rows: pl.DataFrame) -> dict[int, str]:
    return {batch: GRADES[place % len(GRADES)] for place, batch in enumerate(rows["batch"].unique().sort())}


@pytest.fixture(scope="module")
def values(rows: pl.DataFrame, grades: dict[int, str]) -> Values:
    figures = Figures("FR", 300, None, grades)
    for part in rows.iter_slices(300):  # Values lie across the borders of frames.
        figures.add(part)
    return figures.values()


def test_every_value_has_the_grades_of_all_its_batches(
    rows: pl.DataFrame, grades: dict[int, str], values: Values
) -> None:
    said = {
        (kind, value, role): sorted({grades[batch] for batch in batches})
        for kind, value, role, batches in rows.group_by("kind", "value", "role").agg("batch").iter_rows()
    }
    assert {(each["kind"], each["value"], each["role"]): each["grades"] for each in values.shown} == {
        key: said[key] for key in ((each["kind"], each["value"], each["role"]) for each in values.shown)
    }
    assert any(len(each["grades"]) == 1 for each in values.shown)


def test_stix_carries_them_and_says_what_the_number_loses(tmp_path: Path, values: Values) -> None:
    write_stix(tmp_path / "stix.json", values, ORDER)
    text = (tmp_path / "stix.json").read_text()
    from stix2validator import ValidationOptions, validate_string  # Its grammars take seconds to be made.

    assert validate_string(text, ValidationOptions(version="2.1", disabled=["202", "210", "401", "402"])).is_valid
    objects = json.loads(text)["objects"]
    carried = [each for each in objects if EXTENSION in each.get("extensions", {})]
    assert carried
    assert [each["id"] for each in objects].count(EXTENSION) == 1
    by_name = {each["value"]: each for each in values.shown if each["role"] in {"ATTACKER_INFRA"}}
    for each in carried:
        held = each["extensions"][EXTENSION]
        kept = [grade_of(grade) for grade in held["grades"]]
        assert "source-dropped" in held["lost_in_confidence"]
        if each["type"] == "indicator":
            numbers = [number for grade in kept if (number := stix_confidence(grade)[0]) is not None]
            if numbers:
                assert each["confidence"] == max(numbers)
            if each["name"] in by_name and "malicious-activity" in each["indicator_types"]:
                assert held["grades"] == by_name[each["name"]]["grades"]
        if len(kept) == 1:
            assert grade_in_stix(each) == kept[0]
            assert grade_in_tags("; ".join(each["labels"])) == kept[0]


def test_misp_carries_one_grade_so_that_it_is_read_back(tmp_path: Path, values: Values) -> None:
    write_misp(tmp_path / "misp.json", values, ORDER)
    event = MISPEvent()
    event.load_file(tmp_path / "misp.json")
    seen = set()
    by_value = {(each["value"], each["role"]): each["grades"] for each in values.shown}
    for attribute in event.attributes:
        names = [tag.name for tag in attribute.tags]
        role = next(name for name in names if name.startswith("tocsin:role=")).split('"')[1]
        said = by_value[attribute.value, role]
        if len(said) == 1:
            assert grade_in_tags("; ".join(names)) == grade_of(said[0])
            seen.add(said[0])
            if grade_of(said[0]).scheme is not Scheme.ADMIRALTY:
                assert any(name.startswith("tocsin:grade-loss=") for name in names)
        else:
            assert grade_in_tags("; ".join(names)) is None
    assert len(seen) > 2


def test_without_grades_nothing_is_said(tmp_path: Path, rows: pl.DataFrame) -> None:
    figures = Figures("FR", 300)
    figures.add(rows)
    write_stix(tmp_path / "stix.json", figures.values(), replace(ORDER, grades={}))
    assert EXTENSION not in (tmp_path / "stix.json").read_text()


def test_a_number_never_stands_for_a_source_that_cannot_be_judged() -> None:
    assert stix_confidence(Grade(Scheme.FOUR, "A", ""))[0] is None
