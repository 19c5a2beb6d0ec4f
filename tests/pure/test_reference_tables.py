"""Tables of networks and countries are recognised, said to be such and set aside."""

from __future__ import annotations

import pytest

from tocsin import formats
from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Sample, Source
from tocsin.formats import reference_tables


@pytest.mark.parametrize(("name", "content"), [
    ("x.csv", b"#hexdelta1:4\n0,\n1000000,AU\n100,CN\n"),
    ("x.csv", b"#hexdelta1:6\n0,\n2001000401120000,US\n"),
    ("x.bin", b"\x00\x00\x01" * 900 + b"\xab\xcd\xefMaxMind.com\xe9"),
    ("big.mmdb", b"\x00\x00\x01" * 90_000),
])  # fmt: skip
def test_set_aside(name: str, content: bytes) -> None:
    assert formats.recognise(Sample(content, name, len(content))) is reference_tables.FORMAT
    with pytest.raises(InputError, match="reference-data"):
        list(reference_tables.read(Source(name, content=content), Profile()))


def test_a_list_with_remarks_is_none() -> None:
    assert reference_tables.recognise(Sample(b"# hexdelta\n192.0.2.1\n", "x.txt", 22)) == 0
