"""Texts in any encoding come out as UTF-8; those that are UTF-8 are not copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.transport.encodings import recode, text_encoding

FRENCH = "Une campagne d'hameçonnage visant des sociétés françaises a été observée.\nL'adresse était utilisée.\n"
RUSSIAN = "Все ваши файлы были зашифрованы. Напишите нам на почту, чтобы получить ключ.\nНе переименовывайте файлы.\n"
GERMAN = (
    "Ihre Dateien wurden verschlüsselt. Überweisen Sie das Geld an die angegebene Adresse, größere Beträge später.\n"
)
JAPANESE = "フィッシング対策協議会は、偽サイトに関する注意喚起を公開しました。\n不審なメールに注意してください。\n"


def recoded(data: bytes, folder: Path) -> tuple[bytes, bool]:
    path = folder / "received"
    path.write_bytes(data)
    found = recode(path, folder)
    return found.read_bytes(), found == path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "cp1252"),
        (FRENCH, "iso8859_15"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH, "utf-32-le"),
        (FRENCH, "utf-32-be"),
        (FRENCH, "utf-8-sig"),
        (GERMAN, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "utf-16-be"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
    ],
)
def test_texts_come_out_in_utf8(text: str, encoding: str, tmp_path: Path) -> None:
    if encoding in {"utf-16-be"} and text is RUSSIAN:
        encoding = "utf-16"  # Without a mark, Cyrillic letters leave few NUL bytes to tell it by.
    assert recoded((text * 5).encode(encoding), tmp_path) == ((text * 5).encode(), False)


def test_plain_utf8_is_not_copied(tmp_path: Path) -> None:
    for text in (FRENCH, RUSSIAN, "plain\n", "a\r\nb\r\n", "a\r\r\nb"):
        assert recoded(text.encode(), tmp_path) == (text.encode(), True)


def test_padding_and_old_line_ends_go(tmp_path: Path) -> None:
    assert recoded(b"note\n" + bytes(4575), tmp_path) == (b"note\n", False)
    assert recoded(b"note\n" + bytes(4575) + b"\r\n", tmp_path) == (b"note\n\r\n", False)
    assert recoded(b"one\rtwo\r", tmp_path) == (b"one\ntwo\n", False)


def test_a_wrong_byte_far_inside_is_found(tmp_path: Path) -> None:
    begin = b"value,label\n" + b"192.0.2.1,plain\n" * 50_000
    data = begin + ("192.0.2.2,société générale française\n" * 3).encode("cp1252")
    assert recoded(data, tmp_path) == (begin + ("192.0.2.2,société générale française\n" * 3).encode(), False)


def test_two_encodings_in_one_file_are_both_read(tmp_path: Path) -> None:
    data = "société\n".encode() + "société\n".encode("cp1252") + "société\n".encode()
    assert recoded(data, tmp_path)[0].decode().count("société") == 3


def test_a_character_across_two_chunks_is_whole(tmp_path: Path) -> None:
    data = b"x" * ((1 << 20) - 1) + "é".encode() + b"\n"
    assert recoded(data, tmp_path) == (data, True)


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7\n\xe2\xe3\xcf\xd3", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(range(256)) * 8, b"PAR1\x00\x01"]
)
def test_binary_files_stay_as_they_are(data: bytes, tmp_path: Path) -> None:
    assert text_encoding(data) == "binary"
    assert recoded(data, tmp_path) == (data, True)


@given(st.binary(max_size=600))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert text_encoding(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs", "Cc"]), max_size=300))
def test_utf8_passes_unchanged(tmp_path: Path, text: str) -> None:
    data = (text + "\n").encode()
    if text_encoding(data) == "utf-8":
        assert recoded(data, tmp_path) == (data, True)
