"""W11, W33 and W36 from the delivery to what each may open."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from ipaddress import ip_address

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene

from tocsin.centre.analysis import lookups
from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.analysis.services import correct_country, decide_country
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery, Tally
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.services import shown_parts
from tocsin.centre.release import archives
from tocsin.centre.release.models import Package
from tocsin.centre.release.services import make_packages, note_fetch
from tocsin.core.errors import Conflict
from tocsin.core.words import Tlp
from tocsin.reference.addresses import shipped

from .conftest import work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
HOSTS, COUNTRIES, IN_EACH = 40, 60, 166
"""Hosts whose country is disputed; countries with hosts of their own, and how many each has: 10,000 in all."""


def send(content: str, name: str, marking: str = "TLP:GREEN") -> Delivery:
    made = services.receive(
        organisation=builders.organisation("northwind"), via="api", name=name, chunks=[content.encode()],
        at=timezone.now(), marking=marking,
    )  # fmt: skip
    work()
    made.refresh_from_db()
    assert made.state == "parsed", (made.reason, made.reason_where)
    set_audience(Batch.objects.filter(delivery=made), BY_LABEL)
    return made


def hosts() -> tuple[list[str], dict[int, list[str]]]:
    """Hosts of one network that the registry and the geolocation table put into different countries; and by country
    those on which they agree."""
    numbers = np.arange(5 << 24, 200 << 24, 1024, dtype=np.uint32)
    found = shipped().lookup_v4(numbers)
    registry, geo = found.registry_country, found.geo_country
    differ = (registry != geo) & (registry > 0) & (geo > 0) & (numbers % 4096 == 0) & (numbers < 90 << 24)
    place = int(np.flatnonzero(differ)[0])
    unsettled = [str(ip_address(int(numbers[place]) + n)) for n in range(1, HOSTS + 1)]
    agreed = {}
    for country in np.unique(registry[(registry == geo) & (registry > 0)]).tolist():
        some = numbers[(registry == country) & (geo == country)][:IN_EACH]
        if len(some) == IN_EACH and country not in {int(registry[place]), int(geo[place])}:
            agreed[country] = [str(ip_address(int(each))) for each in some]
    return unsettled, dict(list(agreed.items())[:COUNTRIES])


def rows_seen(login: str, value: str) -> int:
    return lookups.answer(value, viewer_of(people.call(login))).found.total


def test_w11_each_country_gets_its_own_hosts_and_what_is_disputed_waits_and_goes_to_neither() -> None:
    unsettled, agreed = hosts()
    assert len(agreed) == COUNTRIES
    at = (timezone.now() - timedelta(hours=2)).isoformat()
    listed = [*unsettled, *(each for some in agreed.values() for each in some)]
    sent = send("timestamp,ip,role\n" + "".join(f"{at},{host},VICTIM\n" for host in listed), "hosts.csv")
    assert (sent.rows, len(listed)) == (10_000, 10_000)
    waiting = list(CountryConflict.objects.all())
    assert sum(each.rows for each in waiting) == HOSTS
    claimed = {code for each in waiting for code in each.claims.values() if code and len(code) == 2}
    assert len(claimed) == 2, claimed
    counted = dict(Tally.objects.values_list("country", "rows"))
    assert counted.pop("") == HOSTS
    assert set(counted.values()) == {IN_EACH}
    assert len(counted) == COUNTRIES
    assert not claimed & counted.keys()
    _each_its_own(sent, listed[HOSTS], listed[-1])
    first, second = sorted(claimed)
    for code in (first, second):
        builders.person(f"officer-{code}", builders.bureau(code), "officer")
        assert rows_seen(f"officer-{code}", unsettled[0]) == 0
    # A reviewer decides; the rows join that country's slice, and no other's.
    rui = people.call("rui_reviewer")
    for each in waiting:
        decide_country(conflict=each, country=first, by=rui, at=timezone.now())
    work()
    assert sum(Tally.objects.filter(country=first).values_list("rows", flat=True)) == HOSTS
    assert [rows_seen(f"officer-{code}", unsettled[-1]) for code in (first, second)] == [1, 0]
    _corrected_again(first, second, unsettled)


def _each_its_own(sent: Delivery, first: str, last: str) -> None:
    """Of two of the sixty: what their bureaus look up, and what the page of the release says to them."""
    builders.release(*sent.batches.all())
    desk = viewer_of(people.call("vera_victim_desk"))
    countries = {host: lookups.answer(host, desk).found.rows["country"][0] for host in (first, last)}
    assert len(set(countries.values())) == 2
    for host, code in countries.items():
        officer = builders.person(f"of_{code.lower()}", builders.bureau(code), "officer", language="en")
        assert {each: rows_seen(officer.login, each) for each in countries} == {
            each: int(each == host) for each in countries
        }
        client = Client()
        people.let_in(client, officer.login)
        page = client.get(reverse("received", args=[sent.receipt])).content.decode()
        assert f">{IN_EACH}<" in page
        assert "Rows in all countries together: 10,000." in " ".join(page.split())


def _corrected_again(first: str, second: str, hosts: list[str]) -> None:
    """It was the wrong country: the slices are dealt anew, and whoever had the wrong one is told."""
    now = timezone.now()
    package = make_packages([first], now - timedelta(days=1), now + timedelta(minutes=1), None, now, processes=1)[0]
    officers = {code: Person.objects.get(login=f"officer-{code}") for code in (first, second)}
    note_fetch(package, officers[first], "api", now)
    client = Client()
    rui = people.let_in(client, "rui_reviewer", "en")
    page = client.get(reverse("decided-countries")).content.decode()
    for each in CountryConflict.objects.all():
        assert reverse("correct-country", args=[each.pk]) in page
        client.post(reverse("correct-country", args=[each.pk]), {"country": second, "was": first})
    stale = CountryConflict(pk=CountryConflict.objects.earliest("pk").pk, country=first)
    with pytest.raises(Conflict):
        correct_country(conflict=stale, country="US", by=rui, at=timezone.now())
    work()
    for code, rows in ((first, 0), (second, HOSTS)):
        assert sum(Tally.objects.filter(country=code).values_list("rows", flat=True)) == rows
    assert [rows_seen(f"officer-{code}", hosts[-1]) for code in (first, second)] == [0, 1]
    told = {slug: state for made in Recall.objects.all() for slug, state in made.notices.values_list(
        "organisation__slug", "state")}  # fmt: skip
    assert told == {f"ncb-{first.lower()}": "informed"}, "nobody else hears of it"
    recalled = {each.key for made in Recall.objects.all() for each in shown_parts(made, officers[first].organisation)}
    assert recalled == set(hosts)
    package.refresh_from_db()
    assert package.recalled_at is not None
    assert Package.objects.filter(country=second, recalled_at=None).exists(), "a package of the span for the other"
    again = CountryConflict.objects.values_list("pk", "country")
    assert {country for _pk, country in again} == {second}


SINKHOLE = (
    '"timestamp","protocol","src_ip","src_port","src_asn","src_geo","src_region","src_hostname","dst_ip","dst_port",'
    '"dst_asn","dst_geo","tag","infection","family","http_url"\n'
    '"{at}","tcp","192.0.2.1",17409,64496,"FR","PARIS",,"198.51.100.1",80,64511,"DE",,'
    '"avalanche-andromeda","andromeda",""\n'
)


def test_w33_an_infected_host_is_a_victim_and_never_a_rule_to_block() -> None:
    at = (timezone.now() - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")
    send(SINKHOLE.replace("{at}", at), "2026-11-22-event4_sinkhole.csv", "TLP:GREEN")
    assert set(Tally.objects.values_list("role", flat=True)) == {"VICTIM"}
    for login, rows in (("fleur_officer", 1), ("khalil_officer", 0), ("omar_partner", 0), ("vera_victim_desk", 1)):
        assert rows_seen(login, "192.0.2.1") == rows, login
    columns = ("role", "peer", "peer_role")
    seen = lookups.answer("192.0.2.1", viewer_of(people.call("vera_victim_desk")), columns=columns).found.rows
    assert seen.to_dicts() == [{"role": "VICTIM", "peer": "198.51.100.1", "peer_role": "SINKHOLE"}]
    now = timezone.now()
    made = make_packages(["FR", "JO"], now - timedelta(days=1), now + timedelta(minutes=1), None, now, processes=1)
    for package in made:
        with zipfile.ZipFile(archives.opener(package)()) as archive:
            whole = b"".join(archive.read(name) for name in archive.namelist())
            objects = json.loads(archive.read("stix.json"))["objects"]
            attributes = json.loads(archive.read("misp.json"))["Event"]["Attribute"]
        assert not [each for each in objects if each["type"] == "indicator"]  # Neither the host nor the sinkhole.
        assert not [each for each in attributes if each["to_ids"]]
        if package.country != "FR":
            assert b"192.0.2.1" not in whole
    assert {package.country for package in made} >= {"FR"}


def test_a_poisoned_feed_of_popular_names_never_reaches_a_block_list() -> None:
    at = (timezone.now() - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    popular = ["8.8.8.8", "www.wikipedia.org", "weebly.com"]
    true = ["wharf-panel.example", "exercise-kit.weebly.com", "https://www.wikipedia.org/EXERCISE/page"]
    lines = [f"{value},ATTACKER_INFRA,c2-server,{at},US" for value in popular + true]
    sent = send("\n".join(["value,role,type,first_at,country", *lines]), "poisoned.csv", "TLP:CLEAR")
    Batch.objects.filter(delivery=sent).update(handling_set=builders.handling(Tlp.CLEAR, codes=("H0",)))
    now = timezone.now()
    (made,) = make_packages(["US"], now - timedelta(days=1), now + timedelta(minutes=1), None, now, processes=1)
    with zipfile.ZipFile(archives.opener(made)()) as archive:
        objects = json.loads(archive.read("stix.json"))["objects"]
        attributes = json.loads(archive.read("misp.json"))["Event"]["Attribute"]
    assert {each["name"] for each in objects if each["type"] == "indicator"} == set(true)
    assert {each["value"]: each["to_ids"] for each in attributes} == {
        **dict.fromkeys(popular, False), **dict.fromkeys(true, True),
    }  # fmt: skip


def test_w36_a_link_into_operations_opens_nothing_for_a_partner(client: Client) -> None:
    shown = scene.make()
    builders.person("ines_instructor", builders.organisation("southgate"), "analyst")
    client.force_login(Person.objects.get(login="ines_instructor"))
    addresses = [
        reverse("delivery", args=[shown.delivery.receipt]), reverse("delivery-original", args=[shown.delivery.receipt]),
        reverse("delivery-grades", args=[shown.delivery.receipt]), reverse("object", args=[shown.thing.pk]),
        reverse("object-raw", args=[shown.thing.pk]), reverse("package-list"), reverse("release-desk"),
        reverse("scorecards"),
    ]  # fmt: skip
    for address in addresses:
        assert client.get(address).status_code == 404, address
    assert "Andromeda" not in client.get(reverse("country", args=["FR"])).content.decode()
