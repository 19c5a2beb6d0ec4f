"""Feeds: valid by a parser of others, each clause of the standards that we lean on, archives that stay as they are."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html
from tests.alert_editions import CASES, ISSUER, PARCELS, SENT, hostile_editions

from tocsin.products.alerts import addresses, feeds
from tocsin.products.alerts.feeds import EACH, Entry, Log, archives_of, entry_id, feeds_of, newest_of, place_of, touched
from tocsin.products.alerts.file import CAP, PDF
from tocsin.products.alerts.record import LANGUAGES, Annex, Earlier, Message, PublicEdition

NAMES = {"a": feeds.SPACE, "at": feeds.TOMBSTONES, "fh": feeds.HISTORY, "c": feeds.ALERTING}


def log_of(editions: Sequence[PublicEdition], **more: Any) -> Log:
    return Log(ISSUER, LANGUAGES, [Entry(each, "ab" * 32, 1234) for each in editions], **more)


def files(log: Log, archives: Sequence[int] | None = None) -> dict[str, bytes]:
    return {file.path: file.body for file in feeds_of(log, archives)}


def many(count: int) -> list[PublicEdition]:
    return [
        replace(CASES["arabic"], number=f"METHOD-2026-{number:04}", sent=SENT + timedelta(hours=number),
                issued=SENT + timedelta(hours=number))
        for number in range(1, count + 1)
    ]  # fmt: skip


def ids(body: bytes) -> list[str]:
    return [str(each) for each in etree.fromstring(body).xpath("a:entry/a:id/text()", namespaces=NAMES)]  # type: ignore[union-attr]


EVERYTHING = log_of(sorted(CASES.values(), key=lambda each: each.sent))


@pytest.mark.parametrize("path", list(files(EVERYTHING)))
def test_another_parser_reads_each_feed_as_well_formed(path: str) -> None:
    found = feedparser.parse(files(EVERYTHING)[path])
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == ("atom10" if path.endswith(".atom") else "rss20")
    assert found.feed.title
    assert len(found.entries) == (14 if path.startswith("feed") else 5)
    for each in found.entries:
        assert each.title
        assert each.id.startswith("urn:uuid:")
        assert each.link.startswith("https://alerts.fusion.example/alerts/")
        assert each.updated_parsed or each.published_parsed
        assert [link.type for link in each.links if link.rel == "enclosure"] == [CAP]


@pytest.mark.parametrize("language", ["", *LANGUAGES])
def test_atom_has_what_the_standard_asks_for(language: str) -> None:
    """RFC 4287: 4.1.1 (author, id, title, updated, one self link), 4.1.2 (each entry), 4.2.6 (ids are absolute)."""
    root = etree.fromstring(files(EVERYTHING)[addresses.atom(language)])
    assert root.tag == f"{{{feeds.SPACE}}}feed"
    for name in ("id", "title", "updated", "author", "subtitle"):
        assert len(root.findall(f"a:{name}", NAMES)) == 1
    assert [each.get("rel") for each in root.findall("a:link", NAMES)] == ["self", "alternate"]
    entries = root.findall("a:entry", NAMES)
    names = [each.findtext("a:id", "", NAMES) for each in entries]
    assert len(set(names)) == len(names)
    for each in entries:
        for name in ("id", "title", "updated", "published", "content"):
            assert len(each.findall(f"a:{name}", NAMES)) == 1
        assert str(uuid.UUID(each.findtext("a:id", "", NAMES).removeprefix("urn:uuid:")).version) == "5"
        moments = [each.findtext(f"a:{name}", "", NAMES) for name in ("published", "updated")]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment) for moment in moments)
        assert moments[0] <= moments[1]
        assert each.findtext("c:urgency", "", NAMES)
        (enclosure,) = each.findall("a:link[@rel='enclosure']", NAMES)
        assert enclosure.get(f"{{{feeds.DIGESTS}}}sha-256") == "ab" * 32
        assert enclosure.get("length") == "1234"
        assert re.search(r"/v\d\.cap\.xml$", enclosure.get("href", ""))
    updated = [each.findtext("a:updated", "", NAMES) for each in entries]
    assert updated == sorted(updated, reverse=True)
    assert root.findtext("a:updated", "", NAMES) == updated[0]


def test_an_update_keeps_its_identifier_and_moves_on() -> None:
    before, after = (files(log_of(list(map(CASES.get, names)))) for names in (["alert"], ["alert", "update"]))  # type: ignore[arg-type]
    for path in ("feed.atom", "en/feed.atom", "ar/feed.atom"):
        assert ids(before[path]) == ids(after[path])
        assert b"<updated>2026-11-10T09:00:00Z" in before[path]
        assert b"<updated>2026-11-10T09:00:00Z" not in after[path]
        assert b"<published>2026-11-10T09:00:00Z" in after[path]
    assert feedparser.parse(after["en/feed.rss"]).entries[0].id == ids(after["en/feed.atom"])[0]


def test_w26_what_was_cancelled_is_a_deleted_entry_and_one_that_people_see() -> None:
    """W26."""
    made = files(log_of([CASES["alert"], CASES["update"], CASES["cancel"]]))
    for language in ("", *LANGUAGES):
        gone = etree.fromstring(made[addresses.atom(language)]).findall("at:deleted-entry", NAMES)
        assert {each.get("ref") for each in gone} == {entry_id(ISSUER, "METHOD-2026-0042", each) for each in LANGUAGES}
        assert all(each.get("when") == "2026-11-19T09:00:00Z" for each in gone)
    (shown,) = feedparser.parse(made["en/feed.atom"]).entries
    assert shown.title == "Cancelled: False parcel messages empty bank accounts"
    assert "a source corrected" in shown.content[0].value
    assert shown.id != entry_id(ISSUER, "METHOD-2026-0042", "en")
    for body in made.values():
        assert b"Criminals" not in body


def test_archives_hold_no_text_that_was_taken_back() -> None:
    editions = many(EACH * 3)
    cancelled = replace(
        editions[3], version=2, message=Message.CANCEL, sent=SENT + timedelta(days=40), reasons={"ar": "سُحب"},
        earlier=(Earlier(1, Message.ALERT, editions[3].sent),),
    )  # fmt: skip
    before, after = files(log_of(editions)), files(log_of([*editions, cancelled]))
    name = entry_id(ISSUER, editions[3].number, "ar")
    assert name in ids(before["ar/feed-1.atom"])
    assert name not in ids(after["ar/feed-1.atom"])
    assert f'ref="{name}"'.encode() in after["ar/feed-1.atom"]
    assert before["ar/feed-2.atom"] == after["ar/feed-2.atom"]
    assert touched(len(editions), len(editions) + 1, [3]) == [1]


@given(st.integers(0, 1_000))
def test_pages_part_the_log(count: int) -> None:
    """Every entry stands in one archive or in the feed itself, which is never shorter than a page if there is one."""
    places = [place_of(number) for number in archives_of(count)]
    held = [n for each in [*places, newest_of(count)] for n in range(count)[each]]
    assert held == list(range(count))
    newest = len(range(count)[newest_of(count)])
    assert newest == count or EACH <= newest < 2 * EACH


@given(st.integers(0, 400), st.integers(0, 150))
def test_an_archive_is_written_once(before: int, more: int) -> None:
    assert set(touched(before, before + more)) == set(archives_of(before + more)) - set(archives_of(before))
    for number in archives_of(before):
        assert place_of(number).stop <= before


def test_archives_lead_back_to_the_first_entry() -> None:
    """RFC 5005, 4."""
    made = files(log_of(many(EACH * 3 + 7)))
    path, seen = "ar/feed.atom", list[str]()
    while path:
        root = etree.fromstring(made[path])
        seen += ids(made[path])
        assert (root.find("fh:archive", NAMES) is not None) == (path != "ar/feed.atom")
        before = root.find("a:link[@rel='prev-archive']", NAMES)
        path = before.get("href", "").removeprefix(f"{ISSUER.origin}/") if before is not None else ""
    assert seen == [entry_id(ISSUER, each.number, "ar") for each in reversed(many(EACH * 3 + 7))]


def test_a_part_of_the_log_makes_the_same_files_as_all_of_it() -> None:
    editions = many(EACH * 3 + 7)
    whole = files(log_of(editions))
    count = len(editions)
    part = files(log_of(editions[newest_of(count)], start=newest_of(count).start, total=count), [])
    assert part == {path: whole[path] for path in part}
    archive = files(log_of(editions[place_of(2)], start=place_of(2).start, total=count), [2])
    assert archive["ar/feed-2.atom"] == whole["ar/feed-2.atom"]


def test_a_warning_that_is_not_translated_yet_stands_in_every_feed_until_it_is() -> None:
    urgent = CASES["imminent"]
    english = entry_id(ISSUER, urgent.number, "en")
    made = files(log_of([urgent]))
    assert ids(made["fr/feed.atom"]) == [english]
    assert b'xml:lang="en"' in made["fr/feed.atom"]
    translated = replace(
        urgent, version=2, message=Message.UPDATE, sent=SENT + timedelta(hours=5), texts=PARCELS,
        earlier=(Earlier(1, Message.ALERT, SENT),),
    )  # fmt: skip
    later = files(log_of([urgent, translated]))["fr/feed.atom"]
    assert ids(later) == [entry_id(ISSUER, urgent.number, "fr")]
    assert f'ref="{english}"'.encode() in later


def test_an_empty_log_has_feeds() -> None:
    made = files(log_of([]))
    assert set(made) == {addresses.atom(each) for each in ("", *LANGUAGES)} | {
        addresses.rss(each) for each in ("", *LANGUAGES)
    }
    assert not any(feedparser.parse(body).bozo for body in made.values())


@settings(max_examples=25)
@given(st.lists(hostile_editions(), max_size=3))
def test_no_text_whatever_breaks_a_feed(editions: list[PublicEdition]) -> None:
    for body in files(log_of(editions)).values():
        etree.fromstring(body)
        assert b"<!" not in body
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\ufeff]", body.decode())
        root = etree.fromstring(body)
        for text in root.xpath("//a:content/text() | //item/description/text()", namespaces=NAMES):  # type: ignore[union-attr]
            tags = {str(each.tag) for each in html.fragment_fromstring(str(text)).iter()}
            assert tags <= {"div", "h3", "p", "br", "ul", "ol", "li", "a"}, "readers take it for HTML"


def test_a_cancelling_outside_the_part_is_heard() -> None:
    ends = {CASES["arabic"].number: SENT + timedelta(days=3)}
    body = files(log_of([CASES["arabic"]], cancelled=ends))["ar/feed.atom"]
    assert ids(body) == []
    assert b'when="2026-11-13T09:00:00Z"' in body


def with_document() -> PublicEdition:
    texts = tuple(replace(each, image_texts={"annex-1.pdf": f"What <{each.language}> looks like"}) for each in PARCELS)
    return replace(CASES["alert"], texts=texts, annexes=(Annex("annex-1.pdf", b"%PDF-1.7 one", 1),))


@pytest.mark.parametrize("language", ["", *LANGUAGES])
def test_documents_are_enclosures_in_atom_media_in_rss_and_links_in_the_text_of_both(language: str) -> None:
    edition = with_document()
    made = files(log_of([edition]))
    address = f"{ISSUER.origin}/{edition.number}/annexes/annex-1.pdf"
    entries = etree.fromstring(made[addresses.atom(language)]).findall("a:entry", NAMES)
    assert len(entries) == (len(edition.languages) if not language else 1)
    for each in entries:
        spoken = each.get(feeds.XML_LANGUAGE)
        message, document = each.findall("a:link[@rel='enclosure']", NAMES)
        assert message.get("type") == CAP
        assert (document.get("href"), document.get("type"), document.get("length")) == (address, PDF, "12")
        assert document.get("title") == f"What <{spoken}> looks like"
        assert document.get(f"{{{feeds.DIGESTS}}}sha-256") == hashlib.sha256(b"%PDF-1.7 one").hexdigest()
        [link] = html.fromstring(each.findtext("a:content", "", NAMES)).xpath("//a[@type='application/pdf']")
        assert (link.get("href"), link.text) == (address, f"What <{spoken}> looks like")
    found = feedparser.parse(made[addresses.rss(language)])
    assert not found.bozo
    for each in found.entries:
        assert [one.type for one in each.enclosures] == [CAP]
        [media] = each.media_content
        assert (media["url"], media["filesize"], media["type"]) == (address, "12", PDF)
        assert address in each.description


def test_a_feed_names_the_documents_of_what_stands_alone() -> None:
    first = with_document()
    later = replace(first, version=2, message=Message.UPDATE, sent=SENT + timedelta(hours=1), annexes=(),
                    earlier=(Earlier(1, Message.ALERT, SENT),))  # fmt: skip
    cancelled = replace(later, message=Message.CANCEL, annexes=first.annexes)
    for newest in (later, cancelled):
        assert not [path for path, body in files(log_of([first, newest])).items() if b"/annexes/" in body]
