"""What is published is verified by whoever has the files alone: published, updated, cancelled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.utils import timezone
from lxml import etree
from tests import alert_life

from tocsin.centre.alerts import files, making
from tocsin.centre.alerts.models import PublicFile
from tocsin.centre.alerts.public import lists
from tocsin.cli import alert_verify
from tocsin.products import alerts
from tocsin.products.alerts import printed
from tocsin.products.alerts.cap_rules import problems
from tocsin.products.alerts.cap_xml import read_cap
from tocsin.products.alerts.file import PLAIN, File
from tocsin.products.alerts.record import LANGUAGES, PublicEdition

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
SCHEMA = etree.XMLSchema(etree.parse(str(Path(alerts.__file__).with_name("cap-1.2.xsd"))))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    monkeypatch.setattr(lists, "all_facets", list)
    monkeypatch.setattr(printed, "files_of", leaflet)


def leaflet(edition: PublicEdition) -> list[File]:
    """What is printed is signed as all else is; setting it takes most of a publication's time."""
    return [File(f"{edition.number}/leaflet.txt", PLAIN, b"A leaflet", "en")]


def written(folder: Path) -> Path:
    """The published files as a web server hands them out."""
    for row in PublicFile.objects.filter(is_gone=False):
        path = folder / (f"{row.path}index.html" if not row.path or row.path.endswith("/") else row.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.read(row.sha256))
    assert set(outcomes(folder).values()) == {"verified", "not-signed"}, "lists of alerts have no signature"
    every = [each for each in folder.rglob("*") if each.is_file()]
    listed = {
        each.relative_to(folder).as_posix(): (hashlib.sha256(each.read_bytes()).hexdigest(), each.stat().st_size)
        for each in every
    }
    for file in making.list_of_site(listed, timezone.now()):
        (folder / file.path).write_bytes(file.body)
    return folder


def outcomes(folder: Path) -> dict[str, str]:
    """Path in the folder → what the command found, with the keys of the site itself."""
    alert_verify._keys_of.cache_clear()
    made = CliRunner().invoke(alert_verify.verify, ["--json", str(folder)])
    found = json.loads(made.stdout)["files"]
    return {str(Path(each["path"]).relative_to(folder)): each["outcome"] for each in found}


def test_every_output_is_signed_and_valid_through_a_whole_life(tmp_path: Path) -> None:
    first = alert_life.in_public(alert_life.begun())
    number = first.alert.number
    second = alert_life.in_public(alert_life.updated(first, texts=alert_life.texts(title="It goes on", reason="More")))
    site = written(tmp_path / "updated")
    found = outcomes(site)
    own = {path: outcome for path, outcome in found.items() if number in path}
    assert {
        f"{number}/v1.cap.xml",
        f"{number}/v2.cap.xml",
        f"{number}/v2.manifest.json",
        f"ar/{number}/index.html",
    } <= set(own)
    assert set(found.values()) == {"verified"}

    alert_life.cancelled(second)
    site = written(tmp_path / "cancelled")
    found = outcomes(site)
    assert set(found.values()) == {"verified"}
    messages = [read_cap((site / number / f"v{version}.cap.xml").read_bytes()) for version in (1, 2, 3)]
    for version, message in enumerate(messages, 1):
        SCHEMA.assertValid(etree.parse(str(site / number / f"v{version}.cap.xml")))
        assert problems(message) == []
        assert [info.language for info in message.infos] == list(LANGUAGES)
        sent = [(f"{number}-v{before}", messages[before - 1].sent) for before in range(1, version)]
        assert [(each.identifier, each.sent) for each in message.references] == sent
    assert [each.message_type for each in messages] == ["Alert", "Update", "Cancel"]
    assert messages[2].infos[3].description == alert_life.REASONS["ar"]

    (site / number / "v2.cap.xml").write_bytes((site / number / "v2.cap.xml").read_bytes().replace(b"Severe", b"Minor"))
    assert outcomes(site)[f"{number}/v2.cap.xml"] == "altered"
