"""PDF, Word, Outlook, web and plain documents: places, titles, labels, and what hostile ones end in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest
import typst
from docx.opc.constants import RELATIONSHIP_TYPE
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Format, Heading, Item, Proposal, Rejection, Sample, Source
from tocsin.formats import certfr, html, mail, pdf, prose, rules
from tocsin.formats import docx as word
from tocsin.formats._documents import language_of, marking_in
from tocsin.transport.opening import read_source

ALL = (certfr.FORMAT, html.FORMAT, mail.FORMAT, pdf.FORMAT, prose.FORMAT, rules.FORMAT, word.FORMAT)


def items(form: Format, content: bytes, name: str = "input") -> list[Item]:
    assert form.recognise(Sample(content[: 256 << 10], name, len(content))) >= 35
    return list(form.read(Source(name, content=content), Profile()))


def values(seen: list[Item]) -> dict[str, int]:
    return {item.value: item.page for item in seen if isinstance(item, Proposal)}


def heading(seen: list[Item]) -> Heading:
    return [item for item in seen if isinstance(item, Heading)][-1]


@pytest.fixture(scope="module")
def report_pdf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("pdf")
    (folder / "a.typ").write_text(
        '#set document(title: "Exercise report")\nTLP:GREEN\n\nThe server 198.51.100.23 was used by the attackers.'
        '\n#pagebreak()\nIt led to #link("http://hidden.bad-link.example/x")[this page] and bad-host[.]example as well.'
    )
    return typst.compile(str(folder / "a.typ"))


def test_pdf_pages_links_title_and_label(report_pdf: bytes) -> None:
    seen = items(pdf.FORMAT, report_pdf)
    assert values(seen) == {"198.51.100.23": 1, "bad-host.example": 2, "http://hidden.bad-link.example/x": 2}
    assert heading(seen).title == "Exercise report"
    assert heading(seen).marking == "TLP:GREEN"
    assert "used by the attackers" in heading(seen).text


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_cut_pdfs_end_with_a_reason_or_what_is_left(report_pdf: bytes, kept: float) -> None:
    try:
        seen = items(pdf.FORMAT, report_pdf[: int(len(report_pdf) * kept)])
    except InputError as error:
        assert error.reason == "document-damaged"  # noqa: PT017
    else:
        assert any(isinstance(item, Rejection | Proposal) for item in seen)


@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_pdfs_never_raise_anything_else(report_pdf: bytes, places: list[tuple[float, int]]) -> None:
    content = bytearray(report_pdf)
    for place, value in places:
        content[int(place * len(content))] = value
    content[:5] = b"%PDF-"
    try:
        items(pdf.FORMAT, bytes(content))
    except InputError as error:
        assert error.reason in {"document-damaged", "document-encrypted"}  # noqa: PT017


def word_document() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Exercise memo"
    document.add_paragraph("TLP:AMBER+STRICT. The address is 198.51.100.24.")
    cell = document.add_table(1, 1).rows[0].cells[0]
    cell.text = "bad-cell[.]example"
    document.sections[0].footer.paragraphs[0].text = "drop@footer-mail.example"
    document.part.relate_to("http://bad-target.example/doc", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_word_body_table_footer_and_links() -> None:
    seen = items(word.FORMAT, word_document())
    found = values(seen)
    assert found.pop("http://bad-target.example/doc") == 3
    assert found == {"198.51.100.24": 1, "bad-cell.example": 1, "drop@footer-mail.example": 2}
    assert (heading(seen).title, heading(seen).marking) == ("Exercise memo", "TLP:AMBER+STRICT")


def with_body(body: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word_document())) as given_, zipfile.ZipFile(out, "w", method) as changed:
        for info in given_.infolist():
            changed.writestr(info.filename, body if info.filename == "word/document.xml" else given_.read(info))
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<w:document", "document-damaged"),
        (b"<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><a>&c;</a>", ""),
        (b" " * (600 << 20), "archive-bomb"),
    ],
    ids=["cut", "entities", "bomb"],
)
def test_hostile_word_documents(body: bytes, reason: str) -> None:
    if reason:
        with pytest.raises(InputError, match=reason):
            items(word.FORMAT, with_body(body))
    else:
        assert len(heading(items(word.FORMAT, with_body(body))).text) < 10_000


def test_a_word_document_cut_short_is_damaged() -> None:
    with pytest.raises(InputError, match="document-damaged"):
        items(word.FORMAT, word_document()[:-200])


def test_deep_markup_ends_well() -> None:
    seen = items(html.FORMAT, b"<html><body>" + b"<div>" * 200_000 + b"198.51.100.7")
    assert isinstance(seen[-1], Heading)


def test_scripts_are_not_text_but_their_sources_are_links() -> None:
    seen = items(html.FORMAT, b'<html><script src="//bad-script.example/a.js">var a = "198.51.100.9"</script>hello')
    assert values(seen) == {"http://bad-script.example/a.js": 2}


@pytest.mark.parametrize(
    "content",
    [
        b"From: a\nTo: b\nSubject: =?utf-8?b?////?=\nDate: x\nMIME-Version: 1.0\n\nbody",
        b"From: a@b.example <\nTo: \nSubject: x\nDate:\nContent-Type: multipart/mixed\n\n--\n",
        b"From: <a@b.example>\nTo: x\nSubject: x\nDate: x\nContent-Type: text/plain; charset=nonsense\n\n\xff\xfe",
        b"From: x\nTo: x\nDate: x\nSubject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!not base64!!!",  # noqa: E501
        b"From: x\nTo: x\nDate: x\nSubject: x\nMIME-Version: 1.0\nContent-Disposition: attachment; filename*=utf-9''%ff%\n\nx",  # noqa: E501
        b"From: x\nTo: x\nDate: x\nSubject: x\nMIME-Version: 1.0\n" + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth) for depth in range(500)),
    ],
    ids=["encoded-word", "no-boundary", "charset", "base64", "file-name", "deep"],
)  # fmt: skip
def test_broken_mail_ends_well(content: bytes) -> None:
    try:
        assert heading(items(mail.FORMAT, content))
    except InputError as error:
        assert error.reason == "too-deep"  # noqa: PT017


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_header_and_body_end_well(header: bytes, body: bytes) -> None:
    content = b"From: a@b.example\nDate: x\nSubject: x\nTo: x\nReceived: " + header + b"\n\n" + body
    assert list(mail.read(Source("a.eml", content=content), Profile()))


def test_recipients_are_not_proposed() -> None:
    content = (
        b"From: evil@sender.example\nTo: victim@bank.example\nCc: other@bank.example\nDate: x\nSubject: x\n"
        b"Received: from a (a.sender.example [198.51.100.1]) by mx.bank.example for <victim@bank.example>; x\n\nhello"
    )
    assert set(values(items(mail.FORMAT, content))) == {"evil@sender.example", "a.sender.example", "198.51.100.1"}


def test_plain_text_is_read_in_pieces_with_running_offsets() -> None:
    text = "an ordinary line of some report about nothing much\n" * 50_000 + "the host is late-one.example\n"
    (found,) = [
        item for item in prose.read(Source("a.txt", content=text.encode()), Profile()) if isinstance(item, Proposal)
    ]
    assert text[found.offset : found.offset + len(found.shown_as)] == "late-one.example"


@pytest.mark.parametrize(
    ("text", "marking"),
    [
        ("TLP:WHITE", "TLP:CLEAR"),
        ("tlp : amber", "TLP:AMBER"),
        ("TLP:AMBER + STRICT", "TLP:AMBER+STRICT"),
        ("TLP-GREEN and TLP:RED", "TLP:RED"),
        ("no label", None),
        ("TLP:PURPLE", None),
    ],
)
def test_labels_in_text(text: str, marking: str | None) -> None:
    assert marking_in(text) == marking


def test_languages() -> None:
    assert language_of("The attackers sent messages to the customers of several banks last week.") == "en"
    assert language_of("Les attaquants ont envoyé des messages aux clients de plusieurs banques.") == "fr"
    assert (
        language_of("أرسل المهاجمون رسائل إلى عملاء عدة بنوك في البلاد خلال الأسبوع الماضي وطلبوا منهم بياناتهم")
        == "ar"
    )
    assert language_of("x y z") == ""


class Formats:
    """The formats of this file, as `tocsin.formats` offers them."""

    def recognise(self, sample: Sample) -> Format | None:
        best = max(ALL, key=lambda form: form.recognise(sample))
        return best if best.recognise(sample) else None

    def by_name(self, name: str) -> Format:
        return {form.name: form for form in ALL}[name]


def test_enclosed_files_are_read_and_pictures_kept() -> None:
    inner = zipfile.ZipFile(out := io.BytesIO(), "w")
    inner.writestr("note.txt", "All your files were encrypted by us: write to bad@drop-mail.example at once, please.")
    inner.writestr("a.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    inner.close()
    import base64

    content = (
        b"From: a@b.example\nTo: x\nDate: x\nSubject: Outer\nMIME-Version: 1.0\n"
        b'Content-Type: application/zip; name="a.zip"\nContent-Transfer-Encoding: base64\n\n'
        + base64.b64encode(out.getvalue())
    )
    seen = list(read_source(Source("m.eml", content=content), Profile(format="mail"), Formats()))
    assert "bad@drop-mail.example" in values(seen)
    assert [item.reason for item in seen if isinstance(item, Rejection)] == ["attachment-kept"]
    assert heading(seen).title == "Outer"
    assert "encrypted by us" in heading(seen).text
    assert not any(isinstance(item, Enclosed) for item in seen)


def test_a_failing_reader_fails_the_file_with_a_reason() -> None:
    def explode(source: Source, profile: Profile) -> object:
        raise ZeroDivisionError

    class Exploding(Formats):
        def by_name(self, name: str) -> Format:
            return Format("x", "x", lambda sample: 0, explode)  # type: ignore[arg-type]

    with pytest.raises(InputError, match="reader-failed"):
        list(read_source(Source("a", content=b"x"), Profile(format="x"), Exploding()))


def test_an_unknown_format_is_said() -> None:
    with pytest.raises(InputError, match="unknown-format"):
        list(read_source(Source("a", content=bytes(range(256))), Profile(), Formats()))


FOLDERS = ["prose-fr", "prose-es", "ransom-notes", "email", "rules", "training", "malformed/naughty-strings",
           "prose-iocs/eset-asciidoc", "prose-iocs/txt2stix", "prose-iocs/annoctr/text"]  # fmt: skip


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_real_documents_end_well(folder: str, shared_data: Path, tmp_path: Path) -> None:
    from tocsin.transport.opening import Opened, open_delivery

    read = 0
    for number, path in enumerate(sorted(entry for entry in (shared_data / folder).rglob("*") if entry.is_file())):
        for opened in open_delivery(path, path.name, tmp_path / str(number)):
            assert isinstance(opened, Opened)
            seen = list(read_source(opened.source, Profile(), Formats()))
            assert isinstance(heading(seen), Heading)
            assert {item.reason for item in seen if isinstance(item, Rejection)} <= {"attachment-kept"}
            read += 1
    assert read > 0


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n", True),
        ("Konto;Betrag\n1;2\n3;4\n", True),
        ("name\tage\nx\t1\ny\t2\n", True),
        ("ip,seen,by\n203.0.113.5,2,3\n1,2,3\n", False),
        ("Dear all,\nthank you,\nthe Centre,\n", False),
        ("one line\nanother; line\nthird\n", False),
        ("", False),
        ("We saw a long sentence, with two commas, in every line that was written\n" * 5, False),
    ],
)
def test_a_table_of_nothing_known_is_for_a_person_to_map(text: str, is_refused: bool) -> None:
    source = Source("input", content=text.encode())
    if is_refused:
        with pytest.raises(InputError) as caught:
            list(prose.read(source, Profile()))
        assert caught.value.reason == "unknown-format"
    else:
        assert heading(list(prose.read(source, Profile()))).text == text
