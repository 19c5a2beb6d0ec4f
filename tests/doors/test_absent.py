"""What somebody may not see answers exactly as if it were not there: invariants I1 and I2 at every door that is read.

Each page and each answer for programs is asked twice by everybody who is left out: before the hidden deliveries come,
and after. They hold the same values, names and countries as what everybody sees, so that any count would move.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of

from .conftest import GiveKey, work

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEFT_OUT = ("fleur_officer", "hugo_head", "khalil_officer", "omar_partner")
ASKED = (
    "8.8.8.8", "8.8.8.0/24", "1.1.1.1", "evil.example", "http://evil.example/gate", "Grey Heron", "greyheron",
    "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "a" * 64,
)  # fmt: skip
HIDDEN = {"northwind": "TLP:AMBER+STRICT", "eastgate": "TLP:RED", "westgate": "TLP:GREEN"}
"""Who hides what it hands over, and how: by two labels, and westgate by its exclusions."""
PAGES = (
    "home", "countries", "deliveries", "lookup", "watches", "package-list", "organisations", "help-formats", "upload",
)  # fmt: skip
VOLATILE = re.compile(
    rb'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"|csrftoken=[^;]+|hx-headers=\'[^\']+\''
)


def table(*addresses: str) -> bytes:
    head = "ip,first_seen,country,malware,role,peer_ip,domain\n"
    rows = (f"{each},2026-11-19T10:00:00Z,FR,Grey Heron,VICTIM,1.1.1.1,evil.example\n" for each in addresses)
    return (head + "".join(rows)).encode()


def bundle(number: int) -> bytes:
    indicator = {
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-11-18T00:00:00.000Z", "modified": f"2026-11-18T00:00:0{number}.000Z", "name": "Grey Heron",
        "pattern": "[ipv4-addr:value = '8.8.8.8']", "pattern_type": "stix", "valid_from": "2026-11-18T00:00:00Z",
    }  # fmt: skip
    return json.dumps({"type": "bundle", "id": f"bundle--{number}", "objects": [indicator]}).encode()


def report(number: int) -> bytes:
    return f"# Report {number}\n\nGrey Heron calls hxxp://evil[.]example/gate from 8[.]8[.]8[.]8.\n".encode()


def handed_over(slug: str, marking: str, number: int) -> list[Delivery]:
    contents = {
        f"seen-{number}.csv": table("8.8.8.8", "9.9.9.9", *(["8.8.4.4"] if number else [])),
        f"bundle-{number}.json": bundle(number),
        f"report-{number}.md": report(number),
    }
    made = [
        services.receive(
            organisation=builders.organisation(slug), via="api", name=name, chunks=[body], at=NOW - timedelta(hours=2),
            marking=marking,
        )
        for name, body in contents.items()
    ]  # fmt: skip
    work()
    Delivery.objects.update(finished_at=NOW - timedelta(hours=1))
    return list(Delivery.objects.filter(pk__in=[each.pk for each in made]))


def answers(login: str, secret: str) -> dict[str, tuple[int, bytes, str]]:
    """What this person is told at every door: status, body, and the headers that could differ."""
    cache.clear()
    person = people.call(login)
    client = Client()
    client.force_login(person)
    told = {}
    for address in [*map(reverse, PAGES), *_of_values(), *_of_countries()]:
        told[address] = _plain(client.get(address))
    for address in ("/?span=24h", "/?span=all&side=victims", "/countries/?order=name"):
        told[address] = _plain(client.get(address))
    program = Client(headers={"Authorization": f"Bearer {secret}"})
    for address in _for_programs(person):
        told[address] = _plain(program.get(address))
    return told


def _of_values() -> list[str]:
    return [f"{reverse('lookup')}?q={quote(each)}" for each in ASKED]


def _of_countries() -> list[str]:
    pages = [reverse(name, args=[code]) for name in ("country", "country-networks") for code in ("FR", "US", "JO")]
    return [*pages, f"{reverse('country', args=['FR'])}?span=all"]


def _for_programs(person: Person) -> list[str]:
    own = person.organisation.slug
    return [
        *(f"/api/v1/lookup?q={quote(each)}" for each in ASKED),
        "/api/v1/observations", "/api/v1/observations?country=FR", "/api/v1/countries/FR/packages",
        "/taxii2/", f"/taxii2/{own}/", f"/taxii2/{own}/collections/",
    ]  # fmt: skip


def _plain(response: Any) -> tuple[int, bytes, str]:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    headers = "|".join(f"{name}={response.headers.get(name, '')}" for name in ("ETag", "Last-Modified", "Link"))
    return response.status_code, VOLATILE.sub(b"", body), headers


def test_w06_what_several_said_of_one_value_is_told_to_each_as_far_as_each_may_see(
    store: Path, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    builders.centre()
    readers = ("omar_partner", "hugo_head", "fleur_officer", "khalil_officer", "dana_analyst")
    keys = {login: give_key(login, ("read",)) for login in readers}
    named = [f"person:{login}" for login in ("fleur_officer", "khalil_officer")]
    Organisation.objects.filter(pk=builders.bureau("KE").pk).update(defaults={"audience": named})

    def sent(slug: str, label: str, name: str, number: int) -> None:
        rows = f"c2 ip,first_seen,malware,tags\n8.8.8.8,2026-11-19T10:00:00Z,{name},tag-{number}\n"
        for content in (rows.encode(), bundle(number)):
            services.receive(
                organisation=builders.organisation(slug), via="api", name=f"{number}", chunks=[content],
                at=NOW - timedelta(hours=2), marking=label,
            )  # fmt: skip
        work()
        set_audience(Batch.objects.filter(delivery__organisation__slug=slug), BY_LABEL)

    def told() -> dict[str, tuple[int, set[str], int, int]]:
        found = {}
        for login, secret in keys.items():
            said = Client().get("/api/v1/lookup?q=8.8.8.8", headers={"Authorization": f"Bearer {secret}"}).json()
            assert said["rows"] == sum(each["rows"] for each in said["sources"]) == sum(said["by_role"].values())
            names = {each["malware"].lower() for each in said["observations"] if "malware" in each}
            found[login] = (said["rows"], names, len(said["objects"]), len(said["sources"]))
        return found

    sent("northwind", "TLP:CLEAR", "Emotet", 1)
    everybody = told()
    assert len(set(map(str, everybody.values()))) == 1
    assert everybody["omar_partner"][1] == {"emotet"}
    sent("ncb-ke", "TLP:RED", "Andromeda", 2)
    after = told()
    changed = {login for login in readers if after[login] != everybody[login]}
    assert changed == {"fleur_officer", "khalil_officer"}, "the two whom it names, and nobody at the Centre"
    assert after["fleur_officer"][1] == {"emotet", "andromeda"}
    sent("southgate", "TLP:CLEAR", "Qakbot", 3)
    assert told()["omar_partner"][1] == {"emotet", "qakbot"}
    assert told()["khalil_officer"][1] == {"emotet", "andromeda", "qakbot"}
    under = set(Batch.objects.values_list("organisation__slug", "handling_set__tlp"))
    assert under == {("northwind", "TLP:CLEAR"), ("ncb-ke", "TLP:RED"), ("southgate", "TLP:CLEAR")}


def test_i2_what_is_hidden_answers_as_what_is_absent(
    store: Path, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    builders.centre()
    people.call("pia_partner")
    for slug in HIDDEN:
        builders.organisation(slug)
    # Even to the whole community: those who are excluded find nothing (DOMAIN 0, rule 3).
    against = ["country:FR", "country:JO", "southgate"]
    Organisation.objects.filter(slug="westgate").update(defaults={"exclusions": against})
    keys = {login: give_key(login, ("read",)) for login in (*LEFT_OUT, "dana_analyst")}
    handed_over("southgate", "TLP:GREEN", 0)
    before = {login: answers(login, secret) for login, secret in keys.items()}
    hidden = [each for slug, marking in HIDDEN.items() for each in handed_over(slug, marking, 1)]
    assert {each.state for each in hidden} == {"parsed"}
    assert sum(each.rows for each in hidden) >= 4 * len(HIDDEN)
    assert Object.objects.count() == 1 + len(HIDDEN)
    assert Proposal.objects.filter(batch__delivery__in=hidden).count() >= len(HIDDEN)
    for login in LEFT_OUT:
        after = answers(login, keys[login])
        differing = [address for address, told in after.items() if told != before[login][address]]
        assert differing == [], f"{login} can tell"
    seen = answers("dana_analyst", keys["dana_analyst"])
    differing = {address for address, told in seen.items() if told != before["dana_analyst"][address]}
    assert {"/", "/lookup/?q=8.8.8.8", "/api/v1/lookup?q=8.8.8.8", "/countries/FR/"} <= differing, "it is there"
    shown = visible_batches(viewer_of(people.call("dana_analyst"))).filter(delivery__in=hidden)
    assert set(shown.values_list("organisation__slug", flat=True)) == {"northwind", "westgate"}
