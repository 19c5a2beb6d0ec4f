"""The pages of the public site: whole, valid, alike in all languages, and of nothing but what may be said."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from posixpath import normpath
from urllib.parse import urljoin, urlsplit

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from tests import alerts_made

from tocsin.centre.alerts.public import lists, machine, site
from tocsin.centre.alerts.public.alert_pages import Page, Published, pages_of
from tocsin.centre.alerts.public.entries import Entry, entry_of, in_order, pack, unpack
from tocsin.centre.alerts.public.frame import Follow, Frame
from tocsin.products.alerts import addresses
from tocsin.products.alerts.record import LANGUAGES, AlertType, Made, PublicEdition, Text
from tocsin.reference.reporting import reporting

FRAME = Frame(
    alerts_made.ISSUER, reporting=reporting(),
    follow=Follow("https://portal.example/mail/", "https://portal.example/push/", "https://portal.example/hook/",
                  "https://portal.example/hit/"),
)  # fmt: skip
NOW = alerts_made.NOW
UPDATED, CANCELLED, ONE_LANGUAGE = 1, 2, 4
FIRST_VIEW_BYTES = 60 << 10


def _others(edition: PublicEdition) -> list[str]:
    number = edition.number
    return [
        addresses.cap(number), addresses.cap(number) + addresses.SIGNATURE, addresses.stix(number),
        addresses.kit(number), *(addresses.document(number, each) for each in edition.languages),
        *(addresses.card(number, each, "png") for each in edition.languages),
    ]  # fmt: skip


@cache
def made_site() -> tuple[Mapping[str, bytes], Mapping[str, Page], list[Entry]]:
    """A site of sixty alerts: all files by address, the pages that are gone, and what lists know."""
    files: dict[str, bytes] = {}
    gone: dict[str, Page] = {}
    entries = []
    for place, each in enumerate(alerts_made.editions(45)):
        edition, earlier = each, alerts_made.history(each)
        if place == UPDATED:
            *earlier, edition = alerts_made.chain(place)
            picture = alerts_made.picture()
            texts = tuple(replace(one, image_texts={picture.name: "A telephone"}) for one in edition.texts)
            edition = replace(edition, images=(picture,), texts=texts)
            files[addresses.image(edition.number, picture.name)] = picture.body
        if place == CANCELLED:
            earlier = alerts_made.chain(place)
            edition = alerts_made.cancelled(earlier)
        if place == ONE_LANGUAGE:
            edition = replace(edition, texts=edition.texts[:1])
        files |= dict.fromkeys(_others(edition), b"made elsewhere")
        for page in pages_of(FRAME, Published(edition, earlier, _others(edition)), NOW):
            files[page.file.path] = page.file.body
            if page.is_gone:
                gone[page.file.path] = page
        entries.append(entry_of(edition))
    files |= {each.path: each.body for each in site.all_pages(FRAME, entries, NOW)}
    for language in ("", *LANGUAGES):
        files |= {addresses.atom(language): b"made elsewhere", addresses.rss(language): b"made elsewhere"}
    files |= {addresses.KEYS + each: b"made elsewhere" for each in FRAME.keys}
    return files, gone, entries


def _pages() -> dict[str, LexborHTMLParser]:
    return {path: LexborHTMLParser(body) for path, body in made_site()[0].items() if body.startswith(b"<!doctype")}


def test_every_link_leads_somewhere() -> None:
    files, _, _ = made_site()
    lost: set[tuple[str, str]] = set()
    for path, page in _pages().items():
        base = f"https://here.example{FRAME.base}{path}"
        for node in page.css("[href],[src]"):
            address = node.attributes.get("href") or node.attributes.get("src") or ""
            parts = urlsplit(urljoin(base, address))
            if parts.netloc not in {"here.example", "alerts.example"} or address.startswith(("mailto:", "tel:")):
                continue
            there = parts.path.removeprefix(FRAME.base)
            if there not in files:
                lost.add((path, address))
    assert lost == set()


def test_nothing_is_asked_of_anybody_else() -> None:
    for path, page in _pages().items():
        for node in page.css("link[rel=stylesheet],link[rel=icon],link[rel=manifest],script[src],img[src],iframe"):
            address = node.attributes.get("href") or node.attributes.get("src") or ""
            assert not urlsplit(address).netloc, (path, address)
        assert not page.css("[style],style,[onclick],[onload]"), f"{path}: what the policy would refuse"
        scripts = [each for each in page.css("script") if not each.attributes.get("src")]
        assert all(each.attributes.get("type") == "application/ld+json" for each in scripts), path


def test_pages_are_valid_html() -> None:
    for path in _sampled():
        parser = html5lib.HTMLParser(strict=True)
        parser.parse(made_site()[0][path].decode())


def _sampled() -> list[str]:
    """A page of each sort, in each language, and every one of the alerts that are told apart above."""
    told = [list(alerts_made.editions(5))[each].number for each in (UPDATED, CANCELLED, ONE_LANGUAGE)]
    country = re.compile(r"\w+/country/(?!FR|US|AQ)")
    return [each for each in _pages() if not country.match(each) and (
        not re.search(r"-\d{4}-\d{4}/", each) or any(number in each for number in told))]  # fmt: skip


def test_each_page_says_its_language_title_and_direction() -> None:
    for path, page in _pages().items():
        language = path.split("/")[0] if path.split("/")[0] in LANGUAGES else None
        html = page.css_first("html")
        assert html is not None
        if language:
            assert html.attributes["lang"] == language, path
        assert html.attributes["dir"] == ("rtl" if html.attributes["lang"] == "ar" else "ltr"), path
        assert len(page.css("h1")) == 1, path
        assert page.css_first("title").text().strip(), path
        assert page.css_first("main#content") is not None, path
        assert all(each.attributes.get("alt") for each in page.css("img")), path
        levels = [int(each.tag[1]) for each in page.css("h1,h2,h3")]
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)


def test_an_alert_points_at_itself_in_its_languages() -> None:
    edition = alerts_made.edition(0)
    page = _pages()[addresses.page(edition.number, "fr")]
    links = {each.attributes["hreflang"]: each.attributes["href"] for each in page.css("link[rel=alternate][hreflang]")}
    assert links == {
        **{each: FRAME.absolute(addresses.page(edition.number, each)) for each in LANGUAGES},
        "x-default": FRAME.absolute(addresses.permanent(edition.number)),
    }
    canonical = page.css_first("link[rel=canonical]")
    assert canonical.attributes["href"] == FRAME.absolute(addresses.page(edition.number, "fr"))
    image = page.css_first('meta[property="og:image"]')
    assert image.attributes["content"] == FRAME.absolute(addresses.card(edition.number, "fr", "png"))


def test_what_is_missing_in_a_language_is_read_in_another_and_said_so() -> None:
    edition = alerts_made.edition(ONE_LANGUAGE)
    page = _pages()[addresses.page(edition.number, "ar")]
    title = page.css_first("h1")
    assert (title.attributes["lang"], title.attributes["dir"]) == ("en", "ltr")
    assert "هذا التنبيه غير متاح بالعربية بعد" in page.text()
    assert page.css_first("meta[name=robots]") is not None
    assert page.css_first("link[rel=canonical]").attributes["href"].endswith(addresses.page(edition.number, "en"))


def test_old_versions_stay_and_say_that_they_are_old() -> None:
    first, *_, newest = alerts_made.chain(UPDATED)
    old = _pages()[addresses.old_page(first.number, "en", 1)]
    assert "This is version 1." in old.css_first(".banner").text()
    assert old.css_first(".banner a").attributes["href"] == f"../../../en/{first.number}/"
    assert old.css_first("link[rel=canonical]").attributes["href"] == FRAME.absolute(
        addresses.page(first.number, "en"))  # fmt: skip
    now = _pages()[addresses.page(newest.number, "en")]
    shown = {each.attributes["href"] for each in now.css("[aria-labelledby=earlier] a")}
    assert shown == {f"../../en/{first.number}/v{each.version}/" for each in newest.earlier}


def test_what_was_cancelled_is_gone_with_its_reason_in_every_language() -> None:
    """W26."""
    _, gone, _ = made_site()
    versions = alerts_made.chain(CANCELLED)
    number = versions[0].number
    expected = {addresses.permanent(number), *(addresses.page(number, each) for each in LANGUAGES)}
    expected |= {addresses.old_page(number, each, old.version) for each in LANGUAGES for old in versions}
    assert set(gone) == expected
    for path, page in gone.items():
        text = LexborHTMLParser(page.file.body).text()
        assert all(reason in text for reason in alerts_made.CANCELLED.values()), path
        assert all(each not in text for each in versions[0].texts[0].do_now), "what was taken back is not told again"


def test_an_exercise_and_an_alert_of_a_person_are_on_no_page() -> None:
    """W31."""
    edition = alerts_made.edition(0)
    for wrong in (replace(edition, is_exercise=True), replace(edition, type=AlertType.PERSON)):
        with pytest.raises(ValueError, match=r"exercise|police"):
            list(pages_of(FRAME, Published(wrong), NOW))
        with pytest.raises(ValueError, match=r"exercise|police"):
            entry_of(wrong)
    with pytest.raises(ValueError, match="exercise"):
        list(pages_of(FRAME, Published(edition, [replace(edition, is_exercise=True)]), NOW))


def test_a_language_is_added_as_data() -> None:
    edition = alerts_made.edition(0)
    persian = Text("fa", "پیام‌های جعلی درباره بسته‌ها", "بسیاری از مردم پیامی دریافت کرده‌اند.", made=Made.HUMAN)
    edition = replace(edition, texts=(*edition.texts, persian))
    frame = replace(FRAME, languages=(*LANGUAGES, "fa"))
    made = {each.file.path: each.file for each in pages_of(frame, Published(edition), NOW)}
    page = LexborHTMLParser(made[addresses.page(edition.number, "fa")].body)
    assert page.css_first("html").attributes == {"lang": "fa", "dir": "rtl"}
    assert page.css_first("h1").text() == persian.title
    entries = [entry_of(edition), entry_of(alerts_made.edition(1))]
    whole = {each.path: each for each in site.all_pages(frame, entries, NOW)}
    home = LexborHTMLParser(whole[addresses.home("fa")].body)
    assert "What do you need?" in home.text(), "words fall back to English"
    ways = {each.attributes["href"] for each in home.css(".row a")}
    # The one that did not come in it is read where it is.
    assert f"../fa/{edition.number}/" in ways
    assert f"../en/{alerts_made.edition(1).number}/" in ways


def test_technical_signs_are_written_so_that_nobody_opens_them() -> None:
    edition = next(each for each in list(alerts_made.editions(20))[ONE_LANGUAGE + 1 :] if each.signs)
    page = _pages()[addresses.page(edition.number, "ar")]
    shown = [each.text() for each in page.css(".sign")]
    assert shown[0].count("[.]") == 3
    assert any(each.startswith("hxxps://") for each in shown)
    assert all(each.attributes["dir"] == "ltr" for each in page.css(".sign"))
    assert not any(each.value in page.html for each in edition.signs if "." in each.value)


def test_the_first_view_is_light() -> None:
    files, _, _ = made_site()
    assets = FRAME.assets
    letters = sum(len(each.body) for each in assets.files if each.path.endswith("woff2"))
    for path in _sampled():
        own = [path, assets.style, assets.script, assets.sign, *([assets.search] if "/search/" in path else [])]
        weight = letters + sum(len(gzip.compress(files[each])) for each in own)
        assert weight <= FIRST_VIEW_BYTES, (path, weight)


def test_the_search_finds_all_that_the_lists_hold() -> None:
    files, _, entries = made_site()
    rows = [
        row for path, body in files.items() if re.fullmatch(r"ar/index-\d+\.json", path) for row in json.loads(body)
    ]
    assert {row[0] for row in rows} == {each.number for each in entries}
    months = [page for path, page in _pages().items() if re.fullmatch(r"ar/alerts/\d{4}-\d\d/", path)]
    listed = {node.attributes["href"].split("/")[-2] for page in months for node in page.css(".row a")}
    assert listed == {each.number for each in entries}


def test_a_country_says_where_to_report_and_what_concerns_it() -> None:
    page = _pages()[addresses.country("en", "FR")]
    ways = {each.attributes["href"] for each in page.css(".help .button")}
    hit = "https://portal.example/hit/?country={}&language={}"
    assert ways == {
        "https://17cyber.gouv.fr", "https://www.internet-signalement.gouv.fr", "tel:112", hit.format("FR", "en"),
    }  # fmt: skip
    named = {each.number for each in made_site()[2] if "FR" in each.countries}
    assert {each.attributes["href"].split("/")[-2] for each in page.css(".row a")} == named
    japan = _pages()[addresses.country("ar", "JP")]
    assert [each.attributes["href"] for each in japan.css(".help .button")] == [
        "tel:110", "tel:%239110", hit.format("JP", "ar"),
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_no_channel_is_known_the_page_says_what_helps_everywhere(language: str) -> None:
    without = _pages()[addresses.country(language, "AQ")]
    assert len(without.css(".help .plain li")) == lists.STEPS_WITHOUT
    assert not without.css('.help a[href^="tel:"]'), "no number is better than a wrong one"
    assert not _pages()[addresses.country(language, "FR")].css(".help .plain li")
    told = {each.text() for each in without.css(".help .plain li")}
    assert language == "en" or not told & {each.text() for each in _pages()[addresses.country("en", "AQ")].css("li")}


def test_a_channel_says_whether_it_is_confirmed_and_never_by_whom(tmp_path: Path) -> None:
    own = tmp_path / "reporting.toml"
    own.write_text(
        '[[channel]]\ncountry = "AD"\nname = "Own"\ntelephone = "110"\nsource = "https://own.example"\n'
        'seen = 2026-11-01\nchecked_on = 2026-11-20\nchecked_by = "R. Okafor"\n', encoding="utf-8")  # fmt: skip
    frame = replace(FRAME, reporting=reporting(own))
    shown = {code: next(iter(lists.facet_pages(frame, "en", lists.Facet("country", code), [], NOW))).body.decode()
             for code in ("AD", "NO", "MY")}  # fmt: skip
    assert "Checked by us on 20 November 2026." in shown["AD"]
    assert "Okafor" not in shown["AD"]
    assert "As its operator publishes it at www.politiet.no." in shown["NO"]
    assert "We have not yet confirmed it" in shown["MY"]
    data = machine.reporting_of(frame).body.decode()
    assert "2026-11-20" in data
    assert "Okafor" not in data


def test_one_alert_changes_what_shows_it_and_nothing_else() -> None:
    """The second way: the whole site made anew."""
    entries = in_order(made_site()[2])
    before = {each.path: each.body for each in site.all_pages(FRAME, entries, NOW)}
    old = entries[7]
    titles = dict.fromkeys(LANGUAGES, "Another title")
    new = msgspec_replace(old, titles=titles, countries=("FR", "JP"), version=old.version + 1)
    changed = [*entries[:7], new, *entries[8:]]
    after = {each.path: each.body for each in site.all_pages(FRAME, changed, NOW)}
    some = site.pages_changed(FRAME, changed, {old.number}, {old.number: old}, NOW)
    made = {each.path: each.body for each in some}
    assert {each: body for each, body in after.items() if before.get(each) != body}.items() <= made.items()
    assert made.items() <= after.items()


def test_a_first_alert_of_a_month_and_a_year_is_led_to() -> None:
    entries = in_order(made_site()[2])
    before = {each.path: each.body for each in site.all_pages(FRAME, entries, NOW)}
    new = msgspec_replace(entries[0], number="METHOD-2027-0001", issued=entries[0].issued + timedelta(days=60))
    after = {each.path: each.body for each in site.all_pages(FRAME, [new, *entries], NOW)}
    made = {each.path: each.body for each in site.pages_changed(FRAME, [new, *entries], {new.number}, {}, NOW)}
    assert {path: body for path, body in after.items() if before.get(path) != body}.items() <= made.items()


def msgspec_replace(entry: Entry, **facts: object) -> Entry:
    import msgspec

    return msgspec.structs.replace(entry, **facts)


def test_entries_are_read_back_as_they_were() -> None:
    entries = in_order(made_site()[2])
    assert unpack(pack(entries)) == entries


hostile = st.text(
    st.sampled_from("<>&\"'{}%‽\u202e\u2066\u200f\x00\n abcضظ😀[].") | st.characters(exclude_categories=("Cs",)),
    min_size=1, max_size=60,
).filter(str.strip)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(hostile, hostile, hostile)
def test_whatever_somebody_writes_stays_text(title: str, body: str, line: str) -> None:
    """I6, as far as pages go: what is written is shown, and is never part of the page."""
    text = Text("en", title, body, recognise=(line,), do_now=(line,), if_victim=line)
    edition = replace(alerts_made.edition(0), texts=(text,), countries=(), signs=(), reasons={"en": line}, version=2)
    plain = Text("en", "x", "x", recognise=("x",), do_now=("x",), if_victim="x")
    expected = replace(edition, texts=(plain,), reasons={"en": "x"})
    pages = {each.file.path: each.file.body for each in pages_of(FRAME, Published(edition), NOW)}
    for page in pages_of(FRAME, Published(expected), NOW):
        shown, wanted = LexborHTMLParser(pages[page.file.path]), LexborHTMLParser(page.file.body)
        tags = [[each.tag for each in one.css("*") if each.tag not in {"br", "p"}] for one in (shown, wanted)]
        assert tags[0] == tags[1]


def test_addresses_are_one_to_one() -> None:
    files, _, _ = made_site()
    assert all(path == "" or normpath(path) + ("/" if path.endswith("/") else "") == path for path in files)
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]*", path) for path in files)
