"""Packages from a registered lake file to the archive: the gate, the label, the record."""

from __future__ import annotations

import errno
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings
from tests.generated_lake import rows

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.terms import BY_LABEL, terms_row
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import HandlingSet, Organisation, Person
from tocsin.centre.release import archives, services
from tocsin.centre.release.models import Fetch, Package
from tocsin.centre.release.selectors import countries_for, given_out, package_for, packages_for
from tocsin.core.errors import InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.products.verify import verify

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 8, 0, 0, 123456, tzinfo=UTC)
WEEK_AGO = NOW - timedelta(days=7)
SETS = (
    Handling(tlp=Tlp.GREEN, codes=("H1",)),
    Handling(tlp=Tlp.AMBER, codes=("H1", "H2")),
    Handling(tlp=Tlp.GREEN, codes=("H1",), exclusions=("country:FR",)),
    Handling(tlp=Tlp.GREEN, codes=("H1",), purposes=("TRAIN",)),
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Four batches, one for each handling set, and their rows in one registered file."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    source = Organisation.objects.create(slug="acme", name="Acme", class_name="private", created_at=WEEK_AGO)
    for code in ("FR", "BR"):
        Organisation.objects.create(
            slug=f"ncb-{code.lower()}", name=f"NCB {code}", class_name="law-enforcement", country=code,
            is_bureau=True, created_at=WEEK_AGO,
        )  # fmt: skip
    numbers = []
    for place, handling in enumerate(SETS):
        row = HandlingSet.objects.create(digest=handling.digest, tlp=handling.tlp.value, body=handling.as_json())
        delivery = Delivery.objects.create(
            receipt=f"r{place}", organisation=source, via="page", name="x.csv", sha256=f"{place:064d}", size_bytes=1,
            received_at=NOW - timedelta(days=1),
        )  # fmt: skip
        numbers.append(
            Batch.objects.create(
                delivery=delivery,
                organisation=source,
                handling_set=row,
                received_at=NOW - timedelta(days=1),
                terms=terms_row(source.pk, row, BY_LABEL),
            ).pk
        )
    table = rows(800, ("FR", "BR"), batches=4).with_columns(
        pl.col("batch").replace_strict(dict(zip((1, 2, 3, 4), numbers, strict=True)), return_dtype=pl.Int64)
    )
    (tmp_path / "store" / "observations").mkdir(parents=True)
    table.write_parquet(tmp_path / "store" / "observations" / "a.parquet")
    LakeFile.objects.create(
        path="observations/a.parquet", day=NOW.date(), rows=table.height, size_bytes=1, digest="0" * 64,
        first_batch=numbers[0], last_batch=numbers[-1], created_at=NOW,
    )  # fmt: skip
    return table


def person(organisation: Organisation, role: str) -> Person:
    return Person.objects.create(
        login=f"{role}@{organisation.slug}", name=role, organisation=organisation, roles=[role], created_at=NOW
    )


def exported(package: Package) -> pl.DataFrame:
    with zipfile.ZipFile(archives.opener(package)()) as archive:
        return pl.read_parquet(io.BytesIO(archive.read("observations.parquet")))


def test_gate_label_difference_and_record(lake: pl.DataFrame) -> None:
    first, second = Batch.objects.order_by("pk").values_list("pk", flat=True)[:2]
    heard: list[str] = []
    made = services.make_packages(
        ["FR", "BR"], WEEK_AGO, NOW, None, NOW, lambda _done, _total, code: heard.append(code)
    )
    french = next(each for each in made if each.country == "FR")
    path = archives.copy_out(french, settings.INSTALLATION.home, NOW)
    verdict = verify(path, (settings.INSTALLATION.home / "keys" / "public-key.pem").read_bytes())
    assert verdict.is_valid
    assert verdict.is_trusted
    here = pl.col("country") == "FR"
    victim = pl.col("role").is_in(["VICTIM", "UNKNOWN"])
    # The third batch excludes France and the fourth serves training only.
    expected = lake.filter(
        pl.col("batch").is_in([first, second]) & (here | (pl.col("target_country") == "FR")) & (here | ~victim)
    )
    assert sorted(exported(french)["position"]) == sorted(expected["position"])
    handling = verdict.manifest["handling"]
    assert (handling["tlp"], handling["codes"], handling["purposes"]) == ("TLP:AMBER", ["H1", "H2"], ["PROTECT"])
    assert "ncb-fr" not in str(verdict.manifest)
    assert "country:FR" not in str(verdict.manifest)
    assert french.number == "FR-2026-0001"
    assert french.language == "fr"
    assert Entry.objects.filter(action="package.made").count() == 2
    assert heard[-1] in {"FR", "BR"}
    later = services.make_packages(["FR"], WEEK_AGO, NOW, None, NOW + timedelta(hours=1))[0]
    assert later.previous == french
    assert (later.number, later.summary["values_new"]) == ("FR-2026-0002", 0)
    assert not list(settings.INSTALLATION.store_folder.glob(".packages-*"))


def test_packages_are_the_same_when_made_in_processes(lake: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def digests(at: datetime) -> dict[str, list[int]]:
        made = services.make_packages(["FR", "BR"], WEEK_AGO, NOW, None, at)
        return {each.country: exported(each)["position"].to_list() for each in made}

    alone = digests(NOW)
    monkeypatch.setattr(services, "_MANY_ROWS", 0)
    assert digests(NOW + timedelta(hours=1)) == alone


def test_a_number_taken_meanwhile_is_not_given_twice(lake: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    first = services.make_packages(["FR"], WEEK_AGO, NOW, None, NOW)[0]
    kept = (settings.INSTALLATION.store_folder / first.path).read_bytes()
    honest = services._next_number
    given = iter([first.number])
    monkeypatch.setattr(services, "_next_number", lambda code, at: next(given, None) or honest(code, at))
    second = services.make_packages(["FR"], WEEK_AGO, NOW, None, NOW)[0]
    assert (first.number, second.number) == ("FR-2026-0001", "FR-2026-0002")
    assert (settings.INSTALLATION.store_folder / first.path).read_bytes() == kept
    assert verify(archives.copy_out(second, settings.INSTALLATION.home, NOW)).manifest["number"] == "FR-2026-0002"


def test_what_arrived_before_the_span_stays_out(lake: pl.DataFrame) -> None:
    made = services.make_packages(["FR"], NOW - timedelta(hours=2), NOW, None, NOW)
    assert made[0].rows == 0


def test_misp_leaves_out_what_its_sources_keep_back(lake: pl.DataFrame) -> None:
    made = services.make_packages(["BR"], WEEK_AGO, NOW, None, NOW)[0]
    assert 0 < made.summary["misp_attributes"] < made.summary["values"]


def test_a_package_is_closed_when_the_gate_closes_what_is_in_it(lake: pl.DataFrame) -> None:
    """A country that is excluded after its package was made cannot fetch it any more; another's stays open."""
    services.make_packages(["FR", "BR"], WEEK_AGO, NOW, None, NOW)
    french, brazilian = Package.objects.get(country="FR"), Package.objects.get(country="BR")
    officer = person(Organisation.objects.get(slug="ncb-fr"), "officer")
    assert package_for(officer, french.number, NOW) == french
    batch = Batch.objects.get(handling_set__digest=SETS[0].digest)
    narrower = Handling(tlp=Tlp.GREEN, codes=("H1",), exclusions=("country:FR",))
    batch.handling_set = HandlingSet.objects.get(digest=narrower.digest)
    batch.save()
    with pytest.raises(NotFound):
        package_for(officer, french.number, NOW)
    assert given_out([french, brazilian], NOW) == {brazilian.pk}


def test_refuses_unknown_countries_and_empty_spans(lake: pl.DataFrame) -> None:
    with pytest.raises(InputError, match="not-a-country"):
        services.make_packages(["ZZ"], WEEK_AGO, NOW, None, NOW)
    with pytest.raises(InputError, match="not-a-time"):
        services.make_packages(["FR"], NOW, NOW, None, NOW)


def test_a_bureau_sees_its_own_packages_only(lake: pl.DataFrame) -> None:
    services.make_packages(["FR", "BR"], WEEK_AGO, NOW, None, NOW)
    officer = person(Organisation.objects.get(slug="ncb-fr"), "officer")
    stranger = person(Organisation.objects.get(slug="acme"), "manager")
    assert [each.country for each in packages_for(officer)] == ["FR"]
    assert countries_for(officer) == ["FR"]
    with pytest.raises(NotFound):
        package_for(officer, "BR-2026-0001", NOW)
    assert not packages_for(stranger)
    assert countries_for(stranger) == []
    services.note_fetch(package_for(officer, "FR-2026-0001", NOW), officer, "page", NOW)
    assert Fetch.objects.get().person == officer
    assert Entry.objects.filter(action="package.fetched", subject="package:FR-2026-0001").exists()


def test_another_span_is_other_work_and_the_same_twice_is_one(lake: pl.DataFrame) -> None:
    olga = person(Organisation.objects.get(slug="acme"), "releaser")
    for start in (WEEK_AGO, WEEK_AGO, WEEK_AGO - timedelta(days=7)):
        services.request_packages(["FR", "BR"], start, NOW, olga, NOW)
    assert [each.subject for each in Job.objects.filter(kind=services.MAKE).order_by("pk")] == [
        "BR,FR 2026-11-13/2026-11-20", "BR,FR 2026-11-06/2026-11-20",
    ]  # fmt: skip


def test_work_that_is_taken_up_again_gives_no_country_a_second_package(
    lake: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = person(Organisation.objects.get(slug="acme"), "releaser")
    services.request_packages(["FR", "BR"], WEEK_AGO, NOW, olga, NOW)
    claim = jobs.claim("tests", [services.MAKE], NOW)
    assert claim is not None
    honest, entered = services._entered, []

    def dying(*told: Any) -> Package:
        if entered:
            raise OSError(errno.ENOSPC, "No space left on device")
        entered.append(honest(*told))
        return entered[0]

    monkeypatch.setattr(services, "_entered", dying)
    with pytest.raises(OSError, match="No space"):
        services.run_job(claim)
    monkeypatch.setattr(services, "_entered", honest)
    services.run_job(claim)
    made = Package.objects.order_by("pk")
    assert made[0] == entered[0]
    assert sorted(each.country for each in made) == ["BR", "FR"]
    assert Job.objects.get(pk=claim.job).state == Job.State.DONE
    # What is asked for anew is made anew.
    services.request_packages(["FR"], WEEK_AGO, NOW, olga, datetime.now(UTC))
    again = jobs.claim("tests", [services.MAKE], datetime.now(UTC))
    assert again is not None
    services.run_job(again)
    assert Package.objects.filter(country="FR").count() == 2
