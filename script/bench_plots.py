"""Plots of the benchmarks' history as SVG: light and dark, readable on a phone and in print, no library needed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDE, HIGH = 520, 300
"""Little wider than a phone, so that texts stay readable where the plot is made to fit one."""
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 58, 50
INK, SOFT, GRID, PAPER = "#1f2933", "#52606d", "#e4e7eb", "#ffffff"
COLOURS = ("#0b6e99", "#c2571a", "#4d7c0f", "#7c3aed", "#9f1239", "#92700c", "#0f766e", "#475569", "#be185d", "#1d4ed8")
DARK = {
    INK: "#e6edf3", SOFT: "#b1bac4", GRID: "#3b434c", PAPER: "#161b22", "#0b6e99": "#58bfe8", "#c2571a": "#f0935a",
    "#4d7c0f": "#a3d65c", "#7c3aed": "#b795ff", "#9f1239": "#ff8fa8", "#92700c": "#e3c04d", "#0f766e": "#4fd1c1",
    "#475569": "#a9b8cc", "#be185d": "#f78dc0", "#1d4ed8": "#86a8ff",
}  # fmt: skip
"""Each colour where the reader's screen is dark."""
FONT = "font-family='system-ui, sans-serif'"
LEGEND = 20


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right; a single value is a level across the plot."""

    name: str
    points: Sequence[tuple[float, float]]
    is_level: bool = False


def short(value: float) -> str:
    """1200000 → 1.2 M."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _scale(low: float, high: float, start: float, end: float) -> tuple[float, float, float, float]:
    low, high = math.log10(low), math.log10(max(high, low * 1.0001))
    return low, (high - low) or 1.0, start, end


def _place(value: float, scale: tuple[float, float, float, float]) -> float:
    low, span, start, end = scale
    return start + (math.log10(value) - low) / span * (end - start)


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten within a range, and 2 and 5 of each where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def _head(title: str, wide: int, high: int, told: str) -> list[str]:
    dark = "".join(
        f"[fill='{light}']{{fill:{other}}}[stroke='{light}']{{stroke:{other}}}" for light, other in DARK.items()
    )
    return [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' width='{wide}' height='{high}' "
        f"role='img' aria-labelledby='t d'>",
        f"<title id='t'>{escape(title)}</title><desc id='d'>{escape(told)}</desc>",
        f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>",
        f"<rect width='{wide}' height='{high}' fill='{PAPER}'/>",
        _text(16, 24, title, size=16, colour=INK, weight=600),
    ]


def _text(
    x: float, y: float, text: str, *, size: int = 13, colour: str = SOFT, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' fill='{colour}' text-anchor='{anchor}' "
        f"font-weight='{weight}'>{escape(text)}</text>"
    )


def _legend(names: Sequence[tuple[str, str]], at: float, is_dashed: Sequence[bool] = ()) -> list[str]:
    """A row for each name, with its colour."""
    out = []
    for place, (name, colour) in enumerate(names):
        y = at + place * LEGEND
        if place < len(is_dashed):
            dashes = " stroke-dasharray='6 4'" if is_dashed[place] else ""
            out.append(f"<path d='M16 {y - 4:.1f}H44' stroke='{colour}' stroke-width='3' fill='none'{dashes}/>")
        else:
            out.append(f"<rect x='24' y='{y - 11:.1f}' width='13' height='13' rx='2' fill='{colour}'/>")
        out.append(_text(54, y, name, colour=INK))
    return out


def lines(title: str, across: str, up: str, drawn: Sequence[Line]) -> str:
    """Lines over logarithmic axes, named below with their last figure; levels are dashed."""
    whole = [line for line in drawn if line.points]
    xs = [x for line in whole if not line.is_level for x, _ in line.points]
    ys = [y for line in whole for _, y in line.points if y > 0]
    if not xs or not ys:
        return _empty(title)
    low, high = min(ys) / 1.4, max(ys) * 1.25
    if len(_ticks(low, high)) < 2:
        low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
    tall = HIGH + LEGEND * len(whole)
    x_scale = _scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) * 10, LEFT + 10, WIDE - RIGHT - 20)
    y_scale = _scale(low, high, HIGH - BOTTOM, TOP)
    told = "; ".join(
        f"{line.name}: " + ", ".join(f"{short(x)} → {short(y)}" if not line.is_level else short(y)
                                     for x, y in line.points)
        for line in whole
    )  # fmt: skip
    out = _head(title, WIDE, tall, told)
    for value in _ticks(low, high):
        y = _place(value, y_scale)
        out.append(f"<path d='M{LEFT} {y:.1f}H{WIDE - RIGHT}' stroke='{GRID}'/>")
        out.append(_text(LEFT - 8, y + 4, short(value), anchor="end"))
    last = -100.0
    for value in sorted(set(xs)):
        x = _place(value, x_scale)
        out.append(f"<path d='M{x:.1f} {TOP}V{HIGH - BOTTOM}' stroke='{GRID}'/>")
        if x - last >= 44:  # Names of sizes that lie beside each other would run into one.
            out.append(_text(x, HIGH - BOTTOM + 18, short(value), anchor="middle"))
            last = x
    out.append(_text((LEFT + WIDE - RIGHT) / 2, HIGH - 14, across, anchor="middle"))
    out.append(_text(16, TOP - 12, up))
    for place, line in enumerate(whole):
        colour = COLOURS[place % len(COLOURS)]
        if line.is_level:
            end = _place(line.points[-1][1], y_scale)
            out.append(
                f"<path d='M{LEFT} {end:.1f}H{WIDE - RIGHT}' stroke='{colour}' stroke-width='2' fill='none' "
                "stroke-dasharray='6 4'/>"
            )
        else:
            at = [(_place(x, x_scale), _place(y, y_scale)) for x, y in line.points if y > 0]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
            out.append(f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
            out += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in at]
    names = [(f"{line.name}: {short(line.points[-1][1])}", COLOURS[place % len(COLOURS)])
             for place, line in enumerate(whole)]  # fmt: skip
    out += _legend(names, HIGH + 10, [line.is_level for line in whole])
    return "\n".join([*out, "</svg>", ""])


def bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]], note: str) -> str:
    """Groups of bars from left to right over one logarithmic axis, each with its name and number."""
    shown = [(name, [(what, value) for what, value in rows if value > 0]) for name, rows in groups]
    shown = [(textwrap.wrap(name, 66), rows) for name, rows in shown if rows]
    if not shown:
        return _empty(title)
    values = [value for _, rows in shown for _, value in rows]
    notes = textwrap.wrap(note, 66)
    high = TOP + sum(10 + 18 * len(words) + 20 * len(rows) for words, rows in shown) + 18 * len(notes) + 12
    scale = _scale(min(values) / 2, max(values), 96, WIDE - 80)
    told = "; ".join(
        f"{' '.join(words)}: " + ", ".join(f"{what} {short(value)}" for what, value in rows) for words, rows in shown
    )
    out = _head(title, WIDE, high, told)
    y = TOP - 4
    names = list(dict.fromkeys(what for _, rows in shown for what, _ in rows))
    for words, rows in shown:
        for word in words:
            out.append(_text(16, y + 10, word, colour=INK, weight=600))
            y += 18
        for what, value in rows:
            end = _place(value, scale)
            colour = COLOURS[names.index(what) % len(COLOURS)]
            out.append(_text(88, y + 12, what, anchor="end"))
            out.append(f"<rect x='96' y='{y}' width='{max(2.0, end - 96):.1f}' height='15' rx='2' fill='{colour}'/>")
            out.append(_text(end + 8, y + 12, short(value), colour=INK))
            y += 20
        y += 10
    for place, line in enumerate(notes):
        out.append(_text(16, y + 12 + 18 * place, line))
    return "\n".join([*out, "</svg>", ""])


def stacks(title: str, up: str, columns: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """Columns of parts upon each other over a plain axis, named below."""
    if not columns:
        return _empty(title)
    parts = list(dict.fromkeys(name for _, rows in columns for name, _ in rows))
    most = max(sum(value for _, value in rows) for _, rows in columns) or 1.0
    step = (WIDE - LEFT - RIGHT) / len(columns)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{what} {short(value)}" for what, value in rows) for name, rows in columns
    )
    out = _head(title, WIDE, HIGH - 10 + LEGEND * len(parts), told)
    out.append(_text(16, TOP - 12, up))
    base, room = HIGH - BOTTOM - 10, HIGH - BOTTOM - TOP - 30
    for share in (0.25, 0.5, 0.75, 1.0):
        y = base - share * room
        out.append(f"<path d='M{LEFT} {y:.1f}H{WIDE - RIGHT}' stroke='{GRID}'/>")
        out.append(_text(LEFT - 8, y + 4, short(most * share), anchor="end"))
    for place, (name, rows) in enumerate(columns):
        x, y = LEFT + place * step + step * 0.2, float(base)
        for what, value in rows:
            tall = value / most * room
            y -= tall
            colour = COLOURS[parts.index(what) % len(COLOURS)]
            out.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{step * 0.6:.1f}' height='{tall:.1f}' fill='{colour}'/>")
        out.append(_text(x + step * 0.3, y - 6, short(sum(value for _, value in rows)), anchor="middle", colour=INK))
        out.append(_text(x + step * 0.3, base + 18, name, anchor="middle"))
    named = [(what, COLOURS[parts.index(what) % len(COLOURS)]) for what in reversed(parts)]
    out += _legend(named, HIGH - 10)
    return "\n".join([*out, "</svg>", ""])


def _empty(title: str) -> str:
    return "\n".join([*_head(title, WIDE, 80, "nothing was measured yet"), _text(16, 56, "Nothing was measured yet."),
                      "</svg>", ""])  # fmt: skip
