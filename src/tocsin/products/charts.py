"""Charts as small SVG texts: no script, no outside request, sharp in print, readable without colour."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

DARK = "#0b3c5d"
LIGHT = "#8fb8d4"
INK = "#3d4a57"
LINE = "#d5dde3"


class Day(NamedTuple):
    """One bar of the timeline; `part` of `rows` is drawn darker."""

    label: str
    rows: int
    part: int


def timeline(days: Sequence[Day], title: str, numbers: Sequence[str], width: int = 680, height: int = 190) -> str:
    """Bars over days from left to right, the darker part below; `numbers` are the written totals."""
    left, top, bottom = 8, 22, 24
    inner_height = height - top - bottom
    step = (width - 2 * left) / max(len(days), 1)
    bar = min(step * 0.72, 46)
    most = max((day.rows for day in days), default=1) or 1
    every = max(1, -(-len(days) // 12))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" ',
        f'aria-label="{escape(title, quote=True)}" font-family="Noto Sans, sans-serif" font-size="11" ',
        f'fill="{INK}" direction="ltr">',
        f'<line x1="{left}" y1="{height - bottom + 0.5}" x2="{width - left}" y2="{height - bottom + 0.5}" ',
        f'stroke="{LINE}"/>',
    ]
    base = height - bottom
    said = False
    for place, (day, written) in enumerate(zip(days, numbers, strict=True)):
        middle = left + step * (place + 0.5)
        tall = inner_height * day.rows / most
        dark = inner_height * day.part / most
        edge = f'<rect x="{middle - bar / 2:.1f}" width="{bar:.1f}"'
        parts += [
            f'{edge} y="{base - tall:.1f}" height="{tall:.1f}" rx="2" fill="{LIGHT}"/>',
            f'{edge} y="{base - dark:.1f}" height="{dark:.1f}" fill="{DARK}"/>',
        ]
        if place % every == 0:
            parts.append(_label(middle, height - 8, day.label))
        # Where there is no room for every total, the highest bar's tells the scale.
        if (step >= 30 and place % every == 0) or (day.rows == most and not said):
            said = said or day.rows == most
            parts.append(_label(min(max(middle, left + 20), width - left - 20), base - tall - 5, written, "bold"))
    parts.append("</svg>")
    return "".join(parts)


def _label(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-weight="{weight}">{escape(text)}</text>'


def bar(share: float, dark: bool = True, direction: str = "ltr") -> str:
    """A horizontal bar for a table cell; `share` is its part of the longest, 0 to 1."""
    length = max(0.0, min(share, 1.0)) * 100
    start = 100 - length if direction == "rtl" else 0
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect x="{start:.2f}" width="{length:.2f}" height="8" fill="{DARK if dark else LIGHT}"/></svg>'
    )
