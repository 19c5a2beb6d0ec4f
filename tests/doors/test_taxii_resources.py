"""The clauses of TAXII 2.1 on server information, collections, customising and conformance (4 to 8, and appendix B).

docs/reference/taxii-clauses.md names the test of each clause; tests/tidy/test_taxii_clauses.py compares the two.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from tests import builders, people
from tests.doors.conftest import GiveKey, work
from tests.doors.taxii_readers import MOMENT, NOBODY, Program, is_problem, sent, sent_objects

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.originals import read as read_original
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.intake.terms import set_audience
from tocsin.taxii.filters import NO_VERSION
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.usefixtures("store")]
RELEASED, MANIFEST = "collections/released/objects/", "collections/released/manifest/"
REPOSITORY = Path(__file__).parents[2]
READERS = ("pia_partner", "omar_partner", "elio_expired", "fleur_officer", "una_unit", "sora_suspended",
           "dana_analyst", "rui_reviewer", "ada_administrator")  # fmt: skip


@pytest.fixture
def fleur(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("fleur_officer"), "ncb-fr")


@pytest.fixture
def pia(client: Client, give_key: GiveKey) -> Program:
    return Program(client, give_key("pia_partner"), "northwind")


@pytest.fixture
def ids(fleur: Program) -> list[str]:
    """Five indicators of one delivery, by their order."""
    sent(*range(5))
    return [each["id"] for each in fleur.get(RELEASED, {"match[type]": "indicator"}).json()["objects"]]


def test_4_1_1_api_roots_are_absolute_https_addresses_and_hold_the_default(
    fleur: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(settings.INSTALLATION, public_origin="https://tocsin.example/")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    body = fleur.get("/taxii2/", Host="localhost:1").json()
    assert body["default"] == body["api_roots"][0] == "https://tocsin.example/taxii2/ncb-fr/"
    for each in body["api_roots"]:
        parts = urlsplit(each)
        assert (parts.scheme, parts.netloc, parts.query, parts.path[-1]) == ("https", "tocsin.example", "", "/")


def test_4_2_roots_have_addresses_of_their_own(client: Client, give_key: GiveKey) -> None:
    roots = {}
    for login in ("pia_partner", "omar_partner", "fleur_officer"):
        found = Program(client, give_key(login), "").get("/taxii2/").json()
        roots[login] = found["default"]
        assert len(set(found["api_roots"])) == len(found["api_roots"])
    assert len(set(roots.values())) == 3


def test_4_2_1_versions_and_the_largest_content(pia: Program) -> None:
    body = pia.get("").json()
    assert body["versions"] == ["application/taxii+json;version=2.1"]
    most = body["max_content_length"]
    assert type(most) is int
    assert most > 0
    envelope = json.dumps({"objects": [builders.indicator(1)]}).encode()
    assert pia.post(envelope.ljust(most)).status_code == 202
    assert pia.post(envelope.ljust(most - 1)).status_code == 202
    assert is_problem(pia.post(envelope.ljust(most + 1)), 413)


@pytest.mark.django_db(transaction=True)
def test_4_3_a_status_is_kept_for_a_day_and_what_is_gone_is_404(pia: Program, store: Path) -> None:
    posted = pia.post({"objects": [builders.indicator(1)]}).json()
    work()
    path = f"status/{posted['id']}/"
    a_day_ago = datetime.now(UTC) - timedelta(hours=25)
    Delivery.objects.update(received_at=a_day_ago, finished_at=a_day_ago)
    assert pia.get(path).json()["status"] == "complete"
    assert is_problem(pia.get(f"status/{uuid.uuid4()}/"), 404)
    delivery = Delivery.objects.get()
    kept = delivery_path(store, delivery.sha256)
    assert read_original(kept)
    kept.unlink()
    cache.clear()
    assert is_problem(pia.get(path), 404), "its bytes are there no more"
    Delivery.objects.update(ends_at=a_day_ago)
    assert is_problem(pia.get(path), 404)


@pytest.mark.django_db(transaction=True)
def test_4_3_1_states_counts_and_details(pia: Program) -> None:
    marking = {"type": "marking-definition", "spec_version": "2.1", "created": "2026-11-01T10:00:00.000Z",
               "id": "marking-definition--00000000-0000-4000-8000-000000000001", "definition_type": "statement",
               "definition": {"statement": "made up"}}  # fmt: skip
    bad = {**builders.indicator(2), "pattern": "[no pattern"}
    posted = pia.post({"objects": [builders.indicator(1), marking, bad]}).json()
    assert (posted["status"], posted["total_count"], posted["pending_count"]) == ("pending", 3, 3)
    assert [each["version"] for each in posted["pendings"]] == [
        builders.indicator(1)["modified"], marking["created"], bad["modified"]
    ]  # fmt: skip
    work()
    done = pia.get(f"status/{posted['id']}/").json()
    assert (done["status"], done["total_count"]) == ("complete", 3)
    assert (done["success_count"], done["failure_count"], done["pending_count"]) == (2, 1, 0)
    assert [each["id"] for each in done["successes"]] == [builders.indicator(1)["id"], marking["id"]]
    [failed] = done["failures"]
    assert (failed["id"], failed["version"], bool(failed["message"])) == (bad["id"], bad["modified"], True)
    assert "pendings" not in done


def _every_collection_address(organisation: str, name: str) -> list[str]:
    base = f"/taxii2/{organisation}/collections/"
    one = f"{base}{name}/objects/{NOBODY}/"
    return [base, f"{base}{name}/", f"{base}{name}/manifest/", f"{base}{name}/objects/", one, f"{one}versions/"]


def test_5_whoever_fails_authentication_gets_401_or_404(client: Client) -> None:
    people.call("fleur_officer")
    for path in _every_collection_address("ncb-fr", "released"):
        for said in ({}, {"Authorization": "Bearer toc_wrong"}, {"Authorization": "Basic !"}):
            assert is_problem(client.get(path, headers=said), 401)
            assert is_problem(client.delete(path, headers=said), 401)
            assert is_problem(client.post(path, b"{}", content_type=MEDIA_TYPE, headers=said), 401)


def test_5_1_1_no_collections_is_an_empty_object(client: Client, give_key: GiveKey) -> None:
    response = Program(client, give_key("ada_administrator"), "centre").get("collections/")
    assert (response.status_code, response.content) == (200, b"{}")


def test_5_2_1_a_collection_is_reached_by_identifier_and_by_alias(fleur: Program) -> None:
    sent(1)
    listed = fleur.get("collections/").json()["collections"]
    aliases = [each["alias"] for each in listed]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & {each["id"] for each in listed}
    for each in listed:
        assert fleur.get(f"collections/{each['id']}/").json() == each
        assert fleur.get(f"collections/{each['id'].upper()}/").json() == each
        assert fleur.get(f"collections/{each['alias']}/").json() == each
        by_id, by_alias = (fleur.get(f"collections/{each[name]}/objects/") for name in ("id", "alias"))
        assert (by_id.status_code, by_id.content) == (by_alias.status_code, by_alias.content)


@pytest.mark.parametrize("login", READERS)
@pytest.mark.parametrize("scopes", [("taxii",), ("taxii", "read"), ("deliver", "taxii", "read", "packages")], ids=len)
def test_5_2_1_what_a_collection_says_one_may_do_one_may_do(
    client: Client, give_key: GiveKey, login: str, scopes: tuple[str, ...]
) -> None:
    sent(1)
    program = Program(client, give_key(login, scopes=scopes), people.call(login).organisation.slug)
    refused = {403, 404}
    for each in program.get("collections/").json().get("collections", []):
        base = f"collections/{each['id']}/"
        for tail in ("objects/", "manifest/"):
            assert (program.get(f"{base}{tail}").status_code not in refused) is each["can_read"]
        posted = program.post({"objects": [builders.indicator(3)]}, f"{base}objects/")
        assert (posted.status_code == 202) is each["can_write"]
        assert posted.status_code == 202 or is_problem(posted, 403)
        if not each["can_read"]:
            for tail in ("objects/", "manifest/", f"objects/{NOBODY}/", f"objects/{NOBODY}/versions/"):
                assert is_problem(program.get(f"{base}{tail}"), 403)


def test_5_2_1_media_types_are_all_that_is_stored(fleur: Program, pia: Program) -> None:
    listed = {each["alias"]: each["media_types"] for each in fleur.get("collections/").json()["collections"]}
    assert listed["released"] == ["application/stix+json;version=2.1"]
    assert listed["inbox"] == ["application/stix+json;version=2.1", "application/stix+json;version=2.0"]


def test_5_3_1_the_manifest_describes_each_version(fleur: Program) -> None:
    address = {"type": "ipv4-addr", "id": "ipv4-addr--00000000-0000-5000-8000-000000000001", "value": "192.0.2.1"}
    marking = {"type": "marking-definition", "spec_version": "2.1", "created": "2026-11-01T10:00:00.000Z",
               "id": "marking-definition--00000000-0000-4000-8000-000000000001", "definition_type": "statement",
               "definition": {"statement": "made up"}}  # fmt: skip
    sent_objects(builders.indicator(1), address)
    objects, entries = fleur.get(RELEASED).json()["objects"], fleur.get(MANIFEST).json()["objects"]
    assert [each["id"] for each in entries] == [each["id"] for each in objects]
    assert {each["spec_version"] for each in objects} == {"2.1"}, "observables, which may leave it out, say it too"
    for body, entry in zip(objects, entries, strict=True):
        assert entry["version"] == body.get("modified", body.get("created", NO_VERSION))
        assert entry["media_type"] in fleur.get("collections/released/").json()["media_types"]
    assert marking["type"] in {each["type"] for each in objects}, "objects without `modified` are among them"
    of_none = fleur.get(RELEASED, {"match[version]": NO_VERSION}).json()["objects"]
    assert [each["id"] for each in of_none] == [address["id"]], "what has no version is found by what stands for it"
    assert fleur.get(f"{RELEASED}{address['id']}/versions/").json() == {"versions": [NO_VERSION]}


def test_5_4_nothing_is_an_empty_envelope(fleur: Program, ids: list[str]) -> None:
    for path in (RELEASED, f"{RELEASED}{ids[0]}/"):
        response = fleur.get(path, {"added_after": "2100-01-01T00:00:00Z"})
        assert (response.status_code, response.json()) == (200, {})


@pytest.mark.django_db(transaction=True)
def test_5_5_exact_duplicates_are_no_errors(pia: Program) -> None:
    one, other = builders.indicator(1), builders.indicator(2)
    for objects in ([one, one, other], [one, one, other], [other, one]):
        posted = pia.post({"objects": objects})
        assert posted.status_code == 202
        work()
        done = pia.get(f"status/{posted.json()['id']}/").json()
        assert (done["status"], done["failure_count"], done["success_count"]) == ("complete", 0, len(objects))


def test_5_6_an_object_is_found_by_its_stix_id(fleur: Program, ids: list[str]) -> None:
    assert [each["id"] for each in fleur.get(f"{RELEASED}{ids[1]}/").json()["objects"]] == [ids[1]]
    for absent in (NOBODY, "indicator--1", "x", "%00", "..", "'--", ids[1].upper()):
        assert fleur.get(f"{RELEASED}{absent}/").status_code in {400, 404}
    assert is_problem(fleur.get(f"{RELEASED}{NOBODY}/"), 404)
    assert fleur.get(f"{RELEASED}{ids[1]}/", {"match[id]": ids[2]}).json() == {}
    assert fleur.get(f"{RELEASED}{ids[1]}/", {"match[type]": "malware"}).json() == {}
    assert fleur.get(f"{RELEASED}{ids[1]}/", {"match[version]": "first"}).json()["objects"][0]["id"] == ids[1]


@pytest.mark.parametrize(("login", "scopes", "name", "status"), [
    ("fleur_officer", ("deliver", "taxii", "read"), "released", 403),
    ("fleur_officer", ("deliver", "taxii", "read"), "recalls", 403),
    ("pia_partner", ("deliver", "taxii", "read"), "inbox", 403),
    ("fleur_officer", ("taxii",), "released", 404), ("elio_expired", ("taxii", "read"), "inbox", 404),
    ("ada_administrator", ("taxii", "read"), "released", 404),
])  # fmt: skip
def test_5_7_nothing_is_deleted(
    client: Client, give_key: GiveKey, login: str, scopes: tuple[str, ...], name: str, status: int
) -> None:
    sent(1)
    program = Program(client, give_key(login, scopes=scopes), people.call(login).organisation.slug)
    fleur = Program(client, give_key("fleur_officer"), "ncb-fr")
    before = fleur.get(RELEASED).content
    for each in (builders.indicator(1)["id"], NOBODY, "x"):
        assert is_problem(program.ask("DELETE", f"collections/{name}/objects/{each}/"), status)
    assert fleur.get(RELEASED).content == before


def test_5_8_versions_of_an_object(fleur: Program) -> None:
    for version in (1, 2):
        sent(7, version=version)
    one = fleur.get(RELEASED, {"match[type]": "indicator"}).json()["objects"][0]["id"]
    texts = [builders.indicator(7, version)["modified"] for version in (1, 2)]
    assert fleur.get(f"{RELEASED}{one}/versions/").json() == {"versions": texts}
    first = fleur.get(f"{RELEASED}{one}/versions/", {"limit": "1"}).json()
    assert (first["versions"], first["more"]) == (texts[:1], True)
    rest = fleur.get(f"{RELEASED}{one}/versions/", {"limit": "1", "next": first["next"]})
    assert rest.json() == {"versions": texts[1:]}
    assert fleur.get(f"{RELEASED}{one}/versions/", {"match[spec_version]": "2.0"}).json() == {}
    assert is_problem(fleur.get(f"{RELEASED}{NOBODY}/versions/"), 404)
    shared = next(each for each in fleur.get(RELEASED).json()["objects"] if each["type"] == "marking-definition")
    assert fleur.get(f"{RELEASED}{shared['id']}/versions/").json() == {"versions": [shared["created"]]}


def test_7_1_1_properties_that_are_not_understood_are_passed_over(pia: Program) -> None:
    envelope = {"x_acme_score": {"deep": [1]}, "more": False, "objects": [builders.indicator(1)], "zz": None}
    assert pia.post(envelope).status_code == 202


def test_8_2_1_discovery_lies_at_the_root_and_names_a_root(fleur: Program) -> None:
    roots = fleur.get("/taxii2/").json()["api_roots"]
    assert fleur.get(urlsplit(roots[0]).path).json()["title"] == "NCB FR"
    bare = fleur.client.get("/taxii2/", headers={**fleur.headers, "User-Agent": ""})
    assert bare.status_code == 200


def test_8_2_2_the_proxy_speaks_tls_1_2_and_1_3_without_early_data() -> None:
    said = (REPOSITORY / "deploy/nginx.conf").read_text(encoding="utf-8")
    assert re.search(r"^\s*ssl_protocols TLSv1\.2 TLSv1\.3;", said, re.MULTILINE)
    assert not re.search(r"^\s*ssl_early_data\s+on", said, re.MULTILINE)


def test_b_next_opens_nothing_else(fleur: Program, client: Client, give_key: GiveKey) -> None:
    sent(*range(4))
    place = fleur.get(RELEASED, {"limit": "1"}).json()["next"]
    assert is_problem(fleur.get("collections/recalls/objects/", {"next": place}), 400), "of another collection"
    khalil = Program(client, give_key("khalil_officer"), "ncb-jo")
    assert khalil.get(RELEASED, {"limit": "1"}).json()["more"]
    assert is_problem(khalil.get(RELEASED, {"next": place}), 400), "of another reader"
    narrow = Program(client, give_key("fleur_officer", ceiling="TLP:GREEN"), "ncb-fr")
    assert is_problem(narrow.get(RELEASED, {"next": place}), 400), "of a key with another ceiling"
    assert is_problem(fleur.get(RELEASED, {"next": place, "match[type]": "malware"}), 400), "of another question"
    assert is_problem(fleur.get(RELEASED, {"next": place, "added_after": "2026-01-01T00:00:00Z"}), 400)
    for forged in (place[:-1], place + "x", place.swapcase(), "." + place, place.replace(".", "..", 1), "0" * 9000):
        assert is_problem(fleur.get(RELEASED, {"next": forged}), 400)
    assert fleur.get(RELEASED, {"next": place, "limit": "1"}).json()["objects"], "its own reader goes on"
    assert fleur.get(MANIFEST, {"next": place, "limit": "1"}).json()["objects"], "the manifest pages alike"


def test_b_a_next_whose_rest_is_gone_goes_on_with_what_came_since(fleur: Program) -> None:
    """A program that keeps its place until a page brings something must not stand still for ever."""
    sent(1)
    gone = sent(2)
    place = fleur.get(RELEASED, {"limit": str(len(fleur.get(RELEASED).json()["objects"]) - 1)}).json()["next"]
    set_audience(Batch.objects.filter(pk=gone.pk), None)
    empty = fleur.get(RELEASED, {"next": place})
    assert empty.json() == {}
    assert re.fullmatch(MOMENT, empty["X-TAXII-Date-Added-Last"])
    sent(3)
    assert [each["name"] for each in fleur.get(RELEASED, {"next": place}).json()["objects"]] == ["address 3"]
