"""The world map knows every country, as an outline, as a marker, or both."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin.reference.countries import all_countries

PATH = Path(__file__).parents[2] / "src/tocsin/site/static/vendor/world/outlines.json"


def test_every_country_is_on_the_map_and_nothing_else() -> None:
    world = json.loads(PATH.read_text("utf-8"))
    drawn = [each.get("id") for each in world["objects"]["countries"]["geometries"]]
    marked = [each["id"] for each in world["objects"]["markers"]["geometries"]]
    codes = {each.code for each in all_countries()}
    assert {*drawn, *marked} - {None} == codes
    assert {"SG", "MT", "BH", "TV", "VA"} <= set(marked)
    assert {"FR", "BR", "KE", "IN"} <= set(drawn) - set(marked)
    assert PATH.stat().st_size <= 260_000


def test_every_ring_closes_and_stays_on_the_globe() -> None:
    world = json.loads(PATH.read_text("utf-8"))
    (step, _), (west, south) = world["transform"]["scale"], world["transform"]["translate"]
    arcs = []
    for arc in world["arcs"]:
        x = y = 0
        points = []
        for right, up in arc:
            x, y = x + right, y + up
            points.append((x, y))
            assert -180 <= x * step + west <= 180
            assert -90 <= y * step + south <= 90
        arcs.append(points)
    for shape in world["objects"]["countries"]["geometries"]:
        for polygon in shape["arcs"]:
            for ring in polygon:
                parts = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in ring]
                assert all(before[-1] == after[0] for before, after in zip(parts, parts[1:] + parts[:1], strict=True))
