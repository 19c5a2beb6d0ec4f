"""The report as a PDF, set by Typst with the fonts of this folder: the same on every machine, nothing installed."""

from __future__ import annotations

from datetime import datetime
from functools import cache

import orjson
import typst

from .report import Report, due
from .words import FOLDER, words

TLP_COLOURS = {
    "TLP:RED": "#ff2b2b",
    "TLP:AMBER": "#ffc000",
    "TLP:AMBER+STRICT": "#ffc000",
    "TLP:GREEN": "#33ff00",
    "TLP:CLEAR": "#ffffff",
}
"""Colours of the labels on black, from FIRST TLP 2.0."""


def report_pdf(report: Report, created_at: datetime) -> bytes:
    """The PDF's bytes. The same report gives the same bytes."""
    plain = report.as_plain()
    plain["tlp_colour"] = TLP_COLOURS[report.tlp]
    plain["page_of"] = words(report.language)("page_of")
    for action, shown in zip(report.actions, plain["actions"], strict=True):
        shown["due"] = due(action, report.language)
    made = _compiler().compile(
        format="pdf", sys_inputs={"report": orjson.dumps(plain).decode()}, timestamp=created_at.replace(microsecond=0)
    )
    if not isinstance(made, bytes):
        raise TypeError("the typesetter gave no document")
    return made


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(
        str(FOLDER / "report.typ"), root=str(FOLDER), font_paths=[str(FOLDER / "fonts")], ignore_system_fonts=True
    )
