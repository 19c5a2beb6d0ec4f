"""The status of a country at every door: what it binds at once, whom it leaves alone, and who decides it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.doors.conftest import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.jobs.models import Job
from tocsin.centre.members import countries
from tocsin.centre.members.models import CountryStatus, Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.services import add_key
from tocsin.centre.release import orders, releasing
from tocsin.centre.release.services import make_packages
from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.core.words import Tlp
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def table(number: int) -> bytes:
    return f"ip,last_seen\n192.0.2.{number},2026-11-20T10:00:00Z\n".encode()


@pytest.fixture
def country() -> dict[str, Person]:
    """The bureau of XE, a unit two levels below it, a sub-bureau of another code; and a company of the country."""
    bureau = builders.bureau("XE")
    unit = builders.organisation("nu-xe", class_name="law-enforcement", country="XE", parent=bureau)
    deep = builders.organisation("nu-xe-2", class_name="law-enforcement", parent=unit)
    sub = builders.organisation("sb-xe", class_name="law-enforcement", country="XF", is_bureau=True, parent=bureau)
    company = builders.organisation("acme-xe", country="XE")
    listed = {"bureau": bureau, "unit": deep, "sub": sub}
    found = {name: builders.person(f"{name}_xe", at, "officer") for name, at in listed.items()}
    return found | {"company": builders.person("company_xe", company, "analyst")}


def key_of(person: Person) -> str:
    ends = builders.NOW + timedelta(days=300)
    scopes = ("deliver", "read", "taxii")
    return add_key(person=person, name="t", scopes=scopes, expires_at=ends, by="t", at=builders.NOW)[1]


def doors(client: Client, person: Person, secret: str, number: int) -> dict[str, Any]:
    """What the page, the API and TAXII answer: to reading, and to handing over."""
    said = {"Authorization": f"Bearer {secret}"}
    root = f"/taxii2/{person.organisation.slug}/"
    thing = {"type": "indicator", "id": f"indicator--00000000-0000-4000-8000-{number:012d}"}
    envelope = json.dumps({"objects": [thing]})
    taxii = said | {"Accept": MEDIA_TYPE}
    client.force_login(person)
    got = {
        "page": client.get(reverse("lookup")).status_code,
        "api": client.get("/api/v1/observations", headers=said).status_code,
        "taxii": client.get(root, headers=taxii).status_code,
        "api in": client.post(
            "/api/v1/deliveries?name=a.csv", table(number), content_type="text/csv", headers=said
        ).status_code,
        "taxii in": client.post(
            f"{root}collections/inbox/objects/", envelope, content_type=MEDIA_TYPE, headers=taxii
        ).status_code,
    }
    file = SimpleUploadedFile("seen.csv", table(100 + number))
    form = {"organisation": person.organisation.slug, "marking": "", "profile": "", "files": file}
    client.force_login(person)
    page = client.post(reverse("upload"), form, headers={"Accept": "application/json"})
    got["page in"] = page.json()["results"][0]["received"] if page.status_code == 200 else page.status_code
    return got


OPEN = {"page": 200, "api": 200, "taxii": 200, "api in": 202, "taxii in": 202, "page in": True}
SHUT = {"page": 302, "api": 401, "taxii": 401, "api in": 401, "taxii in": 401, "page in": 302}
READS = {"page": 200, "api": 200, "taxii": 200, "api in": 403, "taxii in": 403, "page in": False}


def set_status(code: str, status: str) -> None:
    countries.set_status(code, status, reason="decided", by="paula_partnership", at=datetime.now(UTC))


def test_w19_supervised_then_restricted_then_suspended_at_every_door(
    client: Client, country: dict[str, Person]
) -> None:
    secrets = {name: key_of(person) for name, person in country.items()}

    def met(number: int) -> dict[str, dict[str, Any]]:
        listed = enumerate(country.items(), number)
        return {name: doors(client, person, secrets[name], place) for place, (name, person) in listed}

    bound = ("bureau", "unit", "sub")
    set_status("XE", "supervised")
    assert met(1) == dict.fromkeys(country, OPEN)
    waiting = {each.organisation.slug for each in Delivery.objects.all() if services.came_supervised(each)}
    assert waiting == {"ncb-xe", "nu-xe-2", "sb-xe"}, "they receive; what they hand over waits for a check"
    marked = Entry.objects.filter(action="delivery.received", detail__contains='"supervised":true').count()
    assert marked == Delivery.objects.exclude(organisation__slug="acme-xe").count() == 9
    batch = builders.batch(builders.delivery(builders.organisation("northwind")), builders.handling())
    assert [batch in visible_batches(viewer_of(country[each])) for each in bound] == [True] * 3, "it still receives"
    set_status("XE", "restricted")
    assert met(11) == {**dict.fromkeys(bound, READS), "company": OPEN}
    set_status("XE", "suspended")
    assert met(21) == {**dict.fromkeys(bound, SHUT), "company": OPEN}
    before = Delivery.objects.count()
    client.force_login(people.call("dana_analyst"))
    form = {"organisation": "ncb-xe", "marking": "", "profile": "",
            "files": SimpleUploadedFile("seen.csv", table(200))}  # fmt: skip
    said = client.post(reverse("upload"), form, headers={"Accept": "application/json"}).json()["results"][0]
    assert (said["received"], said["message"]) == (False, REASONS["country-suspended"])
    assert [batch in visible_batches(viewer_of(country[each])) for each in bound] == [False] * 3
    assert Delivery.objects.count() == before, "nor does anybody hand over in its name"
    set_status("XE", "active")
    assert met(31) == dict.fromkeys(country, OPEN)


def test_w19_a_suspended_country_is_told_why_and_what_it_excluded_stays_excluded(
    client: Client, country: dict[str, Person]
) -> None:
    own = builders.delivery(country["bureau"].organisation, rows=3)
    batch = builders.batch(own, builders.handling(exclusions=("country:FR",)))
    fleur, dana = people.call("fleur_officer"), people.call("dana_analyst")
    seen = {person.login: batch in visible_batches(viewer_of(person)) for person in (fleur, dana, country["unit"])}
    assert seen == {"fleur_officer": False, "dana_analyst": True, "unit_xe": True}
    client.force_login(country["unit"])
    set_status("XE", "suspended")
    seen = {person.login: batch in visible_batches(viewer_of(person)) for person in (fleur, dana, country["unit"])}
    assert seen == {"fleur_officer": False, "dana_analyst": True, "unit_xe": False}
    assert viewer_of(country["unit"]).country_suspended
    told = client.get(reverse("home"), follow=True).content.decode()
    assert "its access is suspended" in told
    form = {"login": "unit_xe", "password": builders.PASSWORD}
    assert "its access is suspended" in client.post(reverse("sign-in"), form).content.decode()
    form["password"] = "not this one"
    assert "its access is suspended" not in client.post(reverse("sign-in"), form).content.decode()
    basic = client.get("/taxii2/", headers={"Authorization": "Basic dW5pdF94ZTpmb3VyIHBsYWluIHdvcmRzIHN1ZmZpY2U="})
    assert basic.status_code == 401


def test_a_status_acts_from_its_moment_and_that_of_a_past_moment_never_changes(country: dict[str, Person]) -> None:
    at, bureau = datetime.now(UTC), country["bureau"].organisation
    countries.set_status("XE", "supervised", reason="r", by="p", at=at)
    countries.set_status("XE", "active", reason="r", by="p", at=at + timedelta(hours=2))
    moments = [at - timedelta(seconds=1), at, at + timedelta(hours=1), at + timedelta(hours=2)]
    assert [countries.status_of("XE", moment) for moment in moments] == ["active", "supervised", "supervised", "active"]
    assert [countries.is_supervised(bureau, moment) for moment in moments] == [False, True, True, False]
    assert countries.status_of("FR", at) == "active"
    assert countries.set_status("XE", "active", reason="r", by="p", at=at + timedelta(hours=3)) is None


def test_the_sub_bureau_of_the_reference_table_follows_its_member_without_a_link() -> None:
    macao = builders.bureau("MO")
    set_status("CN", "suspended")
    assert countries.status_for(macao, datetime.now(UTC)) == "suspended"
    assert countries.refusal_of(builders.bureau("CN"), datetime.now(UTC)) == "country-suspended"
    assert countries.status_for(builders.centre(), datetime.now(UTC)) == "active"


def test_no_new_package_for_those_who_are_restricted_or_suspended(client: Client) -> None:
    for code, status in (("FR", "restricted"), ("JO", "suspended"), ("BR", "supervised")):
        set_status(code, status)
    at = datetime.now(UTC)
    assert countries.without_packages(["FR", "JO", "BR", "DE"], at) == {
        "FR": "country-restricted", "JO": "country-suspended",
    }  # fmt: skip
    assert make_packages(["FR", "JO"], at - timedelta(days=1), at, None, at) == []
    people.let_in(client, "dana_analyst")
    form = {"country": "FR", "days": "7"}
    said = client.post(reverse("package-create"), form, follow=True).content.decode()
    assert REASONS["country-restricted"] in said
    assert not Job.objects.exists()


@pytest.mark.parametrize("said", [{"status": "king", "reason": "x"}, {"status": "suspended", "reason": " "}])
def test_a_status_needs_a_reason_and_is_one_of_four(said: dict[str, str]) -> None:
    builders.bureau("XE")
    with pytest.raises(InputError):
        countries.set_status("XE", **said, by="p", at=datetime.now(UTC))
    with pytest.raises(InputError, match="not-a-country"):
        countries.set_status("QQ", "suspended", reason="x", by="p", at=datetime.now(UTC))
    assert not CountryStatus.objects.exists()


def test_the_centre_decides_on_the_page_in_two_steps_with_a_fresh_proof(client: Client) -> None:
    builders.bureau("XE")
    Organisation.objects.filter(slug="ncb-xe").update(country="JO", name="NCB Jordan")
    khalil = builders.person("khalil", Organisation.objects.get(slug="ncb-xe"), "officer")
    address = reverse("membership", args=["JO"])
    client.force_login(people.call("lena_legal"))
    form = {"status": "suspended", "reason": "Its bureau was raided."}
    assert client.post(address, form).status_code == 302, "first the proof"
    assert not CountryStatus.objects.exists()
    people.let_in(client, "lena_legal")
    shown = client.post(address, form).content.decode()
    assert "Make this change now" in shown
    assert "people 1" in shown
    assert not CountryStatus.objects.exists()
    assert client.post(address, form | {"reason": ""}).status_code == 422
    assert client.post(address, form | {"status": "active"}).status_code == 422
    stale = client.post(address, form | {"confirmed": "restricted"})
    assert (stale.status_code, CountryStatus.objects.count()) == (200, 0), "the status it was shown with is another"
    done = client.post(address, form | {"confirmed": "active"}, follow=True).content.decode()
    assert "is from now on: Suspended." in done
    entry = Entry.objects.get(action="country.status-set")
    assert (entry.actor, entry.subject, "raided" in entry.detail) == ("lena_legal", "country:JO", True)
    client.force_login(khalil)
    assert client.get(reverse("home")).status_code == 302
    people.let_in(client, "paula_partnership")
    listed = client.get(reverse("memberships")).content.decode()
    assert "Its bureau was raided." in listed
    assert client.get(reverse("membership", args=["QQ"])).status_code == 404
    assert client.get(reverse("memberships") + "?code=JO")["Location"] == address


def signed_order(source: Organisation, at: datetime) -> None:
    """Two people let everything of this source go by itself, up to TLP:AMBER."""
    order = orders.draw_up(
        title="All", organisation=source, formats=(), audience=(), ceiling=Tlp.AMBER, purposes=("PROTECT",),
        starts_on=at.date(), ends_on=at.date() + timedelta(days=30), by=people.call("lena_legal"), is_proved=True,
        at=at,
    )  # fmt: skip
    orders.sign(order, by=people.call("rui_reviewer"), is_proved=True, at=at)


def test_w19_what_a_supervised_country_hands_over_waits_for_a_check(client: Client, country: dict[str, Person]) -> None:
    bureau = country["bureau"].organisation
    Organisation.objects.filter(pk=bureau.pk).update(defaults={"tlp": "TLP:GREEN"})
    set_status("XE", "supervised")
    at = datetime.now(UTC)
    made = services.receive(organisation=bureau, via="api", name="a.csv", chunks=[table(1)], at=at)
    set_status("XE", "active")  # Whatever it is later: what came in before is checked.
    page = reverse("delivery", args=[made.receipt])
    signed_order(bureau, at)
    work()
    readers = [people.call("fleur_officer"), people.call("dana_analyst"), country["bureau"]]

    def seen() -> dict[str, int]:
        return {person.login: visible_batches(viewer_of(person)).count() for person in readers}

    assert seen() == {"fleur_officer": 0, "dana_analyst": 1, "bureau_xe": 1}, "no order lets it go"
    client.force_login(country["bureau"])
    assert "was supervised when it came in" in client.get(page).content.decode()
    proposed = releasing.propose(
        made, made.batches.all(), audience=[], reason="Looked at", by=people.call("dana_analyst"), at=at
    )
    releasing.release(proposed, by=people.call("rui_reviewer"), is_proved=True, at=at)
    assert seen() == {"fleur_officer": 1, "dana_analyst": 1, "bureau_xe": 1}
    assert "was supervised when it came in" not in client.get(page).content.decode()
