"""TAXII 2.1 the other way: what was released to an organisation, and what it is to give back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stix2
from django.test import Client
from django.utils import timezone
from taxii2client.v21 import Server, as_pages
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import Organisation
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.models import Notice
from tocsin.core.words import Tlp
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
FR, JO = "/taxii2/ncb-fr/collections/", "/taxii2/ncb-jo/collections/"


def sent(*numbers: int, tlp: Tlp = Tlp.AMBER, released_to: tuple[str, ...] | None = (), **said: Any) -> Batch:
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(tlp, **said), released_to=released_to)
    builders.objects(batch, [builders.indicator(number) for number in numbers])
    return batch


class Reader:
    """A program of one of the cast."""

    def __init__(self, client: Client, secret: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {secret}", "Accept": MEDIA_TYPE}

    def get(self, path: str, **query: str) -> Any:
        return self.client.get(path, query, headers=self.headers)

    def names(self, path: str, **query: str) -> list[str]:
        found = self.get(path, **query).json().get("objects", [])
        return [each["name"] for each in found if each["type"] == "indicator"]


@pytest.fixture
def fleur(client: Client, give_key: GiveKey) -> Reader:
    return Reader(client, give_key("fleur_officer"))


@pytest.fixture
def khalil(client: Client, give_key: GiveKey) -> Reader:
    return Reader(client, give_key("khalil_officer"))


def test_w27_with_nothing_to_see_the_collections_are_there_and_empty(
    client: Client, give_key: GiveKey, fleur: Reader
) -> None:
    sent(1, exclusions=("country:FR",))
    for login, slug in (("fleur_officer", "ncb-fr"), ("pia_partner", "northwind"), ("omar_partner", "southgate")):
        reader = Reader(client, give_key(login))
        root = f"/taxii2/{slug}/collections/"
        found = reader.get(root).json()["collections"]
        own = ["country-fr"] if slug == "ncb-fr" else []
        assert [each["alias"] for each in found] == ["inbox", "released", "alerts", "recalls", *own]
        assert all(each["can_read"] for each in found)
        for name in ("released", "recalls"):
            for tail in ("objects/", "manifest/"):
                response = reader.get(f"{root}{name}/{tail}")
                assert (response.status_code, response.content) == (200, b"{}")
                assert response["X-TAXII-Date-Added-Last"] == "1970-01-01T00:00:00.000000Z"


@pytest.mark.django_db(transaction=True)
def test_the_public_client_follows(live_server: Any, give_key: GiveKey) -> None:
    sent(*range(1, 6))
    late = sent(6, exclusions=("country:FR",))
    secret = give_key("fleur_officer")
    with Server(f"{live_server.url}/taxii2/", user="fleur_officer", password=secret) as server:
        [released] = [each for each in server.default.collections if each.title == "Released"]
        pages = list(as_pages(released.get_objects, per_request=2))
        found = [each for page in pages for each in page.get("objects", [])]
        assert len({each["id"] for each in found}) == len(found) == 5 + 4
        stix2.parse({"type": "bundle", "id": f"bundle--{found[0]['id'][-36:]}", "objects": found}, allow_custom=True)
        entries = released.get_manifest()["objects"]
        assert [each["id"] for each in entries] == [each["id"] for each in found]
        after = entries[-1]["date_added"]
        assert released.get_objects(added_after=after) == {}
        Batch.objects.filter(pk=late.pk).update(handling_set=builders.handling(Tlp.AMBER))
        [new] = released.get_objects(added_after=after)["objects"]
        assert new["name"] == "address 6"
        assert released.get_object(new["id"])["objects"] == [new]


def test_w02_released_to_all_but_two(client: Client, give_key: GiveKey, fleur: Reader, khalil: Reader) -> None:
    unit = builders.organisation("unit-jo", class_name="law-enforcement", country="JO", parent=builders.bureau("JO"))
    builders.person("una_unit", unit, "officer")
    from tocsin.centre.members.services import add_key

    at = timezone.now()
    una = Reader(client, add_key(
        person=people.Person.objects.get(login="una_unit"), name="u", scopes=("deliver", "taxii", "read"),
        expires_at=at.replace(year=at.year + 1), by="test", at=at)[1])  # fmt: skip
    sent(1)
    before = {path: reader.get(path).content for reader, path in _answers(khalil, una)}
    sent(2, released_to=("all-members",), exclusions=("country:JO", "country:BR"), audience=("all-members",))
    after = {path: reader.get(path).content for reader, path in _answers(khalil, una)}
    assert before == after, "excluded equals absent, byte for byte"
    assert fleur.names(f"{FR}released/objects/") == ["address 1", "address 2"]
    shown = json.dumps(fleur.get(f"{FR}released/objects/").json())
    assert not [word for word in ("JO", "BR", "all-members", "northwind") if word in shown]
    [theirs] = [
        each for each in fleur.get(f"{FR}released/objects/").json()["objects"] if each.get("name") == "address 2"
    ]
    hidden = khalil.get(f"{JO}released/objects/{theirs['id']}/")
    nothing = khalil.get(f"{JO}released/objects/indicator--99999999-9999-4999-8999-999999999999/")
    assert (hidden.status_code, hidden.content) == (404, nothing.content)


def _answers(khalil: Reader, una: Reader) -> list[tuple[Reader, str]]:
    tails = ("", "released/", "released/objects/", "released/manifest/", "recalls/objects/")
    return [(khalil, f"{JO}{tail}") for tail in tails] + [
        (una, f"/taxii2/unit-jo/collections/{tail}") for tail in tails
    ]


def test_what_is_fetched_is_in_the_ledger_and_in_the_log(fleur: Reader) -> None:
    batch = sent(1, 2)
    fleur.get(f"{FR}released/manifest/")
    assert not Taking.objects.exists()
    fleur.get(f"{FR}released/objects/")
    taking = Taking.objects.get()
    assert (taking.organisation.slug, taking.first, taking.last) == ("ncb-fr", batch.pk, batch.pk)
    assert (taking.channel, taking.reference) == ("api", "TAXII")
    assert Entry.objects.get(action="taxii.read").detail == '{"objects":2}'


def test_w04_recalled_objects_come_back_as_revoked_versions(fleur: Reader, khalil: Reader) -> None:
    batch = sent(1, 2)
    had = {each["id"]: each for each in fleur.get(f"{FR}released/objects/").json()["objects"]}
    made = recall.recall(batch.delivery, by=people.call("pia_partner"), reason="source-withdrawal", action="destroy",
                         note="secret reason", at=timezone.now())  # fmt: skip
    assert fleur.get(f"{FR}released/objects/").content == b"{}"
    found = fleur.get(f"{FR}recalls/objects/").json()["objects"]
    [notice] = [each for each in found if each["type"] == "recall-notice"]
    revoked = [each for each in found if each.get("revoked")]
    assert {each["ref"] for each in notice["recalled"]} == {each["id"] for each in revoked}
    assert {each["id"] for each in revoked} <= had.keys()
    for each in revoked:
        assert each["modified"] > had[each["id"]]["modified"]
        assert each["created"] == had[each["id"]]["created"]
        stix2.parse(each)
    text = json.dumps(found)
    assert not [word for word in ("192.0.2", "address", "northwind", "secret", "source-withdrawal") if word in text]
    bare = [each for each in khalil.get(f"{JO}recalls/objects/").json()["objects"] if each["type"] == "recall-notice"]
    assert len(bare) == 1
    assert "recalled" not in bare[0], "who took nothing is told no more than that"
    assert Notice.objects.get(recall=made, organisation__slug="ncb-fr").seen_at is not None
    last = fleur.get(f"{FR}recalls/objects/")["X-TAXII-Date-Added-Last"]
    assert fleur.get(f"{FR}recalls/objects/", added_after=last).content == b"{}"


def test_pages_of_recalls(fleur: Reader) -> None:
    batch = sent(*range(7))
    fleur.get(f"{FR}released/objects/")
    recall.recall(batch.delivery, by=people.call("pia_partner"), reason="legal", action="destroy", note="",
                  at=timezone.now())  # fmt: skip
    whole = fleur.get(f"{FR}recalls/objects/").json()["objects"]
    found, query = [], {"limit": "2"}
    while True:
        page = fleur.get(f"{FR}recalls/objects/", **query).json()
        found += page["objects"]
        if not page.get("more"):
            break
        query = {"limit": "2", "next": page["next"]}
    assert found == whole
    assert len(whole) == 2 + 1 + 7


@pytest.mark.parametrize(
    "query",
    [{"added_after": "soon"}, {"limit": "0"}, {"limit": "-1"}, {"limit": "x"}, {"next": "x"}, {"match[colour]": "red"},
     {"added_after": "0001-01-01T00:00:00+23:00"}],
)  # fmt: skip
@pytest.mark.parametrize("name", ["released", "recalls"])
def test_filters_that_are_not_understood(fleur: Reader, name: str, query: dict[str, str]) -> None:
    sent(1)
    assert fleur.get(f"{FR}{name}/objects/", **query).status_code == 400


def test_filters(fleur: Reader) -> None:
    sent(1, 2)
    every = fleur.get(f"{FR}released/objects/").json()["objects"]
    path = f"{FR}released/objects/"
    by_type = fleur.get(path, **{"match[type]": "indicator"}).json()["objects"]
    assert by_type == [each for each in every if each["type"] == "indicator"]
    by_id = fleur.get(path, **{"match[id]": f"{every[0]['id']},{by_type[1]['id']}"}).json()["objects"]
    assert by_id == [every[0], by_type[1]]
    assert fleur.get(path, **{"match[spec_version]": "2.0"}).content == b"{}"
    one = f"{path}{by_type[0]['id']}/"
    assert fleur.get(one).json()["objects"] == [by_type[0]]
    assert fleur.get(f"{one}versions/").json() == {"versions": [by_type[0]["modified"]]}
    assert fleur.get(one, added_after="2100-01-01T00:00:00Z").content == b"{}"
    assert fleur.get(f"{path}nothing/").status_code == 404


def test_who_may_not_read_and_what_cannot_be_done(client: Client, give_key: GiveKey, fleur: Reader) -> None:
    narrow = Reader(client, give_key("fleur_officer", scopes=("deliver", "taxii")))
    found = {each["alias"]: each["can_read"] for each in narrow.get(FR).json()["collections"]}
    assert found == {"inbox": False, "released": False, "alerts": False, "recalls": False}
    assert narrow.get(f"{FR}released/objects/").status_code == 403
    posted = client.post(f"{FR}released/objects/", b"{}", content_type=MEDIA_TYPE, headers=fleur.headers)
    assert posted.status_code == 403
    assert client.delete(f"{FR}released/objects/x/", headers=fleur.headers).status_code == 403
    ada = Reader(client, give_key("ada_administrator"))
    assert ada.get("/taxii2/centre/collections/").json() == {}
    assert ada.get("/taxii2/centre/collections/released/objects/").status_code == 404


def test_a_suspended_country_gets_nothing_and_misses_nothing(fleur: Reader) -> None:
    from tocsin.centre.members import countries

    sent(1)
    after = fleur.get(f"{FR}released/objects/")["X-TAXII-Date-Added-Last"]
    lena = people.call("lena_legal")
    countries.set_status("FR", "suspended", reason="test", by=lena.login, at=timezone.now())
    batch = sent(2, released_to=None)
    set_audience(Batch.objects.filter(pk=batch.pk), ())
    refused = fleur.get(f"{FR}released/objects/", added_after=after)
    assert refused.status_code in {401, 403} or refused.content == b"{}"
    countries.set_status("FR", "active", reason="test", by=lena.login, at=timezone.now())
    assert fleur.names(f"{FR}released/objects/", added_after=after) == ["address 2"]
    assert Organisation.objects.get(slug="ncb-fr").is_active


def test_a_page_by_version_may_be_empty_and_goes_on(
    client: Client, fleur: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        sent(number)
    builders.objects(sent(8), [builders.indicator(9, 2)])
    monkeypatch.setattr("tocsin.centre.release.given_stream.MOST_LOOKED_AT", 300)
    asked = {"match[version]": "2026-11-02T10:00:00.000Z", "match[type]": "indicator"}
    for path in (f"{FR}released/objects/", f"{FR}released/manifest/"):
        for by_date in (False, True):
            query, found, pages, told = dict(asked), [], 0, ""
            while True:
                response = fleur.get(path, **query)
                page = response.json()
                found += page.get("objects", [])
                dates = [response[f"X-TAXII-Date-Added-{name}"] for name in ("First", "Last")]
                assert all(told < each for each in dates) or not page.get("more"), "who goes on by date gets on"
                told, pages = dates[1], pages + 1
                if not page.get("more"):
                    break
                assert page["next"]
                query = {**asked, "added_after": told} if by_date else {**asked, "next": page["next"]}
            assert len(found) == 1
            assert pages > 1
    assert Taking.objects.count() == 1, "empty pages take nothing"
