"""Pictures made anew from their points: nothing that a file carries beside what it shows comes through.

Strangers made the file: this runs in the sandbox, reads four kinds only, and looks at the size before the points.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import warnings
from typing import Final

import PIL.Image
import PIL.ImageCms

from tocsin.core.errors import InputError
from tocsin.products.alerts.record import Image

FILE_BYTES: Final = 20 << 20
MOST_PIXELS: Final = 50_000_000
LONGEST_SIDE: Final = 20_000
SHOWN_SIDE: Final = 1_600
"""Of what is published: more is of no use on a page."""
PNG_BYTES: Final = 400 << 10
"""A drawing or a screen stays as sharp as it was up to this size; what is larger is a photograph."""
QUALITY: Final = 84
READ: Final = ("PNG", "JPEG", "WEBP", "GIF")
_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
)  # fmt: skip
_DRAWING = re.compile(rb"<(?:svg|!DOCTYPE\s+svg|\w+:svg)[\s>]", re.IGNORECASE)
_ORIENTATION: Final = 0x0112
_FAULTS: Final = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, AttributeError, ArithmeticError,
)  # fmt: skip
"""What the readers of damaged files raise."""
_BOMBS: Final = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)


def repainted(content: bytes) -> Image:
    """The picture, upright, on white, in the usual colours. Raises InputError where it is none, or too large."""
    kind = kind_of(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # What is wrong in metadata is thrown away with it.
            with PIL.Image.open(io.BytesIO(content), formats=(kind,)) as opened:
                refuse_large(*opened.size)
                painted = _painted(opened)
    except _BOMBS as error:
        raise InputError("picture-too-large") from error
    except _FAULTS as error:
        raise InputError("picture-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error
    body, media_type = _encoded(painted, is_drawn=kind in {"PNG", "GIF"})
    suffix = "png" if media_type == "image/png" else "jpg"
    # The name that an officer's file had may tell of somebody: this one tells nothing.
    name = f"picture-{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"
    return Image(name, media_type, body, *painted.size)


def kind_of(content: bytes) -> str:
    """Which of the four kinds it begins like. Raises InputError that says what it seems to be instead."""
    if len(content) > FILE_BYTES:
        raise InputError("picture-too-large")
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    head = content[:4096]
    if b"%PDF-" in head[:1024]:
        raise InputError("picture-is-document")
    if _DRAWING.search(head.replace(b"\0", b"")) or head.startswith(b"\x1f\x8b"):
        raise InputError("picture-is-drawing")
    raise InputError("picture-kind")


def refuse_large(width: int, height: int) -> None:
    """Raise InputError for what would take too much room once it is opened."""
    if width < 1 or height < 1:
        raise InputError("picture-damaged")
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise InputError("picture-too-large")


def _painted(opened: PIL.Image.Image) -> PIL.Image.Image:
    """Its first frame, as bare points."""
    turned = _orientation(opened)
    profile = opened.info.get("icc_profile")
    opened.draft("RGB", (SHOWN_SIDE, SHOWN_SIDE))  # A photograph is opened no larger than it is needed.
    opened.load()
    picture = _in_usual_colours(_of_eight_bits(opened), profile)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE), PIL.Image.Resampling.LANCZOS)
    if turned in _TURNS:
        picture = picture.transpose(_TURNS[turned])
    return PIL.Image.frombytes("RGB", picture.size, picture.tobytes())


_TURNS: Final = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT, 3: PIL.Image.Transpose.ROTATE_180, 4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE, 6: PIL.Image.Transpose.ROTATE_270, 7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}  # fmt: skip


def _orientation(opened: PIL.Image.Image) -> int:
    """How the camera was held; upright where its note cannot be read."""
    try:
        found = opened.getexif().get(_ORIENTATION, 1)
    except _FAULTS:
        return 1
    return found if isinstance(found, int) else 1


def _of_eight_bits(opened: PIL.Image.Image) -> PIL.Image.Image:
    """RGB or CMYK with eight bits. What stands behind a transparent point is covered with white: it was not shown."""
    if opened.mode.startswith(("I", "F")):
        return opened.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if opened.mode == "CMYK":
        return opened.copy()
    if opened.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in opened.info:
        clear = opened.convert("RGBA")
        return PIL.Image.alpha_composite(PIL.Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return opened.convert("RGB")


def _in_usual_colours(picture: PIL.Image.Image, profile: object) -> PIL.Image.Image:
    """In sRGB, as everybody shows what says nothing. A profile that cannot be used is thrown away."""
    if isinstance(profile, bytes) and profile:
        try:
            given = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = PIL.ImageCms.profileToProfile(picture, given, PIL.ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (*_FAULTS, PIL.ImageCms.PyCMSError):
            made = None
        if made is not None:
            return made
    return picture.convert("RGB")


def _encoded(painted: PIL.Image.Image, *, is_drawn: bool) -> tuple[bytes, str]:
    made = io.BytesIO()
    if is_drawn:
        painted.save(made, "PNG", optimize=True)
        if made.tell() <= PNG_BYTES:
            return made.getvalue(), "image/png"
        made = io.BytesIO()
    painted.save(made, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return made.getvalue(), "image/jpeg"
