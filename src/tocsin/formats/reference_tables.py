"""Tables that say where addresses belong: recognised, so that nobody takes them for reports, and set aside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Sample, Source

MAXMIND = b"\xab\xcd\xefMaxMind.com"
"""Stands in the last part of a database of addresses, which in a large file is beyond the sample."""
HEXADECIMAL = re.compile(rb"#hexdelta\d*:(?:4|6)\s")
"""Ranges of addresses as hexadecimal distances, each with the code of a country."""


def recognise(sample: Sample) -> int:
    """By the marks of the two kinds that occur; a large database by its name and its binary content."""
    binary = b"\x00" in sample.head[:4096]
    if MAXMIND in sample.head or (binary and sample.name.lower().endswith(".mmdb")):
        return 95
    return 95 if HEXADECIMAL.match(sample.head.removeprefix(b"\xef\xbb\xbf")) else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Nothing: raises InputError reference-data."""
    raise InputError("reference-data", excerpt=source.name[:120])


FORMAT = Format(
    name="reference-table",
    title="Reference data: networks and countries",
    recognise=recognise,
    read=read,
    extensions=(".mmdb",),
)
