"""The refused records of a delivery as a file to mend: header, the original lines, and why each was refused."""

from __future__ import annotations

import csv
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, NotFound
from tocsin.core.profiles import Profile
from tocsin.core.reading import Source
from tocsin.formats import delimited
from tocsin.reference.feeds import feed_of_banner
from tocsin.transport.opening import Opened, open_delivery, sample_of

from . import originals, profiles
from .deliveries import rejected_lines
from .models import Delivery
from .reading import fingerprint_of, profile_from_json
from .services import store_folder
from .store import delivery_path

ADDED_COLUMNS = ("tocsin_line", "tocsin_field", "tocsin_reason")
TABLES = frozenset({"delimited", "shadowserver"})
RECORD_LINES = 50
"""A cell with line ends may spread one record over this many lines at most."""
Reasons = Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class MendFile:
    """What is handed to the source: a name and the bytes."""

    name: str
    content: bytes


def can_mend(delivery: Delivery) -> bool:
    """Whether any refused record stands on a line of text that can be given back."""
    return bool(delivery.rejections) and bool(rejected_lines(delivery))


def mend_file(delivery: Delivery) -> MendFile:
    """The refused lines of every file inside the delivery; several files come as an archive. NotFound for none."""
    lines = rejected_lines(delivery)
    made: list[tuple[str, bytes]] = []
    for inner, source in _sources(delivery):
        if reasons := lines.get(inner):
            made.append((inner.rpartition("!")[2] or delivery.name, _mendable(source, reasons, delivery)))
    if not made:
        raise NotFound
    if len(made) == 1:
        name, content = made[0]
        return MendFile(f"refused-{Path(name).name}", content)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(made, 1):
            archive.writestr(f"{number}-{Path(name).name}", content)
    return MendFile(f"refused-{Path(delivery.name).stem}.zip", packed.getvalue())


def profile_for_mended(delivery: Delivery) -> Profile | None:
    """The column map by which the first file was read: a few mended lines alone might be guessed otherwise."""
    if delivery.profile:
        return profile_from_json(delivery.profile)
    if delivery.format != "delimited":
        return None
    for _, source in _sources(delivery):
        sample = sample_of(source)
        if feed_of_banner(sample.head[:8192].decode("utf-8", "replace")):
            return None
        try:
            guess = delimited.guess(sample)
        except InputError:
            return None
        saved = profiles.remembered(delivery.organisation).get(fingerprint_of(guess))
        return profile_from_json(saved) if saved else guess.profile
    return None


def _sources(delivery: Delivery) -> Iterator[tuple[str, Source]]:
    """Files inside the delivery, by the names under which rejections are kept."""
    path = delivery_path(store_folder(), delivery.sha256)
    with tempfile.TemporaryDirectory(prefix="tocsin-mend-") as folder:
        plain = originals.plain_copy(path, Path(folder) / "original")
        try:
            for opened in open_delivery(plain, delivery.name, Path(folder) / "unpacked"):
                if isinstance(opened, Opened):
                    yield (opened.inner_name if opened.depth else ""), opened.source
        except InputError:
            return


def _mendable(source: Source, reasons: Reasons, delivery: Delivery) -> bytes:
    shape = _table_shape(source) if delivery.format in TABLES else None
    out: list[str] = []
    with source.open() as stream:
        text = (line.decode("utf-8", "replace").rstrip("\r\n") for line in stream)
        numbered = enumerate(text, 1)
        is_head = True
        for number, line in numbered:
            if number in reasons:
                is_head = False
                out += _record(_whole(line, numbered, shape), number, reasons[number], shape)
            elif is_head and line.startswith("#"):
                out.append(line)
            elif is_head and line.strip():
                is_head = False
                if shape is not None and shape.has_header:
                    out.append(_joined(line, ADDED_COLUMNS, shape.delimiter))
    return ("\n".join(out) + "\n").encode()


def _whole(line: str, following: Iterator[tuple[int, str]], shape: _TableShape | None) -> str:
    """The record that begins on this line: a quoted cell may hold line ends."""
    taken = 1
    while shape is not None and line.count('"') % 2 and taken < RECORD_LINES:
        _, more = next(following, (0, ""))
        line, taken = f"{line}\n{more}", taken + 1
    return line


def _record(line: str, number: int, why: tuple[str, str], shape: _TableShape | None) -> list[str]:
    code, name = why
    if shape is None:
        return [f"# {number}: {sentence(code)}", line]
    return [_joined(line, (str(number), name, sentence(code)), shape.delimiter)]


def _joined(line: str, cells: tuple[str, ...], delimiter: str) -> str:
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    return f"{line}{delimiter}{text.getvalue()}"


@dataclass(frozen=True, slots=True)
class _TableShape:
    delimiter: str
    has_header: bool


def _table_shape(source: Source) -> _TableShape | None:
    try:
        profile = delimited.guess(sample_of(source)).profile
    except InputError:
        return None
    return _TableShape(profile.delimiter or ",", profile.header is not False)
