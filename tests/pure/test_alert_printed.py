"""What is printed of an alert: documents, cards, posters and the campaign kit."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

import PIL.Image
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfminer.high_level import extract_pages, extract_text
from pdfminer.layout import LTChar, LTTextContainer
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import resolve1
from tests.printed_alerts import ARABIC, ENGLISH, edition

from tocsin.core.words import Kind
from tocsin.products.alerts import addresses, cards, posters, printed
from tocsin.products.alerts.campaign_texts import LENGTHS, mail, post
from tocsin.products.alerts.colours import CANCELLED, PALETTES
from tocsin.products.alerts.document import document_pdf
from tocsin.products.alerts.printable import (
    LONGEST_WORD,
    can_be_printed,
    covered,
    missing,
    paragraphs,
    printable,
    shortened,
)  # fmt: skip
from tocsin.products.alerts.record import LANGUAGES, AlertType, Image, Message, PublicEdition, Text
from tocsin.products.alerts.signs import defanged
from tocsin.products.alerts.words import words

CANCELLED_EDITION = edition(
    message=Message.CANCEL, version=3, texts=(ENGLISH,), reasons={"en": "The source corrected it."}
)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {each.path: each.body for each in printed.files_of(edition())}


@pytest.fixture(scope="module")
def kit(files: dict[str, bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(files["METHOD-2026-0042/kit.zip"]))


def catalog(body: bytes) -> dict[str, object]:
    return dict(PDFDocument(PDFParser(io.BytesIO(body))).catalog)


def in_order(body: bytes) -> str:
    return " ".join(extract_text(io.BytesIO(body)).split())


def fonts_of(body: bytes) -> set[str]:
    names = set()
    for page in extract_pages(io.BytesIO(body)):
        for box in page:
            if isinstance(box, LTTextContainer):
                names |= {sign.fontname for line in box for sign in line if isinstance(sign, LTChar)}  # type: ignore[attr-defined]
    return names


def test_every_language_has_document_and_cards_and_all_share_a_kit(files: dict[str, bytes]) -> None:
    number = "METHOD-2026-0042"
    expected = {addresses.kit(number)}
    for language in LANGUAGES:
        expected |= {addresses.document(number, language), addresses.card(number, language, "svg"),
                     addresses.card(number, language, "png")}  # fmt: skip
    assert set(files) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_document_is_tagged_and_brings_its_fonts(files: dict[str, bytes], language: str) -> None:
    body = files[addresses.document("METHOD-2026-0042", language)]
    root = catalog(body)
    assert resolve1(root["MarkInfo"])["Marked"]
    assert bytes(resolve1(root["Lang"])).decode() == language
    assert b"pdfuaid:part>1<" in resolve1(root["Metadata"]).get_data().replace(b'pdfuaid:part="1"', b"pdfuaid:part>1<")
    assert len(list(extract_pages(io.BytesIO(body)))) <= 2
    names = fonts_of(body)
    assert names
    assert all(re.fullmatch(r"[A-Z]{6}\+NotoSans(Arabic)?-(Regular|Bold)", name) for name in names)


def test_a_document_says_all_of_the_record_in_order(files: dict[str, bytes]) -> None:
    shown = in_order(files["METHOD-2026-0042/en.pdf"])
    parts = [
        "Modus operandi", ENGLISH.title, "Version 2", "20 November 2026, 09:30 UTC", "Severe",
        "Belgium, France, Morocco", "What this version changes", "Two signs were added.", "What is happening",
        "Criminals send", "Who is at risk", "Anyone with", "How to recognise it", "The message comes",
        "What to do now", "Do not open", "If you are a victim", "Call your bank", "Technical signs",
        "Previous versions", "Newest version", "alerts.example/alerts/METHOD-2026-0042", "press@alerts.example",
    ]  # fmt: skip
    places = [shown.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    for value in ("203[.]0[.]113[.]7", "hxxps://track-parcel[.]example/pay?id=1", "CinderCat"):
        assert value in shown
    assert "203.0.113.7" not in shown
    prose = places[parts.index("What this version changes") :]
    assert prose == sorted(prose), "facts stand side by side, the rest one below the other"


def test_the_same_record_gives_the_same_bytes() -> None:
    first, again = ([each.body for each in printed.files_of(edition(texts=(ARABIC,)))] for _ in range(2))
    assert first == again


def glyphs(title: str) -> set[str]:
    told = cards.told_of(edition(texts=(replace(ARABIC, title=title, do_now=()),)), "ar")
    drawing = cards.pictures("cards.typ", told, "svg")[0].decode()
    outlines = re.findall(r'<symbol[^>]*id="[^"]*"[^>]*>(.*?)</symbol>', drawing, re.DOTALL)
    assert outlines
    return set(outlines)


def test_arabic_letters_join() -> None:
    alone, joined = glyphs("ب ب ب"), glyphs("ببب")
    assert len(joined - alone) == 3, "beginning, middle and end of a word have a form each"


def places_of(body: bytes, size_above: float) -> dict[str, float]:
    """Each letter of this size and where it stands from the left."""

    def signs(item: object) -> Iterator[LTChar]:
        if isinstance(item, LTChar):
            yield item
        elif isinstance(item, Iterable):
            for each in item:
                yield from signs(each)

    [page] = extract_pages(io.BytesIO(body))
    return {each.get_text().strip("\u202a\u202c"): each.x0 for each in signs(page) if each.size > size_above}


def test_arabic_runs_from_the_right_and_values_in_it_from_the_left() -> None:
    text = replace(ARABIC, title="زمن a[.]b-7 قمر", do_now=(), happening="", if_victim="")
    x = places_of(posters.poster_pdf(edition(texts=(text,)), "ar", "a4"), 20)
    assert x["ز"] > x["ن"] > x["7"] > x["b"] > x["a"] > x["ق"] > x["ر"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_cards_are_small_and_need_no_font(files: dict[str, bytes], language: str) -> None:
    drawing = files[addresses.card("METHOD-2026-0042", language, "svg")].decode()
    assert "<text" not in drawing
    assert "font" not in drawing
    assert not re.search(r'href="(?!#|data:)', drawing)
    body = files[addresses.card("METHOD-2026-0042", language, "png")]
    assert len(body) < 100_000
    assert PIL.Image.open(io.BytesIO(body)).size == cards.WIDE


def test_the_code_on_a_card_leads_to_the_alert(files: dict[str, bytes]) -> None:
    picture = PIL.Image.open(io.BytesIO(files["METHOD-2026-0042/card-ar.png"])).convert("L")
    matrix = segno.make_qr("https://alerts.example/alerts/METHOD-2026-0042/", error="m").matrix
    size, border = 162, 4
    step = size / (len(matrix) + 2 * border)
    left, top = 64, 630 - 170 / 2 - size / 2
    for row, line in enumerate(matrix):
        for column, dark in enumerate(line):
            x, y = left + (column + border + 0.5) * step, top + (row + border + 0.5) * step
            assert (picture.getpixel((int(x), int(y))) < 128) == bool(dark), (row, column)


def test_a_long_title_stands_whole_on_every_card_and_poster() -> None:
    title = (
        "Wholesale misappropriation of telecommunications infrastructure accounts through counterfeit administrative "
        * 2
    )
    long = edition(texts=(replace(ENGLISH, title=title[:140].strip()),))
    told = posters.told_of(long, "en", "a4")
    assert told["title"] == title[:140].strip()
    assert told["title"].split()[-1] in in_order(posters.poster_pdf(long, "en", "a4"))
    assert len(cards.cards_of(long, "en").square_png) < 150_000


@pytest.mark.parametrize("paper", posters.PAPERS)
def test_a_poster_is_one_sheet(paper: posters.Paper) -> None:
    wordy = replace(ENGLISH, happening="word " * 10_000, do_now=tuple(["step " * 500] * 30), if_victim="call " * 3_000)
    pages = list(extract_pages(io.BytesIO(posters.poster_pdf(edition(texts=(wordy,)), "en", paper))))
    assert [(round(page.width), round(page.height)) for page in pages] == [{"a4": (595, 842), "a3": (842, 1191)}[paper]]


def test_what_was_cancelled_says_so_on_every_page_and_has_no_kit() -> None:
    made = {each.path: each.body for each in printed.files_of(CANCELLED_EDITION)}
    assert not any(path.endswith("kit.zip") for path in made)
    for page in extract_pages(io.BytesIO(made["METHOD-2026-0042/en.pdf"])):
        shown = "".join(box.get_text() for box in page if isinstance(box, LTTextContainer))
        assert "Cancelled" in shown
    assert "The source corrected it." in in_order(made["METHOD-2026-0042/en.pdf"])
    assert CANCELLED.deep.encode() in made["METHOD-2026-0042/card-en.svg"]


@pytest.mark.parametrize("never", [edition(is_exercise=True), edition(type=AlertType.PERSON)])
def test_an_exercise_and_an_alert_about_a_person_have_no_public_output(never: PublicEdition) -> None:
    with pytest.raises(ValueError, match="no public output"):
        list(printed.files_of(never))


def test_an_exercise_for_its_players_says_so() -> None:
    shown = in_order(document_pdf(edition(is_exercise=True), "fr"))
    assert "Exercice" in shown
    assert "Rien n’y est réel" in shown


def test_the_kit_lists_itself(kit: zipfile.ZipFile) -> None:
    manifest = json.loads(kit.read("METHOD-2026-0042/manifest.json"))
    names = {name.removeprefix("METHOD-2026-0042/") for name in kit.namelist()} - {"manifest.json"}
    assert set(manifest["files"]) == names
    for name, facts in manifest["files"].items():
        assert hashlib.sha256(kit.read(f"METHOD-2026-0042/{name}")).hexdigest() == facts["sha256"]
    assert {name.partition("/")[0] for name in names if "/" in name} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_readme_names_each_file_and_counts_each_text(kit: zipfile.ZipFile, language: str) -> None:
    folder = f"METHOD-2026-0042/{language}/"
    readme = kit.read(f"{folder}README.txt").decode()
    for name in (each.removeprefix(folder) for each in kit.namelist() if each.startswith(folder)):
        assert name == "README.txt" or f"\n{name}\n" in readme
    for most in LENGTHS:
        said = kit.read(f"{folder}post-{most}.txt").decode()
        assert len(said) <= most
        assert words(language)("kit.post", count=len(said), most=most) in readme
        assert said.endswith("\n\nhttps://alerts.example/alerts/METHOD-2026-0042/")


def test_a_mail_says_all_of_the_alert() -> None:
    said = mail(edition(), "en")
    for _name, passage in ENGLISH.passages():
        assert all(part in said for part in passage.split("\n\n"))
    assert said.startswith(f"Subject: {ENGLISH.title}\n\n")


def test_a_language_without_letters_in_the_fonts_is_written_and_not_printed() -> None:
    chinese = Text("zh", "虚假包裹短信窃取银行信息", "犯罪分子冒充快递公司发送短信。", do_now=("不要打开链接。",))
    both = edition(texts=(ENGLISH, chinese))
    made = {each.path: each.body for each in printed.files_of(both)}
    assert not can_be_printed(chinese)
    assert "METHOD-2026-0042/en.pdf" in made
    assert "METHOD-2026-0042/zh.pdf" not in made
    archive = zipfile.ZipFile(io.BytesIO(made["METHOD-2026-0042/kit.zip"]))
    assert "犯罪分子冒充快递公司发送短信。" in archive.read("METHOD-2026-0042/zh/post-500.txt").decode()
    assert not [name for name in archive.namelist() if "/zh/" in name and not name.endswith(".txt")]


def test_what_paper_cannot_show() -> None:
    assert printable("A \u202egnp.exe\u2066 \x07\U0001f4e6 银 é") == "A gnp.exe  \ufffd é"
    assert printable("می\u200cروم") == "می\u200cروم"
    assert missing(["A 银 \U0001f4e6", "\u202e"]) == "银\U0001f4e6"
    assert max(map(len, paragraphs("x" * 500)[0].split("\u200b"))) == LONGEST_WORD
    assert paragraphs("a\n \nb\nc\r\n\r\n") == ["a", "b\nc"]
    assert shortened("one two three", 9) == "one two…"
    assert {ord(sign) for sign in "aéñßЖαبپ،؟"} <= covered()
    assert not {0x1F4E6, 0x94F6, 0xFFFF} & covered()


@pytest.mark.parametrize(("value", "kind", "shown"), [
    ("https://a.example/b.c?d=1.2", Kind.URL, "hxxps://a[.]example/b.c?d=1.2"),
    ("HTTP://a.example", Kind.URL, "hxxp://a[.]example"), ("ftp://a.example/x", Kind.URL, "ftp[:]//a[.]example/x"),
    ("https://u@203.0.113.7/", Kind.URL, "hxxps://u[@]203[.]0[.]113[.]7/"),
    ("203.0.113.0/24", Kind.NETWORK, "203[.]0[.]113[.]0/24"), ("2001:db8::1", Kind.IPV6, "2001[:]db8::1"),
    ("a.b@c.example", Kind.EMAIL, "a[.]b[@]c[.]example"), ("not.a.url", Kind.URL, "not[.]a[.]url"),
    ("readme.exe", Kind.FILENAME, "readme.exe"),
])  # fmt: skip
def test_signs_are_written_so_that_nobody_opens_them(value: str, kind: Kind, shown: str) -> None:
    assert defanged(value, kind) == shown


def test_white_letters_can_be_read_on_every_colour() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for each in (*PALETTES.values(), CANCELLED):
        assert 1.05 / (light(each.deep) + 0.05) >= 4.5
        assert (light(each.tint) + 0.05) / (light(each.deep) + 0.05) >= 4.5


HOSTILE = st.text(max_size=60) | st.sampled_from([
    "#set page(width: 1pt)", "$x$ *b* _i_ @a <b> `c` \\", "\u202e\u2066" * 30, "ب" * 300, "x" * 300, "\U0001f4e6" * 50,
    "\0\x1b[2J", "a\u0301" * 90, "]]></svg>", '"}{', "\ud7ff\ue000\ufffe", "", "\n\n\n", "֎" * 5, "ﷺ﷽ﷺ", "\u2028\u2029",
])  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(title=HOSTILE, body=HOSTILE, step=HOSTILE, language=st.sampled_from(["en", "ar", "fa", "tlh"]))
def test_no_text_breaks_or_commands_the_typesetter(title: str, body: str, step: str, language: str) -> None:
    text = Text(language, title, body, body, (step,), (step, body), body)
    hostile = edition(texts=(text,), reasons={language: step})
    pages = PDFPage.get_pages(io.BytesIO(document_pdf(hostile, language)))
    assert {(round(page.mediabox[2]), round(page.mediabox[3])) for page in pages} == {(595, 842)}
    assert len(cards.cards_of(hostile, language).wide_png) < 150_000
    assert all(len(post(hostile, language, most)) <= most for most in LENGTHS)


def test_ten_thousand_words_are_set() -> None:
    wordy = replace(ENGLISH, happening="\n\n".join(["These are ten words that stand in one long paragraph."] * 1000))
    assert in_order(document_pdf(edition(texts=(wordy,)), "en")).count("ten words that") == 1000


def test_a_picture_stands_in_the_document_with_what_it_shows() -> None:
    made = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), "#336699").save(made, "PNG")
    shown = edition(
        texts=(replace(ENGLISH, image_texts={"page.png": "The false page"}),),
        images=(Image("page.png", "image/png", made.getvalue(), 40, 20),),
    )
    made_files = {each.path: each for each in printed.files_of(shown)}
    assert made_files["METHOD-2026-0042/images/page.png"].body == made.getvalue()
    assert "The false page" in in_order(made_files["METHOD-2026-0042/en.pdf"].body)
    assert re.search(rb"/Subtype\s*/Image", made_files["METHOD-2026-0042/en.pdf"].body)
