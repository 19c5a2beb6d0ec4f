"""Polygons of countries: closed, convex, few, and with all of the land in them that the map draws."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from tocsin import reference
from tocsin.reference.areas import circles_of, polygons_of
from tocsin.reference.countries import all_countries

WORLD = Path(reference.__file__).parents[1] / "site/static/vendor/world/outlines.json"
Point = tuple[float, float]
DRAWN_WITH = {"FR": ("GF", "GP", "MQ", "RE", "YT"), "NO": ("SJ", "BV"), "NL": ("BQ",), "NZ": ("TK",)}
"""Land with a code of its own that the map draws as part of another country."""


def corners(text: str) -> list[Point]:
    return [(float(place.split(",")[1]), float(place.split(",")[0])) for place in text.split(" ")]


def turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def holds(polygon: list[Point], place: Point) -> bool:
    return all(turn(one, two, place) >= -1e-9 for one, two in pairwise(polygon))


def test_every_country_has_a_few_closed_convex_polygons() -> None:
    for country in all_countries():
        polygons = polygons_of(country.code)
        assert 1 <= len(polygons) <= 6, country.code
        assert circles_of(country.code) == ()
        for text in polygons:
            made = corners(text)
            assert made[0] == made[-1]
            assert 4 <= len(made) <= 11
            assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in made)
            assert all(turn(*three) > 0 for three in zip(made, made[1:], [*made[2:], made[1]], strict=False)), (
                country.code
            )
    assert polygons_of("XA") == circles_of("XA") == ()


def test_what_the_map_draws_lies_inside() -> None:
    """The map is made from another survey of the same source, on a grid of an eighth of a degree."""
    world = json.loads(WORLD.read_text(encoding="utf-8"))
    arcs = []
    for steps in world["arcs"]:
        x = y = 0
        arc = []
        for dx, dy in steps:
            x, y = x + dx, y + dy
            arc.append((x / 8 - 180, y / 8 - 90))
        arcs.append(arc)
    outside: dict[str, int] = {}
    drawn = 0
    for shape in world["objects"]["countries"]["geometries"]:
        if (code := shape.get("id")) is None:
            continue
        made = [corners(text) for each in (code, *DRAWN_WITH.get(code, ())) for text in polygons_of(each)]
        for polygon in shape["arcs"]:
            places = [place for number in polygon[0] for place in arcs[number if number >= 0 else ~number]]
            for place in places[::3]:
                drawn += 1
                if not any(holds(each, place) for each in made):
                    outside[code] = outside.get(code, 0) + 1
    assert drawn > 3_000
    assert outside == {}


def test_points_of_countries_lie_inside() -> None:
    """Of islands far apart the point may lie on the sea between them."""
    for country in all_countries():
        at = (country.longitude, country.latitude)
        near = [corners(text) for text in polygons_of(country.code)]
        if country.code not in {"BQ", "SJ", "TK"}:
            assert any(holds(each, at) for each in near), country.code
