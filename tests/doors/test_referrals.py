"""What citizens report: it goes to the bureau of the country, to nobody else, and says what to do next."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members import countries
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.referrals import selectors, services
from tocsin.centre.referrals.models import Referral
from tocsin.centre.subscribers import door
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
FACTS = "Mein Geld ist weg: they called from +33 1 99 00 00 00 and took 900 EUR."
OTHERS = ("dana_analyst", "rui_reviewer", "lena_legal", "dario_duty", "vera_victim_desk", "sven_secondee",
          "ada_administrator", "aida_auditor", "hugo_head", "pia_partner")  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "YOUNGEST_SECONDS", -1.0)


def report(**said: object) -> object:
    facts = {"about": "hit", "facts": FACTS, "country": "FR", "stamp": door.stamp(), "language": "fr",
             "contact": "Ana, ana@reader.example", **said}  # fmt: skip
    return Client(enforce_csrf_checks=True).post(reverse("alert-report-on", args=["METHOD-2026-0042", "fr"]), facts)


def test_it_goes_to_the_bureau_of_the_country_and_to_nobody_else() -> None:
    fleur = people.call("fleur_officer")
    answer = report()
    made = Referral.objects.get()
    page = answer.content.decode()  # type: ignore[attr-defined]
    assert answer.status_code == 200
    assert made.number in page
    assert "police locale" in page
    work()
    assert (made.alert, made.country, made.organisation) == ("METHOD-2026-0042", "FR", fleur.organisation)
    [batch] = Batch.objects.filter(delivery=made.delivery)
    assert batch.handling_set.tlp == Tlp.RED.value
    assert batch.terms.is_private
    for login in OTHERS:
        other = people.call(login)
        if other.organisation_id == fleur.organisation_id:
            continue
        assert not visible_batches(viewer_of(other)).filter(delivery=made.delivery).exists(), login
        client = Client()
        client.force_login(other)
        assert client.get(reverse("referral", args=[made.number])).status_code == 404, login
        assert not deliveries_for(other).filter(pk=made.delivery_id, is_private=False).exists(), login
    client = Client()
    client.force_login(fleur)
    shown = client.get(reverse("referral", args=[made.number])).content.decode()
    assert "900 EUR" in shown
    assert "ana@reader.example" in shown
    assert made.number in client.get(reverse("referrals")).content.decode()
    client.post(reverse("referral-close", args=[made.number]))
    made.refresh_from_db()
    assert made.opened_at is not None
    assert made.closed_at is not None


def test_what_was_written_lies_sealed_and_the_log_says_nothing_of_it() -> None:
    people.call("fleur_officer")
    report()
    work()
    said = " ".join(f"{each.actor} {each.subject} {each.detail}" for each in Entry.objects.all())
    assert "EUR" not in said
    assert "ana@" not in said
    assert "127.0.0.1" not in said
    with connection.cursor() as cursor:
        cursor.execute("SELECT text, title FROM knowledge_document")
        rows = str(cursor.fetchall())
    assert "EUR" not in rows
    assert "ana@" not in rows
    delivery = Delivery.objects.get()
    stored = services_path(delivery)
    assert b"EUR" not in stored


def services_path(delivery: Delivery) -> bytes:
    from tocsin.centre.intake.services import store_folder
    from tocsin.centre.intake.store import delivery_path

    return delivery_path(store_folder(), delivery.sha256).read_bytes()


def test_a_file_comes_along_and_is_read_in_the_sandbox() -> None:
    people.call("fleur_officer")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("note.txt", "see 198.51.100.9")
    file = SimpleUploadedFile("../../..\\evil name.zip", made.getvalue())
    assert report(file=file).status_code == 200  # type: ignore[attr-defined]
    work()
    assert Delivery.objects.get().state == Delivery.State.PARSED
    big = SimpleUploadedFile("big.bin", bytes(services.MOST_FILE_BYTES + 1))
    assert report(file=big).status_code in {413, 422}  # type: ignore[attr-defined]
    assert Referral.objects.count() == 1


def test_a_picture_of_some_megabytes_is_taken_from_anybody_there_and_nowhere_else() -> None:
    people.call("fleur_officer")
    assert report(file=SimpleUploadedFile("picture.jpg", b"\xff\xd8" + bytes(3 << 20))).status_code == 200  # type: ignore[attr-defined]
    file = SimpleUploadedFile("picture.jpg", bytes(3 << 20))
    assert Client().post(reverse("alert-webhook"), {"file": file}).status_code == 413


def test_a_country_is_offered_where_its_bureau_takes_reports() -> None:
    people.call("fleur_officer")
    form = Client().get(reverse("alert-report"), {"alert": "METHOD-2026-0042", "language": "en"}).content.decode()
    assert 'value="FR"' in form
    assert 'value="BR"' not in form
    assert 'value="METHOD-2026-0042"' in form
    assert report(country="BR").status_code == 422  # type: ignore[attr-defined]
    countries.set_status("FR", "restricted", reason="test", by="lena_legal", at=timezone.now())
    assert report().status_code == 422  # type: ignore[attr-defined]
    assert not Referral.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"facts": " "}, {"country": ""}, {"about": "x"}, {"when": "yesterday"}, {"facts": "x" * 8_001},
              {"contact": "x" * 301}, {"stamp": ""}],
)  # fmt: skip
def test_what_is_missing_or_too_much_is_said_and_nothing_is_lost(wrong: dict[str, str]) -> None:
    people.call("fleur_officer")
    answer = report(**wrong)
    page = answer.content.decode()  # type: ignore[attr-defined]
    assert answer.status_code == 422
    assert not Referral.objects.exists()
    assert ('role="alert"' in page and "ana@reader.example" in page) or "contact" in wrong


def test_a_flood_is_stopped_and_a_program_hears_what_a_person_would() -> None:
    people.call("fleur_officer")
    assert report(website="x").status_code == 200  # type: ignore[attr-defined]
    assert not Referral.objects.exists()
    statuses = [report(facts=f"{FACTS} {number}").status_code for number in range(6)]  # type: ignore[attr-defined]
    assert statuses == [200] * services.MOST_FROM_NETWORK + [429] * (6 - services.MOST_FROM_NETWORK)


def test_the_centre_sees_counts_and_small_ones_not_even_so() -> None:
    bureau = builders.bureau("FR")
    for number in range(7):
        Referral.objects.create(number=f"R-{number}", alert="METHOD-2026-0042", about="hit", received_at=builders.NOW,
                                organisation=bureau, country="FR" if number < 5 else "JO")  # fmt: skip
    assert selectors.counts_of("METHOD-2026-0042") == [("FR", 5), ("JO", None)]
    assert selectors.count_of("METHOD-2026-0042") == 7
    assert selectors.count_of("METHOD-2026-0001") == 0


def test_what_the_scanner_knows_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    people.call("fleur_officer")
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, scanner="127.0.0.1:1"))
    answer = report(file=SimpleUploadedFile("a.txt", b"x"))
    assert answer.status_code == 422
    assert not Referral.objects.exists()


def test_who_comes_from_a_countrys_page_finds_it_chosen() -> None:
    people.call("fleur_officer")
    form = Client().get(reverse("alert-report"), {"country": "FR", "language": "ar"}).content.decode()
    assert '<option value="FR" selected>' in form
    assert 'dir="rtl"' in form
    for nobody in ("ZZ", "AQ", '"><script>'):
        shown = Client().get(reverse("alert-report"), {"country": nobody}).content.decode()
        assert " selected" not in shown
        assert "<script>" not in shown
