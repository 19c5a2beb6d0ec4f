"""What every page of the public site has around it: languages, addresses, words, and the template that draws it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from django.template import Context, Engine
from django.template.base import Template
from django.utils.safestring import mark_safe

from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File
from tocsin.products.alerts.record import LANGUAGES, Issuer
from tocsin.products.alerts.words import Words, catalogue, words
from tocsin.reference.reporting import Reporting

from .assets import Assets, assets

HERE = Path(__file__).parent
HTML = "text/html; charset=utf-8"
_PREFIX = "site."
_ABSENT = secrets.token_hex(16)
"""Stands where a template asks for what is not there; nobody's text can hold it."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'"
)
"""What a page may load: what lies beside it. In the page as well as in the answer, as any server may hand it out."""
STANDING = ("victim", "protect", "search", "subscribe", "about", "media", "website")


@dataclass(frozen=True, slots=True)
class Follow:
    """Where people ask to be told; empty: this installation does not offer it."""

    mail: str = ""
    push: str = ""
    webhook: str = ""
    hit: str = ""
    """Where somebody says that he was hit by an alert's crime; the alert's number is added as `?alert=`."""


@dataclass(frozen=True)
class Frame:
    """All that pages are made of beside the alerts."""

    issuer: Issuer
    languages: tuple[str, ...] = LANGUAGES
    """In which the site as a whole is there."""
    reporting: Reporting = field(default_factory=Reporting)
    follow: Follow = Follow()
    keys: tuple[str, ...] = ("public-key.pem", "certificate.pem", "keys.json")
    """Names of the files under `keys/` by which alerts are checked."""

    @property
    def assets(self) -> Assets:
        return assets()

    @property
    def base(self) -> str:
        """The path of the site's root on its host, with a slash at both ends."""
        return f"{urlsplit(self.issuer.origin).path.rstrip('/')}/"

    def absolute(self, path: str) -> str:
        return f"{self.issuer.origin}/{path}"

    def page(self, path: str, template: str, language: str, **facts: Any) -> File:
        """A page of the site; `facts` fill its template.

        `title`, `description` and `alternates` (language → path) are for the head; so are `canonical`, `image` and
        `linked_data`, where there are such.
        """
        alternates: Mapping[str, str] = facts.pop("alternates", None) or {}
        fallback: str = facts.pop("fallback", "")
        say = words(language)
        context = {
            "w": texts(language),
            "language": language,
            "direction": say.direction,
            "up": up_from(path),
            "home": f"{up_from(path)}{language}/",
            "here": path,
            "issuer": self.issuer.name(language),
            "assets": self.assets,
            "policy": POLICY,
            "canonical": self.absolute(facts.pop("canonical", path)),
            "languages": [
                {"code": each, "name": native_name(each), "path": alternates.get(each, f"{each}/"),
                 "is_here": each == language}
                for each in (alternates or dict.fromkeys(self.languages))
            ],
            "alternates": [(each, self.absolute(where)) for each, where in alternates.items()],
            "fallback": self.absolute(fallback) if fallback or alternates else "",
            "atom": addresses.atom(language),
            **facts,
        }  # fmt: skip
        return File(path, HTML, render(template, context), language)


@cache
def engine() -> Engine:
    """Templates of the site alone, without anything that knows of a request."""
    return Engine(
        dirs=[str(HERE / "templates")],
        loaders=[("django.template.loaders.cached.Loader", [("django.template.loaders.filesystem.Loader", [
            str(HERE / "templates")])])],
        string_if_invalid=f"{_ABSENT}%s{_ABSENT}",
    )  # fmt: skip


@cache
def _template(name: str) -> Template:
    return engine().get_template(name)


def render(name: str, facts: Mapping[str, Any]) -> bytes:
    """A template's text. Raises LookupError for a fact that it asks for and that is not there."""
    made = str(_template(name).render(Context(dict(facts), use_l10n=False, use_tz=False)))
    if _ABSENT in made:
        raise LookupError(f"{name} asks for {made.split(_ABSENT)[1]}")
    lines = (line.strip() for line in made.splitlines())
    return "\n".join(line for line in lines if line).encode()


@cache
def texts(language: str) -> Mapping[str, str]:
    """All words without placeholders to fill, by name; those of the site without their prefix."""
    found = {name: entry.get(language) or entry["en"] for name, entry in catalogue().items()}
    return found | {name.removeprefix(_PREFIX): text for name, text in found.items() if name.startswith(_PREFIX)}


def said(language: str, name: str, **values: object) -> str:
    """A word of the site with its placeholders filled."""
    return words(language)(_PREFIX + name, **values)


@cache
def up_from(path: str) -> str:
    """From a page back to the site's root: pages find one another wherever the site lies."""
    return "../" * path.count("/") or "./"


@cache
def native_name(language: str) -> str:
    """What a language calls itself."""
    try:
        name = Locale.parse(language, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        name = None
    return str(name)[:1].upper() + str(name)[1:] if name else language


def paragraphs(text: str) -> list[str]:
    """A blank line parts them."""
    parts = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n")]
    return [part for part in parts if part]


def same_in(languages: Sequence[str], path_in: Any) -> dict[str, str]:
    """Language → where the same page lies in it."""
    return {each: path_in(each) for each in languages}


def script_data(document: bytes | str) -> str:
    """A document for a `script` element that is data: nothing in it ends the element."""
    text = document.decode() if isinstance(document, bytes) else document
    return mark_safe(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S308


def say_of(language: str) -> Words:
    return words(language)
