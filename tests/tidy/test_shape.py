"""Size and names of modules and functions."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.tidy.tree import modules, texts

FUNCTION_LINES = 60
MODULE_LINES = 500
EXCEPTIONS = Path(__file__).with_name("exceptions.txt")
FORBIDDEN_NAMES = {"utils", "util", "common", "misc", "manager", "managers", "base", "helpers", "data2", "stuff"}


def _sizes() -> dict[str, int]:
    """Name → lines, for every module and function that is too long."""
    found: dict[str, int] = {}
    for name, text, tree in modules():
        lines = text.count("\n")
        if lines > MODULE_LINES:
            found[name] = lines
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    found[f"{name}::{node.name}"] = length
    return found


def _allowed() -> dict[str, int]:
    rows = (line.split() for line in EXCEPTIONS.read_text().splitlines() if line and not line.startswith("#"))
    return {name: int(lines) for name, lines in rows}


def test_nothing_is_longer_than_allowed() -> None:
    allowed = _allowed()
    assert {name: lines for name, lines in _sizes().items() if lines > allowed.get(name, 0)} == {}


def test_the_list_of_exceptions_only_shrinks() -> None:
    sizes = _sizes()
    assert {name: lines for name, lines in _allowed().items() if sizes.get(name) != lines} == {}, (
        "bring tests/tidy/exceptions.txt down to what is still needed"
    )


def test_modules_have_names_that_say_something() -> None:
    named = {name for name, _, _ in modules() if Path(name).stem in FORBIDDEN_NAMES}
    folders = {name for name, _ in texts() if FORBIDDEN_NAMES & set(Path(name).parent.parts)}
    assert named | folders == set()


def test_every_module_says_what_is_in_it() -> None:
    silent = [name for name, text, tree in modules() if text.strip() and not ast.get_docstring(tree)]
    assert silent == []
