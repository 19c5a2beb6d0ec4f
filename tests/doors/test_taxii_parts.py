"""Parts of what was released, as collections: what the Centre reports, by country, by source; and the root for all."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from taxii2client.v21 import ApiRoot
from tests import builders, people
from tests.doors.conftest import GiveKey
from tests.doors.taxii_readers import DATES, NOBODY, Program, is_problem, sent

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.services import add_organisation
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]
DAY = builders.NOW.date()


@pytest.fixture
def fleur(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("fleur_officer"), "ncb-fr")


@pytest.fixture
def khalil(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("khalil_officer"), "ncb-jo")


def report(number: int) -> dict[str, Any]:
    at = "2026-11-01T10:00:00.000Z"
    return {
        "type": "report", "spec_version": "2.1", "id": f"report--00000000-0000-4000-8000-{number:012d}",
        "created": at, "modified": at, "name": f"report {number}", "published": at,
        "object_refs": [builders.indicator(number)["id"]],
    }  # fmt: skip


def translation(number: int) -> dict[str, Any]:
    at = "2026-11-01T10:00:00.000Z"
    return {
        "type": "language-content", "spec_version": "2.1", "created": at, "modified": at,
        "id": f"language-content--00000000-0000-4000-8000-{number:012d}", "object_ref": report(number)["id"],
        "object_modified": at, "contents": {"fr": {"name": f"rapport {number}"}},
    }  # fmt: skip


def from_(source: Organisation, *bodies: dict[str, Any], **said: Any) -> Batch:
    batch = builders.batch(builders.delivery(source), builders.handling(Tlp.GREEN, **said), released_to=())
    builders.objects(batch, list(bodies))
    return batch


def aliases(program: Program) -> list[str]:
    return [each["alias"] for each in program.get("collections/").json()["collections"]]


def names(program: Program, collection: str, **query: str) -> list[str]:
    return [each["name"] for each in program.all(collection, query) if each["type"] in {"indicator", "report"}]


def test_alerts_are_the_reports_of_the_centre_with_what_came_with_them(fleur: Program, khalil: Program) -> None:
    from_(people.call("pia_partner").organisation, report(1))
    assert fleur.get("collections/alerts/objects/").json() == {}
    from_(builders.centre(), builders.indicator(7))
    assert fleur.get("collections/alerts/objects/").json() == {}, (
        "what the Centre hands over without a word is no alert"
    )
    for number in range(2, 5):
        from_(builders.centre(), report(number), builders.indicator(number), translation(number))
    from_(builders.centre(), report(9), exclusions=("country:FR",))
    whole = [name for number in range(2, 5) for name in (f"report {number}", f"address {number}")]
    assert names(fleur, "alerts") == whole
    assert names(fleur, "alerts", limit="1") == whole
    assert names(fleur, "alerts", **{"match[type]": "report"}) == ["report 2", "report 3", "report 4"]
    given = fleur.all("alerts")
    bound = [each["object_ref"] for each in given if each["type"] == "language-content"]
    assert bound == [each["id"] for each in given if each["type"] == "report"], "each translation is of its report"
    meant = {ref for each in given for ref in each.get("object_refs", [])}
    assert meant & {each["id"] for each in given if each["type"] == "indicator"}
    assert names(khalil, "alerts") == [*whole, "report 9"]
    entries = fleur.get("collections/alerts/manifest/").json()["objects"]
    released = fleur.get("collections/released/manifest/").json()["objects"]
    commons = (
        "identity--",
        "marking-definition--",
        "extension-definition--",
    )  # In each part from the first that refers to them.
    own = [each for each in entries if not each["id"].startswith(commons)]
    assert [each for each in released if each in own] == own, "a part: the same moments"
    of_hidden = next(each["id"] for each in khalil.all("alerts") if each.get("name") == "report 9")
    assert is_problem(fleur.get(f"collections/alerts/objects/{of_hidden}/"), 404)


def test_collections_by_country(fleur: Program, khalil: Program) -> None:
    assert aliases(fleur)[4:] == ["country-fr"], "one's own is always there"
    pia = people.call("pia_partner").organisation
    here, there, nowhere = (from_(pia, builders.indicator(number)) for number in (1, 2, 3))
    builders.tallies(here, [(DAY, "FR", "phishing", "ATTACKER_INFRA", 1), (DAY, "DE", "phishing", "ATTACKER_INFRA", 1)])
    builders.tallies(there, [(DAY, "BR", "phishing", "VICTIM", 3), (DAY, "FR", "phishing", "VICTIM", 3)])
    builders.tallies(nowhere, [(DAY, "", "phishing", "ATTACKER_INFRA", 1)])
    assert aliases(fleur)[4:] == ["country-fr", "country-de"], "victims of another country leave no trace"
    assert names(fleur, "country-fr") == ["address 1", "address 2"]
    assert names(fleur, "country-de") == ["address 1"]
    assert is_problem(fleur.get("collections/country-br/objects/"), 404)
    assert aliases(khalil)[4:] == ["country-jo", "country-de", "country-fr"]
    assert names(khalil, "country-fr") == ["address 1"], "victims of France are not counted for Jordan"
    for absent in ("country-xx", "country-", "country-zz9", "country-us"):
        assert is_problem(fleur.get(f"collections/{absent}/"), 404)


def test_collections_by_source_name_who_may_be_named(fleur: Program, khalil: Program) -> None:
    pia, omar = people.call("pia_partner").organisation, people.call("omar_partner").organisation
    from_(pia, builders.indicator(1), attribution="must-not")
    assert aliases(fleur)[5:] == []
    assert is_problem(fleur.get("collections/from-northwind/"), 404)
    from_(pia, builders.indicator(2), attribution="may")
    from_(omar, builders.indicator(3), attribution="must", exclusions=("country:JO",))
    feed = builders.organisation("feed-example")
    shown = from_(feed, builders.indicator(4), attribution="may")
    assert aliases(fleur)[5:] == ["from-feed-example", "from-northwind", "from-southgate"]
    assert names(fleur, "from-northwind") == ["address 2"], "what it may not be named for is not there"
    assert names(fleur, "from-southgate") == ["address 3"]
    assert aliases(khalil)[5:] == ["from-feed-example", "from-northwind"]
    assert khalil.get("collections/from-southgate/").content == khalil.get("collections/from-nobody/").content
    set_audience(Batch.objects.filter(pk=shown.pk), None)
    assert aliases(fleur)[5:] == ["from-northwind", "from-southgate"]


def test_a_part_is_paged_like_the_whole(fleur: Program) -> None:
    pia, omar = people.call("pia_partner").organisation, people.call("omar_partner").organisation
    for number in range(0, 12, 2):
        from_(pia, builders.indicator(number), attribution="may")
        from_(omar, builders.indicator(number + 1), attribution="may")
    whole = fleur.all("from-northwind")
    assert [each["name"] for each in whole if each["type"] == "indicator"] == [f"address {n}" for n in range(0, 12, 2)]
    assert {each["id"] for each in whole} < {each["id"] for each in fleur.all()}
    for limit in ("1", "2", "3", "5", "100"):
        assert fleur.all("from-northwind", {"limit": limit}) == whole
    listed = {each["alias"]: each["id"] for each in fleur.get("collections/").json()["collections"]}
    assert fleur.all(listed["from-northwind"]) == whole
    place = fleur.get("collections/from-northwind/objects/", {"limit": "1"}).json()["next"]
    assert is_problem(fleur.get("collections/from-southgate/objects/", {"next": place}), 400)
    assert is_problem(fleur.get("collections/released/objects/", {"next": place}), 400)
    last = fleur.get("collections/from-northwind/objects/")["X-TAXII-Date-Added-Last"]
    assert fleur.get("collections/from-northwind/objects/", {"added_after": last}).json() == {}
    from_(omar, builders.indicator(90), attribution="may")
    from_(pia, builders.indicator(91), attribution="may")
    assert names(fleur, "from-northwind", added_after=last) == ["address 91"]


def test_what_is_taken_from_a_part_is_taken(fleur: Program) -> None:
    batch = from_(people.call("pia_partner").organisation, builders.indicator(1), attribution="may")
    fleur.get("collections/from-northwind/objects/")
    assert [(each.first, each.last) for each in Taking.objects.all()] == [(batch.pk, batch.pk)]


def test_the_root_for_everybody_asks_for_no_key(client: Client, fleur: Program) -> None:
    sent(1, tlp=Tlp.CLEAR)
    root = "/taxii2/public-alerts/"
    assert fleur.get("/taxii2/").json()["api_roots"][1].endswith(root)
    for headers in ({}, {"Authorization": "Bearer toc_wrong"}, fleur.headers):
        [listed] = client.get(f"{root}collections/", headers=headers).json()["collections"]
        assert (listed["alias"], listed["can_read"], listed["can_write"]) == ("alerts", True, False)
        for name in ("alerts", listed["id"]):
            assert client.get(f"{root}collections/{name}/", headers=headers).json() == listed
            for tail in ("objects/", "manifest/"):
                answer = client.get(f"{root}collections/{name}/{tail}", {"match[type]": "report"}, headers=headers)
                assert (answer.status_code, answer.json()) == (200, {})
                assert all(answer.has_header(date) for date in DATES)
    base = f"{root}collections/alerts/"
    for path, status in (
        (f"{base}objects/?limit=0", 400), (f"{base}objects/?next=x", 400), (f"{root}collections/released/", 404),
        (f"{base}objects/{NOBODY}/", 404), (f"{root}status/x/", 404), (f"{root}collections", 404),
    ):  # fmt: skip
        assert is_problem(client.get(path), status)
    assert is_problem(client.post(f"{base}objects/", b"{}", content_type="text/plain"), 405)
    assert is_problem(client.get(root, headers={"Accept": "text/html"}), 406)
    assert client.head(root).status_code == 200
    with pytest.raises(InputError):
        add_organisation(slug="public-alerts", name="x", class_name="private", by="test", at=builders.NOW)


@pytest.mark.django_db(transaction=True)
def test_a_public_client_reads_the_root_for_everybody(live_server: Any) -> None:
    with ApiRoot(f"{live_server.url}/taxii2/public-alerts/") as root:
        assert root.max_content_length > 0
        [alerts] = root.collections
        assert alerts.get_objects() == {}
        assert alerts.get_manifest() == {}
