"""Documents: links lead somewhere, generated pages are current, the first lines say what they must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from script.reference_pages import pages
from tests.tidy.tree import ROOT, files, name_of, texts

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
HEADING = re.compile(r"^#+\s+(.*)$", re.M)
DOCUMENTS = [name for name, _ in texts() if name.endswith(".md")]


def _anchors(text: str) -> set[str]:
    """Anchors of the headings, as code hosts make them."""
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text))
    return set(plain)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    known = {name_of(path) for path in files()}
    broken = []
    for target in LINK.findall(CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent.joinpath(path).resolve() if path else ROOT / name
        inside = file.is_relative_to(ROOT) and file.exists()
        listed = inside and (file.is_dir() or name_of(file) in known)
        if not listed or (anchor and anchor not in _anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_document_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
            path = page.parent.joinpath(target.partition("#")[0]).resolve()
            if path.is_dir():
                waiting += sorted(path.glob("*.md"))
            elif path.is_file():
                waiting.append(path)
    assert [name for name in DOCUMENTS if name.startswith("docs/") and ROOT / name not in seen] == []


def test_the_readme_begins_with_the_two_commands() -> None:
    head = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:16])
    assert "script/demo" in head
    assert "script/test" in head


def test_the_change_log_is_kept() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog")
    assert "## [Unreleased]" in text


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_current(name: str) -> None:
    path = ROOT / "docs" / "reference" / name
    assert path.is_file(), "run script/make-docs"
    assert path.read_text(encoding="utf-8") == pages()[name], "run script/make-docs"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
