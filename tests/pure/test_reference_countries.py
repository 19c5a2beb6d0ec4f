"""Countries against a second copy of the M49 table, names in four languages, and who answers for whom."""

from __future__ import annotations

import re
from datetime import date

import polars as pl
import pytest

from tocsin.reference import countries, members

# The table of the United Nations Statistics Division, copied by hand: (intermediate) sub-region -> codes.
M49 = {
    "015": "DZ EG LY MA SD TN EH",
    "014": "IO BI KM DJ ER ET TF KE MG MW MU YT MZ RE RW SC SO SS UG TZ ZM ZW",
    "017": "AO CM CF TD CG CD GQ GA ST",
    "018": "BW SZ LS NA ZA",
    "011": "BJ BF CV CI GM GH GN GW LR ML MR NE NG SH SN SL TG",
    "029": "AI AG AW BS BB BQ VG KY CU CW DM DO GD GP HT JM MQ MS PR BL KN LC MF VC SX TT TC VI",
    "013": "BZ CR SV GT HN MX NI PA",
    "005": "AR BO BV BR CL CO EC FK GF GY PY PE GS SR UY VE",
    "021": "BM CA GL PM US",
    "143": "KZ KG TJ TM UZ",
    "030": "CN HK MO KP JP MN KR",
    "035": "BN KH ID LA MY MM PH SG TH TL VN",
    "034": "AF BD BT IN IR MV NP PK LK",
    "145": "AM AZ BH CY GE IQ IL JO KW LB OM QA SA PS SY TR AE YE",
    "151": "BY BG CZ HU PL MD RO RU SK UA",
    "154": "AX DK EE FO FI GG IS IE IM JE LV LT NO SJ SE GB",
    "039": "AL AD BA HR GI GR VA IT MT ME MK PT SM RS SI ES",
    "155": "AT BE FR DE LI LU MC NL CH",
    "053": "AU CX CC HM NZ NF",
    "054": "FJ NC PG SB VU",
    "057": "GU KI MH FM NR MP PW UM",
    "061": "AS CK PF NU PN WS TK TO TV WF",
}
ABOVE = {
    "202": ["014", "017", "018", "011"], "419": ["029", "013", "005"],
    "002": ["015", "014", "017", "018", "011"],
    "019": ["029", "013", "005", "021"], "142": ["143", "030", "035", "034", "145"],
    "150": ["151", "154", "039", "155"], "009": ["053", "054", "057", "061"],
}  # fmt: skip


@pytest.mark.parametrize("code", [*M49, *ABOVE])
def test_a_region_holds_exactly_what_m49_says(code: str) -> None:
    expected = {each for part in ABOVE.get(code, [code]) for each in M49[part].split()}
    assert set(countries.region(code).countries) == expected
    assert {each.code for each in countries.all_countries() if each.is_in(code)} == expected


def test_every_country_is_in_the_world_and_most_in_a_region() -> None:
    assert len(countries.region("001").countries) == len(countries.all_countries()) == 249
    assert {each.code for each in countries.all_countries() if each.region is None} == {"AQ", "TW"}
    assert {each.code for each in countries.regions()} == {"001", *M49, *ABOVE}


def test_regions_nest() -> None:
    for each in countries.regions():
        if each.parent:
            assert set(each.countries) <= set(countries.region(each.parent).countries)


@pytest.mark.parametrize("each", countries.all_countries(), ids=lambda each: each.code)
def test_a_country_is_found_by_its_codes_and_names_and_stands_on_the_globe(each: countries.Country) -> None:
    for text in (each.code, each.code.lower(), each.alpha_3, *map(each.name, countries.LANGUAGES)):
        assert countries.normalise_country(text) == each.code
    assert re.fullmatch(r"[A-Z]{2}", each.code)
    assert re.fullmatch(r"[0-9]{3}", each.numeric)
    assert each.report_language in countries.LANGUAGES
    assert -180 <= each.longitude <= 180
    assert -90 <= each.latitude <= 90
    assert all(re.fullmatch(r"[a-z]{2}|xn--[a-z0-9-]+", name) for name in each.top_level_domains)
    assert all(re.fullmatch(r"[0-9]{1,3}(-[0-9-]+)?", code) for code in each.calling_codes)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("UK", "GB"), ("EL", "GR"), ("Russia", "RU"), ("Russian Federation", "RU"), ("Turkey", "TR"),
        ("Türkiye", "TR"), ("Côte d’Ivoire", "CI"), ("cote d'ivoire", "CI"), ("ألمانيا", "DE"), ("المانيا", "DE"),
        ("US-CA", "US"), ("Iran (Islamic Republic of)", "IR"), ("Niger", "NE"), ("Nigeria", "NG"),
        (" united states ", "US"), ("Bolivia", "BO"), ("Guinea-Bissau", "GW"), ("TÜRKİYE", "TR"),
    ],
)  # fmt: skip
def test_names_that_sources_write(text: str, code: str) -> None:
    assert countries.normalise_country(text) == code


@pytest.mark.parametrize("text", ["", " ", "EU", "AP", "XK", "ZZ", "--", "nowhere", "Europe"])
def test_what_is_no_country_stays_unknown(text: str) -> None:
    assert countries.normalise_country(text) is None


def test_a_column_is_read_like_its_values() -> None:
    texts = ["Turkey", None, "zz", "FR", "Turkey", "ألمانيا"]
    expected = ["TR", None, None, "FR", "TR", "DE"]
    assert countries.normalise_countries(pl.Series(texts)).to_list() == expected


def test_codes_that_do_not_exist_raise() -> None:
    with pytest.raises(KeyError):
        countries.country("ZZ")


def test_top_level_domains_claim_countries() -> None:
    claim = countries.country_of_top_level_domain
    assert (claim("uk"), claim("FR"), claim("xn--p1ai"), claim("xn--wgbh1c")) == ("GB", "FR", "RU", "EG")
    assert claim("io") is None
    assert claim("com") is None


@pytest.mark.parametrize(
    ("day", "count"),
    [("2012-01-01", 190), ("2017-12-31", 192), ("2018-12-31", 194), ("2021-12-31", 195), ("2026-01-01", 196)],
)
def test_members_over_the_years(day: str, count: int) -> None:
    assert len(members.members(date.fromisoformat(day))) == count


def test_who_answers_for_whom() -> None:
    on = date(2026, 1, 1)
    answers = {code: bureau.code if (bureau := members.bureau_of(code, on)) else None for code in
               ("FR", "GP", "GI", "MO", "PR", "PS", "KP", "TV", "TW", "AQ", "EH", "ZZ")}  # fmt: skip
    assert answers == {
        "FR": "FR", "GP": "FR", "GI": "GB", "MO": "CN", "PR": "US", "PS": "PS",
        "KP": None, "TV": None, "TW": None, "AQ": None, "EH": None, "ZZ": None,
    }  # fmt: skip
    assert members.bureau_of("PS", date(2017, 9, 26)) is None
    assert members.sub_bureau_of("MO") in members.sub_bureaus("CN")
    assert members.sub_bureau_of("FR") is None
    for each in members.sub_bureaus():
        assert members.territories()[each.code] == each.parent
    codes = {each.code for each in countries.all_countries()}
    unanswered = {code for code in codes if members.bureau_of(code, on) is None}
    assert unanswered == {"AQ", "EH", "KP", "TV", "TW"}
