"""The table of the clauses of TAXII names every test of the clauses, and no other."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TESTS = [REPOSITORY / f"tests/doors/test_taxii_{name}.py" for name in ("clauses", "resources")]
MADE = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
PAGE = REPOSITORY / "docs/reference/taxii-clauses.md"


def test_each_clause_names_its_tests() -> None:
    made = [name for file in TESTS for name in MADE.findall(file.read_text(encoding="utf-8"))]
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|") and "`test_" in line]
    named = [name for row in rows for name in re.findall(r"`(test_\w+)`", row)]
    assert sorted(named) == sorted(made)
    for row in rows:
        clauses = row.split("|")[1].strip().lower().split(", ")
        for name in re.findall(r"`test_(\w+)`", row):
            own = re.match(r"(?:\d+_)+|b_", name)
            assert own, name
            clause = own[0].rstrip("_").replace("_", ".")
            assert any(each == clause or each.startswith(f"{clause}.") for each in clauses), row
