"""Alerts in country packages: under the gate, signed with the rest, noted as taken, and told again when taken back."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stix2
from django.conf import settings
from django.utils import timezone
from tests import alert_life, people
from tests.crew import work
from tests.found_alerts import C2, VICTIM, begun, hand_over

from tocsin.centre.alerts.models import Version
from tocsin.centre.intake.models import Batch
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.selectors import takings_of
from tocsin.centre.recall.models import Notice
from tocsin.centre.release import archives
from tocsin.centre.release.models import Package
from tocsin.centre.release.selectors import given_out
from tocsin.centre.release.services import make_packages, note_fetch
from tocsin.core.reading import Source
from tocsin.formats import pdf
from tocsin.lake.scope import Batches
from tocsin.products.alerts.draft import Named
from tocsin.products.alerts.police import ALERT_EXTENSION
from tocsin.products.alerts.record import AlertType
from tocsin.products.verify import verify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]


def packed(*codes: str) -> list[Package]:
    now = timezone.now()
    return make_packages(codes or ("FR",), now - timedelta(days=1), now + timedelta(minutes=1), None, now, processes=1)


def files_of(package: Package) -> dict[str, bytes]:
    with zipfile.ZipFile(archives.opener(package)()) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


def alerts_in(files: dict[str, bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files["manifest.json"])["alerts"]
    return found


def text_of(body: bytes) -> str:
    return "\n".join(
        str(text) for _page, text in pdf.everything_in(Source("a.pdf", content=body)) if isinstance(text, str)
    )


def fetched(package: Package, login: str) -> None:
    note_fetch(package, people.call(login), "page", timezone.now())


def test_the_package_holds_the_edition_as_the_bureau_reads_it(tmp_path: Path) -> None:
    version = alert_life.with_police(begun())
    number = str(version.alert)
    [package] = packed()
    files = files_of(package)
    [told] = alerts_in(files)
    start = f"alert-{number}-v1"
    assert told["files"] == sorted(f"{start}.{each}" for each in ("csv", "fr.pdf", "fr.txt", "misp.json", "stix.json"))
    assert (told["number"], told["state"], told["language"], told["title"]) == (
        number, "open", "fr", alert_life.TITLES["fr"]
    )  # fmt: skip
    assert set(told["files"]) < set(json.loads(files["manifest.json"])["files"])
    bundle = json.loads(files[f"{start}.stix.json"])
    stix2.parse(json.dumps(bundle), allow_custom=True)
    [report] = [each for each in bundle["objects"] if each["type"] == "report"]
    [indicator] = [each for each in bundle["objects"] if each["type"] == "indicator"]
    assert indicator["id"] in report["object_refs"]
    assert report["extensions"][ALERT_EXTENSION]["number"] == number
    translated = [each for each in bundle["objects"] if each["type"] == "language-content"]
    assert {next(iter(each["contents"])) for each in translated} == {"fr", "es", "ar"}
    assert alert_life.HAPPENING["fr"] in files[f"{start}.fr.txt"].decode()
    assert "198[.]51[.]100[.]9" in files[f"{start}.fr.txt"].decode()
    assert number in text_of(files[f"{start}.fr.pdf"])
    assert alert_life.TITLES["fr"] in files["README.txt"].decode()
    assert alert_life.TITLES["fr"] in files["cover.html"].decode()
    assert not [name for name in told["files"] if VICTIM.encode() in files[name]]
    path = archives.copy_out(package, tmp_path, timezone.now())
    assert verify(path, (settings.INSTALLATION.home / "keys" / "public-key.pem").read_bytes()).is_trusted


def test_it_is_the_same_when_it_is_made_again() -> None:
    alert_life.with_police(begun())
    first, second = (files_of(packed()[0]) for _ in range(2))
    names = [each for each in first if each.startswith("alert-")]
    assert len(names) == 5
    assert [first[each] for each in names] == [second[each] for each in names]


def test_only_what_the_gate_opens_and_only_its_own_share() -> None:
    ground = hand_over("TLP:GREEN", exclusions=["country:BR"])
    number = str(alert_life.with_police(begun(ground)).alert)
    french, other = packed("FR", "BR")
    assert [each["number"] for each in alerts_in(files_of(french))] == [number]
    assert alerts_in(files_of(other)) == []
    assert not [name for name, body in files_of(other).items() if number.encode() in body]
    assert other.summary["alerts"] == []


def test_persons_stand_where_people_of_law_enforcement_read_and_in_no_file_for_programs() -> None:
    named = Named("Renata Quill", "suspect", "Handles the accounts.", "FR")
    version = alert_life.with_police(begun(type=AlertType.PERSON, is_public=False, persons=(named,)))
    bureau = people.call("fleur_officer").organisation
    assert bureau.country == "FR"
    start = f"alert-{version.alert}-v1"
    files = files_of(packed()[0])
    assert "Renata Quill" in text_of(files[f"{start}.fr.pdf"])
    assert "Renata Quill" in files[f"{start}.fr.txt"].decode()
    elsewhere = {name: body for name, body in files.items() if name not in {f"{start}.fr.pdf", f"{start}.fr.txt"}}
    assert {f"{start}.{each}" for each in ("stix.json", "misp.json", "csv")} < set(elsewhere)
    assert not [name for name, body in elsewhere.items() if b"Renata" in body]
    bureau.class_name = "private"
    bureau.save()
    files = files_of(packed()[0])
    assert not [name for name, body in files.items() if name.endswith(".pdf") and "Renata" in text_of(body)]
    assert b"Renata" not in b"".join(body for name, body in files.items() if not name.endswith(".pdf"))


def test_its_label_binds_the_package() -> None:
    alert_life.with_police(begun(hand_over("TLP:AMBER")))
    files = files_of(packed("JO")[0])
    manifest = json.loads(files["manifest.json"])
    assert manifest["alerts"]
    assert manifest["handling"]["tlp"] == "TLP:AMBER"


def test_who_takes_the_package_has_taken_the_alert() -> None:
    version = alert_life.with_police(begun())
    [package] = packed()
    fetched(package, "fleur_officer")
    numbers = Batches(list(Batch.objects.filter(delivery=version.delivery).values_list("pk", flat=True)))
    [takings] = takings_of(numbers).values()
    assert {each.channel for each in takings} == {Taking.Channel.PACKAGE}


def test_cancelled_after_the_package_was_taken() -> None:
    """W26: who lives on packages hears of it by the notice, and in the next package."""
    version = alert_life.with_police(begun())
    [package] = packed("FR")
    [untaken] = packed("JO")
    fetched(package, "fleur_officer")
    alert_life.cancelled(version)
    package.refresh_from_db()
    assert package.recalled_at is not None
    assert given_out([package, untaken], timezone.now()) == set()
    bureau = people.call("fleur_officer").organisation
    assert Notice.objects.get(organisation=bureau).taken
    work()
    later = next(each for each in packed("FR", "JO") if each.country == "FR")
    [told] = alerts_in(files_of(later))
    assert (told["state"], told["number"], told["stands"]) == ("withdrawn", str(version.alert), None)
    start = f"alert-{version.alert}-v1-withdrawn"
    assert alert_life.REASONS["fr"] in files_of(later)[f"{start}.txt"].decode()
    bundle = json.loads(files_of(later)[f"{start}.stix.json"])
    report = bundle["objects"][-1]
    sent = json.loads(files_of_kept(package, f"alert-{version.alert}-v1.stix.json"))
    [before] = [each for each in sent["objects"] if each["type"] == "report"]
    assert (report["id"], report["revoked"], report["created"]) == (before["id"], True, before["created"])
    assert report["modified"] > before["modified"]
    text = b"".join(body for name, body in files_of(later).items() if name.startswith("alert-")).decode()
    assert C2 not in text
    assert alert_life.TITLES["en"] not in text


def test_an_alert_cancelled_in_its_second_version_is_taken_back_in_the_first_as_well() -> None:
    first = alert_life.with_police(begun())
    fetched(packed()[0], "fleur_officer")
    second = alert_life.with_police(alert_life.updated(first, texts=alert_life.texts(reason="More is known.")))
    assert [each["state"] for each in alerts_in(files_of(packed()[0]))] == ["open"]
    alert_life.cancelled(second)
    of_both = Batch.objects.filter(delivery__in=[first.delivery_id, second.delivery_id])
    assert of_both.exists()
    assert not of_both.filter(hidden_at=None).exists()
    [told] = alerts_in(files_of(packed()[0]))
    assert (told["state"], told["stands"]) == ("withdrawn", None)


def files_of_kept(package: Package, name: str) -> bytes:
    return files_of(package)[name]


def test_who_had_nothing_of_it_reads_nothing_of_its_end() -> None:
    version = alert_life.with_police(begun())
    alert_life.cancelled(version)
    [package] = packed("FR")
    assert alerts_in(files_of(package)) == []


def test_the_newest_version_goes_in_and_the_former_does_not() -> None:
    first = alert_life.with_police(begun())
    made = alert_life.updated(first, texts=alert_life.texts(reason="More is known.", at_risk="Everybody."))
    second = alert_life.with_police(made)
    assert isinstance(second, Version)
    [told] = alerts_in(files_of(packed()[0]))
    assert told["version"] == 2


def test_a_country_without_a_bureau_gets_it_as_its_bureau_would() -> None:
    alert_life.with_police(begun())
    [package] = packed("NO")
    [told] = alerts_in(files_of(package))
    assert told["language"] == "en"


def test_the_page_of_the_package_names_its_alerts(client: Any) -> None:
    version = alert_life.with_police(begun())
    [package] = packed()
    people.let_in(client, "fleur_officer")
    page = client.get(f"/packages/{package.number}/").content.decode()
    assert str(version.alert) in page
