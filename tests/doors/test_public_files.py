"""The public site as the portal serves it: the published bytes, to anybody, and never what was taken away."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from tests import alerts_made

from tocsin.centre.alerts import files, shelf
from tocsin.centre.alerts.answers import language_for, takes_gzip
from tocsin.centre.alerts.models import PublicFile, PublicState

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
PAGE = ("<!doctype html><html lang=en><title>x</title><p>" + "What is happening. " * 60).encode()
HTML = "text/html; charset=utf-8"


@pytest.fixture(autouse=True)
def own_shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[shelf.Shelf]:
    own = shelf.Shelf()
    monkeypatch.setattr("tocsin.centre.alerts.public_views.SHELF", own)
    return own


def put(path: str, body: bytes = PAGE, media_type: str = HTML, *, is_gone: bool = False, language: str = "") -> None:
    """Publish these bytes there."""
    PublicFile.objects.update_or_create(
        path=path,
        defaults={
            "sha256": files.keep(body), "size": len(body), "media_type": media_type, "is_gone": is_gone,
            "published_at": alerts_made.NOW, "language": language,
        },
    )  # fmt: skip
    state, _ = PublicState.objects.get_or_create(pk=1)
    PublicState.objects.filter(pk=1).update(changes=state.changes + 1)


def get(path: str, **headers: str) -> Any:
    return Client().get(f"/alerts/{path}", headers=headers)


def test_the_bytes_come_as_they_were_published() -> None:
    put("en/METHOD-2026-0001/", language="en")
    plain, packed = get("en/METHOD-2026-0001/"), get("en/METHOD-2026-0001/", accept_encoding="br, gzip")
    assert (plain.status_code, plain.content, plain["Content-Type"]) == (200, PAGE, HTML)
    assert (packed["Content-Encoding"], gzip.decompress(packed.content)) == ("gzip", PAGE)
    assert packed["Content-Length"] == str(len(packed.content))
    assert plain["ETag"] != packed["ETag"]
    for each in (plain, packed):
        assert "Accept-Encoding" in each["Vary"]
        assert "Cookie" not in each["Vary"], "a cache may give it to anybody"
        assert "must-revalidate" in each["Cache-Control"]
        assert "frame-ancestors 'none'" in each["Content-Security-Policy"]
        assert "unsafe" not in each["Content-Security-Policy"]
        assert not each.cookies
        assert "Content-Language" not in each or each["Content-Language"] == "en"


def test_who_has_it_already_hears_so() -> None:
    put("en/")
    tag = get("en/")["ETag"]
    for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        again = get("en/", if_none_match=known)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert get("en/", if_none_match='"another"').status_code == 200
    then = alerts_made.NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
    before = (alerts_made.NOW - timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert [get("en/", if_modified_since=each).status_code for each in (then, before, "rubbish")] == [304, 200, 200]
    assert get("en/", if_none_match='"another"', if_modified_since=then).status_code == 200


def test_head_says_what_get_would() -> None:
    put("en/")
    head = Client().head("/alerts/en/")
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", str(len(PAGE)))
    assert Client().post("/alerts/en/").status_code in {403, 405}


def test_what_was_withdrawn_is_gone_at_once_and_says_why() -> None:
    """W26."""
    put("en/METHOD-2026-0001/")
    assert get("en/METHOD-2026-0001/").status_code == 200
    put("en/METHOD-2026-0001/", b"<!doctype html><p>cancelled: the pages were taken down", is_gone=True)
    gone = get("en/METHOD-2026-0001/", if_none_match="*")
    assert gone.status_code == 410
    assert b"taken down" in gone.content


def test_where_nothing_lies_the_page_for_it_is_shown() -> None:
    assert get("en/nothing/").status_code == 404
    put("404.html", b"<!doctype html><p>not here</p>" + b" " * 300)
    absent = get("en/nothing/")
    assert (absent.status_code, absent.content[:30]) == (404, b"<!doctype html><p>not here</p>")
    assert get("en/nothing/", if_none_match="*").status_code == 404
    put("en/")
    assert (get("en").status_code, get("en")["Location"]) == (301, "/alerts/en/")
    for odd in ("../settings/", "en/../../secret", "%2e%2e/keys", "en/%00"):
        assert get(odd).status_code in {301, 302, 400, 404}


def test_the_root_leads_to_the_readers_language_and_nothing_else_does() -> None:
    put("")
    put("data/site.json", b'{"languages": ["en", "fr", "es", "ar"]}', "application/json")
    put("en/")
    led = get("", accept_language="ar-EG,ar;q=0.9,en;q=0.8")
    assert (led.status_code, led["Location"], led["Vary"]) == (302, "ar/", "Accept-Language")
    assert get("", accept_language="ja").status_code == 200
    assert get("en/", accept_language="ar").status_code == 200


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("", ""), ("ja,zh;q=0.5", ""), ("fr", "fr"), ("es-MX", "es"), ("en;q=0.3,ar;q=0.8", "ar"), ("ar;q=0,en", "en"),
        ("fr;q=nonsense,es;q=0.1", "es"), ("EN-gb", "en"), ("," * 5_000, ""),
    ],
)  # fmt: skip
def test_the_language_a_reader_likes_best(said: str, wanted: str) -> None:
    assert language_for(said, ("ar", "en", "es", "fr")) == wanted


@pytest.mark.parametrize(
    ("said", "takes"),
    [("", False), ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip;q=0.0, *", False), ("*", True),
     ("identity", False), ("deflate", False)],
)  # fmt: skip
def test_packed_bytes_for_who_takes_them(said: str, takes: bool) -> None:
    assert takes_gzip(said) is takes


def test_feeds_and_messages_may_be_read_by_any_page_and_pages_framed_by_none_but_the_widget() -> None:
    put("feed.atom", b"<feed/>", "application/atom+xml")
    put("widget/en/")
    put("assets/site.abc.css", b"p{}", "text/css; charset=utf-8")
    feed = get("feed.atom")
    assert feed["Access-Control-Allow-Origin"] == "*"
    assert feed["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "frame-ancestors *" in get("widget/en/")["Content-Security-Policy"]
    assert "X-Frame-Options" not in get("widget/en/")
    assert "immutable" in get("assets/site.abc.css")["Cache-Control"]


def test_a_damaged_file_is_never_handed_out(own_shelf: shelf.Shelf) -> None:
    put("en/")
    digest = files.digest_of(PAGE)
    place = files.path_of(digest).with_name(digest + files.PACKED)
    place.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(files.Damaged):
        own_shelf.look_up("en/")
    assert list(files.damaged([digest])) == [digest]
    files.keep(PAGE)  # It is put right by being kept again.
    assert list(files.damaged([digest])) == []


def test_what_no_row_names_is_swept_when_it_is_old() -> None:
    put("en/")
    other = files.keep(b"left by a publication that failed " * 20)
    named = set(PublicFile.objects.values_list("sha256", flat=True))
    assert files.sweep(named) == 0, "it may be one's that is under way"
    later = files.path_of(other).parent.stat().st_mtime + 2 * files.LEFT_SECONDS
    assert files.sweep(named, later) == 1
    assert get("en/").content == PAGE


def test_the_shelf_holds_no_more_than_it_may() -> None:
    own = shelf.Shelf(most_bytes=3 * len(PAGE))
    for each in range(8):
        put(f"en/{each}/", PAGE + bytes([48 + each]) * 2_000)
    for each in range(8):
        assert own.look_up(f"en/{each}/") is not None
    held = [each for each in range(8) if own.ready(f"en/{each}/")]
    assert held == [7], "the one that was asked for last"


def test_an_old_shelf_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = shelf.Shelf()
    put("en/")
    own.look_up("en/")
    assert own.ready("en/") is not None
    now = shelf.time.monotonic()
    monkeypatch.setattr(shelf.time, "monotonic", lambda: now + shelf.FRESH_SECONDS + 0.01)
    assert own.ready("en/") is None


def test_who_looks_for_pages_finds_the_public_ones_alone() -> None:
    text = Client().get("/robots.txt").content.decode()
    assert "Allow: /alerts/" in text
    assert "Disallow: /\n" in text
