"""The XML exports of CleanMX."""

from __future__ import annotations

import pytest

from tocsin import formats
from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rejection, Rows, Sample, Source
from tocsin.formats import cleanmx

ENTRY = """<entry><line>1</line><id>7</id><first>1502031590</first><last>0</last><target><![CDATA[Bank]]></target>
<url><![CDATA[http://www.phish.example/i/]]></url><response>alive</response><ip>192.0.2.9</ip><review>192.0.2.9</review>
<domain>phish.example</domain><country>FR</country><inetnum>192.0.2.0 - 192.0.2.255</inetnum></entry>"""
EMPTY = "<entry><line>2</line><id>8</id><url></url><ip></ip><review></review></entry>"


def text(*entries: str) -> bytes:
    return f'<?xml version="1.0"?>\n<output><entries>{"".join(entries)}</entries></output>'.encode()


def read(content: bytes) -> list[object]:
    return list(cleanmx.read(Source("export", content=content), Profile()))


def test_an_entry_gives_its_address_and_its_host() -> None:
    assert formats.recognise(Sample(text(ENTRY), "export", 900)) is cleanmx.FORMAT
    items = read(text(ENTRY, EMPTY))
    rows = [row for item in items if isinstance(item, Rows) for row in item.frame.to_dicts()]
    assert [row["value"] for row in rows] == ["http://www.phish.example/i/", "192.0.2.9"]
    assert {row["type"] for row in rows} == {"phishing"}
    assert (rows[0]["first_at"], rows[0].get("last_at"), rows[0]["label"]) == ("1502031590", None, "Bank")
    assert rows[0]["stated_country"] == "FR"
    assert [(item.position, item.reason) for item in items if isinstance(item, Rejection)] == [(2, "no-value")]


def test_malware_has_its_name_and_its_digest() -> None:
    served = ENTRY.replace("<response>", f"<md5>{'ab' * 16}</md5><virusname><![CDATA[emotet]]></virusname><response>")
    rows = [row for item in read(text(served)) if isinstance(item, Rows) for row in item.frame.to_dicts()]
    assert [row["value"] for row in rows] == ["http://www.phish.example/i/", "192.0.2.9", "ab" * 16]
    assert {(row["type"], row["malware"]) for row in rows} == {("malware-distribution", "emotet")}


def test_what_came_before_a_cut_stays() -> None:
    items = cleanmx.read(Source("export", content=text(ENTRY, ENTRY)[:-40]), Profile())
    assert not isinstance(next(items), Rows)
    assert isinstance(next(items), Rows)
    with pytest.raises(InputError, match="truncated"):
        list(items)
