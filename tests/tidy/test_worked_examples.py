"""The table of worked examples: none that concerns the gate is left out, and every test that it names exists."""

from __future__ import annotations

import re

from tests.tidy.test_security_pages import NAMED, functions_of
from tests.tidy.tree import ROOT

PAGE = ROOT / "docs" / "worked-examples.md"
ROW = re.compile(r"^\| (W\d\d)[abc]? \| (.+?) \| (.+) \|$", re.M)
WANTED = {*range(1, 9), 10, 11, *range(15, 20), 22, 25, 26, 27, 29, *range(31, 35), 36, *range(37, 41)}


def test_every_clause_names_a_test_that_exists() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert {int(example[1:]) for example, _, _ in rows} == WANTED
    assert [clause for _, clause, by in rows if not NAMED.search(by)] == []
    named = {each for _, _, by in rows for each in NAMED.findall(by)}
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in functions_of(path)] == []
