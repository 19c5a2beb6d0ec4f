"""Where people report: what ships, and what an installation says instead."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tocsin.core.errors import InputError
from tocsin.products.alerts.words import catalogue
from tocsin.reference.countries import LANGUAGES, all_countries
from tocsin.reference.reporting import Kind, as_data, of_data, reporting

SHIPPED = list(reporting().all())
ROW = '[[channel]]\ncountry = "FR"\nname = "Bureau"\nsource = "https://report.example/about"\nseen = 2026-11-01\n'


def test_what_ships_names_its_source_and_its_day() -> None:
    for code, each in SHIPPED:
        assert each.source.startswith("https://"), code
        assert each.languages, code
        assert not each.checked_on, "nobody of an installation has asked yet"
        if each.checked and each.address:
            assert _site(each.source) == _site(each.address) or (code, each.name) in OWN_PAGES, (code, each.name)


OWN_PAGES = {
    ("FR", "PHAROS – signaler un contenu illicite"),  # Both are the ministry's.
    ("PL", "CERT Polska"),  # Part of NASK, whose bulletin names the form.
}


def _site(address: str) -> str:
    return ".".join((urlsplit(address).hostname or "").split(".")[-2:])


def test_nothing_ships_twice() -> None:
    rows = [(code, each.kind, each.address, each.telephone) for code, each in SHIPPED]
    assert len(rows) == len(set(rows))
    assert len({(code, each.name) for code, each in SHIPPED}) == len(rows)


def test_countries_and_numbers_are_known() -> None:
    known = {each.code for each in all_countries()}
    found = reporting()
    assert set(found.channels) | set(found.emergency) <= known
    assert len(found.channels) >= 41
    assert len(found.emergency) >= 200
    # Two that every collection of them has to get right, and one that none may guess.
    assert (found.emergency["FR"], found.emergency["US"]) == ("112", "911")
    assert "AQ" not in found.emergency


def test_every_kind_has_a_word_in_each_language() -> None:
    for kind in Kind:
        assert set(catalogue()[f"site.channel_{kind}"]) >= set(LANGUAGES)


def test_an_installation_says_itself_where_to_report(tmp_path: Path) -> None:
    own = tmp_path / "reporting.toml"
    own.write_text(
        f'without = ["NO", "BE"]\n{ROW}kind = "fraud"\naddress = "https://report.example"\nname_ar = "مكتب"\n'
        'checked_on = 2026-11-02\nchecked_by = "Duty desk"\n'
        f'{ROW}telephone = "+33 1 23 45"\n'
        '[emergency]\n"113" = ["AQ"]\n"" = ["MW"]\n', encoding="utf-8")  # fmt: skip
    found = reporting(own)
    assert [(each.kind, each.address, each.dialled) for each in found.of("FR")] == [
        (Kind.CYBERCRIME, "", "+3312345"), (Kind.FRAUD, "https://report.example", ""),
    ]  # fmt: skip
    assert found.of("FR")[1].names == {"ar": "مكتب"}
    assert (found.of("NO"), found.of("BE")) == ((), ())
    assert found.emergency["AQ"] == "113"
    assert "MW" not in found.emergency
    assert found.of("US") == reporting().of("US")


@pytest.mark.parametrize("wrong", [
    "[[channel]]\ncountry = 'ZZ'", "no = toml = at all", "channel = 3", "chanel = []", ROW,
    f'{ROW}address = "javascript:alert(1)"', f'{ROW}address = "http://report.example"',
    f'{ROW}address = "https://report.example@evil.example/"', f'{ROW}address = "https://report.example:8443/"',
    f'{ROW}address = "https://192.0.2.7/"', f'{ROW}address = "https://rеport.example"',
    f'{ROW}address = "https://report.example/\\" onclick=\\"x"', f'{ROW}address = "https://report.example/a b"',
    f'{ROW}address = "https://report.example\\\\evil"', f'{ROW}address = ["https://report.example"]',
    f'{ROW}telephone = "call me"', f'{ROW}telephone = "١١٢"', f'{ROW}telephone = "tel:112"', f"{ROW}telephone = 112",
    f'{ROW}mail = "a@b@c.example"', f'{ROW}mail = "x@report.example?cc=evil.example"', f'{ROW}mail = "report.example"',
    f'{ROW}telephone = "112"\nkind = "other"', f'{ROW}telephone = "112"\nlanguages = ["French"]',
    f'{ROW}telephone = "112"\nchecked_on = 2026-11-02', f'{ROW}telephone = "112"\nchecked = "yes"',
    f'{ROW}telephone = "112"\nname_ar = ""', f'{ROW}telephone = "112"\nname_en = "Poli\\u202ece"',
    f'{ROW}telephone = "112"\nbank = "x"', ROW.replace("2026-11-01", '"yesterday"') + 'telephone = "112"',
    ROW.replace("Bureau", "x" * 201) + 'telephone = "112"', '[emergency]\n"9-1-1" = ["FR"]',
    '[emergency]\n"911" = ["ZZ"]', '[emergency]\n"911" = ["FR"]\n"912" = ["FR"]', '[emergency]\n"١١٢" = ["FR"]',
])  # fmt: skip
def test_a_file_that_could_mislead_somebody_is_refused(tmp_path: Path, wrong: str) -> None:
    own = tmp_path / "reporting.toml"
    own.write_text(wrong, encoding="utf-8")
    with pytest.raises(InputError, match="not-a-setting"):
        reporting(own)


def test_as_data_and_back_is_the_same(tmp_path: Path) -> None:
    own = tmp_path / "reporting.toml"
    own.write_text(f'{ROW}mail = "a@b.example"\nchecked_on = 2026-11-02\nchecked_by = "Duty desk"\n', encoding="utf-8")
    found = reporting(own)
    assert "Duty desk" not in str(as_data(found))
    assert as_data(of_data(as_data(found))) == as_data(found)
    assert of_data(as_data(reporting())) == reporting()
