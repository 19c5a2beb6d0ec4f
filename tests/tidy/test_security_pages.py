"""Pages on security: every test and file that they lean on exists, and no requirement of the standard is left out."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest
from tests.tidy.tree import ROOT

PAGES = sorted((ROOT / "docs" / "security").glob("*.md"))
STANDARD = ROOT / "docs" / "security" / "asvs.md"
REQUIREMENTS = 253
"""Of levels 1 and 2 in the release 5.0.0."""
NAMED = re.compile(r"`([\w/.-]+\.py)::(\w+)`")
FILE = re.compile(r"`((?:src|tests|docs|deploy|requirements|script)/[\w/.-]+|[A-Z]+\.md|pyproject\.toml)`")
ROW = re.compile(r"^\| ([\d., ]+) \| (.+?) \|(?: (met|partly|open) \| (.*) \|)?$", re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_exists(page: object) -> None:
    text = page.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    missing = [f"{path}::{name}" for path, name in NAMED.findall(text) if name not in functions_of(path)]
    missing += [path for path in FILE.findall(text) if not (ROOT / path).exists()]
    assert missing == []
    assert NAMED.findall(text)


def test_no_requirement_is_left_out() -> None:
    text = STANDARD.read_text(encoding="utf-8")
    rows = ROW.findall(text)
    numbers = Counter(number for row in rows for number in row[0].split(", "))
    assert set(numbers.values()) == {1}
    assert len(numbers) == REQUIREMENTS
    states = Counter(row[2] for row in rows if row[2])
    told = re.search(r"Of (\d+) requirements (\d+) are met, (\d+) are met in part, (\d+) are open and\s+(\d+) do", text)
    assert told
    counted = [len(numbers), states["met"], states["partly"], states["open"], len(numbers) - sum(states.values())]
    assert [int(number) for number in told.groups()] == counted


def test_what_is_met_says_by_what() -> None:
    rows = ROW.findall(STANDARD.read_text(encoding="utf-8"))
    decided = ("The decisions above", "mypy")
    bare = [number for number, _, state, by in rows
            if state == "met" and not (NAMED.search(by) or FILE.search(by) or by.startswith(decided))]  # fmt: skip
    assert bare == []


def functions_of(path: str) -> set[str]:
    """Names of the tests in a file below `tests/`."""
    file = ROOT / "tests" / path
    if not file.is_file():
        return set()
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in found if isinstance(node, ast.FunctionDef)}
