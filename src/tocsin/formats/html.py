"""Web pages: the visible text is page 1, the addresses that it leads to are page 2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Sample, Source

from ._documents import items_of, text_of
from ._markup import page_of

BEGINNING = re.compile(
    rb"\A\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype html|html[\s>])", re.IGNORECASE | re.DOTALL
)
TAGS = re.compile(rb"<(?:html|head|body|title|meta|div|p|table|span|center|h1|a)[\s>]", re.IGNORECASE)


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Proposals of the text, then of the links, then the heading."""
    page = page_of(text_of(source))
    pages = [(1, page.text), (2, "\n".join(page.links))]
    heading = Heading(title=page.title, language=page.language, text=page.text)
    yield from items_of(pages, heading, page.publisher)


def recognise(sample: Sample) -> int:
    head = sample.head.lstrip(b"\xef\xbb\xbf")[: 16 << 10]
    if BEGINNING.match(head):
        return 90
    if head.lstrip()[:1] == b"<" and not head.lstrip().startswith(b"<?xml"):
        return 60 if len(set(TAGS.findall(head))) >= 2 else 0
    return 0


FORMAT = Format(
    name="html",
    title="Web page",
    recognise=recognise,
    read=read,
    media_types=("text/html", "application/xhtml+xml"),
    extensions=(".html", ".htm", ".hta", ".xhtml"),
)
