"""What is taken out of objects and rows is nowhere in what is left; what is left refers to nothing but itself."""

from __future__ import annotations

import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.redaction.cutting import ALWAYS_OUT, COLUMN_GROUPS, KEPT, fields_of, redacted_bundle, redacted_rows

CREW, TOOL, GONE = "intrusion-set--a", "tool--b", "malware--c"
OBJECTS = [
    {"type": "intrusion-set", "id": CREW, "name": "Grey Heron", "description": "Hit 192.0.2.7 of Acme",
     "created_by_ref": "identity--x", "object_marking_refs": ["marking-definition--y"], "x_deep": [{"who": "Acme"}]},
    {"type": "tool", "id": TOOL, "name": "Netcat", "object_refs": [CREW, GONE]},
    {"type": "relationship", "id": "relationship--1", "source_ref": CREW, "target_ref": TOOL},
    {"type": "relationship", "id": "relationship--2", "source_ref": CREW, "target_ref": GONE},
]  # fmt: skip


def test_fields_and_texts_are_gone_and_relations_stay_inside() -> None:
    content = redacted_bundle(OBJECTS, ["description"], [("Acme", "[company]")], "seed")
    for gone in (b"192.0.2.7", b"Acme", b"identity--x", b"marking-definition", CREW.encode(), GONE.encode()):
        assert gone not in content
    made = orjson.loads(content)["objects"]
    assert [each["type"] for each in made] == ["intrusion-set", "tool", "relationship"]
    crew, tool, relation = made
    assert crew["x_deep"] == [{"who": "[company]"}]
    assert (relation["source_ref"], relation["target_ref"]) == (crew["id"], tool["id"])
    assert tool["object_refs"] == [crew["id"]]
    assert content == redacted_bundle(OBJECTS, ["description"], [("Acme", "[company]")], "seed")
    assert content != redacted_bundle(OBJECTS, ["description"], [("Acme", "[company]")], "other")


@given(st.sets(st.sampled_from([*fields_of(OBJECTS), *KEPT, *ALWAYS_OUT])))
def test_whatever_is_chosen_nothing_of_it_is_left_and_what_makes_an_object_stays(out: set[str]) -> None:
    for each in orjson.loads(redacted_bundle(OBJECTS, out, (), "seed"))["objects"]:
        assert not (out - KEPT | ALWAYS_OUT) & each.keys()
        assert {"type", "id"} <= each.keys()


@given(st.sets(st.sampled_from(sorted(COLUMN_GROUPS))))
def test_columns_are_gone_and_the_role_of_a_value_never_is(out: set[str]) -> None:
    row = {"kind": ["ipv4"], "value": ["192.0.2.7"], "role": ["VICTIM"], "type": ["phishing"], "note": ["of Acme"]}
    columns = {name: ["x"] for names in COLUMN_GROUPS.values() for name in names if name != "tags"}
    frame = pl.DataFrame({**columns, **row, "tags": [["a", "b"]]})
    head, line = redacted_rows(frame, out, [("Acme", "[…]")]).decode().splitlines()
    kept = head.split(",")
    assert {"kind", "value", "role"} <= set(kept)
    assert not {name for group in out for name in COLUMN_GROUPS[group]} & set(kept)
    assert "Acme" not in line
    assert "VICTIM" in line
