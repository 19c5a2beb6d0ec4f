"""Feeds of alerts: Atom (RFC 4287) for each language and for all, RSS 2.0 beside them.

A feed is the log of what was published, oldest first: a version of an alert is one entry in it, at a place that never
changes. Full pages of it are archives (RFC 5005, 4) that are written once; the feed itself holds what is newer, and at
least a page of it. An entry keeps its identifier through all versions, `updated` moves on. What was cancelled is a
deleted entry (RFC 6721) in every document that named it, so that no archive keeps a text that was taken back, and an
entry of its own that people see.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Any

from lxml import etree

from tocsin.products.identifiers import uuid5_text

from . import addresses
from .file import ATOM, CAP, PDF, RSS, File
from .passages import headline, line, offence, places, sections
from .record import Annex, Issuer, PublicEdition
from .words import Words, words

EACH = 25
"""Entries of an archive. A feed holds at most twice as many less one: some aggregators take 900 kB at most, in all
languages together."""
NAMESPACE = uuid.UUID("0f3c8a52-4b7e-5e0d-9a61-2d8c7b1f6e35").bytes
SPACE = "http://www.w3.org/2005/Atom"
HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
ALERTING = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA = "http://search.yahoo.com/mrss/"
DIGESTS = "https://tocsin.example/schemas/feed-digests"
"""Our own: the SHA-256 of what a link leads to."""
XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version of an alert, as it was published."""

    edition: PublicEdition
    cap_sha256: str = ""
    """Of its signed CAP message, in hexadecimal."""
    cap_size: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """All that was published, in the order in which it was. Pages of it may be asked for alone."""

    issuer: Issuer
    languages: tuple[str, ...]
    """Those that have a feed of their own."""
    entries: Sequence[Entry]
    """Of this part of the log."""
    start: int = 0
    """How many entries stand before this part."""
    total: int = 0
    """Of the whole log; 0: what this part ends with is the newest."""
    cancelled: Mapping[str, datetime] = field(default_factory=dict)
    """Number → when it was cancelled, for those whose cancelling stands outside this part."""
    markups: dict[tuple[str, str], str] = field(default_factory=dict, repr=False, compare=False)
    """Version and language → its text as HTML: each stands in four documents."""

    digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Address → SHA-256 of the document there, of which several feeds and languages tell."""

    def digest(self, path: str, annex: Annex) -> str:
        if path not in self.digests:
            self.digests[path] = hashlib.sha256(annex.body).hexdigest()
        return self.digests[path]

    def markup(self, edition: PublicEdition, language: str) -> str:
        seat = (edition.identifier, language)
        if seat not in self.markups:
            self.markups[seat] = _markup(edition, language)
        return self.markups[seat]

    @property
    def count(self) -> int:
        return max(self.total, self.start + len(self.entries))

    @property
    def ends(self) -> dict[str, datetime]:
        """When each alert was cancelled."""
        own = {each.edition.number: each.edition.sent for each in self.entries if each.edition.is_cancelled}
        return {**self.cancelled, **own}


def archives_of(count: int) -> range:
    """The archives of a log with so many entries. A page is archived once the next one is full as well."""
    return range(1, max(1, count // EACH))


def place_of(archive: int) -> slice:
    """Which entries of the log an archive holds."""
    return slice((archive - 1) * EACH, archive * EACH)


def newest_of(count: int) -> slice:
    """Which entries the feed itself holds: from EACH to twice as many, or all."""
    return slice((len(archives_of(count))) * EACH, count)


def touched(count_before: int, count: int, cancelled_places: Iterable[int] = ()) -> list[int]:
    """The archives to be written after the log grew: new ones, and those that hold what was cancelled."""
    new = set(archives_of(count)) - set(archives_of(count_before))
    old = {place // EACH + 1 for place in cancelled_places} & set(archives_of(count))
    return sorted(new | old)


def feeds_of(log: Log, archives: Iterable[int] | None = None) -> Iterator[File]:
    """The feeds, and these archives; all of them where none are named.

    The part of the log that is given must hold what they show.
    """
    wanted = list(archives_of(log.count) if archives is None else archives)
    for language in ("", *log.languages):
        for number in wanted:
            shown = _part(log, place_of(number))
            yield File(addresses.archive(number, language), ATOM, _atom(log, language, shown, number), language)
        shown = _part(log, newest_of(log.count))
        yield File(addresses.atom(language), ATOM, _atom(log, language, shown, 0), language)
        yield File(addresses.rss(language), RSS, _rss(log, language, shown), language)


def entry_id(issuer: Issuer, number: str, language: str) -> str:
    """The same for all versions."""
    return _urn(issuer, f"{number}|{language}")


def _urn(issuer: Issuer, name: str) -> str:
    return f"urn:uuid:{uuid5_text(NAMESPACE, f'{issuer.sender}|{name}')}"


def _part(log: Log, places_: slice) -> list[Entry]:
    return list(log.entries[max(0, places_.start - log.start) : max(0, places_.stop - log.start)])


@dataclass(frozen=True, slots=True)
class _Shown:
    """An entry in one language: of an alert, or of its having been cancelled."""

    entry: Entry
    language: str
    id: str


def _shown(log: Log, language: str, entries: Sequence[Entry]) -> tuple[list[_Shown], list[tuple[str, datetime]]]:
    """What is shown, newest first and each identifier once, and which identifiers are gone since when.

    A language that an alert does not have yet shows it in English: a warning is not kept from anybody until it is
    translated.
    """
    shown: dict[str, _Shown] = {}
    gone: dict[str, datetime] = {}
    newest: dict[tuple[str, str], datetime] = {}
    """Number and, in the feed of all, language → when what is shown of it was sent."""
    ends = log.ends
    for entry in reversed(entries):
        edition = entry.edition
        if edition.number in ends:
            gone |= {entry_id(log.issuer, edition.number, each): ends[edition.number] for each in edition.languages}
        for each in edition.languages if not language else (edition.text(language).language,):
            name = entry_id(log.issuer, edition.number, each)
            seat = (edition.number, "" if language else each)
            if edition.is_cancelled:
                name = _urn(log.issuer, f"{edition.number}|{each}|cancelled")
            elif edition.number in ends:
                continue
            elif seat in newest:
                if name not in shown:  # It stood in for a translation that is there now.
                    gone.setdefault(name, newest[seat])
                continue
            newest.setdefault(seat, edition.sent)
            shown.setdefault(name, _Shown(entry, each, name))
    return list(shown.values()), sorted(gone.items())


def _atom(log: Log, language: str, entries: Sequence[Entry], archive: int) -> bytes:
    issuer, say = log.issuer, words(language or "en")
    spaces: Any = {None: SPACE, "fh": HISTORY, "at": TOMBSTONES, "cap": ALERTING, "d": DIGESTS}
    root = etree.Element(f"{{{SPACE}}}feed", nsmap=spaces)
    if language:
        root.set(XML_LANGUAGE, language)
    shown, gone = _shown(log, language, entries)
    own = addresses.archive(archive, language) if archive else addresses.atom(language)
    _put(root, "id", _urn(issuer, f"feed|{language}" + (f"|{archive}" if archive else "")))
    _put(root, "title", _title(issuer, language, say))
    _put(root, "subtitle", say("feed.about"))
    moments = [each.edition.sent for each in entries] + [moment for _, moment in gone]
    _put(root, "updated", _moment(max(moments)) if moments else "2026-01-01T00:00:00Z")
    author = etree.SubElement(root, f"{{{SPACE}}}author")
    _put(author, "name", line(issuer.name(language or "en")))
    _put(author, "uri", f"{issuer.origin}/")
    _link(root, "self", f"{issuer.origin}/{own}", ATOM)
    home = addresses.home(language) if language else ""
    _link(root, "alternate", f"{issuer.origin}/{home}", "text/html", language)
    if archive:
        etree.SubElement(root, f"{{{HISTORY}}}archive")
        _link(root, "current", f"{issuer.origin}/{addresses.atom(language)}", ATOM)
    last = archive - 1 if archive else len(archives_of(log.count))
    if last:
        _link(root, "prev-archive", f"{issuer.origin}/{addresses.archive(last, language)}", ATOM)
    for name, moment in gone:
        etree.SubElement(root, f"{{{TOMBSTONES}}}deleted-entry", {"ref": name, "when": _moment(moment)})
    for each in shown:
        _put_entry(root, log, each)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _put_entry(root: etree._Element, log: Log, shown: _Shown) -> None:
    issuer, edition, language = log.issuer, shown.entry.edition, shown.language
    say = words(language)
    element = etree.SubElement(root, f"{{{SPACE}}}entry", {XML_LANGUAGE: language})
    _put(element, "id", shown.id)
    _put(element, "title", headline(edition, language))
    _put(element, "published", _moment(edition.issued if not edition.is_cancelled else edition.sent))
    _put(element, "updated", _moment(edition.sent))
    etree.SubElement(element, f"{{{SPACE}}}category", {"term": edition.offence.value, "label": offence(edition, say)})
    kind = {"term": edition.type.value, "label": say(f"type.{edition.type.value}")}
    etree.SubElement(element, f"{{{SPACE}}}category", kind)
    _link(element, "alternate", f"{issuer.origin}/{addresses.page(edition.number, language)}", "text/html", language)
    message = f"{issuer.origin}/{addresses.cap(edition.number, edition.version)}"
    link = _link(element, "enclosure", message, CAP)
    if shown.entry.cap_sha256:
        link.set(f"{{{DIGESTS}}}sha-256", shown.entry.cap_sha256)
        link.set("length", str(shown.entry.cap_size))
    for path, annex, title in _documents(edition, language):
        link = _link(element, "enclosure", f"{issuer.origin}/{path}", PDF)
        link.set("title", title)
        link.set("length", str(len(annex.body)))
        link.set(f"{{{DIGESTS}}}sha-256", log.digest(path, annex))
    _put(element, "content", log.markup(edition, language)).set("type", "html")
    facts = {
        "identifier": edition.identifier, "msgType": edition.message.value, "event": offence(edition, say),
        "urgency": edition.urgency.value, "severity": edition.severity.value, "certainty": edition.certainty.value,
        "expires": _moment(edition.expires), "areaDesc": places(edition, say),
    }  # fmt: skip
    for name, value in facts.items():
        etree.SubElement(element, f"{{{ALERTING}}}{name}").text = value


def _documents(edition: PublicEdition, language: str) -> Iterator[tuple[str, Annex, str]]:
    """Address, document and what it is, in this language or else by the title of the alert."""
    shown = {} if edition.is_cancelled else edition.text(language).image_texts
    for each in () if edition.is_cancelled else edition.annexes:
        title = line(shown.get(each.name, "")) or headline(edition, language)
        yield addresses.annex(edition.number, each.name), each, title


def _rss(log: Log, language: str, entries: Sequence[Entry]) -> bytes:
    issuer, say = log.issuer, words(language or "en")
    spaces: Any = {"atom": SPACE, "media": MEDIA}
    root = etree.Element("rss", {"version": "2.0"}, nsmap=spaces)
    channel = etree.SubElement(root, "channel")
    shown, _ = _shown(log, language, entries)
    facts = {
        "title": _title(issuer, language, say),
        "link": f"{issuer.origin}/{addresses.home(language) if language else ''}",
        "description": say("feed.about"),
    } | ({"language": language} if language else {})
    for name, value in facts.items():
        etree.SubElement(channel, name).text = value
    if entries:
        etree.SubElement(channel, "lastBuildDate").text = _mail_moment(max(each.edition.sent for each in entries))
    own = f"{issuer.origin}/{addresses.rss(language)}"
    etree.SubElement(channel, f"{{{SPACE}}}link", {"rel": "self", "href": own, "type": RSS})
    for each in shown:
        edition = each.entry.edition
        item = etree.SubElement(channel, "item")
        etree.SubElement(item, "title").text = headline(edition, each.language)
        etree.SubElement(item, "link").text = f"{issuer.origin}/{addresses.page(edition.number, each.language)}"
        etree.SubElement(item, "guid", {"isPermaLink": "false"}).text = each.id
        etree.SubElement(item, "pubDate").text = _mail_moment(edition.sent)
        etree.SubElement(item, "category").text = offence(edition, words(each.language))
        etree.SubElement(item, "description").text = log.markup(edition, each.language)
        if each.entry.cap_size:
            message = f"{issuer.origin}/{addresses.cap(edition.number, edition.version)}"
            facts = {"url": message, "length": str(each.entry.cap_size), "type": CAP}
            etree.SubElement(item, "enclosure", facts)
        # Readers take one enclosure of an item; Media RSS was made for the others.
        for path, annex, title in _documents(edition, each.language):
            more = {
                "url": f"{issuer.origin}/{path}",
                "fileSize": str(len(annex.body)),
                "type": PDF,
                "medium": "document",
            }
            content = etree.SubElement(item, f"{{{MEDIA}}}content", more)
            etree.SubElement(content, f"{{{MEDIA}}}title", {"type": "plain"}).text = title
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _title(issuer: Issuer, language: str, say: Words) -> str:
    return say("feed.title" if language else "feed.all", issuer=line(issuer.name(language or "en")))


def _markup(edition: PublicEdition, language: str) -> str:
    """The text as readers of feeds show it: they take it for HTML, in RSS without being asked."""
    say = words(language)
    parts = [f'<div lang="{escape(language)}" dir="{say.direction}">']
    for section in sections(edition, language):
        parts.append(f"<h3>{escape(section.heading)}</h3>")
        parts += [f"<p>{escape(each)}</p>".replace("\n", "<br>") for each in section.paragraphs]
        if section.items:
            kind = "ol" if section.is_in_order else "ul"
            parts.append(f"<{kind}>{''.join(f'<li>{escape(each)}</li>' for each in section.items)}</{kind}>")
    if documents := list(_documents(edition, language)):
        links = (
            f'<li><a href="{escape(f"{edition.issuer.origin}/{path}")}" type="{PDF}">{escape(title)}</a> (PDF)</li>'
            for path, _, title in documents
        )
        parts.append(f"<h3>{escape(say('annexes'))}</h3><ul>{''.join(links)}</ul>")
    page = f"{edition.issuer.origin}/{addresses.page(edition.number, language)}"
    parts.append(f'<p><a href="{escape(page)}">{escape(say("read_more"))}</a></p></div>')
    return "".join(parts)


def _put(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{SPACE}}}{name}")
    element.text = text
    return element


def _link(parent: etree._Element, rel: str, href: str, kind: str, language: str = "") -> etree._Element:
    facts = {"rel": rel, "href": href, "type": kind} | ({"hreflang": language} if language else {})
    return etree.SubElement(parent, f"{{{SPACE}}}link", facts)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mail_moment(moment: datetime) -> str:
    return format_datetime(moment)
