"""Stretches of renderings are what a list of their objects is."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.release.given_items import Item, Items, Run, fitting, size_of
from tocsin.products.given_pages import Rendered


def rendered(sizes: list[int]) -> Rendered:
    raws = [orjson.dumps({"n": number, "x": "é" * size}) for number, size in enumerate(sizes)]
    ends, end = [], -1
    for raw in raws:
        ends.append(end := end + len(raw) + 1)
    count = len(raws)
    return Rendered(
        [3 * each for each in range(count)], [f"i--{each}" for each in range(count)], ["i"] * count,
        ["" if each % 2 else f"v{each}" for each in range(count)], ends, b"", b",".join(raws),
    )  # fmt: skip


SIZES = st.lists(st.integers(0, 40), max_size=12)


@given(sizes=SIZES, cut=st.tuples(st.integers(0, 13), st.integers(0, 13)), most=st.integers(0, 900))
def test_a_run_is_the_list_of_its_objects(sizes, cut, most):
    made = rendered(sizes)
    begin, end = min(cut[0], len(sizes)), min(cut[1], len(sizes))
    run = Run(1_000, 7, made, begin, end)
    plain = [
        Item(1_000 + made.places[n], 7, made.places[n], made.ids[n], made.types[n], made.versions[n], made.raw(n))
        for n in range(begin, end)
    ]
    assert list(run) == plain
    assert len(run) == len(plain)
    assert [orjson.loads(each.raw)["n"] for each in run] == list(range(begin, end))
    assert run.joined == b",".join(each.raw for each in plain)
    assert size_of(run) == len(run.joined)
    for n in range(len(plain)):
        assert list(run[:n]) == plain[:n]
        assert list(run[n:]) == plain[n:]
        assert run[n] == plain[n]
        assert run[-1 - n] == plain[-1 - n]
    if plain:
        # As many as begin before the bytes are full; one in any case.
        sizes_before = [len(b",".join(each.raw for each in plain[:n])) for n in range(len(plain))]
        expected = sum(before < most for before in sizes_before[1:]) + 1
        assert fitting(run, most) == expected
        assert 1 <= fitting(plain, most) <= len(plain)


@given(parts=st.lists(st.tuples(SIZES, st.booleans(), st.booleans()), max_size=5))
def test_items_are_the_list_of_all_their_parts(parts):
    found, plain = Items(), list[Item]()
    for number, (sizes, is_run, is_ours) in enumerate(parts):
        run = Run(number * 1_000, number, rendered(sizes), 0, len(sizes))
        listed = [each._replace(place=-1 if is_ours else each.place) for each in run]
        found.add(run if is_run else listed)
        plain += list(run) if is_run else listed
    assert found == plain
    assert not found or (found[0] == plain[0] and found[-1] == plain[-1])
    assert list(found[1:3]) == plain[1:3]
    assert b"".join(found.pieces()) == b",".join(each.raw for each in plain)
    theirs = [each for each in plain if not each.is_shared]
    assert found.taken() == ({each.batch for each in theirs}, len(theirs))
    assert Items.of(plain).taken() == found.taken()
    assert Items.of(found) is found
