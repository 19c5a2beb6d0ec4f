"""A delivery of a type that the agreement does not list is refused with a reason, whatever door it came by."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.members.models import Agreement

from .conftest import GiveKey, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ingesting = importlib.import_module("tocsin.cli.ingest")
VICTIMS = b"ip,first_seen,role\n192.0.2.7,2026-11-19T10:00:00Z,VICTIM\n"
SIGNS = b"ip,first_seen,role\n192.0.2.7,2026-11-19T10:00:00Z,ATTACKER_INFRA\n"
ENVELOPE = {
    "objects": [{
        "type": "indicator", "spec_version": "2.1", "id": "indicator--6b6e5d9e-8a14-4f63-9d3b-0c5d3f7a1e01",
        "created": "2026-11-19T10:00:00.000Z", "modified": "2026-11-19T10:00:00.000Z", "pattern_type": "stix",
        "pattern": "[ipv4-addr:value = '192.0.2.7']", "valid_from": "2026-11-19T10:00:00Z",
    }]
}  # fmt: skip
TAXII = "application/taxii+json;version=2.1"


def agreed(*types: str) -> None:
    builders.centre()
    people.call("pia_partner")
    Agreement.objects.filter(organisation__slug="northwind").update(data_types=list(types))


def by_page(client: Client, give_key: GiveKey, folder: Path) -> None:
    people.let_in(client, "pia_partner")
    client.post(reverse("upload"), {"organisation": "northwind", "files": SimpleUploadedFile("a.csv", SIGNS)})


def by_api(client: Client, give_key: GiveKey, folder: Path) -> None:
    headers = {"Authorization": f"Bearer {give_key('pia_partner')}"}
    client.post("/api/v1/deliveries?name=a.csv", SIGNS, "application/octet-stream", headers=headers)


def by_taxii(client: Client, give_key: GiveKey, folder: Path) -> None:
    headers = {"Authorization": f"Bearer {give_key('pia_partner')}", "Accept": TAXII}
    client.post("/taxii2/northwind/collections/inbox/objects/", json.dumps(ENVELOPE), TAXII, headers=headers)


def by_command(client: Client, give_key: GiveKey, folder: Path) -> None:
    (folder / "a.csv").write_bytes(SIGNS)
    CliRunner().invoke(ingesting.ingest, [str(folder / "a.csv"), "--from", "northwind", "--json"])


DOORS: dict[str, Callable[[Client, GiveKey, Path], None]] = {
    "page": by_page, "api": by_api, "taxii": by_taxii, "command": by_command,
}  # fmt: skip


@pytest.mark.parametrize("types", [("victim-data",), ("indicators",), ()])
@pytest.mark.parametrize("door", DOORS)
def test_what_was_not_agreed_on_is_refused_at_every_door(
    door: str, types: tuple[str, ...], client: Client, give_key: GiveKey, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(ingesting, "setup", lambda: None)
    monkeypatch.setattr(ingesting, "work_through", lambda *args, **options: None)
    agreed(*types)
    DOORS[door](client, give_key, tmp_path)
    work()
    made = Delivery.objects.get()
    assert made.via == door
    if types == ("victim-data",):
        assert (made.state, made.reason, made.reason_where) == ("quarantined", "data-type-not-agreed", "indicators")
        assert not Batch.objects.exists()
        assert not LakeFile.objects.exists()
        people.let_in(client, "pia_partner")
        assert (
            "The agreement does not cover this type of data"
            in client.get(reverse("delivery", args=[made.receipt])).content.decode()
        )
    else:
        assert (made.state, made.reason) == ("parsed", "")


def send(content: bytes, name: str) -> Delivery:
    made = services.receive(
        organisation=builders.organisation("northwind"), via="api", name=name, chunks=[content], at=timezone.now()
    )
    work()
    made.refresh_from_db()
    return made


def test_a_part_that_was_not_agreed_on_holds_the_whole_back() -> None:
    agreed("indicators")
    assert send(VICTIMS, "v.csv").reason_where == "victim-data"
    assert send(SIGNS + VICTIMS.splitlines()[1] + b"\n", "both.csv").state == "quarantined"
    assert send(SIGNS, "s.csv").state == "parsed"
    assert not Batch.objects.exclude(delivery__name="s.csv").exists()


def test_a_report_is_analysis() -> None:
    agreed("indicators")
    prose = ("We saw the crew use evil[.]example and hxxp://bad[.]example/x again. " * 20).encode()
    assert send(prose, "report.txt").reason_where == "analysis"
    agreed("analysis")
    assert send(prose + b"More.", "report.txt").state == "parsed"
