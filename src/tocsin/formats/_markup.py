"""HTML as the text that a person sees and the addresses that it leads to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tocsin.core.typed import domain_of, registrable_domain

from ._extraction import host_of

UNSEEN = ["script", "style", "noscript", "template", "svg", "head"]
LINKED = (
    ("a", "href"), ("area", "href"), ("form", "action"), ("iframe", "src"), ("img", "src"), ("script", "src"),
    ("embed", "src"), ("object", "data"), ("source", "src"),
)  # fmt: skip
LINK_CHARACTERS = 4000
LINKS = 50_000
DEPTH = 2_000
TAG = re.compile(r"<(/?)([a-zA-Z]+)")
SELF_CLOSED = frozenset({
    "br", "img", "hr", "meta", "link", "input", "area", "base", "col", "embed", "source", "wbr", "p", "li", "td",
    "tr", "th", "option", "dt", "dd",
})  # fmt: skip
"""Elements that never hold others, or that the next of their sort closes."""
QUOTED_LINK = re.compile(r"(?:href|src|action)\s?=\s?[\"']((?:https?:)?//[^\"'<>\s]{1,4000})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows, where it leads, and what it says of itself."""

    text: str
    links: tuple[str, ...]
    title: str = ""
    language: str = ""
    publisher: frozenset[str] = frozenset()


def page_of(markup: str) -> Page:
    """Nothing is run, nothing is fetched: the parser only reads."""
    if _deepest(markup) > DEPTH:
        return _page_by_tags_alone(markup)
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(markup)
    title = tree.css_first("title")
    root = tree.root
    language = (root.attributes.get("lang") or "") if root is not None else ""
    publisher = _publisher(tree)
    links = _links(tree)
    name = title.text(strip=True) if title is not None else ""
    tree.strip_tags(UNSEEN)
    body = tree.body
    text = body.text(separator="\n") if body is not None else ""
    text = re.sub(r"[ \t\u00a0]+", " ", text)
    text = re.sub(r"\s*\n\s*", "\n", text).strip()
    language = language.strip().lower()[:2] if re.match(r"[A-Za-z]{2}(?:[-_]|$)", language.strip()) else ""
    return Page(text, links, name, language, publisher)


def _deepest(markup: str) -> int:
    """How many elements are open at once, roughly: paragraphs left open count, which errs on the safe side."""
    depth = deepest = 0
    for tag in TAG.finditer(markup):
        depth = max(0, depth - 1) if tag[1] else depth + (tag[2].lower() not in SELF_CLOSED)
        deepest = max(deepest, depth)
    return deepest


def _page_by_tags_alone(markup: str) -> Page:
    """Text and links of a page that would keep the parser busy for minutes: its time grows with depth squared."""
    links = dict.fromkeys(match[1] for match in islice(QUOTED_LINK.finditer(markup), LINKS))
    text = re.sub(r"<[^<>]{0,10000}>", "\n", markup)
    return Page(re.sub(r"\s*\n\s*", "\n", text).strip(), tuple(links))


def _links(tree: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for tag, attribute in LINKED:
        for node in tree.css(f"{tag}[{attribute}]"):
            target = (node.attributes.get(attribute) or "").strip()
            # Only what leads elsewhere tells anything: data: addresses hold whole pictures.
            if re.match(r"(?:[a-z][a-z0-9+]{1,12}://|//|mailto:|tel:)", target, re.IGNORECASE):
                target = f"http:{target}" if target.startswith("//") else target
                found.setdefault(target[:LINK_CHARACTERS].removeprefix("mailto:").removeprefix("tel:"))
            if len(found) >= LINKS:
                return tuple(found)
    return tuple(found)


def _publisher(tree: Any) -> frozenset[str]:
    """The registrable domain under which the page says it stands."""
    stated = [
        (tree.css_first('link[rel="canonical"]'), "href"),
        (tree.css_first('meta[property="og:url"]'), "content"),
    ]
    hosts = (host_of(node.attributes.get(name) or "").lower() for node, name in stated if node is not None)
    return frozenset(registrable_domain(host) for host in hosts if domain_of(host))
