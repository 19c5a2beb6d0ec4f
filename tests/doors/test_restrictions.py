"""H3 stands for a restriction in words: it cannot be laid down without them, and they are read before anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people, scene

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members import agreements
from tocsin.centre.members.models import Agreement, Organisation
from tocsin.centre.release.services import derived_label
from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet, default_set

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
TEXT = "Only on <b>paper</b>, and never by telephone."
UNDER = {"codes": ("H1", "H3"), "restrictions": (TEXT,)}


@pytest.fixture
def shown() -> scene.Scene:
    """One of everything; what northwind handed over stands under H3."""
    found = scene.make()
    Batch.objects.filter(delivery=found.delivery).update(handling_set=builders.handling(Tlp.GREEN, **UNDER))
    return found


def main_of(client: Client, address: str) -> str:
    return client.get(address).content.decode().partition("<main")[2]


def post_defaults(client: Client, **changed: Any) -> Any:
    agreement = Agreement.objects.get(organisation__slug="northwind")
    said = {"tlp": "TLP:AMBER", "codes": ["H2", "H3"], "restrictions": "", "pap": "PAP:AMBER", "purposes": ["PROTECT"],
            "attribution": "must-not", "retention_months": "12"}  # fmt: skip
    return client.post(reverse("agreement-part", args=["northwind", agreement.pk, "defaults"]), said | changed)


def test_the_words_are_read_before_the_object_and_once_in_a_session(client: Client, shown: scene.Scene) -> None:
    person = people.call("fleur_officer")
    person.language = "en"
    person.save()
    people.let_in(client, "fleur_officer")
    address = reverse("object", args=[shown.thing.pk])
    taken = Taking.objects.count()
    page = main_of(client, address)
    assert "Only on &lt;b&gt;paper&lt;/b&gt;, and never by telephone." in page
    assert "Grey Heron" not in page
    assert b"intrusion-set" not in client.get(reverse("object-raw", args=[shown.thing.pk])).content
    assert Taking.objects.count() == taken, "nothing was taken yet"
    digests = [each.split('"')[0] for each in page.split('name="read" value="')[1:]]
    answer = client.post(reverse("restriction-read"), {"read": [*digests, "x", "a" * 32], "next": address})
    assert answer["Location"] == address
    page = main_of(client, address)
    assert "Grey Heron" in page
    assert "Only on &lt;b&gt;paper" in page, "it goes on to stand beside what it is about"
    assert client.get(reverse("object-raw", args=[shown.thing.pk])).content == scene.OBJECT
    assert Entry.objects.filter(action="restriction.read", actor="fleur_officer").count() == len(digests) == 1
    other = Client()
    people.let_in(other, "fleur_officer")
    assert "Grey Heron" not in main_of(other, address)


def test_nobody_is_led_elsewhere_by_saying_that_it_was_read(client: Client) -> None:
    people.let_in(client, "fleur_officer")
    for target in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert client.post(reverse("restriction-read"), {"read": ["a" * 32], "next": target})["Location"] == "/"


def test_the_source_reads_its_own_at_once(client: Client, shown: scene.Scene) -> None:
    people.let_in(client, "pia_partner")
    assert "Grey Heron" in main_of(client, reverse("object", args=[shown.thing.pk]))


def test_h3_without_words_is_not_laid_down(client: Client) -> None:
    builders.organisation("northwind")
    client.force_login(people.call("paula_partnership"))
    empty = post_defaults(client)
    assert (empty.status_code, REASONS["restriction-missing"] in empty.content.decode()) == (422, True)
    without = post_defaults(client, codes=["H2"], restrictions=TEXT)
    assert (without.status_code, "contradict one another" in without.content.decode()) == (422, True)
    long = post_defaults(client, restrictions="x" * 1001)
    assert (long.status_code, "at most 1000 characters" in long.content.decode()) == (422, True)
    assert Organisation.objects.get(slug="northwind").defaults == {}
    assert post_defaults(client, restrictions=f"{TEXT}\r\n\r\n \r\nAsk us first.").status_code == 302
    found = Organisation.objects.get(slug="northwind")
    assert found.defaults["restrictions"] == [TEXT, "Ask us first."]
    people.let_in(client, "pia_partner")
    page = main_of(client, reverse("own-agreement"))
    assert "Only on &lt;b&gt;paper&lt;/b&gt;" in page
    assert "Ask us first." in page
    with pytest.raises(InputError, match="restriction-missing"):
        agreements.change_defaults(found, {"restrictions": []}, by="t", at=builders.NOW)


def test_a_label_without_limits_is_not_laid_down_beside_one(client: Client, shown: scene.Scene) -> None:
    """TLP:CLEAR is for everybody: who excludes somebody, or classifies, means another label."""
    source = shown.delivery.organisation
    for limit in ({"exclusions": ["country:FR"]}, {"classification": "restricted"}):
        with pytest.raises(InputError, match="invalid-object"):
            agreements.change_defaults(source, {"tlp": "TLP:CLEAR", **limit}, by="t", at=builders.NOW)
    people.let_in(client, "pia_partner")
    address = f"/api/v1/deliveries/{shown.delivery.receipt}/handling"
    standing = client.get(address).json()

    def post(**handling: Any) -> Any:
        body = json.dumps({"handling": handling, "mark": standing["mark"]})
        return client.post(address, body, content_type="application/json").json()

    assert post(tlp="TLP:CLEAR", exclusions=["country:FR"])["reason"] == "relabel-contradiction"
    assert post(tlp="TLP:CLEAR", classification="confidential")["reason"] == "relabel-contradiction"
    assert post(tlp="TLP:GREEN", exclusions=["country:FR"])["state"] in {"done", "waiting"}


def test_a_source_lays_it_down_anew_by_program_and_page(client: Client, shown: scene.Scene) -> None:
    people.let_in(client, "pia_partner")
    address = f"/api/v1/deliveries/{shown.delivery.receipt}/handling"
    standing = client.get(address).json()
    assert standing["sets"][0]["restrictions"] == [TEXT]

    def post(**handling: list[str]) -> Any:
        body = json.dumps({"handling": handling, "mark": standing["mark"]})
        return client.post(address, body, content_type="application/json")

    assert post(codes=["H1"]).json()["reason"] == "restriction-without-h3"
    assert post(restrictions=[]).json()["reason"] == "restriction-missing"
    assert post(restrictions=["  "]).status_code == 422
    done = post(restrictions=[TEXT, "Ask us first."])
    assert (done.status_code, done.json()["state"], done.json()["wider"]) == (200, "done", [])
    standing = client.get(address).json()
    assert post(restrictions=["Ask us first."]).json()["wider"] == ["restrictions"]
    form = client.post(reverse("delivery-relabel", args=[shown.delivery.receipt]), {"step": "choose", "parts": ""})
    assert "Ask us first." in form.content.decode()


def test_the_words_go_along_into_packages_and_sets_without_them_stay_the_same() -> None:
    bound, free = HandlingSet(**UNDER), HandlingSet(codes=("H1",))
    assert "restrictions" not in free.as_json()
    assert HandlingSet.from_json(bound.as_json()) == bound
    label = derived_label([bound, free], datetime(2026, 11, 23, tzinfo=UTC))
    assert label.restrictions == (TEXT,)
    assert default_set({"codes": ["H3"], "restrictions": [TEXT]}, Tlp.RED)[0].restrictions == (TEXT,)
    with pytest.raises(InputError):
        HandlingSet(codes=("H1",), restrictions=(TEXT,))
