"""Names of actors and malware: spellings, ambiguity, and nothing that attributes anybody to a State."""

from __future__ import annotations

import re

import polars as pl
import pytest

from tocsin.reference import names


@pytest.mark.parametrize(
    ("text", "name", "identifier"),
    [
        ("APT 28", "APT28", "G0007"), ("apt-28", "APT28", "G0007"), ("Fancy Bear", "APT28", "G0007"),
        ("emotet", "Emotet", "S0367"), ("win.emotet", "Emotet", "S0367"), ("S0154", "Cobalt Strike", "S0154"),
        ("cobaltstrike", "Cobalt Strike", "S0154"), ("QakBot malware", "QakBot", "S0650"), ("FIN7", "FIN7", "G0046"),
    ],
)  # fmt: skip
def test_spellings_of_one_name(text: str, name: str, identifier: str) -> None:
    found = names.resolve(text)
    assert found is not None
    assert (found.name, found.id) == (name, identifier)


@pytest.mark.parametrize("text", ["", " ", "!?", "no such name at all", "ransomware"])
def test_unknown_names(text: str) -> None:
    assert names.resolve(text) is None


def test_a_name_of_two_is_nobodys_until_the_kind_is_known() -> None:
    assert names.resolve("Carbanak") is None
    assert {each.kind for each in names.candidates("Carbanak")} == {"actor", "malware"}
    assert names.resolve("Carbanak", "malware").id == "S0030"  # type: ignore[union-attr]
    assert names.resolve("Qbot") is None
    assert {each.name for each in names.candidates("Qbot")} >= {"QakBot"}


def test_every_entity_is_found_by_its_identifier_and_among_the_candidates_of_its_names() -> None:
    entities = names.all_entities()
    assert len({each.id for each in entities}) == len(entities) > 5000
    for each in entities:
        assert names.resolve(each.id) == each
        for text in (each.name, *each.aliases):
            assert each in names.candidates(text) or not names.key_of(text)


def test_no_field_or_text_attributes_anybody() -> None:
    assert set(names.Entity.__slots__) == {"id", "name", "kind", "aliases", "attack_id", "sources", "description"}
    offices = re.compile(r"\b(PLA|GRU|FSB|SVR|IRGC|MSS|government|state-sponsored)\b", re.IGNORECASE)
    for each in names.all_entities():
        assert each.kind == "malware" or each.description is None
        assert not offices.search(each.description or "")
        assert not any(re.search(r"\b(PLA|GRU|FSB|SVR|IRGC|MSS)\b", text) for text in (each.name, *each.aliases))


def test_a_column_is_resolved_like_its_values() -> None:
    texts = pl.Series(["emotet", None, "Carbanak", "Fancy Bear", "emotet"])
    assert names.resolve_series(texts).to_list() == ["Emotet", None, None, "APT28", "Emotet"]
    assert names.resolve_series(texts, "actor").to_list() == [None, None, "Carbanak", "APT28", None]
