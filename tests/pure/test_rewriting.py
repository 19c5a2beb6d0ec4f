"""PDF documents made anew: nothing comes through but what their pages show."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
import PIL.Image
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from tocsin.core.errors import InputError
from tocsin.core.reading import Rejection, Source
from tocsin.formats import pdf as reader
from tocsin.transport.rewriting import MOST_PAGES, bare_jpeg, rewritten

SECRET = b"hidden-words-7f3a"


def document(text: str = "Look for this letter.", pages: int = 1) -> Pdf:
    made = pikepdf.new()
    for _ in range(pages):
        page = made.add_blank_page(page_size=(300, 300))
        page.Resources = Dictionary(Font=Dictionary(F1=Dictionary(
            Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)))  # fmt: skip
        page.Contents = made.make_stream(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
    return made


def saved(made: Pdf, **said: Any) -> bytes:
    out = io.BytesIO()
    made.save(out, **said)
    return out.getvalue()


def unpacked(body: bytes) -> bytes:
    """Every byte of it that a program can reach."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(body)) as made:
        made.save(
            out, qdf=True, object_stream_mode=pikepdf.ObjectStreamMode.disable,
            stream_decode_level=pikepdf.StreamDecodeLevel.specialized, compress_streams=False,
        )  # fmt: skip
    return out.getvalue()


def words(body: bytes) -> str:
    found = list(reader.everything_in(Source("a.pdf", content=body)))
    assert not [each for each in found if isinstance(each, Rejection)]
    return "\n".join(text for _page, text in found if isinstance(text, str))  # type: ignore[misc]


def test_what_pages_show_stays_and_the_same_file_gives_the_same_bytes() -> None:
    given = saved(document(pages=3))
    made = rewritten(given)
    assert made.pages == 3
    assert words(made.body).count("Look for this letter.") == 3
    assert rewritten(given).body == made.body


def _script(made: Pdf) -> None:
    made.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String(SECRET.decode()))
    made.Root.AA = Dictionary(WC=Dictionary(S=Name.JavaScript, JS=String(SECRET.decode())))


def _script_by_name(made: Pdf) -> None:
    act = Dictionary(S=Name.JavaScript, JS=made.make_stream(SECRET))
    made.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("x"), act])))


def _file_inside(made: Pdf) -> None:
    made.attachments["letter.txt"] = pikepdf.AttachedFileSpec(made, SECRET)


def _launch(made: Pdf) -> None:
    act = Dictionary(S=Name.Launch, F=String(SECRET.decode()))
    made.pages[0].Annots = made.make_indirect(Array([made.make_indirect(Dictionary(
        Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 300, 300]), A=act))]))  # fmt: skip
    made.pages[0].AA = Dictionary(O=Dictionary(S=Name.URI, URI=String(SECRET.decode())))


def _described(made: Pdf) -> None:
    made.docinfo["/Author"] = SECRET.decode()
    with made.open_metadata() as told:
        told["dc:creator"] = [SECRET.decode()]
    made.pages[0].Metadata = made.make_stream(SECRET)
    made.pages[0].PieceInfo = Dictionary(App=Dictionary(Private=String(SECRET.decode())))


def _xfa(made: Pdf) -> None:
    made.Root.AcroForm = Dictionary(Fields=Array([]), XFA=made.make_stream(SECRET))


def _marked(made: Pdf) -> None:
    made.pages[0].Contents = made.make_stream(
        b"/Span <</ActualText (" + SECRET + b")>> BDC BT /F1 12 Tf 20 200 Td (Look) Tj ET EMC % " + SECRET
    )


def _elsewhere(made: Pdf) -> None:
    form = Stream(made, b"q Q", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]),
                  Ref=Dictionary(F=String(SECRET.decode())), Metadata=made.make_stream(SECRET))  # fmt: skip
    made.pages[0].Resources.XObject = Dictionary(X1=form)
    made.pages[0].Contents = made.make_stream(b"/X1 Do BT /F1 12 Tf 20 200 Td (Look) Tj ET")


def _picture(made: Pdf) -> None:
    shown = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x010E] = SECRET.decode()
    PIL.Image.new("RGB", (20, 20), "red").save(shown, "JPEG", exif=exif, comment=SECRET)
    assert SECRET in shown.getvalue()
    image = Stream(made, shown.getvalue(), Type=Name.XObject, Subtype=Name.Image, Width=20, Height=20,
                   ColorSpace=Name.DeviceRGB, BitsPerComponent=8, Filter=Name.DCTDecode)  # fmt: skip
    made.pages[0].Resources.XObject = Dictionary(Im1=image)
    made.pages[0].Contents = made.make_stream(b"q 50 0 0 50 0 0 cm /Im1 Do Q BT /F1 12 Tf 20 200 Td (Look) Tj ET")


@pytest.mark.parametrize(
    "hide", [_script, _script_by_name, _file_inside, _launch, _described, _xfa, _marked, _elsewhere, _picture]
)
def test_nothing_hidden_comes_through(hide: Any) -> None:
    made = document()
    hide(made)
    given = saved(made)
    assert SECRET in unpacked(given)
    after = rewritten(given).body
    plain = unpacked(after)
    assert SECRET not in plain
    assert SECRET not in after
    for key in (b"/JavaScript", b"/OpenAction", b"/Launch", b"/URI", b"/EmbeddedFile", b"/AcroForm", b"/XFA", b"/Info"):
        assert key not in plain, key
    assert "Look" in words(after)


def test_what_a_field_shows_is_drawn_and_read() -> None:
    made = document()
    look = Stream(made, b"BT /F1 12 Tf 2 2 Td (written by hand) Tj ET", Type=Name.XObject, Subtype=Name.Form,
                  BBox=Array([0, 0, 200, 20]), Resources=made.pages[0].Resources)  # fmt: skip
    note = made.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.FreeText, Rect=Array([20, 50, 220, 70]), F=4,
                                         AP=Dictionary(N=made.make_indirect(look))))  # fmt: skip
    made.pages[0].Annots = Array([note])
    assert "written by hand" in words(rewritten(saved(made)).body)


def reason_of(content: bytes) -> str:
    with pytest.raises(InputError) as found:
        rewritten(content)
    return found.value.reason


def test_what_cannot_be_used_is_refused_with_a_reason() -> None:
    good = saved(document())
    assert reason_of(b"<svg/>") == "annex-kind"
    assert reason_of(b"%PDF-1.7\n" + b"x" * 200) == "document-damaged"
    assert reason_of(good[: len(good) // 3]) == "document-damaged"
    assert reason_of(saved(document(pages=MOST_PAGES + 1))) == "annex-too-many-pages"
    assert reason_of(good + b"\0" * (10 << 20)) == "annex-too-large"
    for user in ("", "secret"):
        locked = saved(document(), encryption=pikepdf.Encryption(owner="o", user=user))
        assert reason_of(locked) == "document-encrypted"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff", b"\xff\xd8\x00\x00\x00\x00"])
def test_a_broken_picture_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        bare_jpeg(content)
