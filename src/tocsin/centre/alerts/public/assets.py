"""Style, scripts, letters and signs of the public site; each has its digest in its name and may be kept for good."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders

from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File

FOLDER = Path(__file__).parent / "static"
_FONTS = ("noto-sans-arabic.woff2", "noto-sans-latin.woff2")
_TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assets:
    """Where each lies, and all of them as files."""

    style: str
    script: str
    search: str
    sign: str
    files: tuple[File, ...]

    def __iter__(self) -> Iterator[File]:
        return iter(self.files)


@cache
def assets() -> Assets:
    files: dict[str, File] = {}
    names: dict[str, str] = {}
    for name in _FONTS:
        found = finders.find(f"vendor/noto/{name}")
        if found is None:
            raise FileNotFoundError(name)
        files[name] = _named(name, Path(str(found)).read_bytes())
        names[name] = files[name].path.rpartition("/")[2]
    for name in ("site.css", "site.js", "search.js", "sign.svg"):
        body = (FOLDER / name).read_text(encoding="utf-8")
        for font, where in names.items():
            body = body.replace(font, where)
        files[name] = _named(name, body.encode())
    return Assets(
        files["site.css"].path, files["site.js"].path, files["search.js"].path, files["sign.svg"].path,
        tuple(files.values()),
    )  # fmt: skip


def _named(name: str, body: bytes) -> File:
    stem, dot, suffix = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    return File(addresses.asset(f"{stem}.{digest}.{suffix}"), _TYPES[dot + suffix], body)


def own(name: str) -> str:
    """A script that lies at an address of its own, without a digest."""
    return (FOLDER / name).read_text(encoding="utf-8")
