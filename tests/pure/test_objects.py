"""Blocks of bodies and keys of objects: what goes in comes out, and is found by what names it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tocsin.core.reading import LINK_COLUMNS, THING_COLUMNS
from tocsin.lake.objects import BYTES_IN_BLOCK, OBJECTS_IN_BLOCK, Way, blocks_of, body_at, key_of, mentions_of

TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
THING = some.fixed_dictionaries(
    {
        "raw": some.binary(max_size=40),
        "object_id": TEXT,
        "name": TEXT,
        "labels": some.lists(some.from_regex(r"[a-z]{1,5}", fullmatch=True), max_size=3).map("\n".join),
        "pattern": TEXT,
        "valid_from": TEXT,
        "refs": some.lists(some.tuples(TEXT, TEXT), max_size=3),
    }
)


def frames(things: list[dict[str, object]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rest = {"standard": "stix-2.1", "type": "x", "version": "", "valid_until": "", "revoked": False, "marking": None}
    rows = [{**rest, **{name: value for name, value in one.items() if name != "refs"}, "position": place + 1}
            for place, one in enumerate(things)]  # fmt: skip
    links = [(place, *ref) for place, one in enumerate(things) for ref in one["refs"]]  # type: ignore[attr-defined]
    return pl.DataFrame(rows, schema=THING_COLUMNS), pl.DataFrame(links, schema=LINK_COLUMNS, orient="row")


@settings(deadline=None, max_examples=60)
@given(some.lists(THING, min_size=1, max_size=30))
def test_every_object_comes_out_as_it_went_in(things: list[dict[str, object]]) -> None:
    frame, links = frames(things)
    blocks = blocks_of(frame, links)
    firsts = blocks["first"].to_list()
    for place, thing in enumerate(things):
        at = max(row for row, first in enumerate(firsts) if first <= place)
        body = body_at(blocks["body"][at], place - firsts[at])
        assert (body.raw, body.pattern, body.position) == (thing["raw"], thing["pattern"], place + 1)
        assert "\n".join(body.labels) == thing["labels"]
        assert list(body.refs) == thing["refs"]


@settings(deadline=None, max_examples=60)
@given(some.lists(THING, min_size=1, max_size=30))
def test_every_object_is_found_by_id_name_and_reference(things: list[dict[str, object]]) -> None:
    frame, links = frames(things)
    mentions = mentions_of(frame, links)
    expected = {(key_of(Way.ID, str(one["object_id"])), place) for place, one in enumerate(things)}
    expected |= {(key_of(Way.NAME, str(one["name"])), place) for place, one in enumerate(things) if one["name"]}
    for place, _, target in links.iter_rows():
        expected.add((key_of(Way.TARGET, target), place))
    assert mentions.rows() == sorted(expected)


@pytest.mark.parametrize(("size", "most"), [(1, OBJECTS_IN_BLOCK), (BYTES_IN_BLOCK // 4, 4), (BYTES_IN_BLOCK * 3, 1)])
def test_a_block_holds_few_objects_or_few_bytes(size: int, most: int) -> None:
    things: list[dict[str, object]] = [{"raw": b"x" * size, "refs": []} for _ in range(600 if size == 1 else 9)]
    firsts = blocks_of(*frames(things))["first"].to_list()
    assert firsts == list(range(0, len(things), most))


def test_letter_case_of_a_name_does_not_matter() -> None:
    assert key_of(Way.NAME, "Emotet") == key_of(Way.NAME, "EMOTET") != key_of(Way.ID, "emotet")
