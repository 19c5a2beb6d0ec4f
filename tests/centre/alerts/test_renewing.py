"""The public site is made anew where another version of the software made it, and stays as it is where none did."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from tests import alert_life

from tocsin.centre.alerts import files, publishing, renewing, site
from tocsin.centre.alerts.models import PublicFile
from tocsin.centre.alerts.public import lists, machine
from tocsin.products.alerts import addresses

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and a store of its own, and few lists."""
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    monkeypatch.setattr(lists, "all_facets", list)


def rows() -> dict[str, tuple[str, bool, int | None]]:
    found = PublicFile.objects.values_list("path", "sha256", "is_gone", "alert_id")
    return {path: (digest, is_gone, alert) for path, digest, is_gone, alert in found}


def later(hours: int = 1) -> datetime:
    return timezone.now() + timedelta(hours=hours)


def test_nothing_is_made_where_nothing_was_published_until_somebody_asks() -> None:
    renewing.tick(later())
    assert not PublicFile.objects.exists()
    assert renewing.renew(later()) == PublicFile.objects.count() > 0
    assert addresses.home("ar") in rows()
    assert renewing.stands()


def test_every_page_is_made_anew_in_one_step_by_other_software_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    version = alert_life.in_public(alert_life.begun())
    number = version.alert.number or ""
    before, changes = rows(), publishing.state().changes
    renewing.tick(later())
    assert (rows(), publishing.state().changes) == (before, changes), "what stands is left alone"
    monkeypatch.setattr(machine, "_software", lambda: "another")
    assert not renewing.stands()
    renewing.tick(later())
    after = rows()
    assert set(after) == set(before)
    assert publishing.state().changes == changes + 1
    assert renewing.stands()
    page, document = addresses.page(number, "ar"), addresses.document(number, "ar")
    assert after[document] == before[document], "documents stay as they were published"
    assert after[page] == before[page], "the same templates make the same page, with links to its other forms"
    assert after[page][2] == version.alert_id
    assert addresses.document(number, "ar") in files.read(after[page][0]).decode()
    # What is gone stays gone.
    alert_life.cancelled(version)
    gone = {path for path, row in rows().items() if row[1]}
    monkeypatch.setattr(machine, "_software", lambda: "a third")
    renewing.tick(later())
    assert {path for path, row in rows().items() if row[1]} == gone
    assert addresses.page(number, "fr") in gone


def test_a_fault_in_the_own_reporting_channels_holds_nothing_back_and_takes_nothing_back(tmp_path: Path) -> None:
    own = tmp_path / "reporting.toml"
    row = (
        '[[channel]]\ncountry = "FR"\nname = "Own"\nsource = "https://own.example"\nseen = 2026-11-01\ntelephone = "{}"'
    )
    own.write_text(row.format("110"), encoding="utf-8")
    renewing.renew(later())
    before = rows()
    own.write_text(row.format("call me"), encoding="utf-8")
    assert [each.telephone for each in site.frame().reporting.of("FR")] == ["110"]
    renewing.tick(later())
    assert rows() == before, "it stays as it was published"
    assert alert_life.in_public(alert_life.begun()).alert.number, "a warning goes out"
    own.write_text(row.format("119"), encoding="utf-8")
    renewing.tick(later())
    assert b'"119"' in files.read(rows()[addresses.REPORTING][0])
