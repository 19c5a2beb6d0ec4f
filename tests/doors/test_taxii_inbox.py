"""The inbox, read by who hands over: its own objects as it handed them over, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import stix2
from django.test import Client
from django.utils import timezone
from stix2.datastore.filters import Filter
from stix2.datastore.taxii import TAXIICollectionStore
from taxii2client.v21 import Server
from tests import builders, people
from tests.doors.conftest import GiveKey, work
from tests.doors.taxii_readers import Program, is_problem, sent

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.ledger.models import Taking
from tocsin.centre.recall import services as recall
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
INBOX = "collections/inbox/objects/"


@pytest.fixture
def fleur(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("fleur_officer"), "ncb-fr")


@pytest.fixture
def pia(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("pia_partner"), "northwind")


@pytest.mark.django_db(transaction=True)
def test_what_was_handed_over_comes_back_as_it_was(pia: Program, fleur: Program) -> None:
    identity = {
        "type": "identity", "spec_version": "2.1", "id": "identity--11111111-1111-4111-8111-111111111111",
        "created": "2026-11-01T10:00:00.000Z", "modified": "2026-11-01T10:00:00.000Z", "name": "Northwind Research",
        "identity_class": "organization",
    }  # fmt: skip
    said = builders.indicator(
        1, created_by_ref=identity["id"],
        object_marking_refs=["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"],
        granular_markings=[{"lang": "en", "selectors": ["name"]}],
    )  # fmt: skip
    assert pia.get(INBOX).json() == {}
    pia.post({"objects": [identity, said]})
    assert pia.get(INBOX).json() == {}, "what was not read yet is in the status alone"
    work()
    assert sorted(pia.all("inbox"), key=lambda each: str(each["type"])) == [identity, said], (
        "not a word of it is another, and nothing of ours beside it"
    )
    assert pia.get(f"{INBOX}{said['id']}/").json()["objects"] == [said]
    assert fleur.get(INBOX).json() == {}
    assert is_problem(fleur.get(f"{INBOX}{said['id']}/"), 404)
    assert not Taking.objects.exists(), "nobody is asked to give back what is his own"
    assert Entry.objects.filter(action="taxii.read", subject="collection:inbox").exists()


def test_the_inbox_is_paged_filtered_and_dated_as_the_others_are(pia: Program) -> None:
    for number in range(1, 8):
        sent(number, released_to=None)
    sent(3, version=2)
    whole = pia.all("inbox", {"match[version]": "all"})
    assert [each["name"] for each in whole] == [f"address {number}" for number in [*range(1, 8), 3]]
    for limit in ("1", "3"):
        assert pia.all("inbox", {"match[version]": "all", "limit": limit}) == whole
    dates = [
        each["date_added"]
        for each in pia.get("collections/inbox/manifest/", {"match[version]": "all"}).json()["objects"]
    ]
    assert dates == sorted(set(dates))
    for place, date in enumerate(dates):
        assert pia.all("inbox", {"match[version]": "all", "added_after": date}) == whole[place + 1 :]
    assert len(pia.all("inbox")) == 7
    assert pia.get(f"{INBOX}{whole[2]['id']}/versions/").json()["versions"] == [
        whole[2]["modified"],
        whole[7]["modified"],
    ]
    assert pia.get(INBOX, {"match[type]": "malware"}).json() == {}


def test_the_gate_is_asked_for_what_is_ones_own(client: Client, give_key: GiveKey, pia: Program) -> None:
    batch, narrow = sent(1, released_to=None), sent(2, tlp=Tlp.RED, released_to=None)
    assert [each["name"] for each in pia.all("inbox")] == ["address 1", "address 2"]
    ceiling = Program(client, give_key("pia_partner", ceiling="TLP:AMBER"), "northwind")
    assert [each["name"] for each in ceiling.all("inbox")] == ["address 1"], "no more than the key may read"
    recall.recall(narrow.delivery, by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
                  at=timezone.now())  # fmt: skip
    assert [each["name"] for each in pia.all("inbox")] == ["address 1"]
    Batch.objects.filter(pk=batch.pk).update(expires_at=builders.NOW)
    assert pia.get(INBOX).json() == {}


def test_who_may_only_hand_over_reads_nothing(client: Client, give_key: GiveKey) -> None:
    sent(1)
    narrow = Program(client, give_key("pia_partner", scopes=("deliver", "taxii")), "northwind")
    [listed] = [each for each in narrow.get("collections/").json()["collections"] if each["alias"] == "inbox"]
    assert (listed["can_read"], listed["can_write"]) == (False, True)
    assert is_problem(narrow.get(INBOX), 403)


def _waited(found: Callable[[], Any]) -> Any:
    """What comes within a while."""
    until = time.monotonic() + 60
    while not (some := found()) and time.monotonic() < until:
        time.sleep(0.2)
    return some


@pytest.mark.django_db(transaction=True)
def test_python_stix2_has_one_store_for_both_ways(live_server: Any, give_key: GiveKey) -> None:
    from tests.doors.test_taxii_pollers import working

    sent(90, 91)
    server = Server(f"{live_server.url}/taxii2/", user="fleur_officer", password=give_key("fleur_officer"))
    inbox = next(each for each in server.default.collections if each.title == "Inbox")
    store = TAXIICollectionStore(inbox, items_per_page=2)
    first = stix2.v21.Indicator(
        pattern="[ipv4-addr:value = '192.0.2.77']", pattern_type="stix", valid_from="2026-11-01T10:00:00Z", name="one"
    )
    second = first.new_version(name="two")
    family = stix2.v21.Malware(name="family", is_family=True)
    with working():
        store.add(first)
        assert _waited(lambda: store.get(first.id)) == first
        store.add(second)
        store.add([family])
        assert _waited(lambda: len(store.all_versions(first.id)) == 2)
        assert _waited(lambda: store.get(family.id)) == family
    assert store.get(first.id) == second
    assert store.all_versions(first.id) == [first, second]
    assert store.query([Filter("type", "=", "malware")]) == [family]
    assert {each.name for each in store.query()} == {"two", "family"}, "nothing of others"
    environment = stix2.Environment(store=store)
    assert environment.get(family.id) == family
    assert environment.query([Filter("id", "=", first.id), Filter("version", "=", "all")]) == [first, second]
    assert Delivery.objects.filter(organisation__slug="ncb-fr", via="taxii", state="parsed").count() == 3
