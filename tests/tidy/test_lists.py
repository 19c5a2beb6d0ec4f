"""Lists that must agree with what they list."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.tidy.tree import ROOT, SOURCE, modules

from tocsin import cli, formats
from tocsin.core.reasons import REASONS
from tocsin.reference.feeds import all_feeds

NAME = re.compile(r"^([A-Za-z0-9._-]+)")


def test_every_format_of_the_folder_is_in_the_tuple() -> None:
    in_folder = {path.stem for path in (SOURCE / "formats").glob("[!_]*.py")}
    assert {module.__name__.rsplit(".", 1)[1] for module in formats.MODULES} == in_folder


def test_no_format_leans_on_another() -> None:
    leaning = []
    for name, _, tree in modules():
        if not name.startswith("src/tocsin/formats/") or name.endswith("__init__.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                imported = [node.module] if node.module else [alias.name for alias in node.names]
                leaning += [f"{name} imports {each}" for each in imported if each and not each.startswith("_")]
    assert leaning == []


def _codes() -> tuple[set[str], set[str]]:
    """Texts of the source, and those that stand where a reason code stands."""
    texts: set[str] = set()
    codes: set[str] = set()
    for name, _, tree in modules():
        if not name.startswith("src/tocsin/") or name == "src/tocsin/core/reasons.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place = {"InputError": 0, "Rejection": 2}.get(called)
                if place is None:
                    continue
                given = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "reason")]
                codes |= {arg.value for arg in given if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return texts, codes


def test_every_reason_that_is_given_has_a_sentence() -> None:
    assert _codes()[1] - set(REASONS) == set()


def test_every_sentence_belongs_to_a_reason_that_is_given() -> None:
    assert set(REASONS) - _codes()[0] == set()


def test_every_feed_names_its_licence() -> None:
    assert [feed.slug for feed in all_feeds() if len(feed.licence.strip()) < 3] == []


def _plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _direct(path: Path) -> set[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    found = (NAME.match(line) for line in lines if line and not line.startswith(("#", "-")))
    return {_plain(match.group(1)) for match in found if match}


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_requirement_is_locked_with_digests_only(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.txt").read_text()
    locked = {_plain(match.group(1)) for match in re.finditer(r"^([A-Za-z0-9._-]+)==", lock, re.M)}
    assert _direct(ROOT / "requirements" / f"{name}.in") - locked == set()
    assert "://" not in lock


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_list_exists(name: str) -> None:
    command = cli.main.get_command(cli.click.Context(cli.main), name)
    assert command is not None
    assert command.help
