"""Formats of events and alerts: golden cases, laws, agreement with PyMISP, and the real deliveries."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymisp import MISPEvent
from tests.golden_outline import cases, outline, read_case

from tocsin.core.errors import InputError
from tocsin.core.observations import DRAFT
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Rejection, Rows, Sample, Source, Thing
from tocsin.core.reasons import REASONS
from tocsin.core.roles import ROLES_OF_TYPE, SYNONYMS, event_type, peer_role, source_role
from tocsin.core.words import EventType, Kind, Role
from tocsin.formats import (
    _misp,
    goaml,
    idea,
    idmef,
    intelmq,
    json_records,
    misp,
    misp_feed,
    misp_reference,
    n6,
    tagpack,
    xarf,
)

MODULES = (goaml, idea, idmef, intelmq, json_records, misp, misp_feed, misp_reference, n6, tagpack, xarf)
READERS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in MODULES}
CASES = cases(*READERS)


def sample(data: bytes) -> Sample:
    return Sample(data[: 256 << 10], "delivery", len(data))


def surest(data: bytes) -> str:
    score, name = max((item.recognise(sample(data)), name) for name, item in READERS.items())
    return name if score else ""


@pytest.mark.parametrize(("name", "file"), CASES, ids=lambda part: getattr(part, "parent", Path(str(part))).name)
def test_reads_as_expected(name: str, file: Path) -> None:
    expected = json.loads(file.with_name("expected.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(read_case(file, READERS[name]))) == expected


@pytest.mark.parametrize(("name", "file"), CASES, ids=lambda part: getattr(part, "parent", Path(str(part))).name)
def test_each_case_is_recognised_by_its_content_alone(name: str, file: Path) -> None:
    mapped = file.with_name("profile.json").exists()
    assert mapped or surest(file.read_bytes()) == name


@pytest.mark.parametrize("name", READERS)
def test_every_format_has_a_good_a_partly_wrong_and_a_hostile_case(name: str) -> None:
    kinds = {file.parent.name.partition("-")[0] for case, file in CASES if case == name}
    assert "hostile" in kinds
    assert kinds - {"hostile"}


@pytest.mark.parametrize(("name", "file"), CASES, ids=lambda part: getattr(part, "parent", Path(str(part))).name)
def test_rows_and_rejections_use_the_words_of_the_contract(name: str, file: Path) -> None:
    error = read_case(file, READERS[name])["error"]
    with contextlib.suppress(InputError):
        for item in READERS[name].read(Source("x", content=file.read_bytes()), Profile()):
            if isinstance(item, Rejection):
                assert item.reason in REASONS
            if isinstance(item, Rows):
                assert set(item.frame.columns) <= set(DRAFT)
                assert set(item.frame["kind"].drop_nulls()) <= {kind.value for kind in Kind}
                for column, words in (("role", Role), ("peer_role", Role), ("type", EventType)):
                    if column in item.frame.columns:
                        assert set(item.frame[column].drop_nulls()) <= {word.value for word in words}
            if isinstance(item, Thing):
                assert item.raw in file.read_bytes()
    assert not error or any(reason in str(error) for reason in REASONS)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1, 2, 3]",
        b'{"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": []}',
        b'{"document": {"category": "csaf_base"}, "vulnerabilities": []}',
        b"\x00\x01\x02",
        b"<html></html>",
    ],
)
def test_other_formats_are_not_claimed(name: str, data: bytes) -> None:
    assert READERS[name].recognise(sample(data)) == 0


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["192.0.2.1", "domain", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Event", "Attribute", "Object", "Tag", "name", "type", "value", "info", "uuid", "deleted"),
                    *("source.ip", "classification.type", "Category", "Source", "IP4", "Format", "category", "address"),
                    *("ip", "url", "Report", "Source", "source_identifier", "reporter", "values", "list", "response"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("idmef", "goaml")])
@settings(max_examples=60, deadline=None)
@given(tree=GARBAGE)
def test_no_json_makes_a_reader_fail(name: str, tree: object) -> None:
    """Whatever the shape, the outcome is rows, things, rejections or an InputError, never another exception."""
    found = outline(READERS[name].read(Source("x", content=json.dumps(tree).encode()), Profile()))
    assert found["rows"] or found["others"] or found["error"] or tree in ([], {}) or isinstance(tree, list | dict)


ATTRIBUTES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted([*_misp.KINDS, *_misp.PAIRS, *_misp.SILENT])),
        "value": st.sampled_from(["192.0.2.1", "a.example|192.0.2.2", "x|y", "7"]),
        "category": st.sampled_from(["Network activity", "Payload delivery", "Targeting data", "Other"]),
        "to_ids": st.sampled_from([True, False, "1", "0", 1]),
        "deleted": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ATTRIBUTES, max_size=8), st.booleans())
def test_every_attribute_counts_once(attributes: list[dict[str, object]], wrapped: bool) -> None:
    """Living attributes of look-up types give rows at their own position, deleted ones a revoked thing each."""
    event = {"uuid": "e", "info": "x", "date": "2026-01-01", "Attribute": attributes}
    data = json.dumps({"response": [{"Event": event}]} if wrapped else {"Event": event}).encode()
    positions: set[int] = set()
    revoked = 0
    for item in misp.FORMAT.read(Source("x", content=data), Profile()):
        if isinstance(item, Rows):
            positions |= set(item.frame["position"])
        if isinstance(item, Thing):
            revoked += item.revoked
    living = {
        place
        for place, attribute in enumerate(attributes, start=1)
        if not attribute["deleted"] and attribute["type"] not in _misp.SILENT
    }
    assert positions == living
    assert revoked == sum(bool(attribute["deleted"]) for attribute in attributes)


def test_every_type_of_event_has_its_roles() -> None:
    assert set(ROLES_OF_TYPE) == set(EventType)
    assert all(event_type(word) is meant for word, meant in SYNONYMS.items())


@pytest.mark.parametrize(
    ("word", "source", "peer"),
    [
        ("infected-system", Role.VICTIM, Role.UNKNOWN),
        ("botnet drone", Role.VICTIM, Role.UNKNOWN),
        ("c2-server", Role.ATTACKER_INFRA, Role.UNKNOWN),
        ("phishing", Role.ATTACKER_INFRA, Role.VICTIM),
        ("Brute_Force", Role.ATTACKER_INFRA, Role.VICTIM),
        ("no such type", Role.UNKNOWN, Role.UNKNOWN),
        (None, Role.UNKNOWN, Role.UNKNOWN),
    ],
)
def test_roles_of_both_sides(word: str | None, source: Role, peer: Role) -> None:
    assert (source_role(word), peer_role(word)) == (source, peer)


def test_what_holds_a_narrow_part_is_as_narrow_itself() -> None:
    part = {"type": "domain", "value": "a.example", "category": "Other", "Tag": [{"name": "tlp:red"}]}
    wide = {"type": "domain", "value": "b.example", "category": "Other", "Tag": [{"name": "tlp:green"}]}
    event = {"uuid": "e", "info": "x", "Tag": [{"name": "tlp:amber"}], "Attribute": [part, wide]}
    items = list(misp.FORMAT.read(Source("x", content=json.dumps({"Event": event}).encode()), Profile()))
    assert [item.marking for item in items if isinstance(item, Thing)] == ["TLP:RED"]
    assert {item.marking for item in items if isinstance(item, Rows)} == {"TLP:RED", "TLP:AMBER"}


def test_a_mark_of_the_event_never_widens_an_attributes_own() -> None:
    assert _misp.meanings(("tlp:green", "tlp:red", "tlp:clear")).marking == "TLP:RED"
    assert _misp.meanings(("tlp:amber+strict",)).marking == "TLP:AMBER+STRICT"
    assert _misp.meanings(("tlp:ex:chr",)).unknown_marking == "tlp:ex:chr"


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def content_of(path: Path) -> bytes:
    import gzip

    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def counted(data: bytes) -> tuple[int, int]:
    """(events, attributes) as the MISP reader counts them."""
    reading = misp._Reading(Profile())
    events = 0
    for record in misp._records.records(Source("x", content=data), ("response", "Event")):
        assert isinstance(record, tuple)
        events += sum(isinstance(item, Thing) and item.type == "event" for item in reading.record(record[1], 1))
    return events, reading.attributes


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "events", "attributes"),
    [
        ("eset", 57, 4194),
        ("infoblox", 24, 1928),
        ("tweetfeed-feed", 14, 4206),
        ("redblue-crowdsec-feed", 3, 864),
        ("yeti", 1, 92),
        ("core-tests", 1, 38),
    ],
)
def test_misp_sets_hold_what_their_manifest_says(shared_data: Path, folder: str, events: int, attributes: int) -> None:
    found = [0, 0]
    for path in files(shared_data / "misp" / folder, "*.json*"):
        data = content_of(path)
        if misp.FORMAT.recognise(sample(data)) and "malicious_pypi" not in path.name:
            counts = counted(data)
            found = [found[0] + counts[0], found[1] + counts[1]]
    assert found == [events, attributes]


@pytest.mark.shared
def test_attributes_agree_with_pymisp(shared_data: Path) -> None:
    compared = 0
    for path in files(shared_data / "misp" / "pymisp-tests" / "reportlab_testfiles", "*.json"):
        event = MISPEvent()
        event.load_file(str(path))
        theirs = len(event.attributes) + sum(len(thing.attributes) for thing in event.objects)
        assert counted(path.read_bytes())[1] == theirs, path.name
        compared += theirs
    assert compared > 500


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "rows"),
    [
        ("alerts/kev", 1404),
        ("crypto/ofac", 654),
        ("csv/kaspersky-tinycheck", 3397 + 1531),
        ("logs/rita-json", 216),
        ("prose-fr/cert-fr-alert-index", 492),
        ("idmef-idea", 64),
    ],
)
def test_rows_of_the_real_deliveries(shared_data: Path, folder: str, rows: int) -> None:
    found = 0
    for path in files(shared_data / folder, "*"):
        data = content_of(path)
        name = surest(data)
        if not name:
            continue
        for item in READERS[name].read(Source(path.name, content=data), Profile()):
            found += item.frame.height if isinstance(item, Rows) else 0
    assert found == rows


def outcomes(name: str, data: bytes) -> int:
    """How many items a reader yields, and one more when it ends with an InputError."""
    count = 0
    try:
        for _ in READERS[name].read(Source("x", content=data), Profile()):
            count += 1
    except InputError:
        count += 1
    return count


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(
    "folder",
    [
        "misp",
        "abuse-reports",
        "idmef-idea",
        "crypto",
        "alerts",
        "labelled/phishing-urls-pdd",
    ],
)
def test_every_real_delivery_ends_well(shared_data: Path, folder: str) -> None:
    read = 0
    for path in files(shared_data / folder, "*"):
        data = content_of(path)
        if len(data) > 3_000_000:
            continue
        name = surest(data)
        if name:
            read += 1
            assert outcomes(name, data), path
    assert read
