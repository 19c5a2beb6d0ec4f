"""DOMAIN 4.15: whoever takes the database, by administering it or by stealing it, reads nothing RED and no victim."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from tests import builders, people
from tests.centre.intake.test_lake import unsettled_address
from tests.crew import work
from tests.dumps import database_dump, where

from tocsin.centre.analysis import services as analysis
from tocsin.centre.analysis import standing
from tocsin.centre.analysis.lookups import answer, log_lookup
from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of, identified, linked, named
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.profiles import Profile

pytestmark = pytest.mark.django_db
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
MADE = {"spec_version": "2.1", "created": "2026-11-20T00:00:00.000Z", "modified": "2026-11-20T00:00:00.000Z"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    cache.clear()
    builders.centre()
    return tmp_path


def stix(word: str, marking: str) -> bytes:
    numbers = [f"{ordinal:08x}-0000-4000-8000-{sum(map(ord, word)):012x}" for ordinal in range(4)]
    facts = {**MADE, "object_marking_refs": [marking]} if marking else MADE
    objects = [
        {"type": "intrusion-set", "id": f"intrusion-set--{numbers[0]}", "name": f"{word} Heron",
         "description": f"Reported by {word} informant", "aliases": [f"{word}alias"], **facts},
        {"type": "malware", "id": f"malware--{numbers[1]}", "name": f"{word}ware", "is_family": True, **facts},
        {"type": "indicator", "id": f"indicator--{numbers[2]}", "name": f"{word} panel",
         "pattern": f"[domain-name:value = '{word.lower()}-panel.com']", "pattern_type": "stix",
         "valid_from": "2026-11-20T00:00:00Z", "indicator_types": ["malicious-activity"], **facts},
        {"type": "relationship", "id": f"relationship--{numbers[3]}", "relationship_type": "uses",
         "source_ref": f"intrusion-set--{numbers[0]}", "target_ref": f"malware--{numbers[1]}", **facts},
    ]  # fmt: skip
    return json.dumps({"type": "bundle", "id": f"bundle--{numbers[0]}", "objects": objects}).encode()


def misp(word: str, tag: str) -> bytes:
    attribute = {"type": "domain", "category": "Network activity", "to_ids": True, "timestamp": "1763600000",
                 "uuid": "5f0e0000-0000-4000-8000-00000000000a", "value": f"{word.lower()}-drop.com",
                 "comment": f"{word} told us", "distribution": "0"}  # fmt: skip
    event = {"uuid": "5f0e0000-0000-4000-8000-000000000001", "info": f"{word} campaign", "date": "2026-11-20",
             "timestamp": "1763600000", "threat_level_id": "1", "analysis": "2", "distribution": "0",
             "published": True, "Tag": [{"name": tag}], "Attribute": [attribute], "Orgc": {"name": "kestrel",
             "uuid": "5f0e0000-0000-4000-8000-000000000002"}}  # fmt: skip
    return json.dumps({"Event": event}).encode()


def table(word: str, address: str, malware: str = "") -> bytes:
    head = "timestamp,ip,hostname,malware,note,account\n"
    host, account = f"{word.lower()}-host.com", f"{word.lower()}-account"
    row = f"2026-11-19T10:00:00Z,{address},{host},{malware or word},{word} said so,{account}\n"
    return (head + row + f"2026-11-19T10:00:00Z,nonsense-{word},x,y,z,q\n").encode()


def send(content: bytes, name: str, *, role: str = "", marking: str = "") -> Delivery:
    profile = Profile(name="p", defaults={"role": role}) if role else None
    made = services.receive(
        organisation=builders.organisation("northwind"), via="api", name=name, chunks=[content],
        at=timezone.now(), marking=marking, profile=profile,
    )  # fmt: skip
    work()
    made.refresh_from_db()
    assert made.state == "parsed", made.reason
    return made


RED = ("Zephyrquill", "Oxbowlantern", "Quartzmarten", "Umberlatch")
VICTIM = ("Birchwhistle", "8.8.4.77", "Dovetailer", "Fennelgate")
"""Of a victim's row, looked up and watched; of a disputed row; of a report that names somebody under a wide label."""
GREEN = ("Plainsong", "Commonreed")
"""What may be read shows that the search finds what is there."""


def hand_over() -> None:
    send(stix(RED[0], TLP_RED), "zephyrquill.json")
    send(misp(RED[1], "tlp:red"), "oxbowlantern.json")
    send(table(RED[2], "9.9.9.44"), "quartzmarten.csv", role="ATTACKER_INFRA", marking="TLP:RED")
    send(report(RED[3]), "umberlatch.html", marking="TLP:RED")
    send(table(VICTIM[0], VICTIM[1], malware="Emotet"), "infected.csv", role="VICTIM", marking="TLP:AMBER")
    send(report(VICTIM[3]), "report.html", marking="TLP:AMBER")
    disputed = f"timestamp,ip,port,malware,country\n2026-11-01T10:00:00Z,{unsettled_address()},443,Emotet,\n"
    send(disputed.encode(), "disputed.csv", marking="TLP:AMBER")
    send(stix(GREEN[0], ""), "plainsong.json", marking="TLP:GREEN")
    send(table(GREEN[1], "9.9.9.9"), "commonreed.csv", role="ATTACKER_INFRA", marking="TLP:AMBER")


def report(word: str) -> bytes:
    text = f"<p>{word} lost its servers. The panel stood at hxxp://{word.lower()}-c2[.]com/gate and at 8.8.4.99.</p>"
    return f"<html lang=en><head><title>{word} report</title></head><body>{text * 3}</body></html>".encode()


def search() -> None:
    """People look for what they were told, watch it, decide on it: that leaves traces too."""
    dana = people.call("dana_analyst")
    for asked in (VICTIM[1], f"{VICTIM[0].lower()}-host.com", f"{RED[0]}ware", f"{RED[3].lower()}-c2.com"):
        log_lookup(dana.login, answer(asked, viewer_of(dana)), dana)
        standing.add_query(person=dana, text=asked, reason="asked by telephone", at=timezone.now())
    conflict = CountryConflict.objects.get()
    assert conflict.claims["example"] == unsettled_address()
    analysis.decide_country(conflict=conflict, country="FR", by=dana, at=timezone.now())


def test_a_dump_shows_no_red_and_no_victim() -> None:
    hand_over()
    network = CountryConflict.objects.get().value
    assert "/" in network
    search()
    held = database_dump()
    assert set(where(GREEN, held)) == set(GREEN)
    assert where((*RED, *VICTIM, unsettled_address(), network, "8.8.4.99"), held) == {}


def test_who_may_see_it_reads_and_finds_it_as_before() -> None:
    sent = send(stix(RED[0], TLP_RED), "zephyrquill.json")
    assert sent.name == "zephyrquill.json"
    crew = Object.objects.get(type="intrusion-set")
    assert crew.name == "Zephyrquill Heron"
    assert b"Zephyrquill informant" in body_of(crew).raw
    everything = Object.objects.all()
    assert list(named(everything, "zephyrquill HERON")) == [crew]
    assert list(identified(everything, [crew.object_id])) == [crew]
    assert [each.type for _, each in linked(everything, crew, body_of(crew))] == ["relationship"]


def test_parts_of_a_delivery_under_other_labels_stay_plain(client: Client) -> None:
    red, green = (json.loads(stix(word, label))["objects"] for word, label in ((RED[0], TLP_RED), (GREEN[0], "")))
    mixed = [each for pair in zip(red, green, strict=True) for each in pair]
    bundle = {"type": "bundle", "id": "bundle--5f0e0000-0000-4000-8000-000000000001", "objects": mixed}
    send(json.dumps(bundle).encode(), "mixed.json", marking="TLP:GREEN")
    held = database_dump()
    assert where(RED[:1], held) == {}
    assert set(where(GREEN[:1], held)[GREEN[0]]) == {"knowledge_block", "knowledge_object"}
    by_name = {each.name: each for each in Object.objects.filter(type="malware")}
    assert set(by_name) == {f"{RED[0]}ware", f"{GREEN[0]}ware"}
    for word in (RED[0], GREEN[0]):
        assert word.encode() in body_of(by_name[f"{word}ware"]).raw
        links = Object.objects.filter(type="relationship")
        assert sum((by_name[f"{word}ware"].object_id in dict(body_of(each).refs).values()) for each in links) == 1
