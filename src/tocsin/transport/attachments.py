"""Every text of an attachment, shown or carried unseen, for whoever looks for what must not be read.

What cannot be read to its end says so: it is never taken for empty. Runs in the sandbox, since strangers made the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tocsin.core.errors import InputError
from tocsin.core.reading import Rejection, Sample, Source
from tocsin.formats import docx, pdf
from tocsin.handling.leaks import Place, Text

from .encodings import text_encoding
from .pictures import Carried, carried, is_picture

HEAD_BYTES = 256 << 10
MOST_BYTES = 128 << 20
_ARABIC = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


def texts_of(source: Source, place: Place) -> Iterator[Text]:
    """The texts of a file by page; `place` says whose attachment it is. Never raises for what the file is."""
    whole = replace(place, attachment=place.attachment or source.name)
    try:
        for page, found in _parts(source):
            where = replace(whole, page=page)
            if isinstance(found, Rejection):
                yield Text(where, "", unreadable=found.reason)
            elif isinstance(found, Carried):
                yield Text(where, "\n".join(found.texts), has_position=found.has_position)
            else:
                yield Text(where, found)
    except InputError as error:
        yield Text(whole, "", unreadable=error.reason)
    except MemoryError:
        yield Text(whole, "", unreadable="reader-killed")
    except RecursionError:
        yield Text(whole, "", unreadable="too-deep")
    yield Text(replace(whole, field=f"{place.field}: name" if place.field else "name"), source.name)


def _parts(source: Source) -> Iterator[tuple[int, str | Carried | Rejection]]:
    with source.open() as stream:
        head = stream.read(HEAD_BYTES)
    if is_picture(head):
        yield 0, carried(source.read_all(MOST_BYTES))
    elif b"%PDF-" in head[:1024]:
        yield from _numbered(pdf.everything_in(source), has_lines=True)
    elif head.startswith(b"PK\x03\x04") and docx.recognise(Sample(head, source.name, source.size_bytes)) > 0:
        yield from _numbered(docx.everything_in(source))
    else:
        yield 0, _plain(source)


def _numbered(
    parts: Iterable[tuple[int, str | bytes] | tuple[int, str] | Rejection], has_lines: bool = False
) -> Iterator[tuple[int, str | Carried | Rejection]]:
    for part in parts:
        if isinstance(part, Rejection):
            yield (part.position if part.unit == "page" else 0), part
            continue
        number, found = part
        if isinstance(found, bytes):
            if is_picture(found):  # Others are bare pixels, without any words.
                yield number, carried(found)
            continue
        if has_lines and isinstance(found, str) and _ARABIC.search(found):
            # A page holds letters as they stand from left to right: Arabic words come out backwards.
            found = f"{found}\n" + "\n".join(line[::-1] for line in found.splitlines() if _ARABIC.search(line))
        yield number, found


def _plain(source: Source) -> str:
    """A text file as text. Raises InputError("unknown-format") for whatever is none."""
    content = source.read_all(MOST_BYTES)
    try:
        text = content.decode(text_encoding(content[: 1 << 18]) or "utf-8")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError("unknown-format", excerpt=source.name[:160]) from error
    if "\0" in text:
        raise InputError("unknown-format", excerpt=source.name[:160])
    return text
