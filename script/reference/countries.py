# ruff: noqa: E501, SIM905
"""Makes countries.csv, regions.csv, territories.csv and members.csv.

    python script/reference/countries.py COUNTRY_CODES_CSV COUNTRIES_10M_JSON

COUNTRY_CODES_CSV is the public `country-codes` table (datasets/country-codes, PDDL 1.0); the points come from
Natural Earth's country outlines (public domain, npm package world-atlas), the names from Babel's copy of CLDR.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import babel
import tldextract

TARGET = Path(__file__).parents[2] / "src/tocsin/reference"
LANGUAGES = ("en", "fr", "es", "ar")

# The names of the United Nations where CLDR's everyday name takes a side, is a gloss or is not what police write.
NAMES = {
    "CD": "en=Democratic Republic of the Congo;fr=République démocratique du Congo;es=República Democrática del Congo;ar=جمهورية الكونغو الديمقراطية",
    "CG": "en=Congo;fr=Congo;es=Congo;ar=الكونغو",
    "FK": "en=Falkland Islands (Malvinas);fr=Îles Falkland (Malvinas);es=Islas Malvinas (Falkland);ar=جزر فوكلاند (مالفيناس)",
    "HK": "en=Hong Kong (China);fr=Hong Kong (Chine);es=Hong Kong (China);ar=هونغ كونغ (الصين)",
    "MO": "en=Macao (China);fr=Macao (Chine);es=Macao (China);ar=ماكاو (الصين)",
    "MM": "en=Myanmar;fr=Myanmar;es=Myanmar;ar=ميانمار",
    "PS": "en=State of Palestine;fr=État de Palestine;es=Estado de Palestina;ar=دولة فلسطين",
    "VA": "en=Holy See (Vatican City State);fr=Saint-Siège (État de la Cité du Vatican);es=Santa Sede (Estado de la Ciudad del Vaticano);ar=الكرسي الرسولي (دولة مدينة الفاتيكان)",
    "KR": "en=Republic of Korea;fr=République de Corée;es=República de Corea;ar=جمهورية كوريا",
    "KP": "en=Democratic People's Republic of Korea;fr=République populaire démocratique de Corée;es=República Popular Democrática de Corea;ar=جمهورية كوريا الشعبية الديمقراطية",
}
REGION_NAMES = {
    "053": "en=Australia and New Zealand;fr=Australie et Nouvelle-Zélande;es=Australia y Nueva Zelandia;ar=أستراليا ونيوزيلندا",
    "057": "en=Micronesia;fr=Micronésie;es=Micronesia;ar=ميكرونيزيا",
    "419": "en=Latin America and the Caribbean;fr=Amérique latine et Caraïbes;es=América Latina y el Caribe;ar=أمريكا اللاتينية والبحر الكاريبي",
}
ARABIC = set("AE BH DZ EG EH IQ JO KW LB LY MA MR OM PS QA SA SD SY TN YE".split())
FRENCH = set(
    "BE BF BI BJ BL CD CF CG CH CI CM DJ FR GA GF GN GP GW HT KM LU MC MF MG ML MQ NC NE PF PM RE SN TD TF TG WF YT".split()
)
SPANISH = set("AD AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE".split())
# Written by hand because the table glosses, shortens or leaves them out.
CALLING = {
    "RS": "381", "SH": "290 247", "PR": "1-787 1-939", "KZ": "7-6 7-7", "VA": "379 39-06-698", "GG": "44-1481",
    "IM": "44-1624", "JE": "44-1534", "AX": "358-18", "SX": "1-721", "JM": "1-876 1-658", "PN": "64", "UM": "",
    "HM": "", "BV": "", "GS": "500",
}  # fmt: skip
DOMAINS = {"GB": "uk gb", "BL": "bl", "MF": "mf", "EH": "", "SX": "sx"}
# Parts of other outlines in the map, and islands too small for it: longitude, latitude.
POINTS = {
    "BQ": (-68.27, 12.18), "BV": (3.41, -54.42), "CC": (96.83, -12.17), "CX": (105.63, -10.49), "GF": (-53.24, 3.92),
    "GP": (-61.53, 16.20), "MQ": (-61.02, 14.65), "RE": (55.53, -21.13), "SJ": (18.00, 78.50), "TK": (-171.85, -9.20),
    "YT": (45.15, -12.82), "GI": (-5.35, 36.14), "TV": (179.20, -8.52), "UM": (166.65, 19.30), "FR": (2.55, 46.56),
    "US": (-98.58, 39.83), "NO": (8.74, 61.14), "KI": (173.00, 1.43), "FJ": (178.00, -17.80), "RU": (60.00, 58.00),
    "NL": (5.60, 52.25), "CL": (-71.00, -33.50), "PT": (-8.00, 39.60), "ES": (-3.65, 40.30), "EC": (-78.50, -1.40),
}  # fmt: skip

# Who answers where there is no bureau of its own. Left out on purpose, so that a person decides: AQ, EH, KP, TV, TW.
ANSWERING = {
    "AU": "CC CX HM NF", "CN": "HK MO", "DK": "FO GL", "FI": "AX",
    "FR": "BL GF GP MF MQ NC PF PM RE TF WF YT",
    "GB": "AI BM FK GG GI GS IM IO JE KY MS PN SH TC VG",
    "NL": "BQ", "NO": "BV SJ", "NZ": "CK NU TK", "US": "AS GU MP PR UM VI",
}  # fmt: skip
SUB_BUREAUS = {"CN": "HK MO", "GB": "AI BM GI KY MS TC VG", "US": "AS PR"}
NOT_MEMBERS = {"KP", "TV", "TW"}
MEMBERS_BESIDE = {"AW", "CW", "PS", "SX", "VA"}
# Months of the General Assembly that admitted them; older memberships are left open.
MEMBER_FROM = {
    "ME": "2006-09", "SM": "2006-09", "VA": "2008-10", "WS": "2009-10", "SS": "2011-11", "CW": "2011-11",
    "SX": "2011-11", "PS": "2017-09-27", "SB": "2017-09-27", "KI": "2018-11", "VU": "2018-11", "FM": "2021-11",
    "PW": "2023-11",
}  # fmt: skip


def worded(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";"))


def names_of(code: str) -> dict[str, str]:
    if code in NAMES:
        return worded(NAMES[code])
    if code in REGION_NAMES:
        return worded(REGION_NAMES[code])
    return {language: babel.Locale(language).territories[code] for language in LANGUAGES}


def own_script_domains() -> dict[str, list[str]]:
    """Country domains in other scripts, from the remarks of the public suffix list."""
    text = (Path(tldextract.__file__).parent / ".tld_set_snapshot").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for name, code in re.findall(r"^// (xn--[a-z0-9-]+) .*: ([A-Z]{2})\b", text, re.MULTILINE):
        found.setdefault(code, []).append(name)
    return found


def outlines(path: Path) -> dict[str, tuple[float, float]]:
    """Numeric code to the middle of the largest outline, in degrees."""
    topology = json.loads(path.read_text("utf-8"))
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(points)
    middles = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        polygons = shape.get("arcs", []) if shape["type"] == "MultiPolygon" else [shape.get("arcs", [])]
        rings = [joined(polygon[0], arcs) for polygon in polygons if polygon]
        if rings and shape.get("id"):
            middles[shape["id"]] = max((middle(ring) for ring in rings), key=lambda found: found[0])[1]
    return middles


def joined(ring: list[int], arcs: list[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for number in ring:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        points.extend(arc if not points else arc[1:])
    return points


def middle(ring: list[tuple[float, float]]) -> tuple[float, tuple[float, float]]:
    twice_area = sum_x = sum_y = 0.0
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = ax * by - bx * ay
        twice_area += cross
        sum_x += (ax + bx) * cross
        sum_y += (ay + by) * cross
    if not twice_area:  # A ring that the map's grid has flattened.
        return 0.0, ring[0]
    return abs(twice_area), (round(sum_x / (3 * twice_area), 2), round(sum_y / (3 * twice_area), 2))


def written(name: str, header: list[str], rows: list[list[str]]) -> None:
    with (TARGET / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def language_of(code: str) -> str:
    return "ar" if code in ARABIC else "fr" if code in FRENCH else "es" if code in SPANISH else "en"


def main() -> None:
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points, scripts = outlines(Path(sys.argv[2])), own_script_domains()
    regions: dict[str, tuple[str, str, str]] = {"001": ("", "world", "World")}
    countries = []
    for row in sorted(rows, key=lambda row: row["ISO3166-1-Alpha-2"]):
        code = row["ISO3166-1-Alpha-2"]
        numeric = row["ISO3166-1-numeric"].zfill(3)
        placed = []
        for level in ("Region", "Sub-region", "Intermediate Region"):
            # The M49 table of the United Nations does not list TW: no region is made up for it.
            number = "" if code == "TW" else row[f"{level} Code"]
            placed.append(number.zfill(3) if number else "")
            if number:
                parent = next((place for place in reversed(placed[:-1]) if place), "001")
                regions[number.zfill(3)] = (parent, level.lower().replace(" ", "-"), row[f"{level} Name"])
        domains = DOMAINS.get(code, row["TLD"].strip(" .")).split() + scripts.get(code, [])
        calling = CALLING.get(code, row["Dial"].replace(",", " "))
        longitude, latitude = POINTS.get(code) or points[numeric]
        names = names_of(code)
        un_names = [row[f"official_name_{language}"] for language in LANGUAGES]
        countries.append(
            [code, row["ISO3166-1-Alpha-3"], numeric, *(names[language] for language in LANGUAGES), *placed,
             " ".join(domains), calling, language_of(code), str(longitude), str(latitude), "|".join(un_names)]
        )  # fmt: skip
    written(
        "countries.csv",
        ["code", "alpha_3", "numeric", *(f"name_{language}" for language in LANGUAGES), "region", "sub_region",
         "intermediate_region", "top_level_domains", "calling_codes", "report_language", "longitude", "latitude",
         "other_names"],
        countries,
    )  # fmt: skip
    written(
        "regions.csv",
        ["code", "parent", "level", *(f"name_{language}" for language in LANGUAGES)],
        [
            [code, parent, level, english, *list(names_of(code).values())[1:]]
            for code, (parent, level, english) in sorted(regions.items())
        ],
    )
    answering = {code: bureau for bureau, codes in ANSWERING.items() for code in codes.split()}
    written("territories.csv", ["code", "bureau"], [[code, answering[code]] for code in sorted(answering)])
    states = {row["ISO3166-1-Alpha-2"] for row in rows if row["is_independent"] == "Yes"}
    members = (states - NOT_MEMBERS) | MEMBERS_BESIDE
    parents = {code: parent for parent, codes in SUB_BUREAUS.items() for code in codes.split()}
    written(
        "members.csv",
        ["code", "parent", "member_from", "member_to"],
        [[code, parents.get(code, ""), MEMBER_FROM.get(code, ""), ""] for code in sorted(members | parents.keys())],
    )


if __name__ == "__main__":
    main()
