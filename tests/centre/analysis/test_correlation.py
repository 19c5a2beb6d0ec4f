"""Values that several handed over: what somebody may not see makes no value shared, and the search is an act."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from tests import builders
from tests.crew import work
from tests.faults.house import receive

from tocsin.centre.analysis.correlation import correlate
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.cli.lake import lake as command
from tocsin.handling import Viewer

pytestmark = pytest.mark.django_db
CENTRE = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)


@pytest.fixture(autouse=True)
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two organisations know of one address; one of them hands it over twice."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))
    head = "timestamp,ip,malware\n"

    def lines(*ips: str) -> bytes:
        return (head + "".join(f"2026-11-01T10:00:00Z,{ip},Emotet\n" for ip in ips)).encode()

    kestrel, heron = builders.organisation("kestrel"), builders.organisation("heron")
    receive(lines("198.51.100.7", "198.51.100.8"), "a.csv", source=kestrel)
    receive(lines("198.51.100.7", "198.51.100.8", "198.51.100.9"), "b.csv", source=kestrel)
    receive(lines("198.51.100.7"), "c.csv", source=heron)
    work()


def test_organisations_and_deliveries_are_told_by_name() -> None:
    by_organisation = correlate(CENTRE, builders.NOW)
    (most,) = by_organisation.shared.most
    assert most.value == "198.51.100.7"
    assert [by_organisation.names[number] for number in most.sources] == ["kestrel", "heron"]
    by_delivery = correlate(CENTRE, builders.NOW, by="delivery")
    assert {each.value: len(each.sources) for each in by_delivery.shared.most} == {"198.51.100.7": 3, "198.51.100.8": 2}
    assert (by_delivery.shared.values, by_delivery.shared.by_sources) == (3, {2: 1, 3: 1})


def test_what_may_not_be_seen_makes_nothing_shared() -> None:
    bureau = Viewer(organisation="bureau-fr", class_name="law-enforcement", country="FR")
    assert correlate(bureau, builders.NOW).shared.rows == 0
    own = Viewer(organisation="kestrel", class_name="private")
    assert correlate(own, builders.NOW).shared.most == []
    assert correlate(own, builders.NOW).shared.values == 3
    Batch.objects.filter(organisation__slug="heron").update(hidden_at=builders.NOW)
    assert correlate(CENTRE, builders.NOW).shared.most == []


def test_the_command_tells_and_its_search_is_an_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.lake.setup", lambda: None)
    told = json.loads(CliRunner().invoke(command, ["shared", "--json"]).stdout)
    assert (told["shared"], told["most"][0]["organisations"]) == (1, ["heron", "kestrel"])
    assert "1 of 3 values came from several organisations" in CliRunner().invoke(command, ["shared"]).output
    assert CliRunner().invoke(command, ["shared", "--as", "nobody"]).exit_code == 1
    assert Entry.objects.filter(action="values.correlated", actor="command").count() == 2
