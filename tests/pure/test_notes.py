"""A signed note opens with its signer's key alone, and no letter of it can be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.credentials import SigningKey
from tocsin.credentials.notes import Checkpoint, checkpoint_of, opened, signed

# The key and the note of the C2SP signed-note specification's reference implementation (golang.org/x/mod/sumdb/note).
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = SigningKey("centre.example", bytes(range(32)))
OTHER = SigningKey("centre.example", bytes(range(1, 33)))


def test_the_note_of_the_specification_opens() -> None:
    assert opened(PETER_NOTE, PETER).startswith("If you think cryptography")


def test_a_note_opens_with_its_own_key_only() -> None:
    note = signed("a\n\nb\n", KEY)
    assert opened(note, KEY.public_line) == "a\n\nb\n"
    for wrong in (OTHER.public_line, PETER):
        with pytest.raises(InputError):
            opened(note, wrong)


@given(st.data())
def test_a_changed_note_does_not_open(data: st.DataObject) -> None:
    note = signed(Checkpoint("centre.example/log", 7, bytes(32)).text, KEY)
    place = data.draw(st.integers(0, len(note) - 2))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda each: each != note[place]))
    try:
        found = opened(note[:place] + letter + note[place + 1 :], KEY.public_line)
    except InputError:
        return
    # Base64 has letters whose last bits mean nothing; the text itself never changes.
    assert found == Checkpoint("centre.example/log", 7, bytes(32)).text


@given(
    st.text(st.characters(exclude_characters="\n"), min_size=1),
    st.integers(0, 1 << 40),
    st.binary(min_size=32, max_size=32),
)
def test_checkpoints_read_back(origin: str, size: int, root: bytes) -> None:
    point = Checkpoint(origin, size, root)
    assert checkpoint_of(point.text) == point


@pytest.mark.parametrize(
    "text", ["", "a\n", "a\n-1\nAAAA\n", "a\n01\n" + "A" * 43 + "=\n", "a\n1\nAAAA\n", "\n1\n" + "A" * 43 + "=\n"]
)
def test_other_texts_are_no_checkpoints(text: str) -> None:
    with pytest.raises(InputError):
        checkpoint_of(text)


@pytest.mark.parametrize("line", ["", "x+00000000+AAAA", "x", KEY.public_line.replace("+", "+0", 1)])
def test_a_broken_key_opens_nothing(line: str) -> None:
    with pytest.raises(InputError):
        opened(signed("a\n", KEY), line)
