"""Makes areas.csv: for each country, the polygons in which a public warning for it is shown.

    python script/reference/areas.py COUNTRIES_10M_JSON

The outlines are Natural Earth's at 1:10 million (public domain), from the npm package world-atlas (ISC). Of each
country a few convex polygons are made that hold all of its land: generous on purpose, over frontiers and out to sea.
Where land is claimed or held by several, it lies in the polygons of each: a warning takes no side.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from tocsin.reference.countries import all_countries

TARGET = Path(__file__).parents[2] / "src/tocsin/reference/areas.csv"
MOST_PARTS = 6
MOST_CORNERS = 10
ENOUGH = 0.35
"""A country is split no further once its polygons hold so much beside its land, as a share of it."""
SMALL_SQUARE_DEGREES = 2.0
MARGIN_DEGREES = 0.15
ALONE_KILOMETRES = 100
WITHOUT_CODE = {
    "Dhekelia": ("CY",), "Akrotiri": ("CY",), "N. Cyprus": ("CY",), "Cyprus U.N. Buffer Zone": ("CY",),
    "Somaliland": ("SO",), "Kosovo": ("RS",), "USNB Guantanamo Bay": ("CU",), "Siachen Glacier": ("IN", "PK"),
    "Baikonur": ("KZ",), "Coral Sea Is.": ("AU",), "Clipperton I.": ("FR",),
    "Bajo Nuevo Bank": ("CO", "JM"), "Serranilla Bank": ("CO", "JM"),
}  # fmt: skip
"""Outlines without a code of ISO 3166-1, and the codes under which people there are warned. Reefs where nobody lives
are left out."""
ALSO = (
    ("RU", "UA", (32.3, 44.3, 36.7, 46.3)), ("MA", "EH", (-17.2, 20.7, -8.6, 27.7)),
    ("SS", "KE", (33.9, 4.2, 36.0, 5.6)),
)  # fmt: skip
"""Outline, another that holds its land within this box as well."""
OWN_CODE = (
    ("GF", "FR", -53.0, 4.0, 3.0), ("GP", "FR", -61.5, 16.2, 0.8), ("MQ", "FR", -61.0, 14.6, 0.6),
    ("RE", "FR", 55.5, -21.1, 0.6), ("YT", "FR", 45.2, -12.8, 0.6), ("SJ", "NO", 16.0, 78.5, 5.0),
    ("SJ", "NO", -8.5, 71.0, 1.0), ("BV", "NO", 3.4, -54.4, 0.6), ("BQ", "NL", -66.0, 15.0, 5.0),
    ("TK", "NZ", -171.8, -9.0, 1.5), ("CX", "Indian Ocean Ter.", 105.6, -10.5, 0.6),
    ("CC", "Indian Ocean Ter.", 96.9, -12.1, 0.6),
)  # fmt: skip
"""Drawn as part of another outline: the code's own land lies within so many degrees of a longitude and latitude."""

Point = tuple[float, float]
Ring = list[Point]


def rings_by_name(topology: dict) -> dict[str, list[Ring]]:
    """Code or, where there is none, name → outer rings, in longitude and latitude."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(points)
    codes = {each.numeric: each.code for each in all_countries()}
    found: dict[str, list[Ring]] = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
        name = codes.get(shape.get("id", ""), shape["properties"]["name"])
        for polygon in polygons:
            ring = [place for number in polygon[0] for place in (arcs[number] if number >= 0 else arcs[~number][::-1])]
            found.setdefault(name, []).extend(on_the_map(ring))
    return found


def on_the_map(ring: Ring) -> list[Ring]:
    """The ring cut at 180 degrees, which its source draws over as if the map were a globe."""
    whole = ring[:1]
    for x, y in ring[1:]:
        turns = round((whole[-1][0] - x) / 360)
        whole.append((x + 360 * turns, y))
    if abs(whole[-1][0] - whole[0][0]) > 180:  # Around a pole.
        pole = math.copysign(90.0, whole[0][1])
        whole += [(whole[-1][0], pole), (whole[0][0], pole)]
    pieces = []
    for shift in (-360, 0, 360):
        piece = [(x + shift, y) for x, y in whole]
        for limit, below in ((-180.0, False), (180.0, True)):
            piece = clipped(piece, 0, limit, keep_below=below)
        if len(piece) > 2:
            pieces.append(piece)
    return pieces


def area(ring: Ring) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def clipped(ring: Ring, axis: int, limit: float, *, keep_below: bool) -> Ring:
    """What of the ring lies on one side of a line (Sutherland and Hodgman)."""
    kept: Ring = []
    for before, after in zip(ring[-1:] + ring[:-1], ring, strict=True):
        was, is_in = ((each[axis] <= limit) == keep_below for each in (before, after))
        if was != is_in:
            share = (limit - before[axis]) / (after[axis] - before[axis])
            kept.append(tuple(b + share * (a - b) for b, a in zip(before, after, strict=True)))  # type: ignore[arg-type]
        if is_in:
            kept.append(after)
    return kept


def hull(points: list[Point]) -> Ring:
    """Convex, counter-clockwise (Andrew)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    halves = []
    for row in (ordered, ordered[::-1]):
        half: Ring = []
        for place in row:
            while len(half) > 1 and turn(half[-2], half[-1], place) <= 0:
                half.pop()
            half.append(place)
        halves.append(half[:-1])
    return halves[0] + halves[1]


def turn(one: Point, two: Point, three: Point) -> float:
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])


def split(rings: list[Ring]) -> list[list[Ring]]:
    """Both halves of a part, cut across its longer side."""
    longitudes = [x for ring in rings for x, _ in ring]
    latitudes = [y for ring in rings for _, y in ring]
    middle = (min(latitudes) + max(latitudes)) / 2
    wide = (max(longitudes) - min(longitudes)) * math.cos(math.radians(middle))
    axis = 0 if wide > max(latitudes) - min(latitudes) else 1
    limit = (min(longitudes) + max(longitudes)) / 2 if axis == 0 else middle
    halves = ([clipped(ring, axis, limit, keep_below=below) for ring in rings] for below in (True, False))
    return [kept for half in halves if (kept := [ring for ring in half if len(ring) > 2])]


def parts_of(rings: list[Ring]) -> list[list[Ring]]:
    """The land in a few parts, of which each fills much of its hull."""
    parts = [rings]
    land = sum(map(area, rings))
    while len(parts) < MOST_PARTS:
        beside = [
            (area(hull([p for ring in part for p in ring])) - sum(map(area, part)), n) for n, part in enumerate(parts)
        ]
        if sum(more for more, _ in beside) < max(ENOUGH * land, SMALL_SQUARE_DEGREES):
            break
        worst = max(beside)[1]
        parts[worst : worst + 1] = split(parts[worst])
    return parts


def polygon(rings: list[Ring]) -> str:
    """A convex polygon of few corners that holds the rings and a margin, as CAP writes it: latitude,longitude …"""
    grown = []
    for x, y in hull([place for ring in rings for place in ring]):
        aside = MARGIN_DEGREES / max(0.1, math.cos(math.radians(y)))
        grown += [(x + dx, y + dy) for dx in (-aside, aside) for dy in (-MARGIN_DEGREES, MARGIN_DEGREES)]
    corners = hull([(min(180.0, max(-180.0, x)), min(90.0, max(-90.0, y))) for x, y in grown])
    while len(corners) > MOST_CORNERS and (fewer := without_an_edge(corners)) is not None:
        corners = fewer
    corners = hull([(round(x, 1) + 0.0, round(y, 1) + 0.0) for x, y in corners])  # Never -0.
    return " ".join(f"{y:g},{x:g}" for x, y in [*corners, corners[0]])


def without_an_edge(corners: Ring) -> Ring | None:
    """The polygon with the edge left out that adds least when its neighbours are drawn on until they meet."""
    best: tuple[float, int, Point] | None = None
    count = len(corners)
    for n in range(count):
        a, b, c, d = (corners[(n + step) % count] for step in range(4))
        met = meeting(a, b, d, c)
        if met is None or abs(met[0]) > 180 or abs(met[1]) > 90:
            continue
        added = abs(turn(b, met, c)) / 2
        if best is None or added < best[0]:
            best = (added, n, met)
    if best is None:
        return None
    _, n, met = best
    gone = {(n + 1) % count, (n + 2) % count}
    kept = [met if place == (n + 1) % count else each for place, each in enumerate(corners)
            if place not in gone or place == (n + 1) % count]  # fmt: skip
    return hull(kept)


def meeting(a: Point, b: Point, d: Point, c: Point) -> Point | None:
    """Where the line from a over b meets the one from d over c, beyond both."""
    (rx, ry), (sx, sy) = (b[0] - a[0], b[1] - a[1]), (c[0] - d[0], c[1] - d[1])
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-12:
        return None
    t = ((d[0] - a[0]) * sy - (d[1] - a[1]) * sx) / cross
    u = ((d[0] - a[0]) * ry - (d[1] - a[1]) * rx) / cross
    return (a[0] + t * rx, a[1] + t * ry) if t >= 1 and u >= 1 else None


def is_near(ring: Ring, place: Point, degrees: float) -> bool:
    narrow = math.cos(math.radians(place[1]))
    return any(
        math.hypot((x - place[0]) * narrow, y - place[1]) <= degrees for x, y in ring[:: max(1, len(ring) // 40)]
    )


def shared_out(found: dict[str, list[Ring]]) -> dict[str, list[Ring]]:
    """Code → rings, after lands without a code of their own outline have found one."""
    for name, codes in WITHOUT_CODE.items():
        for code in codes:
            found[code] = found[code] + found.get(name, [])
    for code, owner, x, y, degrees in OWN_CODE:
        mine = [ring for ring in found[owner] if is_near(ring, (x, y), degrees)]
        if not mine:
            raise SystemExit(f"{code}: nothing of {owner} lies near {x}, {y}")
        found.setdefault(code, []).extend(mine)
        found[owner] = [ring for ring in found[owner] if ring not in mine]
    for held, claimed, (west, south, east, north) in ALSO:
        rings = found[held]
        for axis, limit, below in ((0, west, False), (0, east, True), (1, south, False), (1, north, True)):
            rings = [kept for ring in rings if len(kept := clipped(ring, axis, limit, keep_below=below)) > 2]
        found[claimed] = found[claimed] + rings
    return found


def main() -> None:
    found = shared_out(rings_by_name(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("code", "polygons", "circle"))
        for each in all_countries():
            rings = found.get(each.code, [])
            polygons = "|".join(sorted(map(polygon, parts_of(rings)))) if rings else ""
            circle = "" if rings else f"{each.latitude:g},{each.longitude:g} {ALONE_KILOMETRES}"
            rows.writerow((each.code, polygons, circle))


if __name__ == "__main__":
    main()
