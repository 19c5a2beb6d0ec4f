"""The collection of alerts as the public client reads it: each version's report, and its words in each language."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import stix2
from taxii2client.v21 import ApiRoot, Collection, as_pages
from tests import alert_life
from tests.doors.conftest import GiveKey
from tests.found_alerts import begun

from tocsin.products.alerts.police import ALERT_EXTENSION

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


def by_type(collection: Collection, **asked: Any) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for page in as_pages(collection.get_objects, per_request=2, **asked):
        for each in page.get("objects", []):
            found[each["type"]].append(each)
    return found


def languages_of(found: dict[str, list[dict[str, Any]]], report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Language → words, of those that are bound to this very version (W22)."""
    bound = [each for each in found["language-content"]
             if (each["object_ref"], each["object_modified"]) == (report["id"], report["modified"])]  # fmt: skip
    return {name: words for each in bound for name, words in each["contents"].items()}


def test_the_public_client_reads_each_version_with_its_languages(live_server: Any, give_key: GiveKey) -> None:
    first = alert_life.with_police(begun())
    key = give_key("fleur_officer")
    with ApiRoot(f"{live_server.url}/taxii2/ncb-fr/", user="fleur_officer", password=key) as root:
        listed = {each.alias: each for each in root.collections}
        alerts = listed["alerts"]
        found = by_type(alerts)
        [report] = found["report"]
        said = languages_of(found, report)
        assert report["lang"] == "en"
        assert {name: words["name"] for name, words in said.items()} == {
            name: title for name, title in alert_life.TITLES.items() if name != "en"
        }  # fmt: skip
        assert set(report["object_refs"]) >= {each["id"] for each in found["indicator"]}
        for some in found.values():
            for each in some:
                stix2.parse(each, allow_custom=True)
        added = max(each["date_added"] for each in alerts.get_manifest()["objects"])
        made = alert_life.updated(first, texts=alert_life.texts(title="More is known of it", reason="More is known."))
        alert_life.with_police(made)
        newer = by_type(alerts, added_after=added)
        [second] = newer["report"]
        assert (second["id"], second["extensions"][ALERT_EXTENSION]["version"]) == (report["id"], 2)
        assert second["modified"] > report["modified"]
        assert set(languages_of(newer, second)) == {"fr", "es", "ar"}
        assert not languages_of(newer, report), "a translation stands for the words of one version"
        [current] = by_type(alerts)["report"]
        assert current["modified"] == second["modified"]
        alert_life.cancelled(alert_life.fresh(made))
        assert not by_type(alerts)
        gone = by_type(listed["recalls"])
        assert {each["id"] for each in gone["report"] if each.get("revoked")} == {report["id"]}
