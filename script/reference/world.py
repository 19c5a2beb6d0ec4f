"""Makes the world map as data: outlines.json, a small TopoJSON keyed by ISO alpha-2.

    python script/reference/world.py COUNTRIES_50M_JSON

The outlines are Natural Earth's at 1:50 million (public domain), from the npm package world-atlas (ISC), put on a
coarser grid. Countries that vanish on it, or that the outlines leave out, stand among the markers as points.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from tocsin.reference.countries import all_countries

TARGET = Path(__file__).parents[2] / "src/tocsin/site/static/vendor/world/outlines.json"
STEPS_A_DEGREE = 8
ISLET_SQUARE_DEGREES = 0.2
"""Smaller outlines are left out, unless a country has no larger one."""
SMALL_SQUARE_DEGREES = 0.6
"""Countries whose largest outline covers less get a marker beside their outline."""

Point = tuple[int, int]


def arcs_of(topology: dict) -> list[list[Point]]:
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        points: list[Point] = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            place = (
                round((x * scale[0] + shift[0] + 180) * STEPS_A_DEGREE),
                round((y * scale[1] + shift[1] + 90) * STEPS_A_DEGREE),
            )
            if not points or points[-1] != place:
                points.append(place)
        found.append(straightened(points))
    return found


def straightened(points: list[Point]) -> list[Point]:
    """Without points on the straight line between their neighbours."""
    kept = points[:1]
    for place, after in zip(points[1:], [*points[2:], None], strict=False):
        if after is not None:
            (ax, ay), (bx, by), (cx, cy) = kept[-1], place, after
            if (bx - ax) * (cy - by) == (by - ay) * (cx - bx):
                continue
        kept.append(place)
    return kept


def ring_area(ring: list[int], arcs: list[list[Point]]) -> float:
    points = [place for number in ring for place in (arcs[number] if number >= 0 else arcs[~number][::-1])]
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2 / STEPS_A_DEGREE**2


def main() -> None:
    topology = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    arcs = arcs_of(topology)
    codes = {each.numeric: each.code for each in all_countries()}
    shapes, areas = [], {}
    for shape in topology["objects"]["countries"]["geometries"]:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        measured = [(ring_area(polygon[0], arcs), polygon) for polygon in polygons]
        least = min(ISLET_SQUARE_DEGREES, max(area for area, _ in measured))
        polygons = [
            [ring for ring in polygon if ring_area(ring, arcs) > 0] for area, polygon in measured if 0 < area >= least
        ]
        code = codes.get(shape.get("id", ""))
        if code:
            areas[code] = max([areas.get(code, 0.0), *(area for area, _ in measured)])
        if polygons:
            # Outlines without a code of ISO 3166-1 are drawn and stand for nobody.
            shapes.append({"type": "MultiPolygon", "arcs": polygons} | ({"id": code} if code else {}))
    rings = [ring for shape in shapes for polygon in shape["arcs"] for ring in polygon]
    used = {number if number >= 0 else ~number for ring in rings for number in ring}
    place = {number: index for index, number in enumerate(sorted(used))}
    for shape in shapes:
        shape["arcs"] = [
            [[place[number] if number >= 0 else ~place[~number] for number in ring] for ring in polygon]
            for polygon in shape["arcs"]
        ]
    markers = [
        {
            "type": "Point",
            "id": each.code,
            "coordinates": [
                round((each.longitude + 180) * STEPS_A_DEGREE),
                round((each.latitude + 90) * STEPS_A_DEGREE),
            ],
        }
        for each in all_countries()
        if areas.get(each.code, 0.0) < SMALL_SQUARE_DEGREES
    ]
    world = {
        "type": "Topology",
        "transform": {"scale": [1 / STEPS_A_DEGREE] * 2, "translate": [-180, -90]},
        "objects": {
            "countries": {"type": "GeometryCollection", "geometries": shapes},
            "markers": {"type": "GeometryCollection", "geometries": markers},
        },
        "arcs": [stepped(arcs[number]) for number in sorted(used)],
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(world, separators=(",", ":")) + "\n", encoding="utf-8")


def stepped(points: list[Point]) -> list[list[int]]:
    steps = zip([(0, 0), *points], points, strict=False)
    return [[x - before_x, y - before_y] for (before_x, before_y), (x, y) in steps]


if __name__ == "__main__":
    main()
