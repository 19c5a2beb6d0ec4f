"""Charts as inline SVG: they need no script, print well, and are drawn from numbers alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

FACTS = Path(__file__).parent / "static/vendor/world/world.json"
LEVELS = 5
CROP_LEAST = 170.0
"""Least width of a country's map, in units of the world's 2000: about 30 degrees."""
CROP_SHAPE = 0.68
"""Height of that map, as a part of its width."""


@dataclass(frozen=True, slots=True)
class World:
    """Facts of the map's sprite: which codes have an outline, which need a marker, and where."""

    width: int
    height: int
    codes: tuple[str, ...]
    small: frozenset[str]
    places: Mapping[str, tuple[float, float]]
    boxes: Mapping[str, tuple[float, float, float, float]]
    """Code → left, top, right, bottom of its largest part."""


@cache
def world() -> World:
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    small = frozenset(facts["small"])
    codes = tuple(sorted(set(facts["shapes"]) | small))
    places = {code: (place[0], place[1]) for code, place in facts["places"].items()}
    boxes = {code: (box[0], box[1], box[2], box[3]) for code, box in facts["boxes"].items()}
    return World(facts["width"], facts["height"], codes, small, places, boxes)


def steps_of(values: Iterable[int]) -> tuple[int, ...]:
    """Lower bounds of the map's levels: five at most, evenly spaced in magnitude, as round numbers."""
    found = sorted(value for value in values if value > 0)
    if not found:
        return ()
    # The largest country would hide all others on a plain scale; magnitudes keep small countries visible.
    low, high = math.log10(found[0]), math.log10(max(found[-1], found[0] + 1))
    bounds = [_round(10 ** (low + (high - low) * place / LEVELS)) for place in range(LEVELS)]
    return tuple(sorted({1, *bounds[1:]}))


def _round(value: float) -> int:
    size = 10 ** math.floor(math.log10(value)) if value >= 1 else 1
    nearest = min((1, 2, 5, 10), key=lambda step: abs(value / size - step))
    return int(max(1, nearest * size))


def ranges(steps: Sequence[int]) -> list[tuple[int, int | None]]:
    """Each level's lowest and highest value; the last is open."""
    return [(low, steps[place + 1] - 1 if place + 1 < len(steps) else None) for place, low in enumerate(steps)]


def level(value: int, steps: Sequence[int]) -> int:
    """0 for nothing, else the number of bounds reached."""
    return sum(value >= step for step in steps)


@dataclass(frozen=True, slots=True)
class Atlas:
    """What every map draws with: rows by country, bounds of the levels, names, where shapes and pages are."""

    rows: Mapping[str, int]
    steps: Sequence[int]
    names: Mapping[str, str]
    shown: Callable[[float | None], str]
    sprite: str
    address: Callable[[str], str]


def world_map(atlas: Atlas) -> SafeString:
    """Countries as links, the emptier ones first so that busy borders stay on top; markers for the smallest."""
    facts = world()
    order = sorted(facts.codes, key=lambda code: (code in facts.small, atlas.rows.get(code, 0), code))
    body = format_html_join("", "{}", ((_piece(atlas, code, 6),) for code in order))
    return format_html('<svg class="world" viewBox="40 0 {} {}">{}</svg>', facts.width - 50, facts.height, body)


def country_map(atlas: Atlas, code: str) -> SafeString:
    """One country with its neighbours: the part of the world around it; nothing where it has no place on the map."""
    facts = world()
    if code not in facts.codes:
        return SafeString("")
    x, y = facts.places[code]
    left, top, right, bottom = facts.boxes.get(code, (x, y, x, y)) if code not in facts.small else (x, y, x, y)
    wide = min(float(facts.width), max(CROP_LEAST, (right - left) * 1.5, (bottom - top) * 1.5 / CROP_SHAPE))
    high = wide * CROP_SHAPE
    start = min(max((left + right - wide) / 2, 0), facts.width - wide)
    upper = min(max((top + bottom - high) / 2, 0), max(facts.height - high, 0))

    def is_near(other: str) -> bool:
        ox, oy = facts.places[other]
        box = facts.boxes.get(other, (ox, oy, ox, oy))
        return box[0] < start + wide and box[2] > start and box[1] < upper + high and box[3] > upper

    near = (other for other in facts.codes if is_near(other) and other != code)
    order = sorted(near, key=lambda other: (other in facts.small, atlas.rows.get(other, 0), other))
    radius = wide / 130
    body = format_html_join("", "{}", ((_piece(atlas, other, radius),) for other in order))
    own = format_html('<g class="own">{}</g>', _shape(atlas, code, wide / 80))
    return format_html(
        '<svg class="world world-near" viewBox="{} {} {} {}" role="group" aria-label="{}">{}{}</svg>',
        f"{start:.1f}", f"{upper:.1f}", f"{wide:.1f}", f"{high:.1f}", atlas.names[code], body, own,
    )  # fmt: skip


def _piece(atlas: Atlas, code: str, radius: float) -> SafeString:
    value = atlas.rows.get(code, 0)
    shape = _shape(atlas, code, radius if value else radius / 2)
    name = f"{atlas.names[code]}: {atlas.shown(value)}"
    if not value:  # Countries without rows stay out of the order of tabs.
        return format_html("<g><title>{}</title>{}</g>", name, shape)
    return format_html('<a href="{}" aria-label="{}"><title>{}</title>{}</a>', atlas.address(code), name, name, shape)


def _shape(atlas: Atlas, code: str, radius: float) -> SafeString:
    facts, style = world(), f"l{level(atlas.rows.get(code, 0), atlas.steps)}"
    if code in facts.small:
        x, y = facts.places[code]
        return format_html('<circle class="{}" cx="{}" cy="{}" r="{}"/>', style, x, y, f"{radius:.3g}")
    return format_html('<use class="{}" href="{}#{}"/>', style, atlas.sprite, code)


def sparkline(values: Sequence[float], label: str) -> SafeString:
    """A line over its area, from zero; nothing for fewer than two values."""
    if len(values) < 2 or not any(values):
        return SafeString("")
    high = max(values)
    step = 100 / (len(values) - 1)
    points = [f"{place * step:.1f},{28 - 26 * value / high:.1f}" for place, value in enumerate(values)]
    line = "M" + "L".join(points)
    said = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html(
        '<svg class="sparkline" viewBox="0 0 100 30" preserveAspectRatio="none" {}>'
        '<path class="area" d="{}L100,30L0,30Z"/><path d="{}"/></svg>',
        said, line, line,
    )  # fmt: skip


def steps_bar(counts: Sequence[int], label: str) -> SafeString:
    """How many got how far: a bar for each count, the later ones upon the earlier; the first is the whole."""
    whole = max(counts, default=0) or 1
    parts = format_html_join(
        "", '<rect class="s{}" width="{}" height="8"/>',
        ((place, f"{100 * count / whole:.1f}") for place, count in enumerate(counts)),
    )  # fmt: skip
    return format_html(
        '<svg class="steps-bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>",
        label, label, parts,
    )  # fmt: skip


def columns(points: Sequence[tuple[str, int, str]], label: str) -> SafeString:
    """One column per point (name, value, value as shown); names and values on hovering."""
    if not points:
        return SafeString("")
    high = max(value for _, value, _ in points) or 1
    wide = 600 / len(points)
    parts = format_html_join(
        "",
        '<g><title>{}: {}</title><rect class="hit" x="{}" y="0" width="{}" height="100"/>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="1"/></g>',
        (
            (
                name, shown, f"{place * wide:.2f}", f"{wide:.2f}", f"{place * wide + wide * 0.12:.2f}",
                f"{100 - 100 * value / high:.2f}", f"{wide * 0.76:.2f}", f"{100 * value / high:.2f}",
            )
            for place, (name, value, shown) in enumerate(points)
        ),
    )  # fmt: skip
    return format_html(
        '<p class="top" aria-hidden="true">{}</p>'
        '<svg viewBox="0 0 600 100" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="rule" d="M0,.5H600M0,50H600"/>{}</svg>',
        max(points, key=lambda point: point[1])[2], label, parts,
    )  # fmt: skip
