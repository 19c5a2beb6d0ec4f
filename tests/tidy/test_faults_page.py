"""The operator's page on what fails: each row names tests that exist, and quotes sentences that the product says."""

from __future__ import annotations

import re

from tests.tidy.test_security_pages import NAMED, functions_of
from tests.tidy.tree import ROOT

from tocsin.core.machine_faults import SENTENCES

PAGE = ROOT / "docs" / "guides" / "operator" / "faults.md"
ROW = re.compile(r"^\| (?!what |---)(.+) \| (.+) \| (.+) \| (.+) \|$", re.M)
TITLES = re.compile(r'<h1>\{% translate "([^"]+)" %\}')


def test_every_fault_names_a_test_that_exists() -> None:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) > 35
    assert [what for what, _, _, by in rows if not NAMED.search(by)] == []
    named = {each for *_, by in rows for each in NAMED.findall(by)}
    assert [f"{path}::{name}" for path, name in sorted(named) if name not in functions_of(path)] == []


def test_the_words_on_pages_and_of_commands_are_those_that_are_said() -> None:
    words = " ".join(told for _, _, told, _ in ROW.findall(PAGE.read_text(encoding="utf-8")))
    pages = (ROOT / "src/tocsin/site/templates/site/error.html").read_text(encoding="utf-8")
    quoted = re.findall(r'page: "([^"]+)"', words)
    assert len(quoted) >= 6
    assert set(quoted) <= set(TITLES.findall(pages))
    commands = [each.rstrip("… ") for each in re.findall(r'commands: "([^"]+)"', words)]
    assert len(commands) >= 5
    assert [each for each in commands if not any(said.startswith(each) for said in SENTENCES.values())] == []
