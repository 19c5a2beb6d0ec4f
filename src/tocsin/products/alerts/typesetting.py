"""Typst with the fonts of the product: the same on every machine, nothing installed, no network.

Everything that a template shows reaches it as one JSON text, never as source: no text of an alert can become a command.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
import segno
import typst

from .printable import only_covered
from .record import Image

FOLDER = Path(__file__).parent
FONTS = FOLDER.parent / "fonts"


def pdf(template: str, told: Mapping[str, Any], at: datetime) -> bytes:
    """An accessible, tagged PDF (PDF/UA-1). The same values give the same bytes."""
    made = _compiler(template).compile(
        format="pdf", sys_inputs=_inputs(told), timestamp=at.replace(microsecond=0), pdf_standards=["ua-1"]
    )
    if not isinstance(made, bytes):
        raise TypeError("the typesetter gave no document")
    return made


def pictures(template: str, told: Mapping[str, Any], form: Literal["png", "svg"]) -> list[bytes]:
    """Each page as a picture, a point of it as a pixel."""
    made = _compiler(template).compile(format=form, ppi=72, sys_inputs=_inputs(told))
    if made is None:
        raise TypeError("the typesetter gave no picture")
    return made if isinstance(made, list) else [made]


def square_code(address: str) -> str:
    """A QR code as SVG, with the quiet zone that readers need (ISO/IEC 18004)."""
    code = segno.make_qr(address, error="m")
    return code.svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=False)


def as_drawing(image: Image) -> str:
    """A picture inside of a drawing: values reach a template as text only."""
    body = base64.b64encode(image.body).decode("ascii")
    size = f'width="{max(1, image.width)}" height="{max(1, image.height)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f'<image {size} href="data:{image.media_type};base64,{body}"/></svg>'
    )


def _inputs(told: Mapping[str, Any]) -> dict[str, str]:
    return {"told": orjson.dumps({name: _settable(value) for name, value in told.items()}).decode()}


def _settable(value: Any) -> Any:
    """Every text without letters that no font has: an accessible document may hold none (ISO 14289-1, 7.21)."""
    if isinstance(value, str):
        return value if value.startswith("<svg ") else only_covered(value)
    if isinstance(value, Mapping):
        return {name: _settable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_settable(each) for each in value]
    return value


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])


@cache
def _compiler(template: str) -> typst.Compiler:
    return typst.Compiler(str(FOLDER / template), root=str(FOLDER), font_paths=_fonts(), ignore_system_fonts=True)
