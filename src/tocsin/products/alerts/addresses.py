"""Where each output of an alert lies, below the root of the public site. The same in the portal and when exported.

A folder ends with a slash; its page is `index.html`. Beside each file that is signed lies its detached signature.
"""

from __future__ import annotations

import re

SIGNATURE = ".sig"
SITE_LIST = "site.manifest.json"
"""In an exported site: the digests of all its files, signed."""
KEYS = "keys/"
"""Where public keys and the certificate lie."""
_NUMBER = re.compile(r"[A-Z]{4,12}-[0-9]{4}-[0-9]{4,8}")


def is_number(text: str) -> bool:
    """Whether it looks like the number of an alert."""
    return _NUMBER.fullmatch(text) is not None


def home(language: str) -> str:
    return f"{language}/"


def page(number: str, language: str) -> str:
    """The page of an alert in a language: permanent."""
    return f"{language}/{number}/"


def permanent(number: str) -> str:
    """The address that names no language: it offers all."""
    return f"{number}/"


def cap(number: str, version: int = 0) -> str:
    """The CAP message: of one version, or the newest."""
    return f"{number}/{f'v{version}' if version else 'alert'}.cap.xml"


def stix(number: str) -> str:
    return f"{number}/alert.stix.json"


def manifest(number: str, version: int) -> str:
    """The digests of all files of a version, signed."""
    return f"{number}/v{version}.manifest.json"


def linked_data(number: str, language: str) -> str:
    return f"{number}/{language}.jsonld"


def document(number: str, language: str) -> str:
    return f"{number}/{language}.pdf"


def card(number: str, language: str, kind: str) -> str:
    """The card for social networks, as `svg` or `png`."""
    return f"{number}/card-{language}.{kind}"


def plain(number: str, language: str) -> str:
    return f"{number}/{language}.txt"


def short(number: str, language: str) -> str:
    """The text of a short message."""
    return f"{number}/{language}.sms.txt"


def image(number: str, name: str) -> str:
    return f"{number}/images/{name}"


def annex(number: str, name: str) -> str:
    """A document beside the alert."""
    return f"{number}/annexes/{name}"


def kit(number: str) -> str:
    """Everything for a campaign: cards, texts, posters."""
    return f"{number}/kit.zip"


def atom(language: str = "") -> str:
    """A language's feed, or the one of all languages."""
    return f"{language}/feed.atom" if language else "feed.atom"


def rss(language: str = "") -> str:
    return f"{language}/feed.rss" if language else "feed.rss"


def archive(number: int, language: str = "") -> str:
    """An archived part of a feed (RFC 5005, 4), from 1, oldest first."""
    return f"{language}/feed-{number}.atom" if language else f"feed-{number}.atom"


# Pages of the whole site, beside those of an alert.


def old_page(number: str, language: str, version: int) -> str:
    """A version that another one replaced: it stays readable."""
    return f"{language}/{number}/v{version}/"


def listing(language: str, *parts: str) -> str:
    """A list of alerts: all, of a month (`2026-11`), or of a country, crime or kind, and of a year of these."""
    return "/".join([language, "alerts", *parts, ""])


def country(language: str, code: str, year: str = "") -> str:
    """What a country's people are to know: where to report, and the alerts that name it."""
    return f"{language}/country/{code}/{f'{year}/' if year else ''}"


def standing(language: str, name: str) -> str:
    """A page that no alert changes: victim, protect, subscribe, about, media, website, search, offline."""
    return f"{language}/{name}/"


def index(language: str, year: str) -> str:
    """What the search looks through: the alerts of a year, titles in this language."""
    return f"{language}/index-{year}.json"


def entries(year: str) -> str:
    """All alerts of a year in all languages, as data."""
    return f"data/alerts-{year}.json"


def widget(language: str, kind: str = "") -> str:
    """The latest alerts for other people's pages: a page to frame, or its data as `json`."""
    return f"widget/{language}.{kind}" if kind else f"widget/{language}/"


def asset(name: str) -> str:
    return f"assets/{name}"


def sitemap(year: str = "") -> str:
    return f"sitemap-{year}.xml" if year else "sitemap.xml"


REPORTING = "data/reporting.json"
"""Where people report, by country, as data."""
MADE_BY = "data/site.json"
"""Which software and settings the pages were made by."""
NOT_FOUND = "404.html"
ROBOTS = "robots.txt"
WIDGET_SCRIPT = "widget.js"
WORKER = "sw.js"
APPLICATION = "site.webmanifest"
