"""Zeek logs and lists, whole and cut off; ARFF."""

from __future__ import annotations

import pytest

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Rows, Sample, Source
from tocsin.formats import arff, zeek

CONN = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\n"
    "1517336042.09\tCx\t192.0.2.9\t123\t198.51.100.4\t443\ttcp\t-\n"
    "1517336043.10\tCy\t192.0.2.9\t124\t198.51.100.5\t80\ttcp\thttp\n"
    "#close\t2018-01-30-13-14-02\n"
)


def rows(reader: Format, text: str) -> list[dict[str, object]]:
    items = reader.read(Source("x", content=text.encode()), Profile())
    return [row for item in items if isinstance(item, Rows) for row in item.frame.to_dicts()]


def test_a_log() -> None:
    assert zeek.recognise(Sample(CONN.encode())) > 90
    first, second = rows(zeek.FORMAT, CONN)
    assert (first["position"], first["value"], first["port"], first["peer"]) == (8, "198.51.100.4", "443", "192.0.2.9")
    assert (first["first_at"], first["extra"]) == ("1517336042.09", None)
    assert second["extra"] == '{"service":"http"}'


@pytest.mark.parametrize("cut", range(0, len(CONN), 7))
def test_a_log_cut_anywhere_ends_well(cut: int) -> None:
    text = CONN[:cut]
    has_fields = "#fields\t" in text
    # The line of fields may be cut as well: then the value's column may be missing.
    if (has_fields and "id.resp_h" in text) or (not has_fields and text.startswith("#separator")):
        assert len(rows(zeek.FORMAT, text)) <= 2
        return
    with pytest.raises(InputError, match=r"empty-file|missing-columns"):
        rows(zeek.FORMAT, text)


def test_a_list_for_the_intelligence_framework() -> None:
    text = (
        "#fields\tindicator\tindicator_type\tmeta.source\tmeta.do_notice\tmeta.desc\n"
        'bad.example\tIntel::DOMAIN\tX\tF\tsome "quoted\n192.0.2.1\tIntel::ADDR\tX\tF\tB\n'
    )
    first, second = rows(zeek.FORMAT, text)
    assert (first["value"], first["kind"], first["note"]) == ("bad.example", "domain", 'some "quoted')
    assert (second["value"], second["kind"]) == ("192.0.2.1", None)
    assert rows(zeek.FORMAT, text.split("\n")[0] + "\n") == []


def test_attribute_relation_files() -> None:
    text = "% x\n@relation 'phish'\n@attribute url string\n@attribute result {-1,1}\n@data\nhttp://bad.example/,-1\n"
    assert arff.recognise(Sample(text.encode())) > 90
    items = list(arff.read(Source("x", content=text.encode()), Profile()))
    assert items[0] == Heading(title="phish")
    [row] = rows(arff.FORMAT, text)
    assert (row["position"], row["value"]) == (6, "http://bad.example/")


def test_features_without_an_indicator_are_refused() -> None:
    with pytest.raises(InputError, match="missing-columns"):
        rows(arff.FORMAT, "@relation x\n@attribute a {-1,1}\n@attribute b {-1,1}\n@data\n1,-1\n-1,1\n")
    with pytest.raises(InputError, match="truncated"):
        rows(arff.FORMAT, "@relation x\n@attribute a {-1,1}\n")
