"""Cyware's client: it follows absolute addresses only, and takes the default root."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cytaxii2 import cytaxii2
from tests import builders
from tests.doors.conftest import GiveKey
from tests.doors.taxii_readers import sent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database, pytest.mark.usefixtures("store")]


def test_cyware_discovers_polls_and_hands_over(live_server: Any, give_key: GiveKey) -> None:
    sent(*range(1, 6))
    client = cytaxii2.cytaxii2(f"{live_server.url}/taxii2/", "fleur_officer", give_key("fleur_officer"))
    said = client.discovery_request()
    assert said["status_code"] == 200
    assert client.root_discovery()["response"]["title"] == "NCB FR"
    listed = client.collection_request()["response"]["collections"]
    by_alias = {each["alias"]: each["id"] for each in listed}
    assert client.collection_data_request(by_alias["released"])["response"]["can_read"] is True
    found: list[dict[str, Any]] = []
    place = None
    while True:
        page = client.poll_request(by_alias["released"], limit=2, next=place, added_after="2000-01-01T00:00:00Z")
        assert page["status"] is True
        found += page["response"].get("objects", [])
        if not page["response"].get("more"):
            break
        place = page["response"]["next"]
    assert [each["name"] for each in found if each["type"] == "indicator"] == [f"address {n}" for n in range(1, 6)]
    one = client.poll_request(by_alias["released"], object_id=found[-1]["id"], object_type="indicator")
    assert one["response"]["objects"] == found[-1:]
    sent_in = client.inbox_request(by_alias["inbox"], json.dumps({"objects": [builders.indicator(9)]}))
    assert (sent_in["status_code"], sent_in["response"]["status"]) == (202, "pending")
    wrong = client.poll_request(by_alias["released"], limit=0)
    assert (wrong["status"], wrong["status_code"]) == (False, 400)
    stranger = cytaxii2.cytaxii2(f"{live_server.url}/taxii2/", "fleur_officer", "wrong").discovery_request()
    assert (stranger["status_code"], stranger["response"]["http_status"]) == (401, "401")
