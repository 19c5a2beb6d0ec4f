"""The generated exercise: the same bytes each time, files that their own parsers open, figures as planned."""

from __future__ import annotations

import csv
import gzip
import ipaddress
import json
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path

import docx
import numpy as np
import pytest
import zstandard
from lxml import etree
from pdfminer.high_level import extract_text
from stdnum import bitcoin

from tocsin.core.observations import DRAFT
from tocsin.core.profiles import Profile
from tocsin.core.reasons import REASONS
from tocsin.core.words import EventType, Kind, Role, Tlp
from tocsin.exercise import Delivery, OrganisationClass, Outcome, Plan, generate, read_plan
from tocsin.exercise.places import shipped_places
from tocsin.exercise.sinkhole import COLUMNS
from tocsin.exercise.story import TAKEDOWN_DAY, Story
from tocsin.reference.addresses import COUNTRIES, shipped

UNTIL = date(2026, 11, 22)
OBSERVATIONS = 20_000
NOT_MADE_UP = {"schemas.mandiant.com", "schemas.openxmlformats.org", "schemas.microsoft.com", "purl.org", "www.w3.org"}
NAME = re.compile(r"\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|net|org|info|io|de|fr|ru|br|uk|example)\b", re.I)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exercise")
    generate(path, until=UNTIL, observations=OBSERVATIONS)
    return path


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return read_plan(folder)


@pytest.fixture(scope="module")
def story() -> Story:
    return Story(20260101, datetime(2026, 11, 22, tzinfo=UTC), shipped_places())


def raw(folder: Path, delivery: Delivery) -> bytes:
    """The bytes of a delivery without their compression."""
    content = (folder / delivery.path).read_bytes()
    ending = delivery.name.rsplit(".", 1)[-1]
    opened = {"gz": gzip.decompress, "xz": lzma.decompress, "zst": zstandard.ZstdDecompressor().decompress}
    return opened[ending](content) if ending in opened else content


def opened(folder: Path, delivery: Delivery) -> Iterator[tuple[str, bytes]]:
    """Every file in a delivery that is fit to be opened, archives and attachments taken apart."""
    content = raw(folder, delivery)
    if content[:4] == b"PK\x03\x04" and delivery.expected.reason != "archive-bomb":
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield from ((name, archive.read(name)) for name in archive.namelist())
    else:
        yield delivery.name, content


def sinkhole_rows(folder: Path, plan: Plan, version: int) -> Iterator[tuple[Delivery, list[dict[str, str]]]]:
    for delivery in plan.deliveries:
        if f"event{version}_sinkhole" in delivery.name and delivery.duplicate_of is None:
            yield delivery, list(csv.DictReader(StringIO(raw(folder, delivery).decode())))


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = generate(tmp_path / "first", until=UNTIL, observations=2_000)
    second = generate(tmp_path / "second", until=UNTIL, observations=2_000)
    assert first == second
    other = generate(tmp_path / "other", until=UNTIL, observations=2_000, seed=7)
    drawn = {"shadowserver-csv.gz", "stix-2.1", "misp-event", "delimited-csv.zst", "pdf", "address-list"}
    digests = [{delivery.sha256 for delivery in plan.deliveries if delivery.format in drawn} for plan in (first, other)]
    assert len(digests[0]) > 60
    assert not digests[0] & digests[1]


def test_plan_reads_back_and_matches_the_files(folder: Path, plan: Plan) -> None:
    assert plan == generate(folder, until=UNTIL, observations=OBSERVATIONS)
    for delivery in plan.deliveries:
        content = (folder / delivery.path).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (delivery.size_bytes, delivery.sha256)
    assert {path.name for path in (folder / "deliveries").rglob("*.*")} == {
        Path(delivery.path).name for delivery in plan.deliveries if "." in Path(delivery.path).name
    }


def test_the_cast_and_the_formats_are_as_wide_as_promised(plan: Plan) -> None:
    classes = Counter(organisation.organisation_class for organisation in plan.organisations)
    assert len(plan.organisations) >= 12
    assert set(classes) == set(OrganisationClass)
    assert classes[OrganisationClass.CENTRE] == 1
    assert len(plan.deliveries) >= 60
    assert len({delivery.format for delivery in plan.deliveries}) >= 8
    assert {person.language for person in plan.people} == {"ar", "en", "es", "fr"}
    for organisation in plan.organisations:
        assert "(EXERCISE)" in organisation.name
        assert organisation.contact.endswith(".example")
        assert organisation.tlp in set(Tlp)


def test_moments_lie_inside_the_ninety_days_and_in_order(plan: Plan) -> None:
    moments = [delivery.arrived_at for delivery in plan.deliveries]
    assert moments == sorted(moments)
    assert plan.started_at <= moments[0] < moments[-1] < plan.until_at
    assert [delivery.number for delivery in plan.deliveries] == list(range(1, len(moments) + 1))


def test_profiles_and_reasons_use_the_words_of_the_core(plan: Plan) -> None:
    profiles = {o.key: o.profiles for o in plan.organisations}
    for organisation in plan.organisations:
        for fields in organisation.profiles.values():
            profile = Profile(**fields)
            assert set(profile.columns) | set(profile.defaults) <= set(DRAFT)
            assert profile.defaults.get("kind", "ipv4") in set(Kind)
            assert profile.defaults["role"] in set(Role)
            assert profile.defaults.get("type", "other") in set(EventType)
    for delivery in plan.deliveries:
        expected = delivery.expected
        assert not delivery.profile or delivery.profile in profiles[delivery.organisation]
        assert set(expected.rejections or {}) | ({expected.reason} - {""}) <= set(REASONS)
        assert (expected.outcome == Outcome.QUARANTINED) == bool(expected.reason)
        assert (expected.outcome == Outcome.ACCEPTED_WITH_REJECTIONS) == bool(expected.rejections)


def test_a_delivery_sent_twice_points_to_the_first(plan: Plan) -> None:
    numbers = {delivery.number: delivery for delivery in plan.deliveries}
    digests = Counter(delivery.sha256 for delivery in plan.deliveries)
    again = [delivery for delivery in plan.deliveries if delivery.expected.outcome == Outcome.DUPLICATE]
    assert len(again) == 2
    for delivery in again:
        assert delivery.duplicate_of is not None
        first = numbers[delivery.duplicate_of]
        assert (first.sha256, first.name) == (delivery.sha256, delivery.name)
        assert first.arrived_at < delivery.arrived_at
    assert {d.idempotency_key == numbers[d.duplicate_of or 0].idempotency_key for d in again} == {True, False}
    # Nothing else may be taken for a repeat.
    assert sum(count - 1 for count in digests.values()) == len(again)


def test_sinkhole_counts_are_exact(folder: Path, plan: Plan) -> None:
    total = 0
    for version in (4, 6):
        for delivery, rows in sinkhole_rows(folder, plan, version):
            expected = delivery.expected
            wide = [row for row in rows if None in row]
            private = [row for row in rows if row["src_ip"] in {"10.20.30.40", "192.168.1.77"}]
            wrong = [row for row in rows if row["src_ip"] == "256.1.1.1"]
            future = [row for row in rows if row["timestamp"] > delivery.arrived_at.replace("T", " ")]
            found = {
                "not-public": len(private),
                "not-an-address": len(wrong),
                "time-in-future": len(future),
                "wrong-width": len(wide),
            }
            assert {reason: count for reason, count in found.items() if count} == expected.rejections
            bad = [id(row) for row in private + wrong + future + wide]
            good = Counter(tuple(row.values()) for row in rows if id(row) not in set(bad))
            assert (len(good), good.total() - len(good)) == (expected.rows, expected.repeats)
            assert all(row["public_source"] == "EXERCISE" for row in rows if id(row) not in set(bad))
            total += len(good)
    assert total == OBSERVATIONS


def test_victims_are_in_many_countries_and_the_botnet_rises_and_falls(folder: Path, plan: Plan) -> None:
    tables, countries, by_day = shipped(), Counter[str | None](), []
    for delivery, rows in sinkhole_rows(folder, plan, 4):
        numbers = [int(ipaddress.IPv4Address(row["src_ip"])) for row in rows if row["src_ip"] != "256.1.1.1"]
        located = tables.lookup_v4(np.array(numbers, np.uint32))
        countries.update(COUNTRIES[place] for place in located.geo_country)
        by_day.append(delivery.expected.rows or 0)
    assert len(set(countries) - {None}) >= 150
    peak = by_day.index(max(by_day))
    assert 2 * (peak + 1) in {TAKEDOWN_DAY, TAKEDOWN_DAY + 1}
    assert by_day[5] < by_day[15] < by_day[25] < by_day[peak] > by_day[35] > by_day[42]


def test_some_claims_conflict(folder: Path, plan: Plan) -> None:
    tables, conflicts, settled = shipped(), 0, 0
    for _, rows in sinkhole_rows(folder, plan, 4):
        rows = [row for row in rows if row["src_geo"] and row["src_ip"] != "256.1.1.1"]
        located = tables.lookup_v4(np.array([int(ipaddress.IPv4Address(row["src_ip"])) for row in rows], np.uint32))
        for row, registry, geo in zip(rows, located.registry_country, located.geo_country, strict=True):
            claims = {row["src_geo"], COUNTRIES[registry], COUNTRIES[geo]}
            conflicts += len(claims) == 3
            settled += len(claims) == 2
    assert conflicts >= OBSERVATIONS // 150
    assert settled >= OBSERVATIONS // 150


def test_json_opens(folder: Path, plan: Plan) -> None:
    seen = Counter[str]()
    for delivery in plan.deliveries:
        if delivery.expected.outcome == Outcome.QUARANTINED:
            continue
        for name, content in opened(folder, delivery):
            if delivery.format == "intelmq-jsonl":
                lines = content.decode().splitlines()
                assert [json.loads(line)["comment"] for line in lines[:-1]] == ["EXERCISE"] * (len(lines) - 1)
                seen[delivery.format] += 1
            elif name.endswith((".json", ".json.gz", ".stix2")) and name != "sakura-52.json":
                value = json.loads(content)
                seen[delivery.format] += 1
                if delivery.format.startswith("stix"):
                    ids = [node["id"] for node in value["objects"]]
                    assert len(ids) == len(set(ids)) == delivery.expected.things
                    refs = [node.get("source_ref") for node in value["objects"] if node["type"] == "relationship"]
                    assert refs
                    assert set(refs) <= set(ids)
    assert {"intelmq-jsonl", "n6-json.gz", "stix-2.1", "stix-2.0", "misp-event", "misp-feed.zip", "xarf-4"} <= set(seen)


def test_documents_open_and_hold_their_indicators(folder: Path, plan: Plan, story: Story) -> None:
    by_name = {delivery.name: folder / delivery.path for delivery in plan.deliveries}
    text = extract_text(by_name["grey-heron-takedown.pdf"])
    assert "EXERCISE" in text
    assert story.laundry_wallet in re.sub(r"\s", "", text)
    french = re.sub(r"\s", "", extract_text(by_name["rapport-heron-cendre.pdf"]))
    assert story.samples[12].sha256 in french
    table = docx.Document(str(by_name["relazione-saltmarsh.docx"])).tables[0]
    assert len(table.rows) == 1 + len(story.crew_servers)
    assert "بريد نور" in by_name["مذكرة.txt"].read_bytes().decode("cp1256")
    notes = by_name["README_CINDER.txt"].read_bytes().decode("utf-16"), by_name["README_SALTMARSH.txt"].read_text()
    assert all(story.crew_wallets[0] in note for note in notes)
    same = set(notes[0].split()) & set(notes[1].split())
    assert len(same) > 0.8 * len(set(notes[0].split()))


def test_mail_and_xml_open(folder: Path, plan: Plan) -> None:
    attachments, trees = [], []
    for delivery in plan.deliveries:
        content = (folder / delivery.path).read_bytes()
        if delivery.format == "e-mail":
            message = message_from_bytes(content, policy=default)
            attachments += [part.get_filename() for part in message.iter_attachments()]
        if delivery.format == "openioc-1.0":
            trees.append(etree.fromstring(content).find(".//{*}Indicator").get("operator"))
    assert "paginas.csv" in attachments
    assert "nota_\u202etxt.exe" in attachments
    assert sorted(trees) == ["AND", "OR"]


def test_hostile_files_are_what_they_claim(folder: Path, plan: Plan) -> None:
    hostile = {d.expected.reason: folder / d.path for d in plan.deliveries if d.expected.reason}
    with zipfile.ZipFile(hostile["archive-bomb"]) as archive:
        inner = [zipfile.ZipFile(BytesIO(archive.read(name))) for name in archive.namelist() if name.endswith(".zip")]
    assert sum(entry.file_size for part in inner for entry in part.infolist()) >= 1 << 30
    assert hostile["archive-bomb"].stat().st_size < 1 << 20
    with zipfile.ZipFile(hostile["archive-path"]) as archive:
        assert any(name.startswith("../") for name in archive.namelist())
    assert b"<!ENTITY" in hostile["xml-entities"].read_bytes()
    assert hostile["empty-file"].stat().st_size == 0
    cut = next(folder / delivery.path for delivery in plan.deliveries if delivery.name == "sakura-52.json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.read_bytes())
    assert "unmapped-report-type" in hostile


def test_wallets_have_valid_check_digits(story: Story) -> None:
    wallets = [story.laundry_wallet, *story.crew_wallets, *story.kit_wallets]
    for wallet in wallets:
        assert re.fullmatch(r"0x[0-9a-f]{40}", wallet) or bitcoin.is_valid(wallet), wallet
    assert {wallet[:3] for wallet in wallets} >= {"bc1"}


def test_every_file_is_marked_and_names_only_what_is_made_up(folder: Path, plan: Plan) -> None:
    for delivery in plan.deliveries:
        if delivery.format in {"empty", "zip-bomb"}:
            continue
        contents = list(opened(folder, delivery))
        texts = [
            content.decode("utf-16" if content[:2] == b"\xff\xfe" else "utf-8", "replace") for _, content in contents
        ]
        if delivery.format == "pdf":
            texts = [extract_text(BytesIO(content)) for _, content in contents]
        assert any("EXERCISE" in text for text in texts), delivery.name
        found = {name.lower() for text in texts for name in NAME.findall(text)}
        real = {name for name in found if not name.endswith(".example")} - NOT_MADE_UP
        assert not real, (delivery.name, real)


def test_sinkhole_header_is_complete(folder: Path, plan: Plan) -> None:
    delivery = next(delivery for delivery in plan.deliveries if "event6_sinkhole" in delivery.name)
    header = raw(folder, delivery).decode().splitlines()[0]
    assert next(csv.reader([header])) == COLUMNS


def test_too_few_observations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2000"):
        generate(tmp_path, until=UNTIL, observations=10)
