"""Hostile and broken archives: each ends with its reason, and good members beside bad ones are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.core.reading import Rejection
from tocsin.transport.opening import Limits, Opened, open_delivery

GOOD = b'{"value": "198.51.100.7"}\n'
LIMITS = Limits()
PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def outcome(data: bytes, folder: Path, name: str = "delivery", limits: Limits = LIMITS) -> list[object]:
    """Names and contents of what was opened, reasons of what was not; the reason alone for the whole file."""
    path = folder / "received"
    path.write_bytes(data)
    seen: list[object] = []
    try:
        for item in open_delivery(path, name, folder / "work", limits):
            if isinstance(item, Opened):
                seen.append((item.inner_name, item.source.read_all(), item.depth))
            else:
                seen.append(item.reason)
    except InputError as error:
        seen.append(InputError(error.reason))
    return seen


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def tarred(*members: tuple[tarfile.TarInfo | str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for info, content in members:
            header = tarfile.TarInfo(info) if isinstance(info, str) else info
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("packing", PACKERS)
def test_compressed_files_open_whatever_their_name(packing: str, tmp_path: Path) -> None:
    packed = PACKERS[packing](GOOD * 1000)
    assert outcome(packed, tmp_path) == [("delivery", GOOD * 1000, 1)]


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_several_streams_in_one_file_are_one_text(packing: str, tmp_path: Path) -> None:
    pack = PACKERS[packing]
    assert outcome(pack(GOOD) + pack(GOOD), tmp_path) == [("delivery", GOOD + GOOD, 1)]


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_cut_files_are_damaged(packing: str, kept: float, tmp_path: Path) -> None:
    packed = PACKERS[packing](bytes(range(256)) * 4000)
    assert outcome(packed[: int(len(packed) * kept)], tmp_path) == [InputError("archive-damaged")]


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_a_wrong_check_sum_is_damage(packing: str, tmp_path: Path) -> None:
    packed = bytearray(PACKERS[packing](GOOD * 50))
    packed[{"gz": -6, "bz2": -8, "xz": 30, "zst": -2}[packing]] ^= 0xFF
    assert outcome(bytes(packed), tmp_path) == [InputError("archive-damaged")]


def test_foreign_bytes_after_the_end_are_told_and_the_content_is_used(tmp_path: Path) -> None:
    assert outcome(gzip.compress(GOOD) + b"{", tmp_path) == [("delivery", GOOD, 1), "archive-damaged"]
    assert outcome(gzip.compress(GOOD) + b"\0" * 600, tmp_path) == [("delivery", GOOD, 1)]


@pytest.mark.parametrize("packing", ["gz", "bz2", "xz", "zst"])
def test_bombs_stop_at_the_limit(packing: str, tmp_path: Path) -> None:
    packed = PACKERS[packing](b"\0" * (8 << 20))
    limits = Limits(expanded_bytes=1 << 20)
    assert outcome(packed, tmp_path, limits=limits) == [InputError("archive-bomb")]
    written = sum(path.stat().st_size for path in (tmp_path / "work").iterdir())
    assert written < 40 << 20


def test_a_high_ratio_is_a_bomb_only_beyond_a_size(tmp_path: Path) -> None:
    packed = zipped(("zeros.txt", b"0" * (4 << 20)))
    assert outcome(packed, tmp_path, limits=Limits(ratio_from_bytes=1 << 20, expansion_ratio=100)) == [
        InputError("archive-bomb")
    ]
    assert len(outcome(packed, tmp_path, limits=Limits(ratio_from_bytes=8 << 20, expansion_ratio=100))) == 1


def test_too_many_members_are_a_bomb(tmp_path: Path) -> None:
    packed = zipped(*((f"{number}.txt", b"x") for number in range(20)))
    seen = outcome(packed, tmp_path, limits=Limits(members=10))
    assert len(seen) == 11
    assert seen[-1] == InputError("archive-bomb")


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil.json", "..\\evil.json", "C:\\evil.json", "a/../../evil.json", "\\\\host\\evil", "a\nb"],
)
def test_names_that_lead_outside_are_refused_alone(name: str, tmp_path: Path) -> None:
    assert outcome(zipped((name, GOOD), ("good.json", GOOD)), tmp_path) == [
        "archive-path",
        ("delivery!good.json", GOOD, 1),
    ]
    assert outcome(tarred((name, GOOD), ("good.json", GOOD)), tmp_path) == [
        "archive-path",
        ("delivery!good.json", GOOD, 1),
    ]
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"received", "work"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tars_are_refused(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    assert outcome(tarred((info, b""), ("good.json", GOOD)), tmp_path) == [
        "archive-path",
        ("delivery!good.json", GOOD, 1),
    ]


def test_symbolic_links_in_zips_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert outcome(zipped((info, b"/etc/passwd"), ("good.json", GOOD)), tmp_path) == [
        "archive-path",
        ("delivery!good.json", GOOD, 1),
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_equal_names_the_first_is_read(tmp_path: Path) -> None:
    for packed in (zipped(("a", GOOD), ("a", b"other")), tarred(("a", GOOD), ("a", b"other"))):
        assert outcome(packed, tmp_path) == [("delivery!a", GOOD, 1), "archive-duplicate"]


def test_encrypted_and_broken_members_do_not_stop_the_others(tmp_path: Path) -> None:
    packed = bytearray(zipped(("secret", GOOD), ("broken", GOOD), ("good", GOOD)))
    first = packed.find(b"PK\x01\x02")
    packed[first + 8] |= 1  # The flag of encryption, in the directory.
    second = packed.find(b"PK\x01\x02", first + 4)
    packed[second + 16] ^= 0xFF  # The check sum, in the directory.
    assert outcome(bytes(packed), tmp_path) == ["archive-encrypted", "archive-damaged", ("delivery!good", GOOD, 1)]


def test_unknown_methods_are_unsupported(tmp_path: Path) -> None:
    packed = bytearray(zipped(("odd", GOOD), ("good", GOOD)))
    place = packed.find(b"PK\x01\x02")
    packed[place + 10 : place + 12] = struct.pack("<H", 97)
    assert outcome(bytes(packed), tmp_path) == ["archive-unsupported", ("delivery!good", GOOD, 1)]


@pytest.mark.parametrize("beginning", [b"7z\xbc\xaf\x27\x1c\0\4", b"Rar!\x1a\x07\x01\x00"])
def test_other_archives_are_named_as_such(beginning: bytes, tmp_path: Path) -> None:
    assert outcome(beginning + bytes(100), tmp_path) == [InputError("archive-unsupported")]
    assert outcome(zipped(("inner", beginning + bytes(100))), tmp_path) == ["archive-unsupported"]


def test_a_zip_that_is_none_is_damaged(tmp_path: Path) -> None:
    assert outcome(b"PK\x03\x04 no zip at all", tmp_path, "a.zip") == [InputError("archive-damaged")]


def test_empty_things_are_empty(tmp_path: Path) -> None:
    assert outcome(b"", tmp_path) == [InputError("empty-file")]
    assert outcome(zipped(), tmp_path) == [InputError("empty-file")]
    assert outcome(gzip.compress(b""), tmp_path) == [InputError("empty-file")]
    assert outcome(zipped(("a", b""), ("b", GOOD)), tmp_path) == ["empty-file", ("delivery!b", GOOD, 1)]


def test_archives_in_archives_open_to_a_depth_of_three(tmp_path: Path) -> None:
    nested = GOOD
    for _ in range(3):
        nested = zipped(("inner", nested))
    assert outcome(nested, tmp_path) == [("delivery!inner!inner!inner", GOOD, 3)]
    assert outcome(zipped(("inner", nested), ("good", GOOD)), tmp_path) == [
        "archive-nested",
        ("delivery!good", GOOD, 1),
    ]
    for _ in range(4):
        nested = gzip.compress(nested)
    assert outcome(nested, tmp_path) == [InputError("archive-nested")]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_counts_as_one_archive(mode: str, tmp_path: Path) -> None:
    assert outcome(tarred(("a/b.json", GOOD), mode=mode), tmp_path, "x.tgz") == [("x.tgz!a/b.json", GOOD, 1)]


def test_a_cut_tar_gives_its_whole_members(tmp_path: Path) -> None:
    packed = tarred(("a", GOOD), ("b", GOOD * 100))
    assert outcome(packed[: 512 * 3 + 700], tmp_path)[:2] == [("delivery!a", GOOD, 1), "archive-damaged"]


def test_a_damaged_tar_header_is_told(tmp_path: Path) -> None:
    packed = bytearray(tarred(("a", GOOD), ("b", GOOD)))
    packed[1024 + 150] ^= 0xFF
    assert outcome(bytes(packed), tmp_path) == [("delivery!a", GOOD, 1), "archive-damaged"]


def test_huge_extended_headers_are_not_loaded(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    packed = tarred(("a", GOOD))[:1024] + info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    assert outcome(packed, tmp_path) == [("delivery!a", GOOD, 1), "archive-damaged"]


def test_documents_made_of_zips_stay_whole(tmp_path: Path) -> None:
    packed = zipped(("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<x/>"))
    assert outcome(packed, tmp_path) == [("delivery", packed, 0)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["zip", "tar", *PACKERS]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 40),
)
def test_any_damage_ends_with_a_reason(tmp_path: Path, packing: str, flips: list[tuple[int, int]], cut: int) -> None:
    members = (("a.json", GOOD), ("b/c.json", GOOD * 3))
    made = {"zip": lambda: zipped(*members), "tar": lambda: tarred(*members)}
    packed = bytearray(made[packing]() if packing in made else PACKERS[packing](GOOD * 40))
    for place, value in flips:
        packed[place % len(packed)] = value
    seen = outcome(bytes(packed[: len(packed) - cut]), tmp_path, limits=Limits(expanded_bytes=1 << 24))
    assert seen
    assert all(isinstance(entry, tuple | str | InputError) for entry in seen)


EXPECTED = {
    "bomb-50MB.json.gz": ["opened"],
    "bomb-50MB.zip": ["opened"],
    "crc-error.zip": ["archive-damaged"],
    "duplicate-names.zip": ["opened", "archive-duplicate"],
    "empty.zip": ["raised empty-file"],
    "not-a-zip.zip": ["raised archive-damaged"],
    "symlink-escape.tar.gz": ["archive-path", "archive-path"],
    "trailing-garbage.json.gz": ["opened", "archive-damaged"],
    "traversal.zip": ["archive-path"] * 4 + ["opened"] * 2,
    "truncated.json.gz": ["raised archive-damaged"],
    "zero-bytes.json": ["raised empty-file"],
}


@pytest.mark.shared
@pytest.mark.parametrize("name", [*EXPECTED, "nested-depth3.zip"])
def test_known_hostile_archives(name: str, shared_data: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    try:
        for item in open_delivery(shared_data / "malformed/archives-selfmade" / name, name, tmp_path):
            seen.append(item.reason if isinstance(item, Rejection) else "opened")
    except InputError as error:
        seen.append(f"raised {error.reason}")
    if name == "nested-depth3.zip":  # Some 1,000 files of a mebibyte each out of 2,656 bytes.
        assert seen[-1] == "raised archive-bomb"
        assert len(seen) < 100
    else:
        assert seen == EXPECTED[name]
