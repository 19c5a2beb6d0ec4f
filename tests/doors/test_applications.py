"""A would-be partner applies by itself: what it gets back, what it opens (nothing), and who sees it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.members import applications
from tocsin.centre.members.models import Agreement, Organisation
from tocsin.core.errors import InputError

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SAID: dict[str, Any] = {
    "name": "Harbour <b>Labs</b>", "class_name": "private", "country": "FR", "website": "https://harbour.example",
    "person": "Bo Ek", "email": "bo@harbour.example", "data_types": ["indicators", "malware"],
    "reason": "We run a sinkhole.",
}  # fmt: skip


def test_an_application_gives_a_number_and_opens_nothing(client: Client) -> None:
    shown = client.post(reverse("apply"), SAID, follow=True).content.decode()
    made = Organisation.objects.get()
    agreement = Agreement.objects.get()
    number = agreement.application["number"]
    assert re.search(rf"Its number is <bdi[^>]*>{number}|Its number is .*{number}", shown)
    assert (made.is_active, made.class_name, agreement.state, agreement.basis) == (
        False, "private", "explored", "procedure",
    )  # fmt: skip
    assert number not in client.get(reverse("apply")).content.decode(), "shown once"
    with pytest.raises(InputError, match="agreement-not-in-force"):
        services.receive(organisation=made, via="api", name="a", chunks=[b"x"], at=builders.NOW)
    assert {each.actor for each in Entry.objects.all()} == {"applicant"}
    people.let_in(client, "paula_partnership")
    assert "Applications of would-be partners" in client.get(reverse("home")).content.decode()
    listed = client.get(reverse("organisations") + "?show=applied").content.decode()
    assert "Harbour &lt;b&gt;Labs&lt;/b&gt;" in listed
    page = client.get(reverse("agreement", args=[made.slug])).content.decode()
    assert "We run a sinkhole." in page
    assert "bo@harbour.example" in page
    client.post(reverse("agreement-move", args=[made.slug, agreement.pk]), {"from": "explored", "to": "vetting"})
    assert not applications.waiting().exists()
    client.force_login(people.call("hugo_head"))
    assert client.get(reverse("agreement", args=[made.slug])).status_code == 404


def test_the_same_name_twice_is_two_applications_and_tells_nothing(client: Client) -> None:
    builders.organisation("harbour", name="Harbour")
    for _ in range(2):
        assert client.post(reverse("apply"), SAID | {"name": "Harbour"}, follow=True).status_code == 200
    assert Organisation.objects.filter(name="Harbour").count() == 3
    client.post(reverse("apply"), SAID | {"name": "تعاون"}, REMOTE_ADDR="198.51.100.9")
    assert Organisation.objects.filter(slug__startswith="applicant-").count() == 1


def test_what_turns_or_hides_letters_falls_away_and_the_address_stays_whole(client: Client) -> None:
    said = SAID | {
        "name": "\u202eHarbour\u200f  Labs\u2066",
        "person": "Bo " + "E" * 150,
        "email": "bo@" + "h" * 60 + ".example",
    }
    client.post(reverse("apply"), said)
    made = Organisation.objects.get()
    assert made.name == "Harbour Labs"
    assert said["email"] in made.contact
    assert client.post(reverse("apply"), SAID | {"name": "\u200f\u202e \u3164"}).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"class_name": "law-enforcement"}, {"country": "QQ"}, {"email": "no"}, {"data_types": ["king"]},
     {"website": "javascript:alert(1)"}, {"reason": "x" * 4001}, {"person": ""}],
)  # fmt: skip
def test_what_the_form_does_not_offer_is_not_kept(client: Client, wrong: dict[str, Any]) -> None:
    assert client.post(reverse("apply"), SAID | wrong).status_code == 422
    assert not Organisation.objects.exists()


def test_who_floods_the_form_fills_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    got = [client.post(reverse("apply"), SAID, REMOTE_ADDR="192.0.2.7").status_code for _ in range(5)]
    assert got == [302, 302, 302, 429, 429]
    said = client.post(reverse("apply"), SAID, REMOTE_ADDR="192.0.2.7").content.decode()
    assert "Too many applications came in. Try again in 15 minutes." in said
    assert client.post(reverse("apply"), SAID, REMOTE_ADDR="198.51.100.1").status_code == 302
    monkeypatch.setattr(applications, "MOST_FROM_ALL", 4)
    assert client.post(reverse("apply"), SAID, REMOTE_ADDR="198.51.100.2").status_code == 429
    assert Organisation.objects.count() == 4
