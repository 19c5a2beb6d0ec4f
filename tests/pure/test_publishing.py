"""What is let out holds fields of the list alone, and nothing of what is protected, in whatever spelling (I6)."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.centre.redaction import cutting
from tocsin.core.words import VICTIM_LIKE, Kind, Role
from tocsin.handling.leaks import Place, Protected, Secret, Text
from tocsin.handling.publishing import Sign, may_be_published

VICTIM = ("203.0.113.7", "203[.]0[.]113[.]7", "«٢٠٣٫٠٫١١٣٫٧»", "hxxp://203.0.113[.]7/x", "7.113.0.203.in-addr.arpa")
SERVER = ("198.51.100.9", "198[.]51[.]100[.]9", "١٩٨.٥١.١٠٠.٩")
PERSONAL = ("Pay to DE89 3704 0044 0532 0130 00", "Card 4539 1488 0343 6467")
HARMLESS = ("Beware of false invoices.", "203.0.113.70", "198.51.101.9", "احذروا الفواتير", "")
LANGUAGES = st.sampled_from(["en", "fr", "es", "ar"])
PIECES = st.sampled_from([*VICTIM, *SERVER, *PERSONAL, *HARMLESS, *HARMLESS])
SIGNS = st.builds(
    Sign, value=st.just("198.51.100.9"), kind=st.just(Kind.IPV4), role=st.sampled_from(Role), is_marked=st.booleans(),
    pap=st.sampled_from(["PAP:CLEAR", "PAP:GREEN"]), has_consent=st.booleans(),
)  # fmt: skip


@settings(max_examples=60)
@given(said=st.lists(st.tuples(LANGUAGES, st.lists(PIECES, max_size=2)), max_size=4), sign=SIGNS)
def test_i6_a_text_is_published_where_it_holds_nothing_protected_and_else_none_is(
    said: list[tuple[str, list[str]]], sign: Sign
) -> None:
    texts = [Text(Place("text", language), "\n".join(pieces)) for language, pieces in said]
    used = {piece for _, pieces in said for piece in pieces}
    is_open = sign.is_marked and sign.has_consent and sign.pap == "PAP:CLEAR" and sign.role not in VICTIM_LIKE
    is_clean = not used & {*VICTIM, *PERSONAL} and (is_open or not used & set(SERVER))
    verdict = may_be_published(texts, [Protected("203.0.113.7", Secret.VICTIM)], [sign])
    assert verdict.is_allowed is is_clean
    forbidden = {*VICTIM, *PERSONAL, *(() if is_open else SERVER)}
    assert set(verdict.languages) == {language for language, pieces in said if forbidden & set(pieces)}


FIELDS = ("name", "description", "aliases", "x_note", "object_marking_refs", "created_by_ref", "granular_markings")


@given(
    objects=st.lists(st.dictionaries(st.sampled_from(FIELDS), st.text("abc", max_size=3)), min_size=1, max_size=3),
    out=st.sets(st.sampled_from(FIELDS)),
)
def test_i6_a_redacted_version_has_the_fields_that_were_left_in_and_no_others(
    objects: list[dict[str, Any]], out: set[str]
) -> None:
    made = [{"type": "tool", "id": f"tool--{place}", **each} for place, each in enumerate(objects)]
    allowed = cutting.KEPT | set(cutting.fields_of(made)) - out
    told = json.loads(cutting.redacted_bundle(made, out, (), "seed"))["objects"]
    assert len(told) == len(made)
    for before, after in zip(made, told, strict=True):
        assert after.keys() == before.keys() & allowed
        assert after["id"] != before["id"]


@given(out=st.sets(st.sampled_from(sorted(cutting.COLUMN_GROUPS))))
def test_i6_redacted_rows_have_columns_of_the_list_alone(out: set[str]) -> None:
    every = {"kind", "value", "role", "type", "offence"} | {
        name for names in cutting.COLUMN_GROUPS.values() for name in names
    }
    gone = {name for group in out for name in cutting.COLUMN_GROUPS[group]}
    rows = pl.DataFrame({name: [name] for name in (*sorted(every), "batch", "extra", "victim_country")})
    head, line = cutting.redacted_rows(rows, out, ()).decode().splitlines()
    assert set(head.split(",")) == set(line.split(",")) == every - gone
