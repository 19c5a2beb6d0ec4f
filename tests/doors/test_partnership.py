"""W10: what a partner sees of its part, and that nothing of another stands in it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.outlook import Stage, outlook_of
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.partners import services
from tocsin.centre.partners.models import Scorecard
from tocsin.core.words import Tlp

from .conftest import GiveKey

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def sent() -> Delivery:
    made = builders.delivery(builders.organisation("northwind"), "own-file.csv", at=timezone.now())
    builders.batch(made, builders.handling(Tlp.AMBER), released_to=None)
    builders.delivery(builders.organisation("southgate"), "foreign-file.csv", at=timezone.now())
    return made


def stage(delivery: Delivery) -> Stage:
    return outlook_of(delivery, timezone.now()).stage


def test_w10_states_say_to_which_class_and_never_to_whom(sent: Delivery, client: Client) -> None:
    assert stage(sent) is Stage.WAITS
    of_it = Batch.objects.filter(delivery=sent)
    people.let_in(client, "pia_partner")
    page = reverse("delivery", args=[sent.receipt])
    assert "Waits for release" in client.get(page).content.decode()
    builders.bureau("FR"), builders.bureau("JO")
    set_audience(of_it, ["ncb-fr", "ncb-jo"])
    shown = client.get(page).content.decode()
    assert "Released" in shown
    assert outlook_of(sent, timezone.now()).audiences == (("law-enforcement", 0),)  # Two are not counted.
    for word in ("ncb-fr", "NCB FR", "Jordan", "2 recipients"):
        assert word not in shown
    set_audience(of_it, ["country:FR", "country:JO", "ncb-fr", "class:academia"])
    assert outlook_of(sent, timezone.now()).audiences == (("academia", 0), ("law-enforcement", 3))
    assert "3 recipients" in client.get(page).content.decode()
    answer = client.get(reverse("receipt", args=[sent.receipt])).json()["outlook"]
    assert answer["stage"] == "released"
    assert {"class": "law-enforcement", "count": 3} in answer["released_to"]
    of_it.update(hidden_at=timezone.now() - timedelta(minutes=1))
    assert stage(sent) is Stage.RECALLED
    assert "Recalled" in client.get(page).content.decode()


def test_w10_what_is_kept_has_an_end(sent: Delivery) -> None:
    expires = outlook_of(sent, timezone.now()).expires_on
    assert expires is not None
    assert expires == sent.batches.get().expires_at.date()


def test_a_part_that_waits_is_told(sent: Delivery) -> None:
    builders.batch(sent, builders.handling(Tlp.GREEN), pk=Batch.objects.get(delivery=sent).pk + 1)
    assert stage(sent) is Stage.PARTLY
    assert outlook_of(sent, timezone.now()).by_label


@pytest.mark.parametrize(
    ("state", "expected"),
    [("received", Stage.IN_HAND), ("held", Stage.IN_HAND), ("quarantined", Stage.NOT_USED),
     ("refused", Stage.NOT_USED), ("parsed", Stage.EMPTY)],
)  # fmt: skip
def test_what_was_not_read_has_its_own_stage(state: str, expected: Stage) -> None:
    assert stage(builders.delivery(builders.organisation("northwind"), state=state)) is expected


def test_w10_our_partnership_holds_ones_own_and_nothing_of_another(sent: Delivery, client: Client) -> None:
    people.let_in(client, "pia_partner")
    shown = client.get(reverse("partnership")).content.decode()
    assert "own-file.csv" in shown
    assert "No scorecard yet" in shown
    services.compute(timezone.now())
    shown = client.get(reverse("partnership"), {"days": "90"}).content.decode()
    assert "Reported by nobody else" in shown
    assert "Too few other sources to say." in shown
    for word in ("foreign-file.csv", "Southgate", "southgate"):
        assert word not in shown
    table = client.get(reverse("scorecard-csv")).content.decode()
    assert table.count("northwind") == 3 * 16
    assert "southgate" not in table


def test_the_partnership_officer_sees_all_side_by_side(sent: Delivery, client: Client) -> None:
    services.compute(timezone.now())
    people.let_in(client, "paula_partnership")
    shown = client.get(reverse("scorecards")).content.decode()
    assert "Northwind" in shown
    assert "Southgate" in shown
    assert "southgate" in client.get(reverse("scorecards-csv")).content.decode()
    assert client.get(reverse("partnership")).status_code == 404
    people.let_in(client, "pia_partner")
    assert client.get(reverse("scorecards")).status_code == 404
    assert client.get(reverse("scorecards-csv")).status_code == 404


def test_the_api_gives_ones_own_scorecard(sent: Delivery, client: Client, give_key: GiveKey) -> None:
    headers = {"Authorization": f"Bearer {give_key('pia_partner')}"}
    assert client.get("/api/v1/scorecard", headers=headers).status_code == 404
    services.compute(timezone.now())
    answer = client.get("/api/v1/scorecard?days=365", headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer.json()["span_days"] == 365
    assert answer.json()["measures"]["unique"] == {"percent": None, "rests_on": 0, "why": "too-few-others"}
    assert client.get("/api/v1/scorecard?days=31", headers=headers).status_code == 422
    officer = {"Authorization": f"Bearer {give_key('fleur_officer', scopes=('read',))}"}
    assert client.get("/api/v1/scorecard", headers=officer).status_code == 404
    status = client.get(f"/api/v1/deliveries/{sent.receipt}", headers=headers).json()
    assert status["outlook"]["stage"] == "waits-for-release"
    assert Scorecard.objects.filter(organisation__slug="northwind").count() == 3
