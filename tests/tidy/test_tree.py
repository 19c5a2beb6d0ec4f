"""What must not stand anywhere in the tree."""

from __future__ import annotations

import ast
import re

import pytest
from tests.tidy.tree import modules, texts

HERE = "tests/tidy/test_tree.py"
PLACES = {
    "a path of one machine": re.compile(r"(?<![\w.{}/$)-])/(?:work|root|home/\w+|Users/\w+|opt/wheels)/"),
    "the address of a package index": re.compile(
        r"pypi\.org/simple|files\.pythonhosted\.org|registry\.npmjs\.org|--(?:extra-)?index-url|--find-links", re.I
    ),
    "a credential": re.compile(r"_authToken|AKIA[0-9A-Z]{16}|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----"),
}
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


@pytest.mark.parametrize("what", PLACES)
def test_nothing_of_one_machine_or_index_is_in_the_tree(what: str) -> None:
    found = [
        f"{name}:{number}"
        for name, text in texts()
        if name != HERE
        for number, line in enumerate(text.splitlines(), start=1)
        if PLACES[what].search(line)
    ]
    assert found == []


def test_nothing_is_left_for_later_in_the_source() -> None:
    assert [name for name, text, _ in modules() if name.startswith("src/") and UNFINISHED.search(text)] == []


def test_no_test_is_skipped_without_a_reason() -> None:
    silent = []
    for name, _, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "xfail"}:
                calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and call.func is node]
                said = [call for call in calls if call.keywords or call.args]
                if not said and ast.unparse(node).startswith("pytest."):
                    silent.append(f"{name}:{node.lineno}")
    assert silent == []
