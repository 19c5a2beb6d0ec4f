"""Emergency access: two persons, an alarm on every page, hours, and nothing that the gate keeps closed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.members import doors, emergency
from tocsin.centre.members.models import EmergencyAccess, Person
from tocsin.core.errors import Conflict, NotFound, Refused
from tocsin.core.words import Tlp
from tocsin.site import wiring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ALARM = "Emergency access: "


@pytest.fixture
def shown() -> scene.Scene:
    return scene.make()


def client_of(login: str) -> Client:
    client = Client()
    people.let_in(client, login)
    return client


def asked(client: Client, **said: object) -> EmergencyAccess:
    form = {"reason": "The desk does not answer, a bank is being emptied.", "hours": 2, **said}
    response = client.post(reverse("emergencies"), form)
    assert response.status_code == 302, response.content.decode()
    return EmergencyAccess.objects.latest("pk")


def opened(delivery: Delivery) -> tuple[EmergencyAccess, Client, Client]:
    """Ada's access to the delivery, approved by Lena."""
    ada, lena = client_of("ada_administrator"), client_of("lena_legal")
    access = asked(ada, receipt=delivery.receipt)
    lena.post(reverse("emergency-approve", args=[access.pk]))
    access.refresh_from_db()
    assert access.approved_by == people.call("lena_legal")
    return access, ada, lena


def pages_of(access: EmergencyAccess, delivery: Delivery) -> list[str]:
    return [reverse(name, args=[access.pk, delivery.receipt]) for name in ("emergency-delivery", "emergency-original")]


def test_an_administrator_reads_what_two_opened(shown: scene.Scene) -> None:
    delivery = shown.delivery
    ada, lena = client_of("ada_administrator"), client_of("lena_legal")
    assert ada.get(reverse("delivery", args=[delivery.receipt])).status_code == 404
    access = asked(ada, receipt=delivery.receipt)
    assert [ada.get(page).status_code for page in pages_of(access, delivery)] == [404, 404]
    assert "asks for emergency access" in lena.get("/").content.decode()
    assert ada.post(reverse("emergency-approve", args=[access.pk])).status_code == 404
    lena.post(reverse("emergency-approve", args=[access.pk]))
    page, original = pages_of(access, delivery)
    assert "192.0.2.999" in ada.get(page).content.decode(), "the refused record as received"
    assert ada.get(original).getvalue() == scene.TABLE
    assert delivery.name in ada.get(reverse("emergency", args=[access.pk])).content.decode()
    # Nothing else opens: not the pages of deliveries, and no other delivery.
    assert ada.get(reverse("delivery", args=[delivery.receipt])).status_code == 404
    assert ada.get(pages_of(access, shown.report)[0]).status_code == 404
    # Nobody else reads under it, not even the one who approved.
    for client in (lena, client_of("paula_partnership")):
        assert [client.get(each).status_code for each in pages_of(access, delivery)] == [404, 404]
    assert delivery.name not in lena.get(reverse("emergency", args=[access.pk])).content.decode()


def test_every_step_is_in_the_log(shown: scene.Scene) -> None:
    access, ada, lena = opened(shown.delivery)
    for page in [reverse("emergency", args=[access.pk]), *pages_of(access, shown.delivery)]:
        ada.get(page)
    lena.post(reverse("emergency-end", args=[access.pk]))
    entries = Entry.objects.filter(subject=f"emergency:{access.pk}").order_by("pk")
    assert [(each.actor, each.action) for each in entries] == [
        ("ada_administrator", "emergency.asked"),
        ("lena_legal", "emergency.approved"),
        ("ada_administrator", "emergency.read"),
        ("ada_administrator", "emergency.read"),
        ("ada_administrator", "emergency.read"),
        ("lena_legal", "emergency.ended"),
    ]
    assert [json.loads(each.detail).get("what") for each in entries if each.action == "emergency.read"] == [
        "list", "delivery", "original",
    ]  # fmt: skip
    aida = client_of("aida_auditor").get(reverse("emergency", args=[access.pk])).content.decode()
    assert "a bank is being emptied" in aida
    assert aida.count("Read something by emergency access") == 3


def test_the_alarm_stands_on_every_page_of_the_centre_and_nowhere_else(shown: scene.Scene) -> None:
    access, ada, _lena = opened(shown.delivery)
    for login in ("dana_analyst", "aida_auditor", "vera_victim_desk", "ada_administrator"):
        client = client_of(login)
        for path in ("/", reverse("preferences"), reverse("emergencies")):
            said = client.get(path).content.decode()
            assert ALARM in said, f"{login} {path}"
            assert "Lena Brandt" in said
    for login in ("fleur_officer", "pia_partner"):
        assert ALARM not in client_of(login).get("/").content.decode()
    ada.post(reverse("emergency-end", args=[access.pk]))
    assert ALARM not in client_of("dana_analyst").get("/").content.decode()


@pytest.mark.parametrize("login", ["lena_legal", "ada_administrator", "dario_duty"])
def test_either_of_the_two_ends_it_at_once(login: str, shown: scene.Scene) -> None:
    access, ada, _lena = opened(shown.delivery)
    assert ada.get(pages_of(access, shown.delivery)[0]).status_code == 200
    assert client_of("paula_partnership").post(reverse("emergency-end", args=[access.pk])).status_code == 404
    assert client_of(login).post(reverse("emergency-end", args=[access.pk])).status_code == 302
    assert [ada.get(page).status_code for page in pages_of(access, shown.delivery)] == [404, 404]
    client_of("lena_legal").post(reverse("emergency-approve", args=[access.pk]))
    assert ada.get(pages_of(access, shown.delivery)[0]).status_code == 404, "what ended is not opened anew"


def test_an_original_under_way_breaks_off_when_it_ends(shown: scene.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "ASKED_AGAIN_SECONDS", 0)
    content = delivery_path(settings.INSTALLATION.store_folder, shown.delivery.sha256)
    content.write_bytes(b"x" * 200_000)
    access, ada, lena = opened(shown.delivery)
    pieces = iter(ada.get(pages_of(access, shown.delivery)[1]).streaming_content)
    assert next(pieces)
    lena.post(reverse("emergency-end", args=[access.pk]))
    with pytest.raises(NotFound):
        list(pieces)


def _red(batch: Batch) -> None:
    named = ("person:ada_administrator", "person:dana_analyst")
    batch.handling_set = builders.handling(Tlp.RED, audience=named)


def _excluded(batch: Batch) -> None:
    batch.handling_set = builders.handling(exclusions=("centre",))


def _hidden(batch: Batch) -> None:
    batch.hidden_at = timezone.now() - timedelta(days=1)


@pytest.mark.parametrize("closed", [_red, _excluded, _hidden])
def test_what_the_gate_keeps_closed_stays_closed(closed: Callable[[Batch], None], shown: scene.Scene) -> None:
    """Even a part of it: the original holds all parts."""
    part = builders.batch(shown.delivery, builders.handling(Tlp.AMBER_STRICT))
    access, ada, _lena = opened(shown.delivery)
    assert ada.get(pages_of(access, shown.delivery)[0]).status_code == 200
    closed(part)
    part.save()
    assert [ada.get(page).status_code for page in pages_of(access, shown.delivery)] == [404, 404]
    assert shown.delivery.name not in ada.get(reverse("emergency", args=[access.pk])).content.decode()


def test_a_delivery_that_was_not_read_yet_is_judged_by_its_stated_label(shown: scene.Scene) -> None:
    access, ada, _lena = opened(shown.quarantined)
    assert ada.get(pages_of(access, shown.quarantined)[1]).getvalue() == b"\1\2"
    Delivery.objects.filter(pk=shown.quarantined.pk).update(stated_marking="TLP:RED")
    assert ada.get(pages_of(access, shown.quarantined)[1]).status_code == 404


def test_an_organisation_opens_its_deliveries_and_no_others(shown: scene.Scene) -> None:
    other = builders.delivery(builders.organisation("southgate"), "other.csv")
    builders.batch(other, builders.handling())
    ada, lena = client_of("ada_administrator"), client_of("lena_legal")
    access = asked(ada, organisation="northwind")
    lena.post(reverse("emergency-approve", args=[access.pk]))
    listed = ada.get(reverse("emergency", args=[access.pk])).content.decode()
    assert shown.delivery.name in listed
    assert "other.csv" not in listed
    assert ada.get(pages_of(access, shown.report)[0]).status_code == 200
    assert ada.get(pages_of(access, other)[0]).status_code == 404


@pytest.mark.parametrize(
    "said",
    [{}, {"receipt": "x" * 10, "organisation": "northwind"}, {"receipt": "x y"}, {"organisation": "centre"},
     {"receipt": "x" * 10, "hours": 5}, {"receipt": "x" * 10, "reason": " "}],
    ids=str,
)  # fmt: skip
def test_what_is_not_asked_well_is_not_asked(said: dict[str, object], shown: scene.Scene) -> None:
    form = {"reason": "Because.", "hours": 1, **said}
    assert "field-error" in client_of("ada_administrator").post(reverse("emergencies"), form).content.decode()
    assert not EmergencyAccess.objects.exists()


def test_nobody_drowns_the_alarm_in_requests(shown: scene.Scene) -> None:
    ada = client_of("ada_administrator")
    first = asked(ada, receipt="no-such-receipt")
    for _ in range(emergency.AT_ONCE - 1):
        asked(ada, receipt="no-such-receipt")
    form = {"reason": "Because.", "hours": 1, "receipt": "no-such-receipt"}
    assert "Three of your requests wait or are open already." in ada.post(reverse("emergencies"), form).content.decode()
    assert EmergencyAccess.objects.count() == emergency.AT_ONCE
    ada.post(reverse("emergency-end", args=[first.pk]))
    assert ada.post(reverse("emergencies"), form).status_code == 302
    assert asked(client_of("dario_duty"), receipt="no-such-receipt").asked_by.login == "dario_duty"


def test_asking_does_not_tell_whether_a_receipt_exists(shown: scene.Scene) -> None:
    access = asked(client_of("ada_administrator"), receipt="no-such-receipt")
    client_of("lena_legal").post(reverse("emergency-approve", args=[access.pk]))
    page = client_of("ada_administrator").get(reverse("emergency", args=[access.pk])).content.decode()
    assert "There is nothing that it opens" in page


def test_both_steps_need_a_fresh_proof(shown: scene.Scene) -> None:
    stale = Client()
    stale.force_login(people.call("ada_administrator"))
    response = stale.post(reverse("emergencies"), {"receipt": shown.delivery.receipt, "reason": "x", "hours": 1})
    assert response["Location"].startswith(reverse("prove"))
    assert not EmergencyAccess.objects.exists()
    access = asked(client_of("ada_administrator"), receipt=shown.delivery.receipt)
    stale.force_login(people.call("lena_legal"))
    assert stale.post(reverse("emergency-approve", args=[access.pk]))["Location"].startswith(reverse("prove"))
    access.refresh_from_db()
    assert access.approved_at is None


@pytest.mark.parametrize("login", ["lena_legal", "dario_duty", "rui_reviewer"])
def test_who_may_approve_still_cannot_approve_the_own_request(login: str, shown: scene.Scene) -> None:
    client = client_of(login)
    access = asked(client, receipt=shown.delivery.receipt)
    client.post(reverse("emergency-approve", args=[access.pk]))
    access.refresh_from_db()
    assert access.approved_at is None
    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.filter(pk=access.pk).update(approved_by=access.asked_by)
    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyAccess.objects.filter(pk=access.pk).update(hours=5)


def test_an_account_that_the_asker_made_does_not_approve(shown: scene.Scene) -> None:
    access = asked(client_of("ada_administrator"), receipt=shown.delivery.receipt)
    lena, now = people.call("lena_legal"), timezone.now()
    record("ada_administrator", "person.password-reset", f"person:{lena.pk}", at=now - timedelta(days=29))
    with pytest.raises(Refused):
        emergency.approve(access=access, by=lena, at=now)
    emergency.approve(access=access, by=people.call("dario_duty"), at=now)
    access.refresh_from_db()
    assert access.approved_by == people.call("dario_duty")


def test_two_who_approve_at_once_open_one(shown: scene.Scene) -> None:
    access = asked(client_of("ada_administrator"), receipt=shown.delivery.receipt)
    emergency.approve(access=access, by=people.call("lena_legal"), at=timezone.now())
    with pytest.raises((Refused, Conflict)):
        emergency.approve(access=access, by=people.call("dario_duty"), at=timezone.now())
    assert Entry.objects.filter(action="emergency.approved").count() == 1


@pytest.mark.parametrize("what", ["person", "role"])
def test_who_loses_the_role_loses_the_access(what: str, shown: scene.Scene) -> None:
    access, ada, _lena = opened(shown.delivery)
    changed = {"person": {"is_active": False}, "role": {"roles": ["auditor"]}}[what]
    Person.objects.filter(login="ada_administrator").update(**changed)
    assert ada.get(pages_of(access, shown.delivery)[0]).status_code in {302, 404}


def test_time_ends_it_and_the_log_says_so(shown: scene.Scene) -> None:
    access, ada, _lena = opened(shown.delivery)
    wiring.tick(timezone.now())
    assert not Entry.objects.filter(action="emergency.ended").exists()
    long_ago = timezone.now() - timedelta(hours=2, minutes=1)
    EmergencyAccess.objects.update(asked_at=long_ago, approved_at=long_ago)
    assert ada.get(pages_of(access, shown.delivery)[0]).status_code == 404, "before any worker came by"
    assert ALARM not in ada.get("/").content.decode()
    wiring.tick(timezone.now())
    wiring.tick(timezone.now())
    entry = Entry.objects.get(action="emergency.ended")
    assert (entry.actor, json.loads(entry.detail)["was"]) == ("system", "over")
