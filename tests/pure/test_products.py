"""Country packages: their forms agree, their standards' own tools accept them, and tampering is named."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import re
import string
import uuid
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from pymisp import MISPEvent
from tests.generated_lake import rows

from tocsin.core.errors import InputError
from tocsin.core.observations import SCHEMA
from tocsin.core.words import EventType, Role, Tlp
from tocsin.credentials import SigningKey
from tocsin.lake.questions.shares import COLUMNS as SHARE_COLUMNS
from tocsin.products import values as figures
from tocsin.products.archive import Made, make_package, readme
from tocsin.products.changes import Changes
from tocsin.products.identifiers import uuid5_text
from tocsin.products.misp_event import write_misp
from tocsin.products.observations import COLUMNS, write_observations
from tocsin.products.order import Centre, Label, Order, Previous
from tocsin.products.packed_rows import ROWS, packed
from tocsin.products.stix_bundle import SCO_NAMESPACE, observable, stix_objects, write_stix
from tocsin.products.text_safety import FORMULA_STARTS, cell, visible
from tocsin.products.values import distinct_values
from tocsin.products.verify import verify
from tocsin.products.words import LANGUAGES, actions_for, catalogue

NOW = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)
KEY = SigningKey("tocsin", bytes(range(32)))
ORDER = Order(
    country="FR",
    number="FR-2026-0001",
    arrived_from=NOW - timedelta(days=7),
    arrived_until=NOW,
    created_at=NOW,
    language="fr",
    label=Label(Tlp.AMBER, ("H1",), "PAP:AMBER", ("PROTECT",), date(2027, 5, 20), date(2027, 11, 20)),
    centre=Centre("Fusion Centre", "7d0e5a8e-0c4e-4a59-9b0e-1f2a3b4c5d6e", NOW - timedelta(days=90)),
    sign=KEY.sign,
    public_pem=KEY.public_pem,
    key_id=KEY.id,
    misp_batches=None,
    values_cap=300,
)


def share(path: Path, count: int = 2_000, seed: int = 7) -> Path:
    """A share of France: its own rows, and hostile hosts abroad that aim at it."""
    table = rows(count, ("FR", "BR"), seed=seed).select(SHARE_COLUMNS)
    kept = table.filter((pl.col("country") == "FR") | ~pl.col("role").is_in(["VICTIM", "UNKNOWN"]))
    kept.sort("kind", "value", "batch", "position").write_parquet(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("package")
    return make_package(share(folder / "share.parquet"), ORDER, folder / "out")


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(source: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    files: dict[str, bytes | None] = {**contents(source), **change}
    with zipfile.ZipFile(target, "w") as archive:
        for name, body in files.items():
            if body is not None:
                archive.writestr(name, body)
    return target


# The forms agree.

TEXT = st.one_of(
    st.none(),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["=1+1", "-2", "@x", "\tx", '"', 'a","b', "a\nb", "a\r\nb", "\u202eabc", "\\u202e", "", "\x85", "é"]
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "position": st.integers(1, 99),
                "value": st.text(alphabet=string.printable, min_size=1, max_size=8),
                "note": TEXT,
                "tags": TEXT,
                "confidence": st.one_of(st.none(), st.integers(0, 100)),
                "first_at": st.one_of(st.none(), st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))),
            }
        ),
        max_size=8,
    )
)
def test_csv_json_and_parquet_hold_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    columns = ("position", "value", "note", "tags", "confidence", "first_at")
    data = {name: [row[name] for row in drawn] for name in columns}
    table = pl.DataFrame(
        {
            name: pl.Series(data[name], dtype=pl.Datetime("us") if name == "first_at" else SCHEMA[name], strict=False)
            for name in columns
        }
    ).with_columns(pl.col("first_at").dt.replace_time_zone("UTC"))
    table.select(
        (pl.col(name) if name in columns else pl.lit(None, dtype=SCHEMA[name])).alias(name) for name in SHARE_COLUMNS
    ).write_parquet(folder / "share.parquet")
    paths = [folder / name for name in ("o.csv.gz", "o.jsonl.gz", "o.parquet")]
    assert write_observations(folder / "share.parquet", *paths) == len(drawn)
    exact = pl.read_parquet(paths[2]).to_dicts() if drawn else []
    lines = [json.loads(line) for line in gzip.decompress(paths[1].read_bytes()).split(b"\n") if line]
    assert lines == [{name: moment(value) for name, value in row.items() if value is not None} for row in exact]
    text = gzip.decompress(paths[0].read_bytes()).decode()
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    assert cells == [{name: as_cell(row[name]) for name in COLUMNS} for row in exact]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def moment(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.strftime("%Y-%m-%dT%H:%M:%S") + (f".{value.microsecond:06d}" if value.microsecond else "") + "Z"


def as_cell(value: Any) -> str:
    if value is None:
        return ""
    return cell(value) if isinstance(value, str) else str(moment(value))


@given(st.text())
def test_a_cell_never_starts_a_formula_nor_hides_a_sign(text: str) -> None:
    shown = cell(text)
    assert not shown.startswith(FORMULA_STARTS)
    assert visible(shown) == shown
    if text.startswith(FORMULA_STARTS):
        assert shown.startswith("'")


def test_no_internal_column_leaves(made: Made) -> None:
    header = gzip.decompress(contents(made.path)["observations.csv.gz"]).split(b"\n")[0].decode().split(",")
    assert header == list(COLUMNS)
    assert not {"batch", "ipv4", "ipv6", "peer_ipv4"} & set(header)


# Standards.


def test_stix_is_accepted_by_its_own_tools(tmp_path: Path) -> None:
    values = distinct_values(share(tmp_path / "share.parquet"), 60)
    write_stix(tmp_path / "stix.json", values, ORDER)
    text = (tmp_path / "stix.json").read_text()
    from stix2validator import ValidationOptions, print_results, validate_string  # Seconds, for grammars.

    result = validate_string(text, ValidationOptions(version="2.1", disabled=["relationship-types", "extensions-use"]))
    if not result.is_valid:
        print_results(result)
    assert result.is_valid
    bundle = stix2.parse(text, allow_custom=True)
    assert len({each["id"] for each in bundle["objects"]}) == len(bundle["objects"])
    present = {each["id"] for each in bundle["objects"]}
    for each in bundle["objects"]:
        for name in ("created_by_ref", "source_ref", "target_ref", "sighting_of_ref"):
            assert each.get(name) is None or each[name] in present
        for name in ("object_refs", "object_marking_refs", "observed_data_refs", "where_sighted_refs"):
            assert set(each.get(name) or ()) <= present


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ipv4", "192.0.2.1"),
        ("ipv6", "2001:db8::1"),
        ("network", "198.51.100.0/24"),
        ("domain", "a.example"),
        ("url", "https://a.example/x?y=1"),
        ("email", "a@b.example"),
        ("mac", "02:00:5e:10:00:00"),
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("filename", "it's.exe"),
        ("mutex", "Global\\x"),
    ],
)
def test_observables_have_the_identifiers_of_the_standard(kind: str, value: str) -> None:
    made = observable(kind, value)
    assert made is not None
    pattern, name, text = made
    body = json.loads(text)
    assert body.pop("id") == name == stix2.parse(body, version="2.1")["id"]
    stix2.Indicator(pattern=pattern, pattern_type="stix", valid_from=NOW)


def test_stix_shows_victims_of_its_own_country_only(tmp_path: Path) -> None:
    values = distinct_values(share(tmp_path / "share.parquet"), 500)
    abroad = dataclasses.replace(ORDER, country="BR")
    kinds = [each["type"] for each in map(json.loads, stix_objects(values, abroad))]
    assert "sighting" not in kinds
    home = [each["type"] for each in map(json.loads, stix_objects(values, ORDER))]
    assert "sighting" in home
    assert "indicator" in home


def test_bundle_says_what_it_leaves_out(tmp_path: Path) -> None:
    values = distinct_values(share(tmp_path / "share.parquet"), 10)
    assert len(values.shown) == 10
    note = json.loads(list(stix_objects(values, ORDER))[-1])
    assert note["type"] == "note"
    assert str(values.left_out) in note["content"]


def test_returning_values_keep_their_identifier_and_creation(tmp_path: Path) -> None:
    values = distinct_values(share(tmp_path / "share.parquet"), 50)
    later = dataclasses.replace(ORDER, number="FR-2026-0002", created_at=NOW + timedelta(days=7))
    first = {each["id"]: each for each in map(json.loads, stix_objects(values, ORDER))}
    second = {each["id"]: each for each in map(json.loads, stix_objects(values, later))}
    shared = [each for each in first if each.startswith("indicator--")]
    assert shared
    for name in shared:
        assert first[name]["created"] == second[name]["created"]
        assert first[name]["modified"] < second[name]["modified"]


def test_misp_event_loads_in_pymisp(tmp_path: Path) -> None:
    values = distinct_values(share(tmp_path / "share.parquet"), 200)
    event = MISPEvent()
    written = write_misp(tmp_path / "misp.json", values, ORDER)
    event.load((tmp_path / "misp.json").read_bytes())
    assert len(event.attributes) == written == 200
    assert {tag.name for tag in event.tags} >= {"tlp:amber", "PAP:AMBER"}
    assert event.distribution == 0
    for attribute in event.attributes:
        if attribute.to_ids:
            assert attribute.comment.startswith("ATTACKER_INFRA")


def test_values_with_signs_of_json_stay_what_they_are(tmp_path: Path) -> None:
    lure = """a"b\\c'd\u2028\x01.exe"""
    table = rows(4, ("FR",)).select(SHARE_COLUMNS)
    table = table.with_columns(kind=pl.lit("filename"), value=pl.lit(lure), role=pl.lit("ATTACKER_INFRA"))
    table = table.with_columns(malware=pl.lit(lure), type=pl.lit("c2-server"), network=pl.lit(lure))
    table.write_parquet(tmp_path / "share.parquet")
    values = distinct_values(tmp_path / "share.parquet", 10)
    write_stix(tmp_path / "stix.json", values, ORDER)
    objects = {each["type"]: each for each in json.loads((tmp_path / "stix.json").read_bytes())["objects"]}
    assert objects["file"]["name"] == objects["indicator"]["name"] == objects["malware"]["name"] == lure
    assert stix2.parse(objects["indicator"]).pattern.startswith("[file:name = 'a")
    write_misp(tmp_path / "misp.json", values, ORDER)
    (attribute,) = json.loads((tmp_path / "misp.json").read_bytes())["Event"]["Attribute"]
    assert attribute["value"] == lure
    assert {"name": f'tocsin:malware="{lure}"'} in attribute["Tag"]


def test_misp_takes_only_the_batches_that_may_go_there(tmp_path: Path) -> None:
    path = share(tmp_path / "share.parquet")
    allowed = frozenset({1, 2})
    values = distinct_values(path, 10_000, allowed)
    expected = pl.read_parquet(path).filter(pl.col("batch").is_in([1, 2]))
    assert sum(value["rows"] for value in values.shown) == expected.height
    assert distinct_values(path, 10, frozenset()).shown == ()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_identifiers_are_those_of_the_standard_library(name: str) -> None:
    assert uuid5_text(SCO_NAMESPACE.bytes, name) == str(uuid.uuid5(SCO_NAMESPACE, name))


# Figures.


def test_difference_counts_new_gone_and_continuing(tmp_path: Path) -> None:
    now, before = share(tmp_path / "now.parquet", seed=1), share(tmp_path / "before.parquet", seed=2)
    changes = Changes(before.open("rb"), 5)
    figures.gathered([pl.read_parquet(now)], "FR", 5, changes=changes).summary()
    found = changes.told()

    def keys(path: Path) -> set[tuple[str, ...]]:
        return set(pl.read_parquet(path, columns=["kind", "value", "role"]).rows())

    assert found["counts"] == {
        "new": len(keys(now) - keys(before)),
        "gone": len(keys(before) - keys(now)),
        "continuing": len(keys(now) & keys(before)),
    }
    assert len(found["new"]["values"]) == 5  # type: ignore[index]


# The archive.


def test_package_is_whole_and_the_same_each_time(made: Made, tmp_path: Path) -> None:
    verdict = verify(made.path, KEY.public_pem)
    assert verdict.is_valid
    assert verdict.is_trusted
    again = make_package(share(tmp_path / "share.parquet"), ORDER, tmp_path / "out")
    assert again.sha256 == made.sha256
    assert not [path for path in (tmp_path / "out").iterdir() if path != again.path]


def test_next_package_names_the_one_before(made: Made, tmp_path: Path) -> None:
    order = dataclasses.replace(
        ORDER, number="FR-2026-0002", previous=Previous(partial(made.path.open, "rb"), made.number, made.sha256)
    )
    second = make_package(share(tmp_path / "share.parquet"), order, tmp_path)
    manifest = verify(second.path).manifest
    assert manifest["previous"] == {"number": "FR-2026-0001", "sha256": made.sha256}
    assert manifest["counts"]["values_new"] == 0
    assert manifest["counts"]["values_continuing"] == manifest["counts"]["values"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_readme_says_where_a_spreadsheet_would_leave_rows_out(language: str) -> None:
    order = dataclasses.replace(ORDER, language=language)
    assert len(readme(order, 1_048_576).split("\n\n")) == len(readme(order, 1_048_575).split("\n\n")) + 1


@given(st.data())
def test_rows_are_read_where_they_lie_in_the_archive(made: Made, data: st.DataObject) -> None:
    whole = contents(made.path)[ROWS]
    with made.path.open("rb") as held:
        rows = packed(held)
        assert rows is not None
        for _ in range(3):
            start = data.draw(st.integers(0, len(whole) + 10))
            size = data.draw(st.integers(0, len(whole)))
            rows.seek(start)
            assert rows.read(size) == whole[start : start + size]
        assert rows.seek(-7, io.SEEK_END) == len(whole) - 7
        assert rows.read() == whole[-7:]


def test_what_is_no_archive_has_no_rows(tmp_path: Path) -> None:
    assert packed(io.BytesIO(b"")) is None
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("README.txt", "x")
    assert packed(io.BytesIO((tmp_path / "x.zip").read_bytes())) is None


def test_empty_share_makes_a_package(tmp_path: Path) -> None:
    pl.DataFrame(schema={name: SCHEMA[name] for name in SHARE_COLUMNS}).write_parquet(tmp_path / "share.parquet")
    empty = make_package(tmp_path / "share.parquet", ORDER, tmp_path / "out")
    assert empty.rows == 0
    assert verify(empty.path).is_valid
    assert pl.read_parquet(io.BytesIO(contents(empty.path)["observations.parquet"])).columns == list(COLUMNS)


@pytest.mark.parametrize("name", ["observations.csv.gz", "stix.json", "report.pdf", "README.txt", "public-key.pem"])
def test_a_changed_file_is_named(made: Made, tmp_path: Path, name: str) -> None:
    body = contents(made.path)[name]
    path = repacked(made.path, tmp_path / "x.zip", {name: body[:-1] + bytes([body[-1] ^ 1])})
    verdict = verify(path, KEY.public_pem)
    assert verdict.changed == (name,)
    assert not verdict.is_valid


def test_missing_and_added_files_are_named(made: Made, tmp_path: Path) -> None:
    verdict = verify(repacked(made.path, tmp_path / "x.zip", {"misp.json": None, "extra.exe": b"MZ"}))
    assert (verdict.missing, verdict.added) == (("misp.json",), ("extra.exe",))
    assert not verdict.is_valid


def test_a_forged_manifest_or_another_key_is_no_signature(made: Made, tmp_path: Path) -> None:
    manifest = contents(made.path)["manifest.json"].replace(b'"FR"', b'"BR"', 1)
    assert not verify(repacked(made.path, tmp_path / "x.zip", {"manifest.json": manifest})).is_signed
    stranger = SigningKey("stranger", bytes(32))
    assert not verify(made.path, stranger.public_pem).is_valid
    resigned = repacked(
        made.path,
        tmp_path / "y.zip",
        {"manifest.sig": stranger.sign(contents(made.path)["manifest.json"])},
    )
    assert not verify(resigned).is_valid


@pytest.mark.parametrize(
    ("name", "reason"),
    [("../evil", "archive-path"), ("/etc/x", "archive-path"), ("a\\b", "archive-path"), ("c:x", "archive-path")],
)
def test_paths_that_lead_outside_are_refused(made: Made, tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        verify(repacked(made.path, tmp_path / "x.zip", {name: b"x"}))
    assert caught.value.reason == reason


def test_bombs_and_damage_are_refused(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("manifest.json", b"0" * (30 << 20))
    with pytest.raises(InputError, match="archive-bomb"):
        verify(tmp_path / "bomb.zip")
    (tmp_path / "cut.zip").write_bytes(made.path.read_bytes()[: made.size_bytes // 2])
    with pytest.raises(InputError, match="archive-damaged"):
        verify(tmp_path / "cut.zip")
    with pytest.raises(InputError, match="missing-field"):
        verify(repacked(made.path, tmp_path / "none.zip", {"manifest.json": None}))


# Texts.


def test_every_text_is_there_in_all_languages() -> None:
    for name, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), name
        fields = {language: set(re.findall(r"{(\w+)}", text)) for language, text in texts.items()}
        assert all(found == fields["en"] for found in fields.values()), name
        assert re.search(r"[\u0600-\u06ff]|^[A-Z0-9:]+$", texts["ar"]), name
    for word in (*Role, *(f"type-{event.value}" for event in EventType)):
        assert word in catalogue()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_type_has_an_action(language: str) -> None:
    for event in EventType:
        (action,) = actions_for({event.value: 1}, language)
        assert all((action.title, action.owner, action.basis, action.text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_is_one_safe_file_in_the_country_language(tmp_path: Path, language: str) -> None:
    table = pl.read_parquet(share(tmp_path / "a.parquet", 200)).with_columns(
        malware=pl.lit("<script>alert(1)</script>\u202e"), kind=pl.lit("url"), value=pl.lit("https://x.example/<b>")
    )
    table.write_parquet(tmp_path / "share.parquet")
    made = make_package(tmp_path / "share.parquet", dataclasses.replace(ORDER, language=language), tmp_path / "out")
    files = contents(made.path)
    for name in ("cover.html", "report.html"):
        page = files[name].decode()
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
        assert "<script" not in page
        assert "\u202e" not in page
        assert not re.search(r"""(src|href)\s*=|url\(""", page)
        assert "TLP:AMBER" in page
    assert "&lt;script&gt;" in files["report.html"].decode()
    assert files["report.pdf"].startswith(b"%PDF-")
    assert catalogue()["package"][language] in files["README.txt"].decode()
