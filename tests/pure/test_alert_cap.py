"""CAP messages of alerts: valid by the schema, within the strictest public rules, read back as they were written."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from lxml import etree
from tests.alert_editions import CASES, PARCELS, SENT, editions, hostile_editions

from tocsin.core.errors import InputError
from tocsin.core.words import Offence
from tocsin.products import alerts
from tocsin.products.alerts import cap, cap_rules, cap_xml
from tocsin.products.alerts.cap import message_of
from tocsin.products.alerts.cap_rules import disagreements, facts_of, problems
from tocsin.products.alerts.cap_xml import read_cap, write_cap
from tocsin.products.alerts.file import File
from tocsin.products.alerts.outputs import cap_of
from tocsin.products.alerts.record import LANGUAGES, Message, PublicEdition
from tocsin.products.alerts.words import words
from tocsin.reference.countries import all_countries

SCHEMA = etree.XMLSchema(etree.parse(str(Path(alerts.__file__).with_name("cap-1.2.xsd"))))
SPACE = {"c": cap_xml.SPACE}


@pytest.mark.parametrize("name", list(CASES))
def test_each_is_valid_and_keeps_the_public_rules(name: str) -> None:
    body = cap_of(CASES[name])
    SCHEMA.assertValid(etree.fromstring(body))
    assert problems(read_cap(body)) == []


@settings(max_examples=60)
@given(editions())
def test_what_is_written_reads_back_the_same(edition: PublicEdition) -> None:
    message = message_of(edition)
    body = write_cap(message)
    SCHEMA.assertValid(etree.fromstring(body))
    assert read_cap(body) == message
    assert problems(message) == []


@settings(max_examples=60)
@given(hostile_editions())
def test_no_text_whatever_breaks_a_message(edition: PublicEdition) -> None:
    message = message_of(edition)
    body = write_cap(message)
    SCHEMA.assertValid(etree.fromstring(body))
    assert read_cap(body) == message
    assert b"<!" not in body
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\ufeff]", body.decode())


def test_moments_have_a_numeric_offset_and_no_fraction() -> None:
    found = re.findall(r"<(sent|effective|onset|expires)>([^<]*)<", cap_of(CASES["imminent"]).decode())
    assert {name for name, _ in found} == {"sent", "effective", "onset", "expires"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-00:00", text) for _, text in found)


def test_nothing_stands_between_elements() -> None:
    """Readers that drop such spaces before they check a signature would find another document."""
    root = etree.fromstring(cap_of(CASES["alert"]))
    assert [each.tag for each in root.iter() if each.tail or (len(each) and each.text)] == []


def test_all_blocks_say_the_same_but_for_the_words() -> None:
    infos = message_of(CASES["alert"]).infos
    assert [each.language for each in infos] == list(LANGUAGES)
    equal = {
        (each.categories, each.event_codes, each.urgency, each.severity, each.certainty, each.expires) for each in infos
    }
    assert len(equal) == 1
    assert ("OET:v1.2", "OET-050") in infos[0].event_codes
    assert len({each.headline for each in infos}) == 4
    assert infos[3].sender_name == "مركز الدمج"
    assert infos[3].web.endswith("/ar/METHOD-2026-0042/")


def test_w26_cancel_and_update_refer_to_every_version_before() -> None:
    """W26."""
    body = cap_of(CASES["cancel"]).decode()
    assert (
        "<references>alerts.fusion.example,METHOD-2026-0042-v1,2026-11-10T09:00:00-00:00 "
        "alerts.fusion.example,METHOD-2026-0042-v2,2026-11-12T09:00:00-00:00</references>" in body
    )
    assert "<msgType>Cancel</msgType>" in body
    assert "<note>Withdrawn: a source corrected what it said.</note>" in body
    update = read_cap(cap_of(CASES["update"]))
    assert [(each.identifier, each.sent) for each in update.references] == [("METHOD-2026-0042-v1", SENT)]
    assert "Two more signs are known." in update.infos[0].description


def test_what_was_cancelled_says_why_in_every_language_and_nothing_of_its_text() -> None:
    message = message_of(CASES["cancel"])
    for info, text in zip(message.infos, PARCELS, strict=True):
        assert info.description == CASES["cancel"].reasons[info.language]
        assert text.happening.splitlines()[0] not in write_cap(message).decode()
        assert text.title in info.headline
        assert info.response_types == ("None",)
    assert not any(each.resources for each in message.infos)
    assert "parcel-fee.example" not in write_cap(message).decode()


def test_places_are_told_by_code_and_by_polygons() -> None:
    areas = message_of(CASES["imminent"]).infos[0].areas
    assert [each.description for each in areas] == ["Fiji", "United States"]
    assert areas[0].geocodes == (("ISO3166-1", "FJ"), ("UN-M49", "242"))
    assert len(areas[0].polygons) > 1, "on both sides of 180 degrees"
    (world,) = message_of(CASES["worldwide"]).infos[0].areas
    assert world.geocodes == (("UN-M49", "001"),)
    unknown = message_of(replace(CASES["alert"], countries=("XA",))).infos[0].areas
    assert unknown == (cap.Area("XA", geocodes=(("ISO3166-1", "XA"),)),)


def test_a_warning_for_every_country_of_the_world_is_valid() -> None:
    edition = replace(CASES["alert"], countries=tuple(each.code for each in all_countries()))
    body = cap_of(edition)
    assert problems(read_cap(body)) == []
    assert len(body) < 600_000


def test_what_is_offered_has_its_digest_and_stands_in_its_own_language() -> None:
    printed = [
        File("METHOD-2026-0042/en.pdf", "application/pdf", b"%PDF-1.7", "en"),
        File("METHOD-2026-0042/kit.zip", "application/zip", b"PK", ""),
    ]
    english, french = message_of(CASES["alert"], printed).infos[:2]
    assert english.resources[0] == cap.Resource(
        "False parcel messages empty bank accounts", "application/pdf", 8,
        "https://alerts.fusion.example/alerts/METHOD-2026-0042/en.pdf", hashlib.sha1(b"%PDF-1.7").hexdigest(),
    )  # fmt: skip
    assert [each.media_type for each in french.resources] == ["image/png"]
    assert french.resources[0].description == "Un message sur un téléphone qui demande 1,99"


def test_events_are_short_in_every_language() -> None:
    for offence in Offence:
        for language in LANGUAGES:
            assert len(words(language)(f"event.{offence.value}")) <= cap_rules.LONGEST_EVENT
    for country in all_countries():
        for language in LANGUAGES:
            assert len(country.name(language)) <= 60


def test_an_exercise_says_so_and_is_not_public() -> None:
    """W31."""
    exercise = replace(CASES["alert"], is_exercise=True)
    message = message_of(exercise)
    assert (message.status, message.scope) == ("Exercise", "Restricted")
    assert all(info.headline.split(":")[0].strip() == words(info.language)("exercise") for info in message.infos)
    public = replace(message, scope="Public")
    assert "status Exercise in a public message" in problems(public)


def test_w37_disagreeing_blocks_are_named_both() -> None:
    """W37: the French block says Severe, the English one Extreme."""
    same = {"urgency": "Immediate", "certainty": "Likely"}
    blocks: list[tuple[str, dict[str, object]]] = [
        ("en", {"severity": "Extreme", "expires": "2026-11-21T12:00:00Z", **same}),
        ("fr", {"severity": "Severe", "expires": "2026-11-21T13:00:00+01:00", **same}),
    ]
    (found,) = disagreements(blocks)
    assert str(found) == "severity: en says Extreme, fr says Severe"
    (missing,) = disagreements([blocks[0], ("es", {**blocks[0][1], "certainty": None})])
    assert (missing.second, missing.second_value) == ("es", "nothing")
    assert disagreements([]) == []


def test_w37_nothing_is_published_with_disagreeing_blocks() -> None:
    message = message_of(CASES["alert"])
    french = replace(message.infos[1], severity="Minor")
    broken = replace(message, infos=(message.infos[0], french, *message.infos[2:]))
    assert "blocks must agree: severity: en says Severe, fr says Minor" in problems(broken)
    assert facts_of(french)[1]["severity"] == "Minor"


BROKEN = {
    "no block": {"infos": ()},
    "reference missing": {"message_type": "Update"},
    "reference too much": {"references": (cap.Reference("a", "b", SENT - timedelta(1)),)},
    "sender with a space": {"sender": "a b"},
    "restriction missing": {"scope": "Restricted"},
    "later than itself": {"message_type": "Update", "references": (cap.Reference("a", "b", SENT + timedelta(1)),)},
}
BROKEN_BLOCKS = {
    "web": {"web": "http://alerts.example/"}, "headline": {"headline": "x" * 141},
    "same": {"description": "h", "headline": "H"},
    "over": {"expires": SENT}, "expires": {"expires": None}, "unknown": {"severity": "Unknown"}, "area": {"areas": ()},
    "polygon": {"areas": (cap.Area("a", ("1,1 2,2 3,3",)),)},
    "place": {"areas": (cap.Area("a", ("91,1 2,2 3,3 91,1",)),)},
    "circle": {"areas": (cap.Area("a", circles=("1,1 0",)),)}, "nothing": {"areas": (cap.Area("a"),)},
    "event": {"event": "e" * 35}, "onset": {"onset": SENT + timedelta(days=400)},
    "for experts": {"response_types": ("Assess",)},
    "digest": {"resources": (cap.Resource("a", "image/png", 1, "https://a.example/a.png"),)},
}  # fmt: skip


@pytest.mark.parametrize("name", list(BROKEN))
def test_each_rule_on_a_message_is_asked(name: str) -> None:
    assert problems(replace(message_of(CASES["arabic"]), **BROKEN[name]))


@pytest.mark.parametrize("name", list(BROKEN_BLOCKS))
def test_each_rule_on_a_block_is_asked(name: str) -> None:
    message = message_of(CASES["arabic"])
    assert problems(message) == []
    assert problems(replace(message, infos=(replace(message.infos[0], **BROKEN_BLOCKS[name]),)))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no xml", b"<alert/>", b'<!DOCTYPE a [<!ENTITY b "c">]><alert/>',
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1"/>',
        write_cap(message_of(CASES["alert"])).replace(b"2026-11-10T09:00:00-00:00", b"2026-11-10T09:00:00Z"),
        write_cap(message_of(CASES["alert"])).replace(b"<severity>Severe", b"<severity>Bad"),
        write_cap(message_of(CASES["update"])).replace(b"-v1,2026", b"-v1 2026"),
        b"<alert " + b"x" * (16 << 20) + b"/>",
    ],
    ids=["empty", "no-xml", "no-space", "entity", "cap-1.1", "zulu", "word", "reference", "huge"],
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        read_cap(body)


def test_no_first_version_is_called_an_update() -> None:
    with pytest.raises(InputError, match="refer to the messages before it"):
        cap_of(replace(CASES["alert"], message=Message.UPDATE))
