"""What strangers send on purpose or by accident: each ends accepted, partly accepted or set aside, and says why."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping

import polars as pl
import pytest
from tests.faults.house import bundle, handed_over, rejections_of, rows_of, table, zipped

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery, NameTally
from tocsin.centre.intake.originals import read
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.jobs.models import Job
from tocsin.centre.jobs.worker import Handler
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.core.reasons import REASONS
from tocsin.core.words import Basis

pytestmark = pytest.mark.django_db
Crew = Mapping[str, Handler]
ID = "bundle--00000000-0000-4000-8000-000000000001"
OPENIOC = 'xmlns="http://schemas.mandiant.com/2010/ioc"'
LAUGH = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


def deep(levels: int) -> bytes:
    return f'{{"type":"bundle","id":"{ID}","objects":[{{"x":{"[" * levels}{"]" * levels}}}]}}'.encode()


def tar_of(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


SET_ASIDE: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "empty": ("feed.csv", b"", "empty-file"),
    "empty inside": ("feed.zip", zipped({}), "empty-file"),
    "noise": ("feed.csv", bytes(n * 7_919 >> 3 & 255 for n in range(5_000)), "unknown-format"),
    "deep bundle": ("b.json", deep(60_000), "too-deep"),
    "deep list": ("b.json", b"[" * 200_000, "too-deep"),
    "same key twice": ("b.json", f'{{"type":"bundle","type":"x","id":"{ID}","objects":[]}}'.encode(), "duplicate-key"),
    "no number": ("b.json", b'[{"ip":"8.8.8.8","count":NaN}]', "not-json"),
    "laughs": ("a.ioc", f'<!DOCTYPE ioc [<!ENTITY a0 "x">{LAUGH}]><ioc {OPENIOC}>&a9;</ioc>'.encode(), "xml-entities"),
    "file by entity": (
        "a.ioc", f'<!DOCTYPE i [<!ENTITY x SYSTEM "file:///etc/passwd">]><ioc {OPENIOC}><a>&x;</a></ioc>'.encode(),
        "xml-entities",
    ),
    "cut xml": ("a.ioc", f'<?xml version="1.0"?><ioc {OPENIOC}><desc'.encode(), "truncated"),
    "all outside": ("a.zip", zipped({"../../etc/cron.d/x": b"8.8.8.8\n"}), "archive-path"),
    "tar outside": ("a.tgz", tar_of("/etc/passwd", b"8.8.8.8\n"), "archive-path"),
    "bomb": ("a.zip", lambda: zipped({"a.csv": bytes(200 << 20)}), "archive-bomb"),
    "cut archive": ("a.zip", lambda: zipped({"a.csv": table(3_000)})[:4_000], "archive-damaged"),
    "one endless line": ("report.txt", lambda: b"x" * (64 << 20), "line-too-long"),
}  # fmt: skip


def made(content: bytes | Callable[[], bytes]) -> bytes:
    """What is large is made by the test that sends it, not by all who collect the tests."""
    return content() if callable(content) else content


@pytest.mark.parametrize("case", SET_ASIDE)
def test_set_aside_whole(case: str, handlers: Crew) -> None:
    name, maker, reason = SET_ASIDE[case]
    content = made(maker)
    delivery = handed_over(content, handlers, name)
    assert (delivery.state, delivery.reason) == ("quarantined", reason)
    assert delivery.reason in REASONS
    assert delivery.rows == delivery.objects_count == delivery.batches.count() == 0
    assert read(delivery_path(services.store_folder(), delivery.sha256)) == content
    assert Entry.objects.filter(subject=f"delivery:{delivery.pk}", action="delivery.quarantined").count() == 1


def accepted(delivery: Delivery, rows: int) -> list[tuple[int, str, str]]:
    """Its rejections, once it is certain that it was read and that the good rows are there."""
    assert (delivery.state, delivery.reason) == ("parsed", "")
    assert delivery.rows == rows
    found = rows_of(delivery)
    assert found.height == rows
    rejections = rejections_of(delivery)
    assert len(rejections) == delivery.rejections
    assert {reason for _, reason, _ in rejections} <= set(REASONS)
    return rejections


def test_the_whole_part_of_a_cut_bundle_is_kept(handlers: Crew) -> None:
    delivery = handed_over(bundle(20)[:-4_000], handlers)
    (rejection,) = accepted(delivery, 16)
    assert rejection[1] == "truncated"
    assert rejection[2].startswith("byte ")
    assert delivery.objects_count == 46


def test_a_record_with_one_key_twice_is_refused_alone(handlers: Crew) -> None:
    content = b'[{"ip":"8.8.8.8","ip":"9.9.9.9"},{"ip":"8.8.4.4"}]'
    assert accepted(handed_over(content, handlers), 1) == [(1, "duplicate-key", "ip")]


def test_a_record_that_no_number_can_hold(handlers: Crew) -> None:
    content = b'[{"ip":"8.8.8.8","port":' + b"9" * 5_000 + b'},{"ip":"8.8.4.4","port":80}]'
    assert [reason for _, reason, _ in accepted(handed_over(content, handlers), 1)] == ["not-json"]


@pytest.mark.parametrize(
    "content",
    [
        '[{"ip":"8.8.8.8","note":"é"},{"ip":"8.8.4.4","note":"ö"}]'.encode("utf-16"),
        '[{"ip":"8.8.8.8","note":"é"},{"ip":"8.8.4.4","note":"ö"}]'.encode("latin-1"),
        "ip,note\n8.8.8.8,é\n8.8.4.4,ö\n".encode("cp1252"),
        "ip,note\n8.8.8.8,é\n8.8.4.4,ö\n".encode("utf-8-sig"),
        "ip;note\r\n8.8.8.8;é\r\n8.8.4.4;ö\r\n".encode("utf-16-be"),
    ],
    ids=["json utf-16", "json latin-1", "csv 1252", "csv with mark", "csv utf-16 without mark"],
)
def test_other_encodings_are_read(content: bytes, handlers: Crew) -> None:
    delivery = handed_over(content, handlers)
    assert accepted(delivery, 2) == []
    assert rows_of(delivery)["note"].to_list() == ["é", "ö"]


def test_bytes_of_two_encodings_in_one_file_lose_no_row(handlers: Crew) -> None:
    delivery = handed_over(b"ip,note\n8.8.8.8,caf\xe9\n8.8.4.4,caf\xc3\xa9\n", handlers)
    assert accepted(delivery, 2) == []


def test_control_characters_never_get_into_names_and_texts(handlers: Crew) -> None:
    lines = ["ip,malware,note", "8.8.8.8,evil\u202etxt.exe,a\u202eb", "8.8.4.4,x\u0007y,z\u0000", "\u202e9.9.9.9,x,y"]
    delivery = handed_over("\n".join(lines).encode() + b"\n", handlers)
    assert [position for position, _, _ in accepted(delivery, 2)] == [4]
    found = rows_of(delivery)
    assert found["malware"].to_list() == ["eviltxt.exe", "xy"]
    assert found["note"].to_list() == ["ab", "z"]
    assert found["label"].to_list() == ["eviltxt.exe", "xy"]


def test_the_character_zero_is_stored_by_every_database(handlers: Crew) -> None:
    records = [{"ip": "8.8.8.8", "malware": "evx\0il", "note": "a\0b"}, {"ip": "8.8.4.4", "malware": "x"}]
    delivery = handed_over(json.dumps(records).encode(), handlers)
    assert accepted(delivery, 2) == []
    assert set(NameTally.objects.values_list("malware", flat=True)) == {"evxil", "x"}
    things = handed_over(bundle(2).replace(b"family 1", b"fam\\u0000ily"), handlers)
    assert things.objects_count == 6
    kept = Object.objects.get(delivery=things, name="family")
    assert b"fam\\u0000ily" in body_of(kept).raw


def test_half_a_surrogate_pair_costs_its_object_alone(handlers: Crew) -> None:
    delivery = handed_over(bundle(3, seed=9).replace(b"family 1", b"fam\\ud800ily"), handlers)
    assert len(accepted(delivery, 3)) == 1
    assert delivery.objects_count == 8


def test_half_a_surrogate_pair_is_named_for_what_it_is(handlers: Crew) -> None:
    delivery = handed_over(b'{"seen": "9.9.9.9", "note": "fam\\ud800ily"}', handlers)
    assert (delivery.state, delivery.reason) == ("quarantined", "half-character")
    assert "line 1 column" in delivery.reason_where


def test_json_of_no_known_shape_is_set_aside_like_any_unknown_file(handlers: Crew) -> None:
    delivery = handed_over(b'{"hello": [1, 2, 3], "who": "me"}', handlers)
    assert (delivery.state, delivery.reason, delivery.rejections) == ("quarantined", "unknown-format", 1)
    found = handed_over(b'{"hello": "see evil-heron.com", "who": "me"}', handlers)
    assert (found.state, found.proposals_count) == ("parsed", 1)
    assert [reason for _, reason, _ in accepted(found, 0)] == ["unknown-shape"]


def test_formulas_are_data(handlers: Crew) -> None:
    content = b"ip,note,tags\n8.8.8.8,\"=cmd|' /C calc'!A0\",+1\n8.8.4.4,@SUM(A1),-2\n"
    delivery = handed_over(content, handlers)
    assert accepted(delivery, 2) == []
    assert rows_of(delivery)["note"].to_list() == ["=cmd|' /C calc'!A0", "@SUM(A1)"]


def test_addresses_that_belong_to_nobody(handlers: Crew) -> None:
    given = ["10.0.0.1", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "0.0.0.0", "169.254.1.1", "::1",
             "fe80::1", "172.16.9.9", "100.64.0.1"]  # fmt: skip
    wide = ["0.0.0.0/0", "::/0", "10.0.0.0/4"]
    kept = ["8.8.8.8", "192.0.2.1", "2001:4860:4860::8888", "8.8.8.0/24"]
    content = "\n".join([*kept, *given, *wide]).encode() + b"\n"
    delivery = handed_over(content, handlers)
    refused = accepted(delivery, len(kept))
    assert [reason for _, reason, _ in refused] == ["not-public"] * len(given) + ["not-a-network"] * len(wide)
    example = rows_of(delivery).filter(pl.col("value") == "192.0.2.1").row(0, named=True)
    assert (example["country"], example["country_basis"]) == (None, Basis.NONE.value)


def test_times_that_cannot_be(handlers: Crew) -> None:
    times = {
        "2099-01-01T00:00:00Z": "time-in-future",
        "0000-01-01T00:00:00Z": "time-too-old",
        "0001-01-01T00:00:00Z": "time-too-old",
        "1970-01-01T00:00:00Z": "time-too-old",
        "9999-99-99": "not-a-time",
        "99999999999999999999": "not-a-time",
        "yesterday": "not-a-time",
    }
    lines = ["timestamp,ip", "2026-11-01T00:00:00Z,8.8.8.8"]
    lines += [f"{moment},8.8.{number}.4" for number, moment in enumerate(times)]
    delivery = handed_over("\n".join(lines).encode(), handlers)
    assert [reason for _, reason, _ in accepted(delivery, 1)] == list(times.values())


def test_a_long_cell_costs_its_row_alone(handlers: Crew) -> None:
    content = b"ip,note\n8.8.8.8," + b"y" * (17 << 20) + b"\n8.8.4.4,x\n"
    assert [reason for _, reason, _ in accepted(handed_over(content, handlers), 1)] == ["line-too-long"]


def test_a_quote_that_never_closes_swallows_nothing(handlers: Crew) -> None:
    delivery = handed_over(b'ip,note\n8.8.8.8,"never closed\n8.8.4.4,x\n9.9.9.9,y\n', handlers)
    assert accepted(delivery, 3) == []


def test_the_name_says_nothing(handlers: Crew) -> None:
    named = (("a.json", table(40), 37), ("a.csv", bundle(4), 4), ("a.xml", b"8.8.8.8\n8.8.4.4\n", 2))
    for name, content, rows in named:
        delivery = handed_over(content, handlers, name)
        assert (delivery.state, delivery.rows) == ("parsed", rows), name


def test_good_members_beside_hostile_ones(handlers: Crew) -> None:
    cut = b'{"type":"bundle","objects":['
    members = {"a.csv": table(50), "b.json": bundle(3), "../../x": b"8.8.8.8\n", "c.json": cut}
    delivery = handed_over(zipped(members), handlers, "all.zip")
    reasons = [reason for _, reason, _ in accepted(delivery, 50)]
    assert {"archive-path", "truncated"} <= set(reasons)
    assert delivery.objects_count == 9


def test_nothing_waits_afterwards(handlers: Crew) -> None:
    for name, content, _ in SET_ASIDE.values():
        if isinstance(content, bytes):
            handed_over(content, handlers, name)
    assert not Job.objects.filter(kind=services.READ).exclude(state=Job.State.DONE).exists()
    assert not Delivery.objects.filter(state=Delivery.State.RECEIVED).exists()
