"""What is sealed opens with its own key, about its own thing, whole; and with nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.credentials import content_keys
from tocsin.credentials.content_keys import (
    FILE,
    PIECE_BYTES,
    KeyMissing,
    fresh_data_key,
    installation_keys,
    keep_installation_keys,
    make_installation_key,
    number_of,
)

KEY, OTHER = fresh_data_key(), fresh_data_key()


@given(st.binary(max_size=5000), st.text(max_size=20))
def test_what_was_sealed_opens_and_says_nothing_before(plain: bytes, about: str) -> None:
    sealed = KEY.sealed(plain, about)
    assert KEY.opened(sealed, about) == plain
    assert number_of(sealed) == KEY.number
    assert len(plain) < 4 or plain not in sealed
    assert KEY.sealed(plain, about) != sealed
    for key, said in ((OTHER, about), (KEY, about + "x")):
        with pytest.raises(KeyMissing):
            key.opened(sealed, said)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_changed_byte_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(KEY.sealed(plain, "x"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KeyMissing):
        KEY.opened(bytes(sealed), "x")


@given(
    st.lists(st.binary(max_size=3000), max_size=20),
    st.integers(0, 2),
    st.integers(-2, 2),
    st.integers(1, 5000),
    st.integers(0, 3),
)
def test_a_stream_is_the_same_however_it_is_cut(
    pieces: list[bytes], whole: int, more: int, step: int, way: int
) -> None:
    plain = b"".join(pieces)
    if whole and way:  # Around the borders of pieces.
        plain = (plain + b"x" * (2 * PIECE_BYTES + 9))[: max(0, whole * PIECE_BYTES + more)]
    steps = {0: step, 1: 70_000 + step, 2: PIECE_BYTES, 3: PIECE_BYTES + step}
    sealed = b"".join(KEY.sealed_pieces(cut(plain, steps[way])))
    assert len(sealed) == content_keys.HEAD_BYTES + 7 + len(plain) + 16 * max(1, -(-len(plain) // PIECE_BYTES))
    assert b"".join(KEY.opened_pieces(BytesIO(sealed))) == plain


def cut(body: bytes, size: int) -> Iterable[bytes]:
    return iter([body[at : at + size] for at in range(0, len(body), size)])


@pytest.mark.parametrize("left", [0, 10, content_keys.HEAD_BYTES + 7, PIECE_BYTES + 50, -1])
def test_a_stream_that_was_cut_short_or_joined_is_refused(left: int) -> None:
    sealed = b"".join(KEY.sealed_pieces([b"x" * (2 * PIECE_BYTES)]))
    for wrong in (sealed[:left], sealed + b"y", sealed[: content_keys.HEAD_BYTES + 7] + sealed[PIECE_BYTES + 37 :]):
        with pytest.raises(KeyMissing):
            b"".join(KEY.opened_pieces(BytesIO(wrong)))


@given(st.text(max_size=200), st.text(max_size=200))
def test_words_are_the_same_exactly_where_they_are_equal(one: str, other: str) -> None:
    assert (KEY.word(one) == KEY.word(other)) == (one == other)
    assert KEY.opened_word(KEY.word(one)) == one
    assert OTHER.word(one) != KEY.word(one)
    with pytest.raises(KeyMissing):
        OTHER.opened_word(KEY.word(one))


def test_a_data_key_opens_with_the_installation_key_that_wrapped_it_alone(tmp_path: Path) -> None:
    first, other = (next(iter(make_installation_key(tmp_path / name).values())) for name in ("one", "two"))
    wrapped = first.wrapped(KEY)
    assert first.unwrapped(KEY.number, wrapped) == KEY
    assert KEY.secret not in wrapped
    for by, number in ((other, KEY.number), (first, KEY.number + 1)):
        with pytest.raises(KeyMissing, match="content-keys"):
            by.unwrapped(number, wrapped)


def test_the_file_of_keys_is_private_whole_and_its_order_is_kept(tmp_path: Path) -> None:
    assert installation_keys(tmp_path) == {}
    with ThreadPoolExecutor(8) as pool:  # All who start at once end with the same key.
        made = list(pool.map(make_installation_key, [tmp_path] * 32))
    assert len({tuple(each) for each in made}) == 1
    path = tmp_path / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    former = next(iter(made[0].values()))
    fresh = content_keys.InstallationKey(fresh_data_key().secret)
    keep_installation_keys(tmp_path, [fresh, former])
    assert list(installation_keys(tmp_path)) == [fresh.number, former.number]
    assert path.stat().st_mode & 0o777 == 0o600
    assert repr(fresh) == "InstallationKey()"


@pytest.mark.parametrize("wrong", ["", "not a key", "0123456789abcdef " + "0" * 64, "\xff"])
def test_a_damaged_file_is_said_to_be_damaged_and_left_alone(tmp_path: Path, wrong: str) -> None:
    (tmp_path / FILE).write_text(wrong, encoding="utf-8")
    with pytest.raises(KeyMissing, match=FILE):
        installation_keys(tmp_path)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == wrong
