"""Tables in text: what was written reads back, in any blocks, and every oddity that partners send is survived."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Heading, Rejection, Rows, Sample, Source
from tocsin.formats import _tables, delimited
from tocsin.formats._tables import NULL_WORDS, Layout, Table, _are_all_cells_quoted, read_tables

CELLS = st.text(alphabet='ab,"\n\r #\\\té', max_size=6)
Row = tuple[object, ...]


def read(
    text: str | bytes, profile: Profile | None = None, name: str = "x.csv", block_bytes: int = 1 << 20
) -> list[object]:
    content = text.encode() if isinstance(text, str) else text
    return list(delimited.read(Source(name, content=content), profile or Profile(), block_bytes))


def rows(items: list[object]) -> list[dict[str, object]]:
    found = [row for item in items if isinstance(item, Rows) for row in item.frame.to_dicts()]
    return sorted(found, key=lambda row: int(str(row["position"])))


def rejections(items: list[object]) -> list[tuple[int, str]]:
    return [(item.position, item.reason) for item in items if isinstance(item, Rejection)]


def cells_of(content: bytes, layout: Layout, block_bytes: int) -> list[Row]:
    found: list[Row] = []
    for item in read_tables(io.BytesIO(content), layout, block_bytes):
        found += item.frame.rows() if isinstance(item, Table) else [(item.reason, item.position)]
    return sorted(found, key=lambda row: int(str(row[-1])))


def is_filled(row: Row) -> bool:
    return any(row[1:3]) or bool(str(row[0] or "").strip())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8),
    st.integers(1, 60),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_pythons_csv_writes_reads_back_in_any_blocks(
    sent: list[list[str]], size: int, end: str, all_quoted: bool
) -> None:
    if end == "\n":
        # With this line end the writer leaves a bare carriage return unquoted, and nobody could tell.
        sent = [[cell.replace("\r", "") for cell in row] for row in sent]
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(sent)
    content = text.getvalue().encode()
    layout = Layout(",", 3, comments=())
    in_small, in_one = (cells_of(content, layout, bytes_) for bytes_ in (size, 1 << 20))
    kept = [tuple(None if cell in NULL_WORDS else cell for cell in row) for row in sent]
    assert [row[:3] for row in in_small if is_filled(row)] == [row for row in kept if is_filled(row)]
    assert list(filter(is_filled, in_small)) == list(filter(is_filled, in_one))


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet='",\n\ra', max_size=24), st.booleans())
def test_quotes_that_are_said_to_be_regular_are(body: str, is_closed: bool) -> None:
    text = f'"{body}"\n' if is_closed else body
    if not _are_all_cells_quoted(b"x,x\n" + text.encode(), Layout(",", 2)):
        return
    at = [place for place, sign in enumerate(text) if sign == '"']
    assert len(at) % 2 == 0
    for opening, closing in zip(at[0::2], at[1::2]):
        assert opening == 0 or text[opening - 1] in ",\n"
        assert text[closing + 1 :].startswith((",", "\n", "\r\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_report_whose_cells_are_all_quoted_is_seen_to_be_so(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "PIECE_BYTES", 5)
    text = end.join(['"a","","b"', '"c","d, e","f"', '"","",""', ""])
    assert _are_all_cells_quoted(b"x,x,x\n" + text.encode(), Layout(",", 3))
    assert not _are_all_cells_quoted(b"x,x,x\n" + text.replace("d, e", 'd"",""e').encode(), Layout(",", 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4), st.booleans(), st.sampled_from(",\t"))
def test_what_is_said_to_be_plain_is(sent: list[list[str]], all_quoted: bool, delimiter: str) -> None:
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator="\n", quoting=quoting, delimiter=delimiter).writerows(sent)
    layout = Layout(delimiter, 2, comments=())
    for table in read_tables(io.BytesIO(text.getvalue().encode()), layout):
        if isinstance(table, Table) and table.is_plain:
            cells = [cell for row in table.frame.drop("position").rows() for cell in row if cell]
            assert all(cell.isascii() and cell.isprintable() for cell in cells)


def test_a_table_of_plain_cells_is_seen_to_be_so() -> None:
    for text, delimiter in (("a,b\nc,d\n", ","), ("a\tb\r\nc\td\r\n", "\t"), ('"a","b"\n"c","d, e"\n', ",")):
        tables = list(read_tables(io.BytesIO(text.encode()), Layout(delimiter, 2, comments=())))
        assert [isinstance(each, Table) and each.is_plain for each in tables] == [True], text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="abc#;., ", max_size=12), max_size=12), st.integers(1, 40))
def test_blocks_do_not_change_rows_of_anything(lines: list[str], size: int) -> None:
    content = "\n".join(lines).encode()
    layout = Layout(",", 3, comments=("#",))
    assert cells_of(content, layout, size) == cells_of(content, layout, 1 << 20)


def test_positions_are_line_numbers_header_and_line_breaks_counted() -> None:
    items = read('value,note\n192.0.2.1,"a\nb"\n\n# remark\n192.0.2.2,c\n')
    assert [(row["position"], row["value"], row["note"]) for row in rows(items)] == [
        (2, "192.0.2.1", "a\nb"),
        (6, "192.0.2.2", "c"),
    ]


def test_everything_unmapped_goes_to_extra_as_json() -> None:
    [row] = rows(read('value,colour,"wei""rd"\n192.0.2.1,"a ""b"" \\ c",é\n'))
    assert json.loads(str(row["extra"])) == {"colour": 'a "b" \\ c', 'wei"rd': "é"}
    first, second = rows(read("value,colour,size\n192.0.2.1,red,\n192.0.2.2,,\n"))
    assert json.loads(str(first["extra"])) == {"colour": "red"}
    assert second["extra"] is None


def test_a_row_too_wide_is_refused_alone_and_trailing_blanks_are_not() -> None:
    items = read("value,note\n192.0.2.1,a\n192.0.2.2,b,c\n192.0.2.3,d,,,\n192.0.2.4\n")
    assert [row["value"] for row in rows(items)] == ["192.0.2.1", "192.0.2.3", "192.0.2.4"]
    assert rejections(items) == [(3, "wrong-width")]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("\ufeffindicator,type\r\nbad.example,domain\r\n", ["bad.example"]),
        ("MD5," + "a" * 32 + "\nHost,bad.example\n", ["a" * 32, "bad.example"]),
        ('# "first_seen", "ioc_value"\n"2026-01-01 00:00:00", "192.0.2.1"\n# END (1) entries\n', ["192.0.2.1"]),
        ("ip;country\n192.0.2.1;FR\n192.0.2.2;DE\n", ["192.0.2.1", "192.0.2.2"]),
        ("c2_ip\tport\n192.0.2.1\t443\n", ["192.0.2.1"]),
        ("bot | 192.0.2.1 | 2026-01-01\nbot | 192.0.2.2 | 2026-01-02\n", ["192.0.2.1", "192.0.2.2"]),
        ("dirección ip,fecha\n192.0.2.1,2026-01-01\n", ["192.0.2.1"]),
        ("Version: 1.3\nAuthor: someone\nsource_ip,source_url\n192.0.2.1,http://bad.example/\n", ["192.0.2.1"]),
        ("value,note\n192.0.2.1,a\nvalue,note\n192.0.2.2,b\n", ["192.0.2.1", "192.0.2.2"]),
    ],
)
def test_shapes_of_partners(text: str, values: list[str]) -> None:
    assert [row["value"] for row in rows(read(text))] == values


def test_type_words_become_kinds_and_descriptions_are_no_indicators() -> None:
    items = read("Indicator_type,Data,Note\n Description,About this,\nsha-256," + "a" * 64 + ",x\nip,192.0.2.1,y\n")
    assert [(row["kind"], row["value"]) for row in rows(items)] == [("sha256", "a" * 64), (None, "192.0.2.1")]
    assert rejections(items) == [(2, "unsupported-record")]


def test_several_values_in_a_row_share_its_position() -> None:
    items = read("md5,sha256,c2\n" + "b" * 32 + "," + "a" * 64 + ",bad.example\n")
    assert {(row["position"], row["value"]) for row in rows(items)} == {
        (2, "bad.example"),
        (2, "b" * 32),
        (2, "a" * 64),
    }


def test_where_an_address_is_missing_the_url_is_the_value() -> None:
    first, second = rows(read("ip,url\n192.0.2.1,http://bad.example/\n,http://worse.example/\n"))
    assert (first["value"], first["url"]) == ("192.0.2.1", "http://bad.example/")
    assert (second["value"], second["url"]) == ("http://worse.example/", None)


def test_no_country_is_no_claim() -> None:
    found = rows(read("ip,country\n192.0.2.1,FR\n192.0.2.2,ZZ\n192.0.2.3,**\n192.0.2.4,RU|US\n192.0.2.5,\n"))
    assert [row["stated_country"] for row in found] == ["FR", None, None, None, None]


def test_paired_types_of_misp_come_apart() -> None:
    items = read("type,value\nip-dst|port,192.0.2.1|443\nfilename|md5,a.exe|" + "b" * 32 + "\nmd5," + "c" * 32 + "\n")
    found = {(row["position"], row["value"], row.get("kind"), row.get("port")) for row in rows(items)}
    assert found == {
        (2, "192.0.2.1", None, "443"),
        (3, "a.exe", "filename", None),
        (3, "b" * 32, "md5", None),
        (4, "c" * 32, "md5", None),
    }


def test_a_map_decides_alone() -> None:
    profile = Profile(
        columns={"value": 2, "type": "what", "role": "what", "tags": 3},
        words={"type": {"bot": "infected-system"}, "role": {"bot": "VICTIM", "*": "UNKNOWN"}},
        lists={"value": "|", "tags": " "},
    )
    first, second, third = rows(read("what,addresses,marks\nbot,192.0.2.1|192.0.2.2,a b\nphish,192.0.2.3,\n", profile))
    assert [row["value"] for row in (first, second, third)] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert (first["type"], first["role"], first["tags"]) == ("infected-system", "VICTIM", "a; b")
    assert (third["type"], third["role"], third["tags"]) == (None, "UNKNOWN", None)


def test_a_map_for_a_missing_column_is_refused_by_name() -> None:
    with pytest.raises(InputError) as caught:
        read("ip,note\n192.0.2.1,x\n", Profile(columns={"value": "adress"}))
    assert (caught.value.reason, caught.value.field) == ("missing-columns", "adress")


def test_a_table_without_values_is_refused() -> None:
    with pytest.raises(InputError, match="missing-columns"):
        read("name,colour\nalpha,red\nbeta,blue\n")


def test_a_quote_that_never_closes_costs_one_row_at_most() -> None:
    lines = ["value,note", '192.0.2.1,"open', *(f"192.0.2.{number},x" for number in range(2, 200))]
    lines += [f"198.51.100.{number % 250},x" for number in range(1, 600)]
    items = read("\n".join(lines) + "\n")
    assert len(rows(items)) == 798


def test_an_empty_file_and_one_of_remarks_only() -> None:
    with pytest.raises(InputError, match="empty-file"):
        read(" \n")
    assert read("# nothing today\n# really\n") == [Heading(stated_count=0)]


@pytest.mark.slow
def test_a_line_of_two_gigabytes_is_one_rejection_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as stream:
        stream.truncate(2 << 30)
    tracemalloc.start()
    items = list(delimited.read(Source("long.csv", path=path), Profile()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rejections(items) == [(1, "line-too-long")]
    assert peak < 200 << 20


def test_the_guess_says_what_it_took_each_column_for() -> None:
    text = "Data hora,Endereço,ip_address,dport,Malware,País,Obs\n13/04/2026 10:00,x,192.0.2.1,443,Emotet,BR,hello\n"
    found = delimited.guess(Sample(text.encode()))
    assert {column.draft: column.name for column in found.columns if column.draft}.items() >= {
        "value": "ip_address",
        "peer_port": "dport",
        "malware": "Malware",
        "stated_country": "País",
    }.items()
    assert found.preview[0]["value"] == "192.0.2.1"
    assert not found.problems
    again = rows(read(text, found.profile))
    assert again[0]["value"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("src_ip,timestamp\n192.0.2.1,2026-01-01\n", 50, 70),
        ("Dear all, please find attached, the report.\nWe saw, as said, nothing.\n", 0, 0),
        ('{"a": 1, "b": 2}\n', 0, 0),
        ("<html><body>a,b</body></html>\n", 0, 0),
    ],
)
def test_recognition(text: str, least: int, most: int) -> None:
    assert least <= delimited.recognise(Sample(text.encode())) <= most


def test_a_cell_of_hosts_and_paths_gives_a_row_for_each_host_once() -> None:
    text = (
        "c2_ip\tfirst_seen\tdomains\n"
        "192.0.2.1\t2026-01-02\tone.example,/a/b,192.0.2.1,/c\n"
        "192.0.2.2\t2026-01-02\ttwo.example,three.example\n"
        "192.0.2.3\t2026-01-02\tNone\n"
    )
    found = [(row["position"], row["value"]) for row in rows(read(text))]
    assert sorted(found) == [
        (2, "192.0.2.1"), (2, "one.example"), (3, "192.0.2.2"), (3, "three.example"),
        (3, "two.example"), (4, "192.0.2.3"),
    ]  # fmt: skip


def test_a_line_of_very_many_cells_is_no_table() -> None:
    text = "bad.example," * 20_000
    assert delimited.recognise(Sample(text.encode(), "x.csv", len(text))) == 0


def test_figures_without_an_indicator_are_no_prose() -> None:
    text = "-1,1,0,1,-1,0\n1,1,0,-1,-1,0\n" * 20
    assert delimited.recognise(Sample(text.encode(), "x.txt", len(text))) == 13
    with pytest.raises(InputError, match="missing-columns"):
        read(text)


def test_a_table_about_actors_is_a_table() -> None:
    rows_of = "".join(f'Group {n},"a, b","https://www.example/{n} | https://www.example/x"\n' for n in range(30))
    text = f"apt_group,aliases,references\n{rows_of}"
    assert delimited.recognise(Sample(text.encode(), "x.csv", len(text))) == 40
    with pytest.raises(InputError, match="missing-columns"):
        read(text)


def test_the_digests_of_one_file_in_one_cell_are_rows() -> None:
    text = f'value,entity_type,description\n"{"a" * 64},{"b" * 40},{"c" * 32}",file,sample\n"{"d" * 64}",file,other\n'
    found = rows(read(text))
    assert [row["value"] for row in found] == ["a" * 64, "b" * 40, "c" * 32, "d" * 64]
    assert {row["kind"] for row in found} == {None}


def day_first(text: str, delimiter: str = ",", end: str = "") -> bool:
    lines = [delimiter.join((f"198.51.100.{number}", text)) for number in range(1, 8)]
    body = "\n".join(
        [delimiter.join(("ip", "seen")), *lines, *([delimiter.join(("198.51.100.9", end))] if end else [])]
    )
    (found,) = {item.day_first for item in read(body + "\n") if isinstance(item, Rows)}
    return found


@pytest.mark.parametrize(
    ("text", "delimiter", "end", "expected"),
    [
        ("03/11/2026 10:00", ",", "21/11/2026 10:00", True),
        ("03/11/2026 10:00", ";", "11/21/2026 10:00", False),
        ("03/11/2026 10:00", ",", "", False),
        ("03/11/2026 10:00", ";", "", True),
        ("2026-11-03 10:00", ";", "", False),
        ("11/21/2026", ";", "", False),
    ],
)
def test_where_the_day_stands_is_read_off_the_whole_table(text: str, delimiter: str, end: str, expected: bool) -> None:
    assert day_first(text, delimiter, end) is expected


def test_the_end_of_a_long_table_tells_where_the_day_stands() -> None:
    early = "".join(
        f"198.51.{number % 200}.{number % 250},0{1 + number % 9}/11/2026 10:00\n" for number in range(20_000)
    )
    assert len(early) > delimited.SAMPLE_BYTES
    for last, expected in (("28/11/2026 10:00", True), ("11/28/2026 10:00", False)):
        items = read(f"ip,seen\n{early}198.51.100.9,{last}\n", block_bytes=1 << 16)
        assert {item.day_first for item in items if isinstance(item, Rows)} == {expected}
