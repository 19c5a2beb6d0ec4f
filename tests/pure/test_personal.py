"""W32: people's data is found in columns, objects and texts, and observables of a known profile are not."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.intake.personal_scan import PersonalScan
from tocsin.core.reading import Rows, Thing, Things
from tocsin.handling.personal import (
    PersonalFind,
    masked,
    must_be_asked,
    personal_in_object,
    personal_in_rows,
    personal_in_text,
)

NAMES = ("Jean Dupont", "María López", "خليل حداد", "O’Brien")
CARDS = ("4532015112830366", "5425233430109903", "4012888888881881")
IBANS = ("FR7630006000011234567890189", "GB82WEST12345698765432", "DE89370400440532013000")


def column(heading: str, values: tuple[str, ...]) -> list[PersonalFind]:
    return personal_in_rows({heading: value} for value in values)


@pytest.mark.parametrize(
    "heading",
    ["customer_name", "First Name", "lastName", "Full name", "prénom", "Nom du client", "Apellidos",
     "nombre completo", "الاسم الكامل", "اسم العميل", "cardholder", "victim"],
)  # fmt: skip
def test_w32_a_column_of_names_is_known_in_four_languages(heading: str) -> None:
    assert [(each.kind, each.count) for each in column(heading, NAMES)] == [("name", 4)]
    assert must_be_asked(column(heading, NAMES))


@pytest.mark.parametrize("heading", ["name", "malware_name", "file name", "family_name", "hostname", "username", "tag"])
def test_w32_other_names_are_no_names_of_people(heading: str) -> None:
    assert column(heading, NAMES) == []


def test_w32_a_heading_alone_decides_nothing() -> None:
    assert column("customer", ("192.0.2.7", "198.51.100.2", "evil.example")) == []
    assert column("passport", ("yes", "no", "no")) == []


@pytest.mark.parametrize(
    ("kind", "heading", "values"),
    [
        ("card", "number", CARDS),
        ("iban", "account", IBANS),
        ("national-id", "SSN", ("078-05-1120", "219-09-9999", "123-45-6789")),
        ("national-id", "رقم الهوية", ("1234567890", "1234567891", "1234567892")),
    ],
)
def test_w32_numbers_are_known_by_their_check_digits_or_heading(
    kind: str, heading: str, values: tuple[str, ...]
) -> None:
    found = column(heading, values)
    assert [(each.kind, each.count) for each in found] == [(kind, 3)]
    assert must_be_asked(found)
    assert not must_be_asked(column(heading, values[:2])), "two are no list"


def test_w32_wrong_check_digits_are_no_cards() -> None:
    assert column("number", ("4532015112830367", "5425233430109904", "1700000000000")) == []


def test_w32_mail_addresses_and_telephones_alone_are_not_asked_about() -> None:
    contacts = column("contact", ("a@b.example", "c@d.example", "e@f.example"))
    assert [each.kind for each in contacts] == ["email"]
    assert not must_be_asked(contacts)
    assert must_be_asked(contacts + column("customer", NAMES))


def test_w32_in_texts_and_objects() -> None:
    text = "\n".join(f"Customer: {name}\nCard: {card[:4]} {card[4:8]} {card[8:12]} {card[12:]}"
                     for name, card in zip(NAMES, CARDS, strict=False))  # fmt: skip
    assert {each.kind: each.count for each in personal_in_text(text)} == {"card": 3, "name": 3}
    person = {"Attribute": [{"object_relation": "first-name", "value": "Jean"}]}
    assert [each.kind for each in personal_in_object(person)] == ["name"]
    identity = {"type": "identity", "identity_class": "individual", "name": "Jean", "contact_information": "x"}
    assert [each.kind for each in personal_in_object(identity)] == ["name"]
    assert personal_in_object({"type": "identity", "identity_class": "organization", "name": "Jean"}) == []


@given(st.text(max_size=200))
def test_w32_any_text_and_any_cell_has_an_answer(text: str) -> None:
    for each in (*personal_in_text(text), *personal_in_rows([{text: text}])):
        assert each.count > 0


@given(st.sampled_from((*NAMES, *CARDS, *IBANS)))
def test_w32_what_is_shown_cannot_be_used(value: str) -> None:
    shown = masked(value)
    assert all(len(word.rstrip("•")) == 1 for word in shown.split())


@given(st.permutations((*NAMES, "192.0.2.7")))
def test_w32_the_order_of_rows_changes_nothing(values: list[str]) -> None:
    assert column("customer", tuple(values)) == column("customer", (*NAMES, "192.0.2.7"))


def scanned(*items: object, **known: bool) -> list[dict[str, object]]:
    scan = PersonalScan()
    for name, value in known.items():
        setattr(scan, name, value)
    for item in items:
        scan.look(item)
    return scan.finds


def test_w32_what_a_profile_maps_is_no_peoples_data() -> None:
    mails = pl.DataFrame({"value": ["a@evil.example"] * 5, "kind": ["email"] * 5, "role": ["ATTACKER_INFRA"] * 5})
    assert scanned(Rows(mails)) == []
    cards = pl.DataFrame({"value": list(CARDS), "kind": ["card"] * 3})
    assert [(each["kind"], each["count"]) for each in scanned(Rows(cards))] == [("card", 3)]
    assert scanned(Rows(cards), role_known=True) == []
    assert scanned(Rows(cards.with_columns(role=pl.lit("ATTACKER_INFRA")))) == []


def test_w32_further_columns_are_looked_at_by_label_and_those_of_machines_not() -> None:
    frame = pl.DataFrame({"value": ["192.0.2.7"] * 4, "extra": [json.dumps({"customer": name}) for name in NAMES]})
    found = scanned(Rows(frame, "TLP:CLEAR"), Rows(frame, "TLP:AMBER"))
    assert [(each["marking"], each["count"]) for each in found] == [("TLP:AMBER", 4), ("TLP:CLEAR", 4)]
    assert scanned(Rows(frame), is_machine=True) == []


def test_w32_many_objects_at_once_are_scanned_as_one_by_one() -> None:
    bodies = [json.dumps({"x": {"first_name": name}}).encode() for name in NAMES]
    one_by_one = scanned(*(Thing("misp", "object", str(place), raw, place) for place, raw in enumerate(bodies)))
    frame = pl.DataFrame({"marking": [None] * 4, "raw": bodies}, schema_overrides={"marking": pl.String})
    assert scanned(Things(frame, pl.DataFrame())) == one_by_one
    assert sum(int(str(each["count"])) for each in one_by_one) == 4
