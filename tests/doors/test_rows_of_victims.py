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
from tocsin.reference.addresses import shipped

from .conftest import work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
HOSTS = 40


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


def unsettled() -> list[str]:
    """Hosts of one network that the registry and the geolocation table put into different countries."""
    numbers = np.arange(5 << 24, 90 << 24, 4096, dtype=np.uint32)
    found = shipped().lookup_v4(numbers)
    differ = (found.registry_country != found.geo_country) & (found.registry_country > 0) & (found.geo_country > 0)
    first = int(numbers[differ][0])
    return [str(ip_address(first + n)) for n in range(1, HOSTS + 1)]


def rows_seen(login: str, value: str) -> int:
    return lookups.answer(value, viewer_of(people.call(login))).found.total


def test_w11_hosts_whose_country_is_disputed_wait_and_go_to_neither() -> None:
    hosts = unsettled()
    at = (timezone.now() - timedelta(hours=2)).isoformat()
    lines = "".join(f"{at},{host},VICTIM\n" for host in [*hosts, "8.8.8.8"])
    send(f"timestamp,ip,role\n{lines}", "hosts.csv")
    waiting = list(CountryConflict.objects.all())
    assert sum(each.rows for each in waiting) == HOSTS
    claimed = {code for each in waiting for code in each.claims.values() if code and len(code) == 2}
    assert len(claimed) == 2, claimed
    counted = {
        country: sum(Tally.objects.filter(country=country).values_list("rows", flat=True)) for country in ("", "US")
    }
    assert counted == {"": HOSTS, "US": 1}  # The global total knows them all.
    first, second = sorted(claimed)
    for code in (first, second):
        builders.person(f"officer-{code}", builders.bureau(code), "officer")
        assert rows_seen(f"officer-{code}", hosts[0]) == 0
    # A reviewer decides; the rows join that country's slice, and no other's.
    rui = people.call("rui_reviewer")
    for each in waiting:
        decide_country(conflict=each, country=first, by=rui, at=timezone.now())
    work()
    assert sum(Tally.objects.filter(country=first).values_list("rows", flat=True)) == HOSTS
    assert [rows_seen(f"officer-{code}", hosts[-1]) for code in (first, second)] == [1, 0]
    _corrected_again(first, second, hosts)


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
    found = lookups.answer("192.0.2.1", viewer_of(people.call("vera_victim_desk"))).found.rows.to_dicts()[0]
    assert (found["role"], found["peer"]) == ("VICTIM", "198.51.100.1")
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
