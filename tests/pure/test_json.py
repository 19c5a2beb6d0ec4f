"""JSON: agreement with the public parser test suite, exact splitting, depth, duplicate keys."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.formats import _json, _json_outline

texts = st.text(alphabet='ab"\\{}[],: \né', max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)
layouts = st.sampled_from([{"separators": (",", ":")}, {"indent": 2}, {"separators": (" , ", " : ")}, {}])


class Dripping(BytesIO):
    """A stream that gives a few bytes at a time, whatever is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7)


@given(st.lists(objects, max_size=12), layouts, st.booleans())
def test_splitting_gives_back_the_bytes_of_each_element(
    sent: list[object], layout: dict[str, object], dripping: bool
) -> None:
    text = json.dumps(sent, **layout).encode()  # type: ignore[arg-type]
    found = list(_json.array_items(Dripping(text) if dripping else text))
    assert [number for number, _ in found] == list(range(1, len(sent) + 1))
    assert [json.loads(raw) for _, raw in found] == sent
    assert all(raw in text for _, raw in found)


@given(st.lists(objects, max_size=6), layouts, st.dictionaries(texts, values, max_size=3))
def test_a_named_array_is_found_wherever_it_stands(
    sent: list[object], layout: dict[str, object], others: dict[str, object]
) -> None:
    others.pop("objects", None)
    for whole in ({"objects": sent, **others}, {**others, "objects": sent}):
        rest: dict[str, bytes] = {}
        text = json.dumps(whole, ensure_ascii=False, **layout).encode()  # type: ignore[arg-type]
        found = [json.loads(raw) for _, raw in _json.array_items(text, "objects", rest)]
        assert found == sent
        assert [json.loads(raw) for raw in rest.values()] == list(others.values())


@given(st.lists(objects, max_size=6), st.sampled_from(["\n", " ", "\r\n\r\n"]), layouts)
def test_documents_in_a_row(sent: list[object], between: str, layout: dict[str, object]) -> None:
    text = between.join(json.dumps(one, **layout) for one in sent).encode()  # type: ignore[arg-type]
    if sent:
        assert [json.loads(raw) for _, raw in _json.documents(text)] == sent


@given(values)
def test_decoding_agrees_with_the_standard_library(sent: object) -> None:
    assert _json.decode(json.dumps(sent).encode()) == sent


@pytest.mark.parametrize("chunk", [16, 200, 5000])
def test_many_elements_in_small_windows(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "CHUNK_BYTES", chunk)
    sent = [{"type": "a", "n": i, "inner": [{"type": "b"}, {"type": '},{"type"'}] * (i % 3)} for i in range(300)]
    for layout in ({"separators": (",", ":")}, {"indent": 1}):
        text = json.dumps(sent, **layout).encode()  # type: ignore[arg-type]
        assert [json.loads(raw) for _, raw in _json.array_items(text)] == sent


def test_a_broken_element_ends_where_its_brackets_end() -> None:
    text = b'[{"a":1},{"a":,},{"a":2},{"a":3}]'
    assert [raw for _, raw in _json.array_items(text)] == [b'{"a":1}', b'{"a":,}', b'{"a":2}', b'{"a":3}']


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        (b"", "empty-file", ""),
        (b" \n", "empty-file", ""),
        (b'{"a": 1', "truncated", "line 1 column 8"),
        (b'{"a":\n nope}', "not-json", "line 2 column 2"),
        (b'{"a": 1,\n "a": 2}', "duplicate-key", "line 2 column 2"),
        (b'{"a" :1,"a":2}', "duplicate-key", "line 1 column 9"),
        (b'{"a":1,"\\u0061":2}', "duplicate-key", "line 1 column 8"),
        (b'{"a": "\xe9"}', "wrong-encoding", "line 1 column 8"),
        (b"[" * 100_000, "too-deep", "line 1 column 201"),
        (b"[" * 201 + b"]" * 201, "too-deep", "line 1 column 201"),
    ],
)
def test_reasons_say_where(text: bytes, reason: str, position: str) -> None:
    with pytest.raises(InputError) as caught:
        _json.decode(text)
    assert (caught.value.reason, caught.value.position) == (reason, position)


def test_encodings_with_and_without_marks() -> None:
    text = '{"a": "é"}'
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        assert _json.decode(text.encode(encoding)) == {"a": "é"}


@given(st.integers(1, 260))
@settings(max_examples=30)
def test_depth_is_counted_exactly(depth: int) -> None:
    text = b'{"a":[' * (depth // 2) + b"[" * (depth % 2) + b"]" * (depth % 2) + b"]}" * (depth // 2)
    if depth <= 200:
        _json.check_depth(text)
    else:
        with pytest.raises(InputError):
            _json.check_depth(text)


def test_outline_of_cut_text() -> None:
    seen = _json_outline.outline(b' {"type":"bundle","objects":[{"id":"x--1","deep":{"no":1},"type":"indicator","cut')
    assert seen.kind == "object"
    assert seen.keys == {"type": b'"bundle"', "objects": b"["}
    assert seen.item_keys == {"id": b'"x--1"', "deep": b"{", "type": b'"indicator"'}
    assert seen.item_of == "objects"
    assert _json_outline.outline(b'[{"a":1},{"b":2}]').item_keys == {"a": b"1"}
    assert _json_outline.outline(b"a,b").kind == ""


@given(objects, layouts)
def test_an_outline_finds_every_key_of_the_top_whatever_stands_between(
    tree: dict[str, object], layout: dict[str, Any]
) -> None:
    seen = _json_outline.outline(json.dumps(tree, **layout).encode())
    assert list(seen.keys) == [json.dumps(name)[1:-1] for name in tree]
    lists = {name: value for name, value in tree.items() if isinstance(value, list)}
    first = next(((name, item) for name, each in lists.items() for item in each if isinstance(item, dict)), None)
    assert seen.item_of == ("" if first is None else json.dumps(first[0])[1:-1])
    assert list(seen.item_keys) == ([] if first is None else [json.dumps(name)[1:-1] for name in first[1]])


@pytest.mark.shared
def test_agrees_with_the_public_test_suite(shared_data: Path) -> None:
    paths = sorted((shared_data / "malformed/json-test-suite").glob("*.json"))
    assert paths
    for path in paths:
        text, verdict, why = path.read_bytes(), path.name[0], None
        try:
            _json.decode(text)
        except InputError as error:
            why = error.reason
        # Two files that must parse repeat a key: refused on purpose, and readable where that is allowed.
        if path.name.startswith("y_object_duplicated_key"):
            assert why == "duplicate-key"
            _json.decode(text, duplicates=True)
        elif verdict == "y":
            assert why is None, path.name
        elif verdict == "n":
            assert why is not None, path.name
        try:  # Splitting must end too, with an answer or a reason.
            list(_json.array_items(text, "objects"))
            list(_json.documents(text))
        except InputError:
            pass
