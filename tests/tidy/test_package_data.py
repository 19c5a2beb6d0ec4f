"""An installed package has every file that the checkout has."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tocsin"


def test_every_file_goes_into_the_package() -> None:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = said["tool"]["setuptools"]["package-data"]["*"]
    left_out = [
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and not any(fnmatch(path.name, p) for p in patterns)
    ]
    assert left_out == []


def test_the_catalogue_of_feeds_is_in_the_package() -> None:
    inside = sorted(path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "feeds").glob("*/*.toml"))
    assert inside == sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "feeds").glob("*/*.toml"))
    assert len(inside) >= 30
