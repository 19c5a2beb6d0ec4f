"""Plots of the benchmarks' history as SVG: light, readable in print, texts as texts, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDE, HIGH = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 44, 56
INK, SOFT, GRID = "#1f2933", "#52606d", "#e4e7eb"
COLOURS = ("#0b6e99", "#c2571a", "#4d7c0f", "#7c3aed", "#9f1239")
FONT = "font-family='system-ui, sans-serif'"


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
    return [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {wide} {high}' width='{wide}' height='{high}' "
        f"role='img' aria-labelledby='t d'>",
        f"<title id='t'>{escape(title)}</title><desc id='d'>{escape(told)}</desc>",
        f"<rect width='{wide}' height='{high}' fill='#ffffff'/>",
        _text(16, 24, title, size=15, colour=INK, weight=600),
    ]


def _text(
    x: float, y: float, text: str, *, size: int = 12, colour: str = SOFT, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' fill='{colour}' text-anchor='{anchor}' "
        f"font-weight='{weight}'>{escape(text)}</text>"
    )


def lines(title: str, across: str, up: str, drawn: Sequence[Line]) -> str:
    """Lines over logarithmic axes, named at their right ends; levels are dashed."""
    whole = [line for line in drawn if line.points]
    xs = [x for line in whole if not line.is_level for x, _ in line.points]
    ys = [y for line in whole for _, y in line.points if y > 0]
    if not xs or not ys:
        return _empty(title)
    low, high = 10 ** math.floor(math.log10(min(ys))), max(ys) * 1.25
    names_wide = 170
    x_scale = _scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) * 10, LEFT, WIDE - RIGHT - names_wide)
    y_scale = _scale(low, high, HIGH - BOTTOM, TOP)
    told = "; ".join(
        f"{line.name}: " + ", ".join(f"{short(x)} → {short(y)}" if not line.is_level else short(y)
                                     for x, y in line.points)
        for line in whole
    )  # fmt: skip
    out = _head(title, WIDE, HIGH, told)
    for value in _ticks(low, high):
        y = _place(value, y_scale)
        out.append(f"<path d='M{LEFT} {y:.1f}H{WIDE - RIGHT - names_wide}' stroke='{GRID}'/>")
        out.append(_text(LEFT - 8, y + 4, short(value), anchor="end"))
    for value in sorted(set(xs)):
        x = _place(value, x_scale)
        out.append(f"<path d='M{x:.1f} {TOP}V{HIGH - BOTTOM}' stroke='{GRID}'/>")
        out.append(_text(x, HIGH - BOTTOM + 18, short(value), anchor="middle"))
    out.append(_text((LEFT + WIDE - RIGHT - names_wide) / 2, HIGH - 14, across, anchor="middle"))
    out.append(_text(16, TOP - 4, up))
    taken: list[float] = []
    for place, line in enumerate(whole):
        colour = COLOURS[place % len(COLOURS)]
        end = _place(line.points[-1][1], y_scale)
        if line.is_level:
            out.append(
                f"<path d='M{LEFT} {end:.1f}H{WIDE - RIGHT - names_wide}' stroke='{colour}' stroke-width='2' "
                "stroke-dasharray='6 4'/>"
            )
        else:
            at = [(_place(x, x_scale), _place(y, y_scale)) for x, y in line.points]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
            out.append(f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
            out += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in at]
        name_at = end + 4
        while any(abs(name_at - other) < 15 for other in taken):
            name_at += 3
        taken.append(name_at)
        said = f"{line.name}: {short(line.points[-1][1])}"
        out.append(_text(WIDE - RIGHT - names_wide + 10, name_at, said, colour=colour, weight=600))
    return "\n".join([*out, "</svg>", ""])


def bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]], note: str) -> str:
    """Groups of bars from left to right over one logarithmic axis, each with its name and number."""
    shown = [(name, [(what, value) for what, value in rows if value > 0]) for name, rows in groups]
    shown = [(name, rows) for name, rows in shown if rows]
    if not shown:
        return _empty(title)
    values = [value for _, rows in shown for _, value in rows]
    high = TOP + sum(26 + 20 * len(rows) for _, rows in shown) + 30
    scale = _scale(min(values) / 2, max(values), 210, WIDE - 90)
    told = "; ".join(f"{name}: " + ", ".join(f"{what} {short(value)}" for what, value in rows) for name, rows in shown)
    out = _head(title, WIDE, high, told)
    y = TOP + 8
    names = list(dict.fromkeys(what for _, rows in shown for what, _ in rows))
    for name, rows in shown:
        out.append(_text(16, y + 10, name, colour=INK, weight=600))
        y += 20
        for what, value in rows:
            end = _place(value, scale)
            colour = COLOURS[names.index(what) % len(COLOURS)]
            out.append(_text(200, y + 11, what, anchor="end"))
            out.append(f"<rect x='210' y='{y}' width='{max(2.0, end - 210):.1f}' height='15' rx='2' fill='{colour}'/>")
            out.append(_text(end + 8, y + 12, short(value), colour=INK))
            y += 20
        y += 6
    out.append(_text(16, high - 12, note))
    return "\n".join([*out, "</svg>", ""])


def stacks(title: str, up: str, columns: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """Columns of parts upon each other over a plain axis, with names to the right."""
    if not columns:
        return _empty(title)
    parts = list(dict.fromkeys(name for _, rows in columns for name, _ in rows))
    most = max(sum(value for _, value in rows) for _, rows in columns) or 1.0
    names_wide = 190
    step = (WIDE - LEFT - RIGHT - names_wide) / len(columns)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{what} {short(value)}" for what, value in rows) for name, rows in columns
    )
    out = _head(title, WIDE, HIGH, told)
    out.append(_text(16, TOP - 4, up))
    for share in (0.25, 0.5, 0.75, 1.0):
        y = HIGH - BOTTOM - share * (HIGH - BOTTOM - TOP - 10)
        out.append(f"<path d='M{LEFT} {y:.1f}H{WIDE - RIGHT - names_wide}' stroke='{GRID}'/>")
        out.append(_text(LEFT - 8, y + 4, short(most * share), anchor="end"))
    for place, (name, rows) in enumerate(columns):
        x, y = LEFT + place * step + step * 0.2, float(HIGH - BOTTOM)
        for what, value in rows:
            tall = value / most * (HIGH - BOTTOM - TOP - 10)
            y -= tall
            colour = COLOURS[parts.index(what) % len(COLOURS)]
            out.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{step * 0.6:.1f}' height='{tall:.1f}' fill='{colour}'/>")
        out.append(_text(x + step * 0.3, y - 6, short(sum(value for _, value in rows)), anchor="middle", colour=INK))
        out.append(_text(x + step * 0.3, HIGH - BOTTOM + 18, name, anchor="middle"))
    for place, what in enumerate(reversed(parts)):
        y = TOP + 20 + place * 20
        colour = COLOURS[parts.index(what) % len(COLOURS)]
        out.append(f"<rect x='{WIDE - RIGHT - names_wide + 12}' y='{y - 10}' width='12' height='12' fill='{colour}'/>")
        out.append(_text(WIDE - RIGHT - names_wide + 30, y, what, colour=INK))
    return "\n".join([*out, "</svg>", ""])


def _empty(title: str) -> str:
    return "\n".join([*_head(title, WIDE, 80, "nothing was measured yet"), _text(16, 56, "Nothing was measured yet."),
                      "</svg>", ""])  # fmt: skip
