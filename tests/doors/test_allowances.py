"""Limits of one organisation: what its people see, what the administrator sets, and that it holds at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import pressure
from tocsin.centre.intake.allowance_lines import WORDS, groups_of
from tocsin.centre.intake.services import receive
from tocsin.centre.members import allowances, limits
from tocsin.centre.members.limits import Kind, TooOften
from tocsin.centre.members.models import LimitRefusal, Organisation
from tocsin.core.errors import InputError, NotFound
from tocsin.site.installation import LIMITS
from tocsin.taxii.answers import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
AT = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
ROWS = b"time.source,source.ip\n2026-11-20T10:00:00Z,192.0.2.7\n"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(limits, "_counts", {})
    monkeypatch.setattr(allowances, "_written", 0.0)
    pressure.forget()
    allowances._noted.clear()
    yield
    pressure.forget()
    allowances._noted.clear()


def northwind() -> Organisation:
    return people.call("pia_partner").organisation


def line(name: str, at: datetime) -> object:
    groups = groups_of(Organisation.objects.get(slug="northwind"), at)
    return next(each for group in groups for each in group["lines"] if each.name == name)


def set_to(**wanted: int | None) -> None:
    allowances.change(northwind(), wanted, by=people.call("ada_administrator"), at=AT)


def test_every_limit_that_is_not_the_machines_is_shown_in_words() -> None:
    assert set(allowances.NAMES) == {name for name in LIMITS if not name.startswith("machine_")} == set(WORDS)
    shown = [each.name for group in groups_of(northwind(), AT) for each in group["lines"]]
    assert shown == list(allowances.NAMES)


def test_what_is_set_holds_with_the_next_delivery_and_for_nobody_else() -> None:
    set_to(organisation_deliveries=1)
    with pressure.taking(northwind(), AT):
        pass
    with pytest.raises(TooOften) as refused, pressure.taking(northwind(), AT):
        pass
    assert (refused.value.name, refused.value.most) == ("organisation_deliveries", 1)
    omar = people.call("omar_partner").organisation
    for _ in range(3):
        with pressure.taking(omar, AT):
            pass
    set_to(organisation_deliveries=None)
    with pressure.taking(northwind(), AT):
        pass


@pytest.mark.parametrize("name", allowances.NAMES)
def test_no_limit_is_set_below_what_is_needed_or_by_others(name: str) -> None:
    least = allowances.least_of(name)
    for wrong in (least - 1, -1, allowances.MOST + 1):
        with pytest.raises(InputError):
            set_to(**{name: wrong})
    assert Organisation.objects.get(slug="northwind").limits == {}
    set_to(**{name: least})
    assert Organisation.objects.get(slug="northwind").limits == {name: least}
    for login in ("pia_partner", "mona_manager", "dana_analyst", "paula_partnership"):
        with pytest.raises(NotFound):
            allowances.change(northwind(), {name: None}, by=people.call(login), at=AT)


def test_with_the_smallest_limits_one_delivery_of_the_largest_size_is_taken() -> None:
    set_to(**{name: allowances.least_of(name) for name in allowances.NAMES})
    largest = int(settings.INSTALLATION.upload_limit_bytes)
    with pressure.taking(northwind(), AT):
        pressure.taken(northwind(), largest, AT)


def test_a_change_is_in_the_log_and_nothing_is_where_nothing_changed() -> None:
    set_to(key_requests=120)
    set_to(key_requests=120)
    entry = Entry.objects.get(action="organisation.limits-changed")
    assert (entry.actor, entry.subject) == ("ada_administrator", f"organisation:{northwind().pk}")
    assert "120" in entry.detail


def test_the_page_counts_what_is_used_and_what_was_turned_away_by_door(client: Client, give_key: GiveKey) -> None:
    key = give_key("pia_partner", ["deliver", "taxii", "read"])
    set_to(key_requests=60, organisation_waiting=1)
    now = datetime.now(UTC)
    receive(organisation=northwind(), via="page", name="one.csv", chunks=[ROWS], at=now)
    pressure.forget()
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    answer = client.post("/api/v1/deliveries?name=two.csv", ROWS + b"x", content_type="text/csv", **bearer)
    assert answer.status_code == 429
    assert answer["RateLimit-Policy"] == '"organisation-waiting";q=1'
    assert answer["RateLimit"] == f'"organisation-waiting";r=0;t={answer["Retry-After"]}'
    people.let_in(client, "pia_partner")
    sent = {"files": SimpleUploadedFile("three.csv", ROWS + b"y"), "organisation": "northwind", "marking": "TLP:AMBER"}
    assert client.post(reverse("upload"), sent, HTTP_ACCEPT="application/json").status_code == 429
    for _ in range(70):
        answer = client.get("/taxii2/", HTTP_ACCEPT=MEDIA_TYPE, **bearer)
    assert answer.status_code == 429
    assert answer["RateLimit-Policy"] == '"key-requests";q=60;w=900'
    waits, asked = line("organisation_waiting", now), line("key_requests", now)
    assert (waits.used, waits.most, waits.percent, waits.refused) == (1, 1, 100, 2)
    assert dict(waits.doors) == {"API": 1, "Pages": 1}
    assert (asked.used, asked.most) == (60, 60)
    assert sum(dict(asked.doors).values()) == asked.refused > 0
    text = client.get(reverse("organisation-limits", args=["northwind"])).content.decode()
    plain = re.sub(r"<[^>]+>", "", text)
    assert "TAXII: " in plain
    assert plain.count("Reached") == 2, "of the deliveries that wait and of the key's requests nothing is left"
    assert "Nearly reached" not in plain


def test_who_is_concerned_finds_the_page(client: Client) -> None:
    """Whoever hands over, has programs, or was turned away; nobody is sent to somebody else's page."""
    people.let_in(client, "pia_partner")
    own = f'href="{reverse("organisation-limits", args=["northwind"])}"'
    for page in ("upload", "keys"):
        assert own in client.get(reverse(page)).content.decode(), page
    set_to(person_requests=allowances.least_of("person_requests"))
    for _ in range(allowances.least_of("person_requests") + 2):
        answer = client.get(reverse("settings"))
    assert answer.status_code == 429
    assert own in answer.content.decode()
    assert b"organisations/" not in Client().get("/no-such-page/").content


def test_a_limit_that_is_nearly_reached_is_not_called_reached() -> None:
    northwind()
    made = line("organisation_deliveries", AT)
    for used, near, reached in ((0, False, False), (158, False, False), (160, True, False), (199, True, False),
                                (200, False, True), (201, False, True)):  # fmt: skip
        shown = replace(made, most=200, used=used)  # type: ignore[type-var]
        assert (shown.is_near, shown.is_reached) == (near, reached), used
    assert not replace(made, most=0, used=9).is_reached, "there is no limit"  # type: ignore[type-var]


def test_refusals_of_two_days_ago_are_forgotten() -> None:
    old = {"organisation": northwind(), "name": "organisation_uploads", "door": "api", "times": 3}
    LimitRefusal.objects.create(hour_at=AT - timedelta(hours=23), **old)
    LimitRefusal.objects.create(hour_at=AT - timedelta(days=3), **old)
    assert allowances.refusals_of(northwind(), AT) == {"organisation_uploads": {"api": 3}}
    request = type("Asked", (), {"path": "/api/v1/deliveries"})()
    allowances.note(TooOften(1, "organisation_uploads", northwind().pk, 1), request, AT)
    assert allowances.refusals_of(northwind(), AT) == {"organisation_uploads": {"api": 4}}
    assert LimitRefusal.objects.count() == 2


def test_the_form_sets_and_takes_back(client: Client) -> None:
    northwind()
    people.let_in(client, "ada_administrator")
    address = reverse("organisation-limits", args=["northwind"])
    answer = client.post(address, {"organisation_uploads": "4", "key_requests": "500"})
    assert answer.status_code == 302
    assert northwind().limits == {"organisation_uploads": 4, "key_requests": 500}
    text = client.get(address).content.decode()
    assert "else 16" in re.sub(r"<[^>]+>", "", text)
    assert 'value="500"' in text
    assert client.post(address, {"organisation_uploads": "0", "key_requests": ""}).status_code == 422
    assert northwind().limits == {"organisation_uploads": 4, "key_requests": 500}
    assert client.post(address, {"organisation_uploads": ""}).status_code == 302
    assert northwind().limits == {}


def test_others_do_not_see_it_and_own_people_do_not_set_it(client: Client) -> None:
    address = reverse("organisation-limits", args=["northwind"])
    northwind()
    people.let_in(client, "omar_partner")
    assert client.get(address).status_code == 404
    people.let_in(client, "mona_manager")
    assert b"<form" not in client.get(address).content.partition(b"<main")[2].partition(b"</main>")[0]
    assert client.post(address, {"organisation_uploads": "400"}).status_code == 404
    people.let_in(client, "ada_administrator")
    assert b'id="limits-organisation"' in client.get(reverse("organisation", args=["northwind"])).content


def test_what_processes_have_not_told_one_another_counts_too() -> None:
    dana = people.call("pia_partner")
    for _ in range(5):
        limits.spend(dana, Kind.REQUESTS, AT)
    assert limits.used(Kind.REQUESTS, "person", [dana.pk, 10_000], AT) == {dana.pk: 5}
    assert builders.organisation("northwind").limits == {}
