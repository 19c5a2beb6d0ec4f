"""Permissions by program: the same steps and refusals as on the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.api.urls import api
from tocsin.centre.intake.models import Delivery
from tocsin.centre.numbers import RowConverter
from tocsin.centre.permissions.models import Passing, Permission
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ADDRESS = "/api/v1/permissions"


class Program:
    """Somebody's key, and what it is answered."""

    def __init__(self, secret: str) -> None:
        self.headers = {"Authorization": f"Bearer {secret}"}

    def get(self, query: str = "") -> dict[str, Any]:
        answer: dict[str, Any] = Client().get(ADDRESS + query, headers=self.headers).json()
        return answer

    def post(self, path: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        reply = Client().post(ADDRESS + path, body, content_type="application/json", headers=self.headers)
        return reply.status_code, reply.json()


def until(days: int = 30) -> str:
    return (timezone.now() + timedelta(days=days)).date().isoformat()


def strict(tlp: Tlp = Tlp.AMBER_STRICT, released: object = None, **said: object) -> Delivery:
    people.call("fleur_officer")
    made = builders.delivery(people.call("pia_partner").organisation, "strict.csv", rows=31)
    builders.batch(made, builders.handling(tlp, **{"codes": ("H1",), **said}), released_to=released)
    return made


def test_w01a_asked_and_permitted_by_program(give_key: GiveKey) -> None:
    delivery = strict()
    centre, source = Program(give_key("dana_analyst", ["ask"])), Program(give_key("pia_partner", ["answer"]))
    stranger = Program(give_key("omar_partner", ["answer"]))
    wanted = {"delivery": delivery.receipt, "audience": ["ncb-fr"], "until": until(), "reason": "They act on it."}
    for changed, rule in (({"until": until(-1)}, "term"), ({"audience": []}, "nothing-asked"),
                          ({"reason": " "}, "no-reason"), ({"audience": ["person:ana"]}, "person")):  # fmt: skip
        status, refused = centre.post(**{**wanted, **changed})
        assert (status, refused["reason"]) == (403, "refused")
        assert rule in refused["text"]
    assert centre.post(**{**wanted, "delivery": "no-such"})[0] == 404
    assert source.post(**wanted)[0] == 403, "a key does what it was given for"
    status, asked = centre.post(**wanted)
    assert (status, asked["state"], asked["source"]) == (201, "asked", "northwind")
    path = f"/{asked['number']}"
    assert [each["number"] for each in source.get()["of_me"]] == [asked["number"]]
    assert [each["number"] for each in centre.get("?state=asked")["by_me"]] == [asked["number"]]
    assert stranger.get() == {"of_me": [], "by_me": []}
    assert {stranger.post(path + act, reason="x", until=until())[0] for act in ("/grant", "/refuse")} == {404}
    wider = source.post(path + "/grant", audience=["ncb-fr", "ncb-jo"], until=until())
    assert (wider[0], "wider-than-asked" in wider[1]["text"]) == (403, True)
    status, granted = source.post(path + "/grant", audience=["ncb-fr"], until=until(10), text="For this case.")
    assert (status, granted["state"], granted["permitted_until"]) == (200, "granted", until(10))
    assert source.post(path + "/refuse", reason="Too late.")[0] == 409
    assert source.post(path + "/withdraw", reason="Over.")[1]["state"] == "withdrawn"


def test_w08_a_bureau_asks_by_program_and_never_learns_whose_it_is(give_key: GiveKey) -> None:
    delivery = strict(Tlp.GREEN, (), codes=("H2",))
    builders.organisation("nu-fr1", class_name="law-enforcement", country="FR", parent=builders.bureau("FR"))
    part = RowConverter().to_url(delivery.batches.get().pk)
    bureau, centre = Program(give_key("fleur_officer", ["ask"])), Program(give_key("dora_dissemination", ["ask"]))
    wanted = {"parts": [part], "audience": ["nu-fr1"], "until": until(), "reason": "They search the house."}
    assert "others-units" in bureau.post(**{**wanted, "audience": ["ncb-jo"]})[1]["text"]
    for wrong in (RowConverter().to_url(delivery.batches.get().pk + 5), "no-such", delivery.batches.get().pk):
        assert bureau.post(**{**wanted, "parts": [wrong]})[0] == 404
    status, asked = bureau.post(**wanted)
    assert (status, asked["state"], asked["source"], asked["delivery"]) == (201, "with-centre", "", "")
    path = f"/{asked['number']}"
    assert Program(give_key("pia_partner", ["answer"])).get()["of_me"] == [], "not passed on yet"
    assert bureau.post(path + "/forward", reason="x")[0] == 403
    assert centre.post(path + "/forward", reason="A bureau acts.")[1]["state"] == "asked"
    assert bureau.get()["by_me"][0]["reason"] == "They search the house."
    assert bureau.post(path + "/cancel")[1]["state"] == "cancelled"
    assert Permission.objects.get().reason == "A bureau acts."


def test_w01b_a_bureau_passes_on_by_program_and_takes_back(give_key: GiveKey) -> None:
    delivery = strict(Tlp.AMBER, ("ncb-fr",), audience=("ncb-fr",))
    builders.organisation("nu-fr1", class_name="law-enforcement", country="FR", parent=builders.bureau("FR"))
    said = {"part": delivery.batches.get().pk, "units": ["nu-fr1"]}
    bureau, other = Program(give_key("fleur_officer", ["ask"])), Program(give_key("khalil_officer", ["ask"]))
    assert other.post("/pass-on", **said)[0] == 404
    assert bureau.post("/take-back", **said)[0] == 409
    assert "others-units" in bureau.post("/pass-on", **{**said, "units": ["southgate"]})[1]["text"]
    assert bureau.post("/pass-on", **said) == (200, said)
    assert bureau.post("/pass-on", **said) == (200, said), "done twice it is done once"
    assert Program(give_key("dana_analyst", ["ask"])).post("/pass-on", **said)[0] == 404
    assert bureau.post("/take-back", **said) == (200, {**said, "units": []})
    by_source = strict(Tlp.AMBER, ("ncb-fr",), codes=("H2",), audience=("ncb-fr",)).batches.get().pk
    assert "label-binds" in bureau.post("/pass-on", **{**said, "part": by_source})[1]["text"]
    unit = Passing.objects.get()
    assert (unit.by.login, unit.ended_by and unit.ended_by.login) == ("fleur_officer", "fleur_officer")


def test_a_session_proves_itself_before_it_permits(client: Client) -> None:
    delivery = strict()
    asked = Permission.objects.create(
        source=delivery.organisation, delivery=delivery, sets=[delivery.batches.get().handling_set.digest],
        state="asked", audience=["ncb-fr"], until=timezone.now().date(), reason="They act.",
        asked_by=people.call("dana_analyst"), asked_for=builders.centre(), asked_at=timezone.now(),
        forwarded_at=timezone.now(),
    )  # fmt: skip
    client.force_login(people.call("pia_partner"))
    reply = client.post(f"{ADDRESS}/{asked.number}/grant", {"audience": ["ncb-fr"], "until": until(0)},
                        content_type="application/json")  # fmt: skip
    assert reply.status_code == 403
    assert "prove-first" in reply.json()["text"]
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    acts = ("grant", "refuse", "withdraw", "cancel", "forward", "decline")
    passing = {f"{ADDRESS}/pass-on", f"{ADDRESS}/take-back"}
    wanted = {ADDRESS, *passing, *(f"{ADDRESS}/{{number}}/{act}" for act in acts)}
    assert {path for path in paths if path.startswith(ADDRESS)} == wanted
