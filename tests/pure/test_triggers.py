"""Triggers of articles 2 and 3: what is caught in four languages, and what passes."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.intake.screening import Screening
from tocsin.core.reading import Heading, Rows, Thing, Things
from tocsin.handling.folding import folded, place_in
from tocsin.handling.triggers import triggers_in, triggers_of_sector, triggers_of_type
from tocsin.reference.triggers import acts, all_triggers

CAUGHT = [
    ("speech", "Charged with spreading false information on a news site"),
    ("speech", "Diffusion de fausses nouvelles sur un site d’information"),
    ("speech", "Difusión de noticias falsas en un portal"),
    ("speech", "متهم بنشر أخبارٍ كاذبـــة على موقع إخباري"),
    ("speech", "Insulting the King in a post: lèse-majesté"),
    ("institution", "The campaign targeted ministries and embassies in two regions"),
    ("institution", "La campagne visait des ministères et des ambassades"),
    ("institution", "Ataques contra el ministerio y las embajadas"),
    ("institution", "استهدفت الحملة وزارات وسفارات في المنطقة"),
    ("institution", "Attack on an electoral commission"),
    ("institution", "A news agency was hacked by the crew"),
    ("state-attribution", "A state-sponsored group"),
    ("state-attribution", "Un groupe soutenu par un État"),
    ("state-attribution", "Un grupo patrocinado por el Estado"),
    ("state-attribution", "مجموعة مدعومة من الدولة"),
    ("conflict", "hosts in the conflict zone near the front"),
    ("conflict", "dans une zone de conflit"),
    ("conflict", "en una zona de conflicto"),
    ("conflict", "في مناطق النزاع"),
    ("person", "spyware on the phones of journalists and lawyers"),
    ("person", "un logiciel espion contre des journalistes"),
    ("person", "programas espía contra periodistas"),
    ("person", "برنامج تجسس على هواتف صحفيين"),
    ("person", "a human rights defender abroad"),
]
PASSES = [
    "Emotet epoch 5 distribution server",
    "login.gov.example and mail.army.example, 192.0.2.7:443, /government/index.php",
    "The government published an advisory. Apply the update.",
    "Phishing kit imitating a bank; sends stolen cards to a Telegram bot",
    "Rapport mensuel: hameçonnage bancaire et rançongiciels",
    "Informe semanal sobre programas maliciosos bancarios",
    "تقرير أسبوعي عن برمجيات انتزاع الفدية",
    "Botnet sinkhole report, infected systems by country",
    "Attack pattern: credential dumping. Parties should update; election of a leader node in the cluster",
    "",
]


@pytest.mark.parametrize(("trigger", "text"), CAUGHT)
def test_w16_a_trigger_is_found_in_four_languages(trigger: str, text: str) -> None:
    found = triggers_in(text, "title")
    assert trigger in {each.trigger for each in found}
    assert all(each.field == "title" and each.excerpt for each in found)


@pytest.mark.parametrize("text", PASSES)
def test_w16_what_is_ordinary_passes(text: str) -> None:
    assert triggers_in(text) == []


def test_w16_only_whole_words_count() -> None:
    assert triggers_in("anti-apostasyware") == [] == triggers_in("see blasphemy.example, blasphemy[.]example")
    assert triggers_in("gouvernemental.example attaque") == []


def test_w16_who_did_what_must_stand_in_one_sentence() -> None:
    assert triggers_in("The ministry advises. Attacks on banks rose.") == []
    assert triggers_in("Attacks on the ministry rose.") != []


def test_w16_a_sector_and_a_type_are_taken_as_stated() -> None:
    assert [each.trigger for each in triggers_of_sector("government-national")] == ["institution"]
    assert [each.trigger for each in triggers_of_sector("Government, Administration")] == ["institution"]
    assert triggers_of_sector("financial-services") == []
    assert [each.trigger for each in triggers_of_type("harmful-speech")] == ["speech"]
    assert triggers_of_type("c2-server") == []


def test_every_expression_of_the_file_finds_itself() -> None:
    act = acts()[0].rstrip("*")
    for trigger in all_triggers():
        for written in trigger.alone:
            said = written.replace("*", "")
            assert trigger.id in {each.trigger for each in triggers_in(f"x {said} y")}, written
        for written in trigger.beside:
            said = written.replace("*", "")
            assert trigger.id in {each.trigger for each in triggers_in(f"x {act} {said} y")}, written
        for written in trigger.sectors:
            assert trigger.id in {each.trigger for each in triggers_of_sector(written.replace("*", ""))}, written


TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


@given(TEXTS, TEXTS)
def test_a_whole_is_folded_as_its_letters_are(one: str, other: str) -> None:
    assert folded(one + other) == "".join(map(folded, one + other))
    assert folded(folded(one)) == folded(one)


@given(TEXTS)
def test_every_place_of_a_fold_has_its_letter(text: str) -> None:
    plain = folded(text)
    for place in range(len(plain)):
        assert plain[place] in folded(text[place_in(text, place)])


@given(TEXTS, TEXTS, st.sampled_from([text for _, text in CAUGHT]))
def test_what_stands_around_a_trigger_does_not_hide_it(before: str, after: str, text: str) -> None:
    expected = {each.trigger for each in triggers_in(text)}
    assert expected <= {each.trigger for each in triggers_in(f"{before}\n{text}\n{after}")}


@given(st.sampled_from([text for _, text in CAUGHT if re.search("[\u0600-\u06ff]", text)]))
def test_arabic_vowel_signs_and_stretched_letters_change_nothing(text: str) -> None:
    bare = re.sub("[\u064b-\u0652\u0640]", "", text)
    signed = re.sub(r"(\w)", "\\1\u064e", bare)
    assert [each.trigger for each in triggers_in(bare)] == [each.trigger for each in triggers_in(signed)]


def rows(**columns: list[str | None]) -> Rows:
    return Rows(pl.DataFrame(columns))


def found_in(*items: object) -> list[str]:
    screening = Screening()
    for item in items:
        screening.look(item)
    return sorted({each["trigger"] for each in screening.finds})


def test_w16_values_of_a_feed_are_no_prose() -> None:
    hosts = ["army.government.example", "journalist-attack.example", "election.example/attack/ministry"]
    assert (
        found_in(rows(value=hosts, hostname=hosts, url=hosts, extra=[f'{{"name": "{each}"}}' for each in hosts])) == []
    )


def test_w16_what_is_looked_at_in_tables_objects_and_documents() -> None:
    assert found_in(rows(value=["x.example"], offence=["Spreading false information"])) == ["speech"]
    assert found_in(rows(value=["x.example"], type=["harmful-speech"])) == ["speech"]
    assert found_in(rows(value=["x"], tags=['tlp:green; dhs-ciip-sectors:DHS-critical-sectors="government"'])) == [
        "institution"
    ]
    assert found_in(Heading(text="Attacks on journalists")) == ["person"]
    raw = b'{"type": "identity", "name": "x", "sectors": ["media"]}'
    assert found_in(Thing("stix-2.1", "identity", "identity--1", raw, 1)) == ["institution"]
    words = "نشر أخبار كاذبة"
    escaped = json.dumps({"description": words}).encode()
    assert escaped.isascii()
    assert found_in(Thing("stix-2.1", "report", "report--1", escaped, 1)) == ["speech"]
    xml = b"<Indicator><Description>hit by a <b>state-sponsored</b> group</Description></Indicator>"
    assert found_in(Thing("stix-1.x", "indicator", "i-1", xml, 1)) == ["state-attribution"]


def test_w16_many_objects_at_once_are_looked_at_as_one_by_one() -> None:
    bodies = [
        b'{"type":"indicator","description":"C2 server"}',
        b'{"type":"identity","sectors":["government"]}',
        b'{"type":"report","description":"attacks on ministries"}',
        b'{"type":"indicator","pattern":"[domain-name:value = \'attack.ministry.example\']"}',
    ]
    one_by_one = found_in(*(Thing("stix-2.1", "x", str(place), raw, place) for place, raw in enumerate(bodies)))
    frame = pl.DataFrame({"name": [""] * 4, "labels": ["", "a\nb", "", ""], "raw": bodies, "marking": [None] * 4})
    assert found_in(Things(frame, pl.DataFrame())) == one_by_one == ["institution"]
