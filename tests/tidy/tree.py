"""The files that are under version control, for the rules that hold for all of them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tocsin"
NOT_OURS = ("src/tocsin/site/static/vendor/", "LICENSE")


@cache
def files() -> tuple[Path, ...]:
    """Every file that git knows or would add, so that a new file is held to the rules before it is committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    paths = (ROOT / name.decode() for name in listed.split(b"\0") if name)
    return tuple(sorted({path for path in paths if path.is_file() and not path.is_symlink()}))


def name_of(path: Path) -> str:
    """The path as it is written in messages and lists."""
    return path.relative_to(ROOT).as_posix()


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Name and content of each text file of ours."""
    found = []
    for path in files():
        name = name_of(path)
        if name.startswith(NOT_OURS) or name.startswith("tests/golden/"):
            continue
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        found.append((name, content.decode("utf-8", errors="replace")))
    return tuple(found)


@cache
def modules() -> tuple[tuple[str, str, ast.Module], ...]:
    """Name, text and syntax tree of each Python file, migrations (written by a program) left out."""
    return tuple(
        (name, text, ast.parse(text)) for name, text in texts() if name.endswith(".py") and "/migrations/" not in name
    )
