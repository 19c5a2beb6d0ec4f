"""What programs read of the site: where its pages are, how a device keeps it, the script of other people's pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import msgspec

from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File
from tocsin.products.alerts.words import FOLDER as WORDS
from tocsin.reference.reporting import as_data

from .assets import own
from .entries import Entry, whole_seconds
from .frame import STANDING, Frame, texts
from .lists import Facet

FOLDER = Path(__file__).parent
XML = "application/xml"
SCRIPT = "text/javascript; charset=utf-8"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    'xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
)


def sitemap_of(frame: Frame, year: str, entries: Sequence[Entry]) -> File:
    """The pages of a year's alerts; cancelled ones are nowhere to be found."""
    parts = [_HEAD]
    for each in entries:
        if each.is_cancelled:
            continue
        where = {language: addresses.page(each.number, language) for language in each.titles}
        parts.extend(_located(frame, where, addresses.permanent(each.number), each.sent))
    return File(addresses.sitemap(year), XML, "".join([*parts, "</urlset>\n"]).encode())


def sitemap_of_pages(frame: Frame, facets: Sequence[Facet]) -> File:
    """All other pages that people look for."""
    parts = [_HEAD]
    pages = [
        {each: addresses.home(each) for each in frame.languages},
        {each: addresses.listing(each) for each in frame.languages},
        *({each: addresses.standing(each, name) for each in frame.languages} for name in STANDING),
        *({each: facet.path(each) for each in frame.languages} for facet in facets),
    ]
    for where in pages:
        parts.extend(_located(frame, where, "", None))
    return File(addresses.sitemap("pages"), XML, "".join([*parts, "</urlset>\n"]).encode())


def sitemap_of_all(frame: Frame, years: Sequence[str]) -> File:
    places = [frame.absolute(addresses.sitemap(each)) for each in ("pages", *years)]
    made = "".join(f"<sitemap><loc>{escape(each)}</loc></sitemap>\n" for each in places)
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    )
    return File(addresses.sitemap(), XML, f"{head}{made}</sitemapindex>\n".encode())


def _located(frame: Frame, where: dict[str, str], fallback: str, at: datetime | None) -> Iterator[str]:
    """Each language's page of the same, with all others (Google's extension of the protocol)."""
    links = list(where.items()) + ([("x-default", fallback)] if fallback else [])
    others = "".join(
        f'<xhtml:link rel="alternate" hreflang={quoteattr(each)} href={quoteattr(frame.absolute(path))}/>'
        for each, path in links
    )
    changed = f"<lastmod>{whole_seconds(at)}</lastmod>" if at else ""
    for path in where.values():
        yield f"<url><loc>{escape(frame.absolute(path))}</loc>{changed}{others}</url>\n"


def mark_of(frame: Frame) -> File:
    """By what the pages were made: software, and settings that they show. With another mark they are made anew."""
    around = (repr((frame.issuer, frame.languages, frame.follow, frame.keys)), reporting_of(frame).body.decode())
    settings = hashlib.sha256("\n".join(around).encode()).hexdigest()
    said = {"pages": _software(), "settings": settings, "languages": frame.languages}
    return File(addresses.MADE_BY, "application/json", msgspec.json.encode(said))


@cache
def _software() -> str:
    """A digest of all that pages are made of beside the alerts: templates, words, style and the code."""
    digest = hashlib.sha256()
    for folder, pattern in ((FOLDER, "**/*"), (WORDS, "*.toml"), (WORDS, "*.py")):
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def reporting_of(frame: Frame) -> File:
    """Where people report and whom they call, for whoever helps victims with a page or a program of their own."""
    return File(addresses.REPORTING, "application/json", msgspec.json.encode(as_data(frame.reporting)))


def fixed_files(frame: Frame) -> Iterator[File]:
    """What changes with the software or the settings alone."""
    yield mark_of(frame)
    yield reporting_of(frame)
    yield from frame.assets
    yield File(
        addresses.ROBOTS, "text/plain; charset=utf-8",
        f"User-agent: *\nAllow: /\nSitemap: {frame.absolute(addresses.sitemap())}\n".encode(),
    )  # fmt: skip
    yield File(addresses.WIDGET_SCRIPT, SCRIPT, own("widget.js").replace("@ROOT@", frame.absolute("")).encode())
    kept = [frame.assets.style, frame.assets.script]
    worker = own("sw.js").replace("@KEPT@", msgspec.json.encode(kept).decode())
    worker = worker.replace("@LANGUAGES@", msgspec.json.encode(list(frame.languages)).decode())
    yield File(addresses.WORKER, SCRIPT, worker.replace("@MARK@", frame.assets.style).encode())
    application = {
        "name": f"{texts('en')['name']} · {frame.issuer.name('en')}", "short_name": texts("en")["name"],
        "start_url": "./", "scope": "./", "display": "minimal-ui", "background_color": "#fbfaf7",
        "theme_color": "#14324a",
        "icons": [{"src": frame.assets.sign, "sizes": "any", "type": "image/svg+xml"}],
    }  # fmt: skip
    yield File(addresses.APPLICATION, "application/manifest+json", msgspec.json.encode(application))
