"""Shadowserver reports: every type of the table is sound, and roles follow the report type."""

from __future__ import annotations

import json

import pytest

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Heading, Rows, Sample, Source
from tocsin.core.words import EventType, Offence, Role, Severity
from tocsin.formats import shadowserver
from tocsin.formats.shadowserver import report_type, reports

SINKHOLE = (
    '"timestamp","protocol","src_ip","src_port","src_asn","src_geo","src_region","src_hostname","dst_ip","dst_port",'
    '"dst_asn","dst_geo","tag","infection","family","http_url"\n'
    '"2026-01-01 00:00:00","tcp","192.0.2.1",17409,64496,"PE","LIMA",,"198.51.100.1",80,64511,"DE",,'
    '"avalanche-andromeda","andromeda","GET / HTTP/1.1"\n'
)


def read(text: str, name: str) -> list[dict[str, object]]:
    items = list(shadowserver.read(Source(name, content=text.encode()), Profile()))
    assert isinstance(items[0], Heading)
    return [row for item in items if isinstance(item, Rows) for row in item.frame.to_dicts()]


def test_every_entry_uses_known_words_and_no_name_means_two_things() -> None:
    names = [word for report in reports().values() for word in (report.name, *report.aliases)]
    assert len(names) == len(set(names))
    assert len(reports()) >= 110
    for report in reports().values():
        assert report.role in set(Role), report.name
        assert report.peer_role in set(Role), report.name
        assert report.type in set(EventType), report.name
        assert report.severity in set(Severity), report.name
        assert not report.offence or report.offence in set(Offence), report.name


@pytest.mark.parametrize("name", ["2026-01-01-event4_sinkhole-country.csv", "event6_sinkhole.csv"])
def test_in_a_sinkhole_the_source_is_the_victim(name: str) -> None:
    assert shadowserver.recognise(Sample(SINKHOLE.encode(), name)) > 90
    [row] = read(SINKHOLE, name)
    assert (row["value"], row["role"], row["peer"], row["peer_role"]) == (
        "192.0.2.1",
        "VICTIM",
        "198.51.100.1",
        "SINKHOLE",
    )
    assert (row["malware"], row["type"], row["stated_country"], row["peer_country"]) == (
        "andromeda",
        "infected-system",
        "PE",
        "DE",
    )
    # A request line is no web address: it stays beside the row.
    assert json.loads(str(row["extra"]))["http_url"] == "GET / HTTP/1.1"
    assert "url" not in row


def test_the_target_of_a_flood_is_the_value() -> None:
    text = (
        "timestamp,protocol,dst_ip,dst_port,dst_asn,dst_geo,dst_region,src_ip,src_port,src_asn,src_geo,tag\n"
        "2026-01-01 00:00:00,tcp,192.0.2.5,80,64496,FR,IDF,198.51.100.5,6667,64511,NL,mirai\n"
    )
    [row] = read(text, "event4_honeypot_ddos_target.csv")
    assert (row["value"], row["role"], row["peer"], row["peer_role"]) == (
        "192.0.2.5",
        "VICTIM",
        "198.51.100.5",
        "ATTACKER_INFRA",
    )


@pytest.mark.parametrize(
    ("name", "headings", "expected"),
    [
        ("2026-01-01-scan_smb-fr.csv", (), "scan_smb"),
        ("2026-01-01-scan6_rdp-fr.csv", (), "scan_rdp"),
        ("compromised_iot6.csv", (), "compromised_iot"),
        ("event4_sinkhole_http_referer.csv", (), "event_sinkhole_http_referer"),
        ("report.csv", ("timestamp", "ip", "smb_implant"), "scan_smb"),
        ("report.csv", ("timestamp", "ip"), None),
        ("2026-01-01-scan_brandnew-fr.csv", ("smb_implant",), None),
    ],
)
def test_the_type_by_name_else_by_columns(name: str, headings: tuple[str, ...], expected: str | None) -> None:
    found = report_type(name, headings)
    assert (found.name if found else None) == expected


def test_an_unmapped_type_is_set_aside_and_not_guessed() -> None:
    text = "timestamp,ip,asn,geo,region\n2026-01-01 00:00:00,192.0.2.1,64496,FR,IDF\n"
    assert shadowserver.recognise(Sample(text.encode())) > 90
    with pytest.raises(InputError, match="unmapped-report-type"):
        read(text, "2026-01-01-scan_brandnew-fr.csv")
