"""Passwords that leaked, looked up in a file by halving."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.credentials import leaked


def written(folder: Path, words: set[str], ending: str = "\r\n", last: str = "") -> Path:
    """The list as the public downloader writes it."""
    lines = sorted(hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper() for word in words)
    path = folder / "leaked"
    text = ending.join(f"{digest}:{7 ** (place % 9)}" for place, digest in enumerate(lines)) + last
    path.write_bytes(text.encode())
    return path


@given(words=st.sets(st.text(max_size=5), min_size=1, max_size=40), other=st.text(max_size=5), unix=st.booleans())
def test_it_finds_what_is_there_and_nothing_else(
    words: set[str], other: str, unix: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ending = "\n" if unix else "\r\n"
    path = written(tmp_path_factory.mktemp("list"), words, ending, ending if unix else "")
    leaked.require_list(path)
    assert all(leaked.is_in(path, word) for word in words)
    assert leaked.is_in(path, other) is (other in words)


def test_a_list_without_counts_serves_as_well(tmp_path: Path) -> None:
    path = written(tmp_path, {str(number) for number in range(20_000)})
    assert leaked.is_in(path, "19999")
    assert not leaked.is_in(path, "20000")
    plain = path.read_text().replace("\n\n", "\n").lower()
    path.write_text("\n".join(line.partition(":")[0] for line in plain.split()))
    assert leaked.is_in(path, "777"), "in small letters too"


@pytest.mark.parametrize(
    "said", [b"", b"password\nletmein\n", b"F" * 40 + b":1\n" + b"0" * 40 + b":1\n", b"\xff" * 400]
)
def test_another_file_is_refused(said: bytes, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(said)
    with pytest.raises(InputError):
        leaked.require_list(tmp_path / "list")
    with pytest.raises(InputError):
        leaked.require_list(tmp_path / "nowhere")
