"""Fetch what the pages ship from npm, cut it down, and write it into src/tocsin/site/static. Run by hand.

Needs npm, and fonttools with brotli (they are not needed to install or run Tocsin). The pinned versions are below;
the results are committed, so that an installation downloads nothing.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/tocsin/site/static"
VENDOR = STATIC / "vendor"

HTMX = "htmx.org@2.0.11"
ICONS = "@tabler/icons@3.51.0"
LATIN = "@fontsource-variable/noto-sans@5.3.0"
ARABIC = "@fontsource-variable/noto-sans-arabic@5.3.0"
WORLD = "world-atlas@2.0.2"

LATIN_LETTERS = (
    "U+0020-007E,U+00A0-00FF,U+0131,U+0152-0153,U+0178,U+02C6,U+02DA,U+02DC,U+2010-2015,U+2018-201E,"
    "U+2020-2022,U+2026,U+202F,U+2030,U+2032-2033,U+2039-203A,U+20AC,U+2122,U+2190-2193,U+2212"
)
ARABIC_LETTERS = (
    "U+060C,U+061B,U+061F,U+0621-063A,U+0640-0652,U+0660-066C,U+0670-0671,U+067E,U+0686,U+0698,U+06A4,U+06A9,"
    "U+06AF,U+06CC,U+200C-200F"
)

ICON_NAMES = [
    "alert-triangle",
    "archive",
    "arrow-left",
    "arrow-right",
    "bell-ringing",
    "building",
    "building-bank",
    "chevron-down",
    "chevron-right",
    "chart-bar",
    "check",
    "circle-check",
    "circle-dashed",
    "circle-x",
    "clock",
    "copy",
    "database",
    "device-floppy",
    "download",
    "external-link",
    "eye",
    "file-import",
    "file-text",
    "files",
    "filter",
    "flag",
    "flame",
    "gauge",
    "help",
    "history",
    "home",
    "inbox",
    "info-circle",
    "key",
    "language",
    "layers-intersect",
    "list-check",
    "lock",
    "login",
    "logout",
    "map-pin",
    "menu-2",
    "message-report",
    "moon",
    "package",
    "player-pause",
    "plus",
    "radar-2",
    "refresh",
    "robot",
    "rss",
    "scale",
    "search",
    "server",
    "settings",
    "shield",
    "shield-check",
    "shield-lock",
    "skull",
    "sparkles",
    "sun",
    "sun-moon",
    "target",
    "trash",
    "upload",
    "user",
    "user-search",
    "users",
    "world",
    "x",
    "adjustments",
    "hourglass",
    "bug",
    "wallet",
    "mail",
    "phone",
    "link",
    "hash",
    "network",
    "virus",
    "rotate",
]

WIDTH, HEIGHT = 2000, 870
TOLERANCE = 0.9
SMALL = 9  # Countries narrower and lower than this many units get a marker.
LEFT_OUT = {"010"}  # Antarctica has no bureau and would fill a fifth of the map.


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _htmx(_fetch(HTMX, work))
        _icons(_fetch(ICONS, work))
        _fonts(_fetch(LATIN, work), _fetch(ARABIC, work), work)
        _world(_fetch(WORLD, work))


def _fetch(spec: str, work: Path) -> Path:
    found = subprocess.run(["npm", "pack", spec, "--json"], cwd=work, check=True, capture_output=True, text=True)
    said = json.loads(found.stdout)
    name = (said[0] if isinstance(said, list) else next(iter(said.values())))["filename"]
    target = work / name.removesuffix(".tgz")
    with tarfile.open(work / name) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def _keep(name: str, licence: Path, version: str) -> Path:
    folder = VENDOR / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(licence, folder / "LICENSE")
    (folder / "VERSION").write_text(version + "\n", encoding="utf-8")
    return folder


def _htmx(package: Path) -> None:
    folder = _keep("htmx", package / "LICENSE", f"{HTMX}, dist/htmx.min.js, unchanged")
    shutil.copy(package / "dist/htmx.min.js", folder)


def _icons(package: Path) -> None:
    folder = _keep("tabler-icons", package / "LICENSE", f"{ICONS}, a selection of outlines as one sprite")
    symbols = []
    for name in sorted(ICON_NAMES):
        text = (package / "icons/outline" / f"{name}.svg").read_text(encoding="utf-8")
        body = re.sub(r"<!--.*?-->", "", text, flags=re.S)
        inner = re.search(r"<svg[^>]*>(.*)</svg>", body, flags=re.S)
        assert inner, name
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(inner[1].split())}</symbol>')
    text = '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(symbols) + "</svg>\n"
    (folder / "icons.svg").write_text(text, encoding="utf-8")


def _fonts(latin: Path, arabic: Path, work: Path) -> None:
    folder = _keep(
        "noto", latin / "LICENSE", f"{LATIN} and {ARABIC}, weights 400 to 700, cut down to the letters in use"
    )
    jobs = (
        (latin / "files/noto-sans-latin-wght-normal.woff2", LATIN_LETTERS, "noto-sans-latin.woff2"),
        (arabic / "files/noto-sans-arabic-arabic-wght-normal.woff2", ARABIC_LETTERS, "noto-sans-arabic.woff2"),
    )
    for source, letters, name in jobs:
        middle = work / f"{name}.ttf"
        _python("fontTools", "varLib.instancer", "-q", "-o", str(middle), str(source), "wght=400:700")
        _python(
            "fontTools", "subset", str(middle), f"--unicodes={letters}", "--flavor=woff2",
            "--layout-features-=frac,numr,dnom,sups,subs,sinf,ordn,smcp,c2sc",
            f"--output-file={folder / name}",
        )  # fmt: skip


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", *arguments], check=True)


def _world(package: Path) -> None:
    """Natural Earth's countries (public domain), projected to Equal Earth, as a sprite with one symbol each."""
    topology = json.loads((package / "countries-50m.json").read_text(encoding="utf-8"))
    arcs = [_thinned([_projected(*point) for point in arc]) for arc in _arcs(topology)]
    codes = _codes()
    shapes: dict[str, str] = {}
    boxes: dict[str, list[float]] = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        code = codes.get(str(geometry.get("id", "")).zfill(3))
        if code is None or geometry["id"] in LEFT_OUT or "arcs" not in geometry:
            continue
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        rings = [_ring(ring, arcs) for polygon in polygons for ring in polygon]
        rings = [ring for ring in rings if _size(ring) > 4] or [max(rings, key=_size)]
        shapes[code] = shapes.get(code, "") + "".join(_path(ring) for ring in rings)
        xs, ys = zip(*max(rings, key=_size), strict=True)
        box = [round(min(xs), 1), round(min(ys), 1), round(max(xs), 1), round(max(ys), 1)]
        # A code may come twice, as Australia does with reefs of its own: the larger part says where it is.
        boxes[code] = max(boxes.get(code, box), box, key=lambda each: (each[2] - each[0]) * (each[3] - each[1]))
    folder = _keep("world", package / "LICENSE", f"{WORLD} (Natural Earth 4.1.0, 1:50m, public domain), Equal Earth")
    text = "".join(f'<path id="{code}" d="{shapes[code]}"/>' for code in sorted(shapes))
    (folder / "world.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{text}</svg>\n', encoding="utf-8"
    )
    places = {code: [round(axis, 1) for axis in _projected(*place)] for code, place in _places().items()}
    small = sorted(
        code for code in places
        if code not in boxes or max(boxes[code][2] - boxes[code][0], boxes[code][3] - boxes[code][1]) < SMALL
    )  # fmt: skip
    facts = {
        "width": WIDTH,
        "height": HEIGHT,
        "shapes": sorted(shapes),
        "boxes": boxes,
        "places": places,
        "small": small,
    }
    (folder / "world.json").write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")


def _rows() -> list[dict[str, str]]:
    import csv

    with (ROOT / "src/tocsin/reference/countries.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _codes() -> dict[str, str]:
    return {row["numeric"]: row["code"] for row in _rows()}


def _places() -> dict[str, tuple[float, float]]:
    return {row["code"]: (float(row["longitude"]), float(row["latitude"])) for row in _rows()}


def _arcs(topology: dict) -> list[list[tuple[float, float]]]:
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * scale_x + move_x, y * scale_y + move_y))
        found.append(points)
    return found


def _projected(longitude: float, latitude: float) -> tuple[float, float]:
    """Equal Earth (Savric, Patterson, Jenny 2018), turned by 11 degrees so that no country is cut."""
    a1, a2, a3, a4, m = 1.340264, -0.081106, 0.000893, 0.003796, math.sqrt(3) / 2
    turned = (longitude - 11 + 180) % 360 - 180
    angle = math.asin(m * math.sin(math.radians(latitude)))
    x = (
        math.radians(turned)
        * math.cos(angle)
        / (m * (a1 + 3 * a2 * angle**2 + angle**6 * (7 * a3 + 9 * a4 * angle**2)))
    )
    y = angle * (a1 + a2 * angle**2 + angle**6 * (a3 + a4 * angle**2))
    scale = WIDTH / 5.42
    return (WIDTH / 2 + x * scale, 1.318 * scale - y * scale)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Douglas-Peucker on an arc: neighbours share arcs, so that borders still fit."""
    if len(points) < 3:
        return points
    (x1, y1), (x2, y2) = points[0], points[-1]
    length = math.hypot(x2 - x1, y2 - y1)
    far, place = 0.0, 0
    for index, (x, y) in enumerate(points[1:-1], start=1):
        away = (
            abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length if length > 1e-9 else math.hypot(x - x1, y - y1)
        )
        if away > far:
            far, place = away, index
    if far <= TOLERANCE:
        return [points[0], points[-1]]
    return _thinned(points[: place + 1])[:-1] + _thinned(points[place:])


def _ring(numbers: list[int], arcs: list[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for number in numbers:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        points.extend(arc if not points else arc[1:])
    return points


def _size(ring: list[tuple[float, float]]) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _path(ring: list[tuple[float, float]]) -> str:
    """Relative moves in whole units. A ring that jumps over the map's edge is split there."""
    parts: list[list[tuple[int, int]]] = [[]]
    for x, y in ring:
        point = (round(x), round(y))
        if parts[-1] and abs(point[0] - parts[-1][-1][0]) > WIDTH / 2:
            parts.append([])
        if not parts[-1] or point != parts[-1][-1]:
            parts[-1].append(point)
    text = ""
    for part in parts:
        if len(part) > 1:
            steps = " ".join(f"{x - last_x},{y - last_y}" for (last_x, last_y), (x, y) in pairwise(part))
            text += f"M{part[0][0]},{part[0][1]}l" + re.sub(r"[, ]-", "-", steps) + "z"
    return text


if __name__ == "__main__":
    main()
