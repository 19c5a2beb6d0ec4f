"""Every text of a rendered output, shown or carried unseen, for the leak scanner. What cannot be read says so.

The outputs are the Centre's own, so they are read here and not in the sandbox.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from html.parser import HTMLParser
from io import BytesIO
from typing import Any, Protocol

import orjson

from tocsin.core.reading import Source
from tocsin.handling.leaks import Place, Text
from tocsin.transport import attachments

FIELD = "file"
MOST_INNER_BYTES = 256 << 20
DEPTH = 60
_BETWEEN = "\n"
_MARKUP = re.compile(r"^(?:text/html|application/xhtml\+xml|image/svg\+xml|(?:application|text)/(?:[\w.-]+\+)?xml)$")
_JSON = re.compile(r"^application/(?:[\w.-]+\+)?(?:geo)?json$")
_DRAWN = frozenset({
    "d", "points", "transform", "viewbox", "style", "class", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "dx",
    "dy", "cx", "cy", "r", "rx", "ry", "fill", "stroke", "stroke-width", "sizes", "integrity", "gradienttransform",
})  # fmt: skip
"""Attributes that say where something is drawn: rows of numbers that are no text."""
_SEALS = frozenset({"digestvalue", "signaturevalue", "x509certificate", "modulus", "exponent", "publickey"})
"""Elements of a signature (their names without a prefix)."""
_STIX_ID = re.compile(r"^[a-z][a-z0-9-]*--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_BY_SUFFIX = {
    "html": "text/html", "json": "application/json", "jsonld": "application/ld+json", "xml": "application/xml",
    "atom": "application/atom+xml", "rss": "application/rss+xml", "svg": "image/svg+xml", "png": "image/png",
    "jpg": "image/jpeg", "webp": "image/webp", "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown",
    "csv": "text/csv", "eml": "text/plain", "zip": "application/zip", "js": "text/javascript", "css": "text/css",
}  # fmt: skip


class Rendered(Protocol):
    """A file as it is about to be published."""

    @property
    def path(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def language(self) -> str: ...


Known = Collection[tuple[str, bytes]]
"""Kind and digest of what is read as a file of its own."""


def texts_of(file: Rendered, known: Known = frozenset()) -> Iterator[Text]:
    """The texts of a file, each with its language and the file's address; of an archive, what is not `known`."""
    if not _is_read(file):
        return
    yield from _texts(file.path, file.media_type, file.body, file.language, known)


def texts_of_all(files: Collection[Rendered], elsewhere: Collection[bytes] = ()) -> Iterator[Text]:
    """The same of several. What lies in an archive as well as beside it, to the last byte, is read once.

    `elsewhere`: bodies of documents whose texts were read in the sandbox, since strangers made them.
    """
    read = {("application/pdf", _digest(each)) for each in elsewhere}
    own = [(each, (_kind(each.media_type), _digest(each.body))) for each in files if _is_read(each)]
    known = read | {digest for _, digest in own}
    for each, digest in own:
        if digest not in read:
            yield from texts_of(each, known)


def _is_read(file: Rendered) -> bool:
    """Not signatures and keys: they are made of digests alone."""
    return not (file.path.endswith(".sig") or file.path.startswith("keys/"))


def _kind(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _texts(path: str, media_type: str, body: bytes, language: str, known: Known, depth: int = 0) -> Iterator[Text]:
    place = Place(FIELD, language, path)
    kind = _kind(media_type)
    if kind == "application/zip":
        yield from _inner(path, body, language, known, depth)
    elif kind.startswith(("image/", "application/pdf")) and kind != "image/svg+xml":
        yield from attachments.texts_of(Source(path, content=body), place)
    elif _JSON.match(kind):
        yield _json(place, body)
    elif _MARKUP.match(kind):
        yield Text(place, _said_in_markup(body.decode("utf-8", errors="replace")))
    elif kind.startswith("text/"):
        yield Text(place, body.decode("utf-8", errors="replace"))
    else:
        yield Text(place, "", unreadable="unknown-format")


def _json(place: Place, body: bytes) -> Text:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Text(place, "", unreadable="invalid-json")
    return Text(place, _BETWEEN.join(_leaves(said, 0)))


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if not _STIX_ID.match(value):
            yield value
    elif isinstance(value, dict) and depth < DEPTH:
        for name, each in value.items():
            yield name
            yield from _leaves(each, depth + 1)
    elif isinstance(value, list) and depth < DEPTH:
        for each in value:
            yield from _leaves(each, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


class _Reader(HTMLParser):
    """Collects what a page or a document says: texts, comments, and attributes that are no drawing."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += _bare(tag) in _SEALS
        self._attributes(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes(attrs)

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (_bare(tag) in _SEALS))

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.said.append(data)

    def handle_comment(self, data: str) -> None:
        self.said.append(data)

    def handle_pi(self, data: str) -> None:
        self.said.append(data)

    def unknown_decl(self, data: str) -> None:
        self.said.append(data.removeprefix("CDATA["))

    def _attributes(self, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.said += [
            value for name, value in attrs
            if value and _bare(name) not in _DRAWN and not value.startswith(("data:image/", "data:font/"))
        ]  # fmt: skip


def _bare(name: str) -> str:
    return name.rpartition(":")[2].lower()


def _said_in_markup(text: str) -> str:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return _BETWEEN.join(reader.said)


def _inner(path: str, body: bytes, language: str, known: Known, depth: int) -> Iterator[Text]:
    """What lies in an archive of ours; each file by its name's ending."""
    if depth:
        yield Text(Place(FIELD, language, path), "", unreadable="too-deep")
        return
    with zipfile.ZipFile(BytesIO(body)) as archive:
        left = MOST_INNER_BYTES
        for each in archive.infolist():
            left -= each.file_size
            if left < 0:
                yield Text(Place(FIELD, language, path), "", unreadable="too-large")
                return
            if each.is_dir() or each.filename.endswith(".sig") or each.filename.startswith("keys/"):
                continue
            yield Text(Place(FIELD, language, f"{path}: {each.filename}"), each.filename)
            kind = _BY_SUFFIX.get(each.filename.rpartition(".")[2].lower(), "")
            inner = archive.read(each)
            if (kind, _digest(inner)) not in known:
                yield from _texts(f"{path}: {each.filename}", kind, inner, language, known, depth + 1)
