"""Organisations and objects: what their pages say, who is named to whom, and changes that are kept and recorded."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people, scene

from tocsin.centre.analysis.views import lookups
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.organisations import change_organisation
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Organisation
from tocsin.core.errors import InputError
from tocsin.lake.objects import Body

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
NEW = {"name": "Harbour CERT", "slug": "harbour", "class_name": "public-body", "country": "JO", "contact": "desk",
       "tlp": "TLP:GREEN", "is_active": "on"}  # fmt: skip


@pytest.fixture
def shown() -> scene.Scene:
    return scene.make()


def _page(client: Client, login: str, address: str) -> str:
    client.force_login(people.call(login))
    return client.get(address).content.decode()


def test_a_partner_is_shown_with_what_came_of_it(client: Client, shown: scene.Scene) -> None:
    listed = _page(client, "paula_partnership", reverse("organisations"))
    assert reverse("organisation", args=["northwind"]) in listed
    assert "NCB FR" not in listed, "bureaus stand apart"
    page = _page(client, "paula_partnership", reverse("organisation", args=["northwind"]))
    assert reverse("delivery", args=[shown.delivery.receipt]) in page
    assert "odd.bin" in page
    assert "1 set aside" in page
    assert reverse("organisation-edit", args=["northwind"]) in page
    assert reverse("organisation-edit", args=["northwind"]) not in _page(
        client, "dana_analyst", reverse("organisation", args=["northwind"])
    )
    assert client.get(reverse("organisation", args=["nobody"])).status_code == 404


def test_what_others_handed_over_is_counted_for_the_centre_and_themselves_only(
    client: Client, shown: scene.Scene
) -> None:
    """A bureau's head reads who takes part; how much each hands over would tell of what the gate keeps back."""
    hugo = people.call("hugo_head")
    hugo.language = "en"
    hugo.save()
    own = builders.delivery(builders.bureau("FR"), rows=4_321, at=builders.NOW)
    builders.delivery(builders.bureau("JO"), rows=77, at=builders.NOW)
    places = [reverse("organisations"), reverse("organisations") + "?show=bureaus",
              reverse("organisation", args=["northwind"])]  # fmt: skip
    before = [_page(client, "hugo_head", place) for place in places]
    for source in (builders.organisation("northwind"), builders.organisation("southgate"), builders.bureau("JO")):
        builders.delivery(source, rows=90_909, state="quarantined", at=builders.NOW)
    Organisation.objects.create(slug="ncb-br", name="NCB BR", is_bureau=True, created_at=builders.NOW)
    after = [_page(client, "hugo_head", place) for place in places]
    assert "90,909" in _page(client, "paula_partnership", places[2])
    for page in after:
        assert "90,909" not in page
        assert "set aside" not in page
    assert before[2].partition("<main")[2] == after[2].partition("<main")[2] != ""
    assert "NCB JO" not in after[0], "that it delivered is not told"
    assert "NCB JO" in after[1]
    assert "4,321" in _page(client, "hugo_head", reverse("organisation", args=[own.organisation.slug]))
    assert "4,321" in after[1]


def test_a_bureau_is_found_under_bureaus(client: Client, shown: scene.Scene) -> None:
    builders.delivery(builders.bureau("FR"))
    assert "NCB FR" in _page(client, "paula_partnership", reverse("organisations") + "?show=bureaus")


def test_an_organisation_is_added_once(client: Client) -> None:
    client.force_login(people.call("paula_partnership"))
    assert client.post(reverse("organisation-add"), NEW)["Location"] == reverse("organisation", args=["harbour"])
    made = Organisation.objects.get(slug="harbour")
    assert (made.class_name, made.country, made.defaults["tlp"]) == ("public-body", "JO", "TLP:GREEN")
    again = client.post(reverse("organisation-add"), NEW | {"name": "Other"})
    assert "Another organisation has this short name." in again.content.decode()
    assert Organisation.objects.get(slug="harbour").name == "Harbour CERT"
    assert Entry.objects.filter(action="organisation.added").count() == 1


@pytest.mark.parametrize("wrong", [{"class_name": "king"}, {"country": "XX"}, {"tlp": "TLP:PINK"}, {"slug": "a b"}])
def test_what_is_not_offered_is_not_taken(client: Client, wrong: dict[str, str]) -> None:
    client.force_login(people.call("paula_partnership"))
    assert client.post(reverse("organisation-add"), NEW | wrong).status_code == 200
    assert not Organisation.objects.filter(name="Harbour CERT").exists()


def test_an_agreement_ends_and_its_class_stays(client: Client, shown: scene.Scene) -> None:
    people.call("pia_partner")
    client.force_login(people.call("paula_partnership"))
    change = {"name": "Northwind", "country": "", "contact": "x", "tlp": "TLP:AMBER", "class_name": "law-enforcement"}
    client.post(reverse("organisation-edit", args=["northwind"]), change)
    changed = Organisation.objects.get(slug="northwind")
    assert (changed.class_name, changed.is_active) == ("private", False)
    client.force_login(people.call("pia_partner"))
    assert client.get(reverse("home")).status_code == 302, "its people are out at once"


def test_a_member_that_is_in_no_list_of_countries_keeps_its_code(client: Client) -> None:
    """Exclusions and statuses go by it: with a change of its telephone number it would open what they close."""
    bureau = builders.bureau("XK")
    client.force_login(people.call("paula_partnership"))
    address = reverse("organisation-edit", args=[bureau.slug])
    page = client.get(address).content.decode()
    assert '<option value="XK" selected' in page
    client.post(address, {"name": "NCB XK", "country": "XK", "contact": "y", "tlp": "TLP:AMBER", "is_active": "on"})
    bureau.refresh_from_db()
    assert (bureau.country, bureau.contact) == ("XK", "y")


def test_the_centre_itself_stays_open(client: Client) -> None:
    """Closed, nobody could open it again: all who may are its own people."""
    client.force_login(people.call("ada_administrator"))
    address = reverse("organisation-edit", args=["centre"])
    assert 'name="is_active"' not in client.get(address).content.decode()
    client.post(address, {"name": "Fusion Centre", "country": "", "contact": "x", "tlp": "TLP:AMBER"})
    found = Organisation.objects.get(slug="centre")
    assert (found.is_active, found.contact) == (True, "x")
    assert client.get(reverse("organisations")).status_code == 200
    with pytest.raises(InputError):
        change_organisation(found, name="x", country="", contact="", is_active=False,
                            by=people.call("ada_administrator"), at=builders.NOW)  # fmt: skip


def test_an_object_names_its_source_to_the_centre_only(client: Client, shown: scene.Scene) -> None:
    address = reverse("object", args=[shown.thing.pk])
    for login, is_named in (("dana_analyst", True), ("pia_partner", True), ("fleur_officer", False)):
        person = people.call(login)
        person.language = "en"
        person.save()
        client.force_login(person)
        body = client.get(address).content.decode().split("<main")[1]
        assert ("Northwind" in body) is is_named, login
        assert "Grey Heron" in body
        assert "bird" in body
        assert "intrusion-set--1" in body


@pytest.mark.parametrize(("attribution", "is_told"), [("must-not", False), ("may", True), ("must", True)])
def test_an_object_that_names_its_source_is_shown_without_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, attribution: str, is_told: bool
) -> None:
    """What it says of itself goes by the same field as what the page says of it."""
    shown = scene.make(attribution=attribution)
    builders.organisation("northwind")
    Organisation.objects.filter(slug="northwind").update(contact="soc@north.example")
    Object.objects.filter(pk=shown.thing.pk).update(name="Seen by NORTHWIND")
    raw = b'{"type": "intrusion-set", "by": "N\\u006frthwind", "via": "hxxp://www.north[.]example/"}'
    body = Body(raw, ("northwind", "bird"), "", "", "", 0, ())
    monkeypatch.setattr(lookups, "body_of", lambda thing: body)
    address, file = reverse("object", args=[shown.thing.pk]), reverse("object-raw", args=[shown.thing.pk])
    for login, reads in (("dana_analyst", True), ("pia_partner", True), ("fleur_officer", is_told)):
        person = people.call(login)
        person.language = "en"
        person.save()
        people.let_in(client, login)
        page = client.get(address).content.decode().split("<main")[1]
        assert ("orthwind" in page.lower()) is reads, login
        assert ("does not let itself be named" in page) is not reads
        assert "bird" in page
        assert (client.get(file).status_code == 200) is reads, login


def test_an_object_is_given_out_as_it_came(client: Client, shown: scene.Scene) -> None:
    people.let_in(client, "fleur_officer")
    response = client.get(reverse("object-raw", args=[shown.thing.pk]))
    assert response.content == scene.OBJECT
    assert "attachment" in response["Content-Disposition"]
    assert response["Content-Type"] == "application/octet-stream"
    assert Entry.objects.filter(action="object.fetched", actor="fleur_officer").count() == 1
