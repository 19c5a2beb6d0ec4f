"""Every MUST and MUST NOT of TAXII 2.1 (OASIS Standard, 10 June 2021) that binds a server, by its clause: 1 to 3.

docs/reference/taxii-clauses.md names the test of each clause; tests/tidy/test_taxii_clauses.py compares the two.
"""

from __future__ import annotations

import itertools
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from tests import builders
from tests.doors.conftest import GiveKey
from tests.doors.taxii_readers import DATES, MOMENT, NOBODY, UUID_4, Program, is_problem, sent

from tocsin.formats._stix2_tables import TYPES_21
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


def every_resource(fleur: Program, pia: Program) -> dict[str, Any]:
    """An answer of each endpoint that has something to say, by its name."""
    sent(*range(3))
    first = fleur.get(RELEASED, {"match[type]": "indicator"}).json()["objects"][0]["id"]
    posted = pia.post({"objects": [builders.indicator(1), builders.indicator(2)]})
    return {
        "discovery": fleur.get("/taxii2/"), "api-root": fleur.get(""), "collections": fleur.get("collections/"),
        "collection": fleur.get("collections/released/"), "manifest": fleur.get(MANIFEST),
        "objects": fleur.get(RELEASED, {"limit": "2"}), "object": fleur.get(f"{RELEASED}{first}/"),
        "versions": fleur.get(f"{RELEASED}{first}/versions/"), "posted": posted,
        "status": pia.get(f"status/{posted.json()['id']}/"),
    }  # fmt: skip


def values_in(body: Any) -> list[tuple[str, Any]]:
    """Name and value of everything in a resource, save for what is inside of STIX objects."""
    found: list[tuple[str, Any]] = []
    for name, value in body.items():
        found.append((name, value))
        for each in value if isinstance(value, list) else []:
            if isinstance(each, dict) and "type" not in each:
                found += values_in(each)
    return found


def test_1_6_9_without_authorisation_401_with_a_challenge(client: Client) -> None:
    for method, path in itertools.product(("GET", "POST", "HEAD", "DELETE", "PUT"), ("/taxii2/", "/taxii2/ncb-fr/")):
        response = client.generic(method, path, headers={"Accept": MEDIA_TYPE})
        assert response.status_code == 401
        assert re.match(r'Basic realm="[^"]+"', response["WWW-Authenticate"])
        assert method == "HEAD" or is_problem(response, 401)


def test_2_booleans_integers_and_lists(fleur: Program, pia: Program) -> None:
    answers = every_resource(fleur, pia)
    found = [pair for response in answers.values() for pair in values_in(response.json())]
    assert {type(value) for name, value in found if name in {"more", "can_read", "can_write"}} == {bool}
    numbers = [value for name, value in found if name.endswith("_count") or name == "max_content_length"]
    assert len(numbers) > 8
    assert all(type(each) is int and abs(each) < 1 << 53 for each in numbers)
    lists = [value for _name, value in found if isinstance(value, list)]
    assert len(lists) > 6
    assert all(lists), "no list is empty"
    assert all(len({type(each) for each in some}) == 1 for some in lists)


def test_2_empty_lists_are_left_out(fleur: Program, client: Client, give_key: GiveKey) -> None:
    ada = Program(client, give_key("ada_administrator"), "centre")
    assert ada.get("collections/").json() == {}
    for path in (RELEASED, MANIFEST, "collections/recalls/objects/", "collections/recalls/manifest/"):
        assert fleur.get(path).json() == {}


def test_2_identifiers_are_uuids_of_version_4(fleur: Program, pia: Program) -> None:
    answers = every_resource(fleur, pia)
    named = [answers[name].json()["id"] for name in ("collection", "posted", "status")]
    listed = [each["id"] for each in answers["collections"].json()["collections"]]
    named += listed
    assert all(re.fullmatch(UUID_4, each) and uuid.UUID(each).version == 4 for each in named)
    assert len(set(listed)) == len(listed)
    assert len(set(named)) == len(listed) + 1, "one status, whether posted or read"


def test_2_timestamps_are_utc_with_microseconds(fleur: Program, pia: Program) -> None:
    answers = every_resource(fleur, pia)
    found = [pair for response in answers.values() for pair in values_in(response.json())]
    moments = [value for name, value in found if name in {"date_added", "request_timestamp"}]
    moments += [response[name] for response in answers.values() for name in DATES if response.has_header(name)]
    assert len(moments) > 8
    for each in moments:
        assert re.fullmatch(MOMENT, each)
        assert abs(datetime.fromisoformat(each) - datetime.now(UTC)) < timedelta(days=3650)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_3_1_addresses_end_in_a_slash(fleur: Program, method: str) -> None:
    sent(1)
    for path in ("/taxii2", "/taxii2/ncb-fr", "/taxii2/ncb-fr/collections", f"/taxii2/ncb-fr/{RELEASED[:-1]}"):
        response = fleur.ask(method, path)
        assert response.status_code == 404, "neither served nor sent elsewhere"
        assert method == "HEAD" or is_problem(response, 404)


def test_3_1_answers_bear_media_type_and_version(fleur: Program, pia: Program) -> None:
    for name, response in every_resource(fleur, pia).items():
        assert (response.status_code, response["Content-Type"]) == (202 if name == "posted" else 200, MEDIA_TYPE)
        assert isinstance(response.json(), dict)
    wrong = [
        fleur.get("none/"), fleur.get(RELEASED, {"limit": "0"}), fleur.get(f"{RELEASED}{NOBODY}/"), pia.post(b"{"),
        fleur.post({"objects": []}, RELEASED), fleur.ask("PUT", RELEASED), fleur.get("", Accept="text/html"),
        pia.post(b"{}", **{"Content-Type": "text/plain"}), pia.post(b" " * ((1 << 20) + 1)),
    ]  # fmt: skip
    assert [each.status_code for each in wrong] == [404, 400, 404, 422, 403, 405, 406, 415, 413]
    assert all(is_problem(each, each.status_code) for each in wrong)


@pytest.mark.parametrize(
    "accept",
    [
        MEDIA_TYPE, "application/taxii+json", "application/taxii+json; version=2.1",
        'application/taxii+json;version="2.1"', "APPLICATION/TAXII+JSON;VERSION=2.1",
        f"{MEDIA_TYPE},application/stix+json;version=2.1", f"text/html, {MEDIA_TYPE};q=0.1",
        f"application/taxii+json;version=2.0, {MEDIA_TYPE}", "*/*", "application/*;q=0.2", f"{MEDIA_TYPE};q=1.000",
        'application/taxii+json;version=2.1;note="a, b; q=0"', "application/taxii+json;q=0.5, */*;q=0",
        "a/b, " * 5_000 + MEDIA_TYPE,
    ],
    ids=range(14),
)  # fmt: skip
def test_3_1_media_types_of_the_standard_are_never_406(fleur: Program, pia: Program, accept: str) -> None:
    assert fleur.get("/taxii2/", Accept=accept).status_code == 200
    assert fleur.get(MANIFEST, Accept=accept).status_code == 200
    assert pia.post({"objects": [builders.indicator(1)]}, Accept=accept).status_code == 202


@pytest.mark.parametrize("kind", [
    MEDIA_TYPE, "application/taxii+json", 'application/taxii+json; version="2.1"',
    "Application/Taxii+JSON ;Version=2.1", "application/taxii+json;version=2.1;charset=UTF-8",
])  # fmt: skip
def test_3_1_media_types_of_the_standard_are_never_415(pia: Program, kind: str) -> None:
    assert pia.post({"objects": [builders.indicator(1)]}, **{"Content-Type": kind}).status_code == 202


def test_3_2_both_dates_on_every_page(fleur: Program, ids: list[str]) -> None:
    paths = [RELEASED, MANIFEST, f"{RELEASED}{ids[0]}/", f"{RELEASED}{ids[0]}/versions/"]
    late = "2100-01-01T00:00:00.000000Z"
    for path in paths:
        whole = fleur.get(path)
        entries = fleur.get(MANIFEST, {"match[id]": ids[0]} if ids[0] in path else {}).json()["objects"]
        assert [whole[name] for name in DATES] == [entries[0]["date_added"], entries[-1]["date_added"]]
        empty = fleur.get(path, {"added_after": late})
        assert empty.json() == {}
        assert [empty[name] for name in DATES] == [late, late], "from where the reader may ask again"
    assert all(re.fullmatch(MOMENT, fleur.get("collections/recalls/objects/")[name]) for name in DATES)


def test_3_3_objects_ascend_by_date(fleur: Program) -> None:
    for number in range(4):
        sent(number * 2, number * 2 + 1)
    entries = fleur.get(MANIFEST).json()["objects"]
    dates = [each["date_added"] for each in entries]
    assert dates == sorted(dates)
    assert len(set(dates)) > 3
    assert [each["id"] for each in fleur.all()] == [each["id"] for each in entries]


def test_3_3_collections_keep_their_order(fleur: Program) -> None:
    first = fleur.get("collections/").json()["collections"]
    sent(1)
    assert [each["id"] for each in fleur.get("collections/").json()["collections"]][: len(first)] == [
        each["id"] for each in first
    ]


MALFORMED = (
    "added_after=soon", "added_after=", "added_after=2026-11-20", "added_after=2026-11-20T10:00:00",
    "added_after=1763632800", "added_after=2026-11-20T10:00:00+00:00", "added_after=2026-13-20T10:00:00Z",
    "added_after=20261120T100000Z", "added_after=%222026-11-20T10:00:00Z%22",
    "added_after=0001-01-01T00:00:00%2B23:00", "added_after=2026-W47-1T10:00:00Z", "limit=0", "limit=-1", "limit=",
    "limit=x", "limit=1.5", "limit=%2B5", "limit=%22 5%22", "limit=٣", "limit=9007199254740992",
    "limit=" + "9" * 5000, "limit=1e3", "next=x", "next=%22%22", "match[type]=", "match[type]=indicator,",
    "match[type]=indicator,%20malware", "match[type]=%22indicator%22", "match[type]=Indicator", "match[type]=a%00b",
    "match[id]=x", "match[id]=%22indicator--00000000-0000-4000-8000-000000000001%22", "match[id]=indicator--1",
    "match[version]=", "match[version]=newest", "match[version]=LAST", "match[version]=all,last",
    "match[version]=all,2016-01-01T01:01:01.000Z", "match[version]=2016-01-01",
    "match[version]=2016-13-01T01:01:01.000Z", "match[version]=%22all%22", "match[spec_version]=two",
    "match[spec_version]=%222.1%22", "match[spec_version]=2", "match[colour]=red", "match[type=indicator",
    "match=indicator", "match[]=x", "match[Type]=indicator", "match[[type]]=indicator",
)  # fmt: skip


@pytest.mark.parametrize("path", [RELEASED, MANIFEST, "collections/recalls/objects/"])
def test_3_4_what_is_malformed_is_400(fleur: Program, path: str) -> None:
    sent(1)
    assert not [query for query in MALFORMED if not is_problem(fleur.get(f"{path}?{query}"), 400)]


TWICE = (
    "added_after=2026-11-20T10:00:00Z&added_after=2026-11-20T10:00:00Z", "limit=1&limit=2", "next=&next=",
    "match[type]=indicator&match[type]=malware", "match[version]=last&match[version]=first",
    "match[version]=last,last", "match[version]=2016-01-01T01:01:01.000Z,2016-01-01T01:01:01.000Z",
    "match[id]=indicator--00000000-0000-4000-8000-000000000001&match[id]=indicator--00000000-0000-4000-8000-000000000001",
    "match[spec_version]=2.1&match[spec_version]=2.0",
)  # fmt: skip


def test_3_4_each_parameter_stands_once(fleur: Program) -> None:
    assert not [query for query in TWICE if not is_problem(fleur.get(f"{RELEASED}?{query}"), 400)]


@pytest.mark.parametrize("text", [
    "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.123Z", "2026-11-20T10:00:00.123456Z", "2026-11-20T10:00:00.123456789Z",
    "2026-11-20T12:00:00.000+02:00", "2026-11-20t10:00:00z", "2016-12-31T23:59:60Z",
])  # fmt: skip
def test_3_4_added_after_is_a_moment_of_rfc_3339(fleur: Program, text: str) -> None:
    sent(1)
    assert fleur.get(RELEASED, {"added_after": text}).json()["objects"]


def test_3_4_added_after_gives_what_was_added_after_it(fleur: Program) -> None:
    sent(1)
    first = fleur.get(RELEASED)["X-TAXII-Date-Added-Last"]
    sent(2)
    [late] = fleur.get(RELEASED, {"added_after": first}).json()["objects"]
    assert late["name"] == "address 2"
    whole = fleur.get(RELEASED).json()["objects"]
    assert whole[-1] == late, "without it the oldest come first"


@pytest.mark.parametrize("limit", ["1", "2", "5", "007", "999", "1000", "9007199254740991"])
def test_3_4_limit_is_never_exceeded_and_all_of_less_is_there(fleur: Program, ids: list[str], limit: str) -> None:
    whole = fleur.get(RELEASED).json()["objects"]
    for path in (RELEASED, MANIFEST):
        page = fleur.get(path, {"limit": limit}).json()
        assert [each["id"] for each in page["objects"]] == [each["id"] for each in whole][: int(limit)]
        assert page.get("more", False) is (int(limit) < len(whole))
        assert bool(page.get("next")) is page.get("more", False)


def test_3_4_match_fields_are_all_required_and_their_values_alternatives(fleur: Program, ids: list[str]) -> None:
    every = fleur.get(RELEASED).json()["objects"]
    assert fleur.get(RELEASED, {"match[id]": f"{ids[2]},{every[0]['id']}"}).json()["objects"] == [
        each for each in every if each["id"] in {ids[2], every[0]["id"]}
    ]
    both = {"match[id]": f"{ids[2]},{every[0]['id']}", "match[type]": "indicator,malware"}
    assert [each["id"] for each in fleur.get(RELEASED, both).json()["objects"]] == [ids[2]]
    assert fleur.get(RELEASED, {**both, "match[type]": "malware"}).json() == {}
    assert fleur.get(RELEASED, {"x-unknown": "1", "match[type]": "indicator"}).json()["objects"] == every[-5:]


def test_3_4_1_spec_versions_that_were_not_asked_for_are_not_given(fleur: Program, ids: list[str]) -> None:
    every = fleur.get(RELEASED).json()["objects"]
    assert fleur.get(RELEASED, {"match[spec_version]": "2.0,2.1"}).json()["objects"] == every
    assert fleur.get(RELEASED, {"match[spec_version]": "2.0"}).json() == {}
    assert {each.get("spec_version", "2.1") for each in every} == {"2.1"}, "the latest, where none is asked for"


def test_3_4_1_no_type_of_stix_is_an_error(fleur: Program) -> None:
    sent(1)
    for kind in sorted(TYPES_21):
        assert fleur.get(RELEASED, {"match[type]": kind}).status_code == 200
    assert fleur.get(RELEASED, {"match[type]": ",".join(sorted(TYPES_21))}).json()["objects"]


def test_3_4_1_versions(fleur: Program) -> None:
    for version in (1, 2, 3):
        sent(7, version=version)
    texts = [f"2026-11-0{version}T10:00:00.000Z" for version in (1, 2, 3)]

    def found(wanted: str | None) -> list[str]:
        query = {"match[type]": "indicator"} | ({} if wanted is None else {"match[version]": wanted})
        listed = fleur.get(RELEASED, query).json().get("objects", [])
        entries = fleur.get(MANIFEST, query).json().get("objects", [])
        assert [each["version"] for each in entries] == [each["modified"] for each in listed]
        return [each["modified"] for each in listed]

    assert found(None) == found("last") == texts[2:]
    assert found("first") == texts[:1]
    assert found("all") == texts
    assert found("first,last") == [texts[0], texts[2]]
    assert found(texts[1]) == texts[1:2]
    assert found(f"last,{texts[0]}") == [texts[0], texts[2]]
    assert found("2016-01-01T01:01:01.000Z") == []


def test_3_5_pages_bring_all_by_next_and_by_date(fleur: Program, ids: list[str]) -> None:
    whole = fleur.get(RELEASED).json()["objects"]
    assert fleur.all(query={"limit": "2"}) == whole
    without_date: list[Any] = []
    asked = {"limit": "2", "added_after": "2000-01-01T00:00:00Z"}
    while True:
        page = fleur.get(RELEASED, asked).json()
        without_date += page["objects"]
        if not page.get("more"):
            break
        assert page["more"] is True
        asked = {"limit": "2", "next": page["next"]}  # Some programs say no more than that from the second page on.
    assert without_date == whole


def test_3_6_1_errors_have_a_title_and_the_status_of_the_answer(fleur: Program) -> None:
    response = fleur.get(RELEASED, {"limit": "x"})
    body = response.json()
    assert body["http_status"] == str(response.status_code) == "400"
    assert body["title"]
    assert body.keys() <= ERROR_NAMES
    assert all(isinstance(each, str) for each in body.values())


def test_3_7_content_comes_in_an_envelope_of_stix_objects(fleur: Program, ids: list[str]) -> None:
    for path in (RELEASED, f"{RELEASED}{ids[0]}/"):
        body = fleur.get(path).json()
        assert body.keys() <= {"more", "next", "objects"}
        assert all(re.fullmatch(rf"{each['type']}--[0-9a-f-]{{36}}", each["id"]) for each in body["objects"])


ERROR_NAMES = {
    "title", "description", "error_id", "error_code", "http_status", "external_details", "details",
}  # fmt: skip
REQUIRED = {
    "discovery": {"title"}, "api-root": {"title", "versions", "max_content_length"},
    "collection": {"id", "title", "can_read", "can_write"}, "object": set(), "objects": set(), "manifest": set(),
    "versions": set(), "collections": set(),
    "status": {"id", "status", "total_count", "success_count", "failure_count", "pending_count"},
}  # fmt: skip
KNOWN = {
    "discovery": {"description", "contact", "default", "api_roots"}, "api-root": {"description"},
    "collection": {"description", "alias", "media_types"}, "object": {"more", "next", "objects"},
    "objects": {"more", "next", "objects"}, "manifest": {"more", "next", "objects"},
    "versions": {"more", "next", "versions"}, "collections": {"collections"},
    "status": {"request_timestamp", "successes", "failures", "pendings"},
}  # fmt: skip


def test_3_8_names_are_those_of_the_standard_and_what_is_required_is_there(fleur: Program, pia: Program) -> None:
    answers = every_resource(fleur, pia)
    answers["status"] = answers["posted"]
    for name, required in REQUIRED.items():
        keys = answers[name].json().keys()
        assert required <= keys <= required | KNOWN[name]
    for each in answers["manifest"].json()["objects"]:
        assert each.keys() == {"id", "date_added", "version", "media_type"}
    for each in answers["posted"].json()["pendings"]:
        assert each.keys() == {"id", "version"}


def test_3_9_the_guide_names_the_service_for_dns() -> None:
    assert "_taxii2._tcp." in (REPOSITORY / "docs/guides/taxii.md").read_text(encoding="utf-8")
