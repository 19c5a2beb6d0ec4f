"""Pictures that strangers made: what comes out is points alone, or a reason why not."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import PIL.Image
import PIL.ImageCms
import PIL.ImageDraw
import PIL.PngImagePlugin
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.pure.test_attachments import exif

from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.transport.pictures import carried
from tocsin.transport.repainting import LONGEST_SIDE, SHOWN_SIDE, kind_of, repainted

SECRET = b"seized at 203.0.113.7 by officer Doe"
REFUSALS = {"picture-kind", "picture-is-drawing", "picture-is-document", "picture-too-large", "picture-damaged"}


def drawn(size: tuple[int, int] = (60, 40), mode: str = "RGB") -> PIL.Image.Image:
    """Red on the left, blue on the right, with a green corner above on the left."""
    picture = PIL.Image.new("RGB", size, "#cc0000")
    pen = PIL.ImageDraw.Draw(picture)
    pen.rectangle((size[0] // 2, 0, *size), fill="#0000cc")
    pen.rectangle((0, 0, size[0] // 5, size[1] // 5), fill="#00aa00")
    return picture.convert(mode)


def saved(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)
    return made.getvalue()


def opened(body: bytes) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(body))
    picture.load()
    return picture


def parts_of(body: bytes) -> set[bytes]:
    """The kinds of parts of a PNG or JPEG file, each walked to its end; nothing stands behind the last."""
    kinds = set()
    if body.startswith(b"\x89PNG"):
        place = 8
        while place < len(body):
            size, kind = struct.unpack_from(">I4s", body, place)
            kinds.add(kind)
            place += 12 + size
        assert kind == b"IEND"
        return kinds
    assert body.endswith(b"\xff\xd9")
    place = 2
    while body[place + 1] != 0xDA:
        kinds.add(body[place + 1 : place + 2])
        place += 2 + struct.unpack_from(">H", body, place + 2)[0]
    return kinds


PICTURE_PARTS = {b"IHDR", b"IDAT", b"IEND", b"\xe0", b"\xdb", b"\xc0", b"\xc2", b"\xc4"}
"""What a picture needs; no part that can hold a text."""


def with_metadata() -> list[bytes]:
    note = exif(position=True, software=SECRET)
    texts = PIL.PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET.decode()}</x>", zip=True)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x>" + SECRET + b"</x>"
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    return [
        saved(drawn(), "JPEG", exif=b"Exif\0\0" + note, comment=SECRET, xmp=xmp, icc_profile=profile + SECRET),
        saved(drawn(), "PNG", pnginfo=texts, exif=note) + SECRET,
        saved(drawn(), "WEBP", exif=note, xmp=SECRET, lossless=True),
        saved(drawn(mode="P"), "GIF", comment=SECRET) + SECRET,
        saved(drawn(), "JPEG") + saved(drawn(), "JPEG", comment=SECRET),
    ]


@pytest.mark.parametrize("content", with_metadata())
def test_nothing_comes_through_but_points(content: bytes) -> None:
    assert SECRET in content or SECRET.decode() in " ".join(carried(content).texts)
    made = repainted(content)
    assert SECRET not in made.body
    assert parts_of(made.body) <= PICTURE_PARTS
    assert not carried(made.body).has_position
    picture = opened(made.body)
    assert (picture.size, picture.mode) == ((made.width, made.height), "RGB") == ((60, 40), "RGB")
    red, _green, blue = picture.getpixel((10, 30))  # type: ignore[misc]
    assert red > 150 > 90 > blue
    assert made.name.endswith({"image/png": ".png", "image/jpeg": ".jpg"}[made.media_type])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_the_camera_was_held(orientation: int) -> None:
    upright = drawn((64, 40))
    turns = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    turn = turns[orientation]
    as_taken = upright if turn is None else upright.transpose(PIL.Image.Transpose(turn))
    note = PIL.Image.Exif()
    note[0x0112] = orientation
    made = opened(repainted(saved(as_taken, "PNG", exif=note)).body)
    assert made.size == (64, 40)
    assert made.tobytes() == upright.tobytes()


def test_what_stands_behind_clear_points_is_gone() -> None:
    hidden = drawn().convert("RGBA")
    hidden.putalpha(0)
    made = opened(repainted(saved(hidden, "PNG")).body)
    assert set(made.getdata()) == {(255, 255, 255)}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_sort_of_points_is_read(mode: str) -> None:
    picture = PIL.Image.new("I;16", (30, 20), 0x8000) if mode == "I;16" else drawn((30, 20), mode)
    made = opened(repainted(saved(picture, "PNG")).body)
    assert made.size == (30, 20)
    if mode == "I;16":
        assert made.getpixel((5, 5)) == (128, 128, 128)


def test_printers_colours_and_first_frames_are_read() -> None:
    assert opened(repainted(saved(drawn(mode="CMYK"), "JPEG")).body).size == (60, 40)
    first = PIL.Image.new("RGB", (20, 20), "#fffffe")
    for kind in ("GIF", "WEBP", "PNG"):
        moving = saved(first, kind, save_all=True, append_images=[drawn((20, 20))])
        made = opened(repainted(moving).body)
        assert min(map(min, made.getdata())) > 250, "the first one is white"


def test_large_pictures_become_as_large_as_a_page_shows_them() -> None:
    noise = random.Random(7).randbytes(2000 * 1200 * 3)
    made = repainted(saved(PIL.Image.frombytes("RGB", (2000, 1200), noise), "PNG", compress_level=1))
    assert (made.width, made.height) == (SHOWN_SIDE, 960)
    assert made.media_type == "image/jpeg"


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has next to nothing to show for it."""

    def chunk(kind: bytes, part: bytes) -> bytes:
        return struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("content", "reason"), [
    (bomb(60_000, 60_000), "picture-too-large"), (bomb(LONGEST_SIDE + 1, 1), "picture-too-large"),
    (bomb(2**31 - 1, 2**31 - 1), "picture-too-large"), (bytes(21 << 20), "picture-too-large"),
    (bomb(3000, 3000), "picture-damaged"), (b"", "picture-kind"), (b"\xff\xd8\xff", "picture-damaged"),
    (b"%PDF-1.7\n", "picture-is-document"), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture-is-drawing"),
    (b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --><svg:svg >", "picture-is-drawing"),
    ('<?xml version="1.0" encoding="utf-16"?><svg >'.encode("utf-16"), "picture-is-drawing"),
    (b"\x1f\x8b\x08 compressed drawing", "picture-is-drawing"), (b"II*\0 a TIFF file", "picture-kind"),
    (b"BM a bitmap", "picture-kind"), (b"\0\0\0\x20ftypheic", "picture-kind"), (b"MZ a program", "picture-kind"),
    (b"<html><script>", "picture-kind"), (saved(drawn(), "PNG")[:-40], "picture-damaged"),
])  # fmt: skip
def test_what_is_no_picture_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        repainted(content)
    assert caught.value.reason == reason
    assert reason in REASONS


def test_a_picture_that_was_made_anew_stays_as_it_is() -> None:
    once = repainted(saved(drawn(), "PNG"))
    again = repainted(once.body)
    assert (again.body, again.name) == (once.body, once.name)
    assert kind_of(once.body) == "PNG"


WHOLE = [*with_metadata(), saved(drawn(mode="P"), "PNG"), saved(drawn(), "JPEG", progressive=True), bomb(40, 40)]


@settings(max_examples=300, deadline=None)
@given(
    whole=st.sampled_from(WHOLE), changes=st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=6)), max_size=5),
    length=st.none() | st.integers(0, 3000), other=st.sampled_from([b"", *WHOLE[:3]]),
)  # fmt: skip
@example(whole=WHOLE[3], changes=[(6, b"\xff\xff\xff\xff")], length=None, other=b"")
@example(whole=WHOLE[1], changes=[(16, b"\x00\x00\x4e\x20\x00\x00\x09\xc4")], length=None, other=b"")
def test_no_file_does_more_than_be_refused(
    whole: bytes, changes: list[tuple[int, bytes]], length: int | None, other: bytes
) -> None:
    content = bytearray(whole[:length] + other)
    for place, piece in changes:
        content[place : place + len(piece)] = piece
    try:
        made = repainted(bytes(content))
    except InputError as error:
        assert error.reason in REFUSALS  # noqa: PT017
        return
    assert parts_of(made.body) <= PICTURE_PARTS
    assert SECRET not in made.body
    assert max(made.width, made.height) <= SHOWN_SIDE
    assert opened(made.body).size == (made.width, made.height)
