"""Pages that no alert changes: help for victims, protection, search, following, checking, media, other sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from tocsin.products.alerts import addresses
from tocsin.products.alerts.file import File
from tocsin.products.alerts.words import words

from .frame import Frame, native_name, said, same_in, texts
from .lists import CRIMES, KINDS, Facet, countries_by_name

VICTIM_STEPS = PROTECT_STEPS = 7


def standing_pages(frame: Frame, language: str, years: Sequence[str]) -> Iterator[File]:
    """All of them in one language; `years` are those of which the search has an index, newest first."""
    word = texts(language)
    issuer = frame.issuer.name(language)
    countries = countries_by_name(language)
    crimes = _choices(language, "crime")
    kinds = _choices(language, "kind")
    pages: dict[str, tuple[str, dict[str, Any]]] = {
        "victim": (word["victim"], {
            "lead": word["victim_lead"], "steps": [word[f"victim_{each}"] for each in range(1, VICTIM_STEPS + 1)],
            "countries": countries,
        }),
        "protect": (word["protect"], {
            "lead": word["protect_lead"], "steps": [word[f"protect_{each}"] for each in range(1, PROTECT_STEPS + 1)],
            "advice_path": Facet("kind", "prevention").path(language),
            "victim_path": addresses.standing(language, "victim"),
        }),
        "search": (word["search"], {
            "countries": countries, "crimes": crimes, "kinds": kinds, "years": " ".join(years),
            "all_path": addresses.listing(language), "world_path": Facet("world", "").path(language),
        }),
        "subscribe": (word["subscribe"], {
            "lead": word["subscribe_lead"], "follow": frame.follow,
            "feeds": [*((each, native_name(each), addresses.atom(each), addresses.rss(each))
                        for each in frame.languages),
                      ("", word["every_language"], addresses.atom(), addresses.rss())],
        }),
        "about": (word["about"], {
            "lead": word["about_lead"], "steps": [
                said(language, "verify_1", origin=frame.issuer.origin), word["verify_2"], word["verify_3"]],
            "keys": [(each, addresses.KEYS + each) for each in frame.keys],
            "colours": [(each.value, words(language)(f"type.{each.value}"), word[f"colour_{each.value}"])
                        for each in KINDS],
        }),
        "media": (word["media"], {
            "lead": said(language, "media_lead", issuer=issuer), "steps": [word[f"media_{each}"] for each in (1, 2, 3)],
            "contact": frame.issuer.media_contact, "contact_kind": _contact(frame.issuer.media_contact),
            "website_path": addresses.standing(language, "website"),
        }),
        "website": (word["widget"], {
            "lead": word["widget_lead"], "preview_path": addresses.widget(language),
            "data_path": addresses.widget(language, "json"), "snippets": _snippets(frame, language),
            "policies": _policies(frame),
        }),
    }  # fmt: skip
    for name, (title, facts) in pages.items():
        yield frame.page(
            addresses.standing(language, name), f"{name}.html", language,
            title=f"{title} · {word['name']}", heading=title, is_listed=True, linked_data="", image="",
            description=str(facts.get("lead", "")) or title,
            alternates=same_in(frame.languages, lambda each, name=name: addresses.standing(each, name)), **facts,
        )  # fmt: skip
    yield frame.page(
        addresses.standing(language, "offline"), "offline.html", language, title=word["offline"], is_listed=False,
        description=word["offline_none"], linked_data="", image="",
        victim_path=addresses.standing(language, "victim"),
    )  # fmt: skip


def whole_site_pages(frame: Frame) -> Iterator[File]:
    """The root, which offers all languages, and what is shown where nothing lies."""
    choices = [
        {"code": each, "name": native_name(each), "path": addresses.home(each), "w": texts(each),
         "direction": words(each).direction}
        for each in frame.languages
    ]  # fmt: skip
    yield frame.page(
        "", "root.html", "en", title=texts("en")["name"], is_listed=True, linked_data="", image="", choices=choices,
        description=said("en", "lead", issuer=frame.issuer.name("en")),
        alternates=same_in(frame.languages, addresses.home), fallback="",
    )  # fmt: skip
    # It is answered at any depth, and so says where the site lies.
    yield frame.page(
        addresses.NOT_FOUND, "not_found.html", "en", title=texts("en")["not_found"], is_listed=False, linked_data="",
        image="", description=texts("en")["not_found_note"], choices=choices, up=frame.base, home=f"{frame.base}en/",
    )  # fmt: skip


def _choices(language: str, name: str) -> list[tuple[str, str, str]]:
    values = [each.value for each in CRIMES] if name == "crime" else [each.value.lower() for each in KINDS]
    made = [(value, Facet(name, value)) for value in values]
    return [(facet.title(language), facet.path(language), value) for value, facet in made]


def _contact(text: str) -> str:
    """Whether it is an address to write to, a number or a page."""
    if "@" in text and " " not in text:
        return "mailto:"
    return "tel:" if text.replace(" ", "").lstrip("+").isdigit() else ""


def _snippets(frame: Frame, language: str) -> list[str]:
    """What somebody copies into his page: a script, or a frame where scripts of others are not taken in. Without either
    there is a link."""
    home, latest = frame.absolute(addresses.home(language)), texts(language)["latest"]
    script = (
        f'<div data-alerts="{language}" data-count="5"><a href="{home}">{latest}</a></div>\n'
        f'<script src="{frame.absolute(addresses.WIDGET_SCRIPT)}" async></script>'
    )
    framed = (
        f'<iframe src="{frame.absolute(addresses.widget(language))}" title="{latest}"\n'
        '  width="360" height="440" loading="lazy" referrerpolicy="no-referrer"></iframe>'
    )
    return [script, framed]


def _policies(frame: Frame) -> list[str]:
    """What a page's policy has to let in for each of the two, and no more."""
    parts = urlsplit(frame.issuer.origin)
    own = f"{parts.scheme}://{parts.netloc}"
    return [f"script-src {own}; connect-src {own}", f"frame-src {own}"]
