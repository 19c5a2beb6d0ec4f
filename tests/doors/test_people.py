"""Managers and their people: whom they see, what they may give, units, secondment, and the yearly confirmation."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members import admission, countries, units
from tocsin.centre.members import people as accounts
from tocsin.centre.members.models import Key, OpenSession, Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.services import add_key
from tocsin.core.errors import InputError, Refused
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SetClock = Callable[[datetime], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets what the doors take for now."""

    def set_to(at: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: at)

    return set_to


def key_of(person: Person, at: datetime = builders.NOW) -> str:
    ends = at + timedelta(days=300)
    scopes = ("deliver", "read", "taxii")
    return add_key(person=person, name="t", scopes=scopes, expires_at=ends, by="t", at=at)[1]


def unit(slug: str, parent: Organisation) -> Organisation:
    return builders.organisation(slug, class_name="law-enforcement", country=parent.country, parent=parent)


def main_of(client: Client, address: str) -> str:
    return client.get(address).content.decode().partition("<main")[2]


def amina() -> Person:
    """The access manager of the bureau FR."""
    found = Person.objects.filter(login="amina").first()
    return found or builders.person("amina", builders.bureau("FR"), "access-manager", name="Amina Diallo")


def let_in(client: Client, person: Person) -> None:
    people.let_in(client, person.login)


# Units


def test_w40_a_unit_loses_its_authorisation_and_opens_nothing_from_then_on(client: Client, clock: SetClock) -> None:
    bureau = builders.bureau("FR")
    above, other = unit("nu-fr", bureau), unit("nu-fr-other", bureau)
    below = unit("nu-fr-deep", above)
    officers = {each.slug: builders.person(f"of-{each.slug}", each, "officer") for each in (above, below, other)}
    secrets = {slug: key_of(person) for slug, person in officers.items()}
    nine = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    browsers = {slug: Client() for slug in officers}
    clock(nine - timedelta(minutes=10))
    for slug, person in officers.items():
        browsers[slug].force_login(person)

    batch = builders.batch(builders.delivery(builders.organisation("northwind")), builders.handling())
    builders.objects(batch, [builders.indicator(number) for number in range(3)])
    cursors = {
        slug: client.get(
            f"/taxii2/{slug}/collections/released/objects/?limit=1",
            headers={"Authorization": f"Bearer {secret}", "Accept": MEDIA_TYPE},
        ).json()["next"]
        for slug, secret in secrets.items()
    }

    def met() -> dict[str, tuple[int, int, int]]:
        found = {}
        for slug in officers:
            said = {"Authorization": f"Bearer {secrets[slug]}"}
            cursor = f"/taxii2/{slug}/collections/released/objects/?limit=1&next={cursors[slug]}"
            found[slug] = (
                browsers[slug].get(reverse("lookup") + "?q=192.0.2.7").status_code,
                client.get("/api/v1/lookup?q=192.0.2.7", headers=said).status_code,
                client.get(cursor, headers=said | {"Accept": MEDIA_TYPE}).status_code,
            )
        return found

    assert met() == dict.fromkeys(officers, (200, 200, 200))
    clock(nine)
    let_in(client, amina())
    form = {"reason": "It moved to another ministry."}
    assert (
        "Say why"
        in client.post(reverse("unit-act", args=["nu-fr", "withdraw"]), {"reason": " "}, follow=True).content.decode()
    )
    client.post(reverse("unit-act", args=["nu-fr", "withdraw"]), form)
    clock(nine + timedelta(minutes=5))
    shut = (302, 401, 401)
    assert met() == {"nu-fr": shut, "nu-fr-deep": shut, "nu-fr-other": (200, 200, 200)}
    assert not OpenSession.objects.filter(person__in=[officers["nu-fr"], officers["nu-fr-deep"]]).exists()
    page = main_of(client, reverse("person", args=[officers["nu-fr-deep"].pk]))
    assert "Looked something up" in page, "its past reads stay in the bureau's view"
    assert Entry.objects.filter(action="lookup", actor="of-nu-fr").count() == 2
    assert Entry.objects.get(action="unit.withdrawn").actor == "amina"
    client.post(reverse("unit-act", args=["nu-fr", "authorise"]))
    assert client.get("/api/v1/lookup?q=a", headers={"Authorization": f"Bearer {secrets['nu-fr']}"}).status_code == 200


def test_a_bureau_adds_units_below_itself_and_nowhere_else(client: Client) -> None:
    jordan = unit("nu-jo", builders.bureau("JO"))
    let_in(client, people.call("hugo_head"))
    form = {"name": "Brigade", "slug": "brigade", "parent": "ncb-fr", "contact": ""}
    assert client.post(reverse("units"), form | {"parent": "nu-jo"}).status_code == 422
    client.post(reverse("units"), form)
    made = Organisation.objects.get(slug="brigade")
    assert (made.parent.slug if made.parent else "", made.country, made.class_name) == (
        "ncb-fr", "FR", "law-enforcement",
    )  # fmt: skip
    assert client.post(reverse("units"), form).status_code == 422, "the short name is taken"
    client.post(reverse("units"), form | {"slug": "brigade-2", "parent": "brigade"})
    assert "Brigade" in main_of(client, reverse("units"))
    assert client.post(reverse("unit-act", args=["nu-jo", "withdraw"]), {"reason": "x"}).status_code == 404
    jordan.refresh_from_db()
    assert jordan.withdrawn_at is None


def test_no_organisation_comes_to_stand_below_itself(client: Client) -> None:
    bureau = builders.bureau("FR")
    one = unit("one", bureau)
    two = unit("two", one)
    one.parent = two
    with pytest.raises(InputError):
        one.save()
    one.refresh_from_db()
    for wrong in (two, one, builders.organisation("northwind")):
        with pytest.raises(InputError):
            units.place(one, wrong, by="t", at=builders.NOW)
    with pytest.raises(InputError):
        units.place(builders.organisation("northwind"), bureau, by="t", at=builders.NOW)
    people.let_in(client, "paula_partnership")
    form = {"name": "One", "country": "FR", "contact": "", "tlp": "TLP:AMBER", "is_active": "on", "parent": "two"}
    said = client.post(reverse("organisation-edit", args=["one"]), form).content.decode()
    assert "It cannot stand below itself" in said
    units.place(two, bureau, by="t", at=builders.NOW)
    assert [each.slug for each in two.above()] == ["ncb-fr"]
    # However a circle came into the database: no walk goes round it, and nobody in it comes in.
    person = builders.person("lost", two, "officer")
    Organisation.objects.filter(pk=one.pk).update(parent=two)
    Organisation.objects.filter(pk=two.pk).update(parent=one)
    person = Person.objects.get(pk=person.pk)
    assert admission.refusal_of(person, builders.NOW) == "organisation-closed"
    assert person.organisation.below() == {one.pk}
    assert viewer_of(person).class_name == ""


def test_the_centre_adds_a_sub_bureau(client: Client) -> None:
    builders.bureau("FR")
    people.let_in(client, "paula_partnership")
    form = {"name": "Sub-bureau", "slug": "sb-gp", "class_name": "law-enforcement", "country": "GP", "contact": "",
            "tlp": "TLP:AMBER", "parent": "ncb-fr", "is_bureau": "on"}  # fmt: skip
    wrong = client.post(reverse("organisation-add"), form | {"class_name": "private"}).content.decode()
    assert "Only police bodies" in wrong
    client.post(reverse("organisation-add"), form)
    made = Organisation.objects.get(slug="sb-gp")
    assert (made.is_bureau, made.parent_id) == (True, Organisation.objects.get(slug="ncb-fr").pk)


def test_an_exclusion_reaches_units_at_any_depth_and_sub_bureaus() -> None:
    bureau = builders.bureau("FR")
    deep = unit("deep", unit("mid", bureau))
    sub = builders.organisation("sb", class_name="law-enforcement", country="GP", is_bureau=True, parent=bureau)
    macao = builders.bureau("MO")
    asked = {
        "deep": builders.person("d", deep, "officer"), "sub": builders.person("s", sub, "officer"),
        "macao": builders.person("m", macao, "officer"), "jordan": people.call("khalil_officer"),
    }  # fmt: skip
    source = builders.delivery(builders.organisation("northwind"))

    def seen_without(*exclusions: str) -> set[str]:
        batch = builders.batch(source, builders.handling(exclusions=exclusions))
        return {name for name, person in asked.items() if batch in visible_batches(viewer_of(person))}

    assert seen_without() == {"deep", "sub", "macao", "jordan"}
    assert seen_without("country:FR") == {"macao", "jordan"}
    assert seen_without("ncb-fr") == {"macao", "jordan"}
    assert seen_without("mid") == {"sub", "macao", "jordan"}
    assert seen_without("country:CN") == {"deep", "sub", "jordan"}
    assert seen_without("class:law-enforcement") == set()


# Accounts


def test_an_access_manager_sees_and_makes_its_own_people_and_no_others(client: Client) -> None:
    fleur, khalil = people.call("fleur_officer"), people.call("khalil_officer")
    below = builders.person("below", unit("nu-fr", builders.bureau("FR")), "officer", name="Below Unit")
    let_in(client, amina())
    page = main_of(client, reverse("people"))
    assert all(name in page for name in (fleur.name, below.name, "Amina Diallo"))
    assert khalil.name not in page
    for stranger in (khalil, people.call("pia_partner"), people.call("dana_analyst")):
        assert client.get(reverse("person", args=[stranger.pk])).status_code == 404
        for act in ("close", "confirm", "password", "reopen"):
            assert client.post(reverse("person-act", args=[stranger.pk, act])).status_code == 404
        client.post(reverse("people-confirm"), {"person": stranger.pk})
        stranger.refresh_from_db()
        assert (stranger.is_active, stranger.confirmed_at, stranger.check_password(builders.PASSWORD)) == (
            True, None, True,
        )  # fmt: skip
    assert client.get(reverse("lookup")).status_code == 404, "she reads no content"
    form = {"organisation": "nu-fr", "login": "new.one", "name": "New One", "roles": ["investigator"],
            "clearance": "official-use", "languages": ["fr", "ar"], "teams": "Ransomware, Night"}  # fmt: skip
    shown = client.post(reverse("person-add"), form).content.decode()
    made = Person.objects.get(login="new.one")
    assert (made.organisation.slug, made.roles, made.clearance) == ("nu-fr", ["investigator"], "official-use")
    assert (made.languages, made.teams, made.must_change_password) == (["ar", "fr"], ["Ransomware", "Night"], True)
    password = re.search(r'data-copy="([^"]+)"', shown)
    assert password
    assert made.check_password(password[1])
    assert viewer_of(made).clearance == "official-use"
    assert client.post(reverse("person-add"), form | {"login": "NEW.ONE"}).status_code == 422, "the login is taken"
    assert client.post(reverse("person-add"), form | {"organisation": "ncb-jo", "login": "x"}).status_code == 404


@pytest.mark.parametrize("role", ["administrator", "analyst", "head", "access-manager", "manager", "king"])
def test_nobody_gives_a_role_above_its_own_or_of_another_side(client: Client, role: str) -> None:
    fleur = people.call("fleur_officer")
    let_in(client, amina())
    form = {"organisation": "ncb-fr", "login": "n", "name": "N", "roles": [role], "clearance": ""}
    assert client.post(reverse("person-add"), form).status_code == 422
    assert client.post(reverse("person", args=[fleur.pk]), {"roles": ["officer", role]}).status_code == 422
    with pytest.raises(InputError):
        accounts.change(fleur, accounts.About(roles=[role]), manager=amina(), at=builders.NOW)
    fleur.refresh_from_db()
    assert fleur.roles == ["officer"]
    assert not Person.objects.filter(login="n").exists()


def test_nobody_manages_oneself_or_who_stands_above(client: Client) -> None:
    head, manager = people.call("hugo_head"), amina()
    let_in(client, manager)
    for each in (head, manager):
        assert client.get(reverse("person", args=[each.pk])).status_code == 200
        assert client.post(reverse("person", args=[each.pk]), {"roles": ["officer"]}).status_code == 404
        assert client.post(reverse("person-act", args=[each.pk, "close"])).status_code == 404
        with pytest.raises(Refused):
            accounts.close(each, manager=manager, at=builders.NOW)
    accounts.change(manager, accounts.About(roles=["officer", "access-manager"]), manager=head, at=builders.NOW)
    assert Person.objects.get(login="amina").roles == ["officer", "access-manager"]


def test_access_ends_at_once_with_sessions_and_keys(client: Client) -> None:
    fleur, other = people.call("fleur_officer"), Client()
    secret = key_of(fleur)
    other.force_login(fleur)
    assert other.get(reverse("home")).status_code == 200
    let_in(client, amina())
    client.post(reverse("person-act", args=[fleur.pk, "close"]), {"reason": "She retired."})
    assert other.get(reverse("home")).status_code == 302
    said = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 401
    entry = Entry.objects.get(action="person.closed")
    assert '"keys":1' in entry.detail
    assert "She retired." in entry.detail
    client.post(reverse("person-act", args=[fleur.pk, "reopen"]))
    fleur.refresh_from_db()
    assert fleur.is_active
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 401, "a key that ended stays ended"
    shown = client.post(reverse("person-act", args=[fleur.pk, "password"])).content.decode()
    fleur.refresh_from_db()
    assert not fleur.check_password(builders.PASSWORD)
    assert (fleur.must_change_password, "shown this once" in shown) == (True, True)


def test_every_change_needs_a_fresh_proof(client: Client) -> None:
    fleur = people.call("fleur_officer")
    client.force_login(amina())
    asked: list[tuple[str, dict[str, Any]]] = [
        (reverse("person", args=[fleur.pk]), {"roles": ["investigator"]}),
        (reverse("person-act", args=[fleur.pk, "close"]), {}),
        (reverse("person-add"), {"organisation": "ncb-fr", "login": "n", "name": "N", "roles": ["officer"]}),
        (reverse("people-confirm"), {"person": fleur.pk}),
        (reverse("units"), {"name": "U", "slug": "u", "parent": "ncb-fr"}),
    ]
    for address, form in asked:
        assert reverse("prove") in client.post(address, form)["Location"], address
    assert not Entry.objects.filter(actor="amina", action__startswith="person.").exists()


def test_the_centre_appoints_the_first_and_a_partner_manages_its_own(client: Client) -> None:
    builders.organisation("northwind")
    pia = people.call("pia_partner")
    people.let_in(client, "paula_partnership")
    form = {"organisation": "northwind", "login": "mo", "name": "Mo", "clearance": ""}
    assert client.post(reverse("person-add"), form | {"roles": ["analyst"]}).status_code == 422
    client.post(reverse("person-add"), form | {"roles": ["manager"]})
    made = Person.objects.get(login="mo")
    page = main_of(client, reverse("people"))
    assert made.name in page
    assert pia.name not in page, "whom a partner employs is its own matter"
    assert "Paula Stone" not in page
    assert client.get(reverse("person", args=[pia.pk])).status_code == 404
    Person.objects.update(must_change_password=False)
    let_in(client, Person.objects.get(login="mo"))
    assert pia.name in main_of(client, reverse("people"))
    client.post(reverse("person", args=[pia.pk]), {"roles": [], "clearance": ""})
    pia.refresh_from_db()
    assert pia.roles == []


@pytest.mark.parametrize("login", ["system", "Command", "-", "\u0430mina", "am\u200fina", "Amina", "a b", "x" * 121])
def test_no_account_speaks_in_the_log_for_somebody_else(client: Client, login: str) -> None:
    """Whom the log knows beside people, letters that only look like others, and the same name in capitals."""
    let_in(client, amina())
    form = {"organisation": "ncb-fr", "login": login, "name": "Mo", "clearance": "", "roles": ["officer"]}
    answer = client.post(reverse("person-add"), form)
    assert (answer.status_code, "field-error" in answer.content.decode()) == (422, True)
    assert Person.objects.exclude(login="amina").count() == 0


def test_names_are_kept_as_they_can_be_seen(client: Client) -> None:
    let_in(client, amina())
    form = {"organisation": "ncb-fr", "login": "mo", "clearance": "", "roles": ["officer"]}
    assert client.post(reverse("person-add"), form | {"name": "\u202e\u200f"}).status_code == 422
    client.post(reverse("person-add"), form | {"name": "Mo\u202e  nitsuJ"})
    assert Person.objects.get(login="mo").name == "Mo nitsuJ"
    bureau = builders.bureau("FR")
    client.post(reverse("units"), {"name": "\u200fUnité\u2066", "slug": "nu-x", "parent": bureau.slug, "contact": ""})
    assert Organisation.objects.get(slug="nu-x").name == "Unité"


# Secondment


def test_w15_a_secondee_sees_what_seat_and_employer_may_see(client: Client) -> None:
    employer = builders.organisation("southgate")
    people_asking = [people.call("dana_analyst"),
                     builders.person("sven", builders.centre(), "analyst", employer=employer)]  # fmt: skip
    agreed: dict[str, dict[str, list[str]]] = {
        "northwind": {"audience": ["southgate"]},
        "westgate": {"audience": ["southgate"], "exclusions": ["class:private"]},
        "eastgate": {"exclusions": ["southgate"]},
        "uptown": {},  # TLP:GREEN: the Centre was given it to work with, and nobody is excluded.
    }
    for place, (slug, said) in enumerate(agreed.items()):
        source = builders.organisation(slug, defaults={"tlp": "TLP:GREEN", **said})
        rows = "".join(f"192.0.2.7,2026-11-{day:02d}T10:00:00Z\n" for day in range(1, 3 + place))
        table = f"ip,last_seen\n{rows}".encode()
        services.receive(organisation=source, via="api", name="a.csv", chunks=[table], at=datetime.now(UTC))
    work()
    seen = {}
    for person in people_asking:
        client.force_login(person)
        answer = client.get("/api/v1/lookup?q=192.0.2.7").json()
        assert answer["rows"] == len(answer["observations"]), "what is counted is what is listed"
        assert sum(answer["by_role"].values()) == answer["rows"]
        page = main_of(client, reverse("lookup") + "?q=192.0.2.7")
        listed = {slug for slug in agreed if slug.title() in page}
        seen[person.login] = (answer["rows"], sum(each["rows"] for each in answer["sources"]), listed)
    assert seen == {"dana_analyst": (14, 14, set(agreed)), "sven": (7, 7, {"northwind", "uptown"})}


def test_w15_a_secondment_is_recorded_keeps_its_term_and_ends_at_once(client: Client, clock: SetClock) -> None:
    builders.organisation("southgate")
    people.let_in(client, "ada_administrator")
    form = {"organisation": "centre", "login": "sven", "name": "Sven", "roles": ["analyst"], "clearance": "",
            "employer": "southgate", "seat_from": "2026-12-01", "seat_until": "2026-12-31"}  # fmt: skip
    wrong = client.post(reverse("person-add"), form | {"seat_until": "2026-11-01"})
    assert "The last day lies before the first." in wrong.content.decode()
    client.post(reverse("person-add"), form)
    sven = Person.objects.get(login="sven")
    assert viewer_of(sven).class_name == "", "the seat has not begun"
    moments = {
        datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC): "seat-not-begun",
        datetime(2026, 12, 1, tzinfo=UTC): "",
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC): "",
        datetime(2027, 1, 1, tzinfo=UTC): "seat-over",
    }
    assert {at: admission.refusal_of(sven, at) for at in moments} == moments
    secret = key_of(sven)
    clock(datetime(2026, 12, 5, 12, tzinfo=UTC))
    Person.objects.filter(pk=sven.pk).update(must_change_password=False)
    browser, said = Client(), {"Authorization": f"Bearer {secret}"}
    browser.force_login(sven)
    assert browser.get(reverse("lookup")).status_code == 200
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 200
    assert viewer_of(Person.objects.get(pk=sven.pk)).employer == "southgate"
    people.let_in(client, "ada_administrator")
    assert "End the secondment now" in main_of(client, reverse("person", args=[sven.pk]))
    client.post(reverse("person-act", args=[sven.pk, "close"]), {"reason": "Back to Southgate."})
    assert browser.get(reverse("lookup")).status_code == 302
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 401
    assert not OpenSession.objects.filter(person=sven).exists()
    assert not Key.objects.filter(person=sven, revoked_at=None).exists()
    assert '"employer":"southgate"' in Entry.objects.get(action="person.closed").detail


@pytest.mark.parametrize("what", ["closed", "withdrawn", "suspended"])
def test_w15_whose_employer_is_shut_out_has_no_seat_meanwhile(client: Client, what: str) -> None:
    """A seat gives what seat and employer both have: an employer that may not come in has nothing."""
    bureau = builders.bureau("KE")
    employer = unit("nu-ke", bureau)
    sven = builders.person("sven", builders.centre(), "analyst", employer=employer)
    secret = key_of(sven)
    browser, said = Client(), {"Authorization": f"Bearer {secret}"}
    browser.force_login(sven)
    assert (browser.get(reverse("lookup")).status_code, viewer_of(sven).employer) == (200, "nu-ke")
    if what == "closed":
        Organisation.objects.filter(pk=employer.pk).update(is_active=False)
    elif what == "withdrawn":
        units.withdraw(bureau, reason="x", by=people.call("lena_legal"), at=timezone.now())
    else:
        countries.set_status("KE", "suspended", reason="x", by="lena", at=timezone.now())
    sven = Person.objects.get(pk=sven.pk)
    assert admission.refusal_of(sven, timezone.now()) == "employer-closed"
    assert viewer_of(sven).class_name == ""
    assert browser.get(reverse("lookup")).status_code == 302
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 401
    again = client.post(reverse("sign-in"), {"login": "sven", "password": builders.PASSWORD})
    assert "The access of your employer is closed" in again.content.decode()


def test_w15_a_change_of_something_else_keeps_an_employer_that_was_closed(client: Client) -> None:
    """Left out of the choices, it would have been saved as: nobody's but the Centre's own."""
    employer = builders.organisation("southgate")
    sven = builders.person("sven", builders.centre(), "analyst", employer=employer)
    Organisation.objects.filter(pk=employer.pk).update(is_active=False)
    people.let_in(client, "ada_administrator")
    address = reverse("person", args=[sven.pk])
    page = client.get(address).content.decode()
    assert re.search(r'<option value="southgate"\s+selected', page)
    client.post(address, {"roles": ["analyst"], "clearance": "", "teams": "night", "employer": "southgate"})
    sven.refresh_from_db()
    assert (sven.teams, sven.employer) == (["night"], employer)
    assert "southgate" not in client.get(reverse("person-add") + "?organisation=centre").content.decode()


# The yearly confirmation


def test_who_is_not_confirmed_loses_access_after_the_grace(client: Client, clock: SetClock) -> None:
    fleur = people.call("fleur_officer")
    due = fleur.created_at + admission.CONFIRMED_FOR
    secret = key_of(fleur, due - timedelta(days=40))
    last = due + admission.GRACE
    said = {"Authorization": f"Bearer {secret}"}
    got = []
    for at in (due - timedelta(days=31), due - timedelta(days=30), due, last - timedelta(seconds=1), last):
        clock(at)
        client.force_login(fleur)
        api = client.get("/api/v1/lookup?q=a", headers=said).status_code
        got.append((accounts.review_state(fleur, at), client.get(reverse("home")).status_code, api))
    states = ("fresh", "soon", "overdue", "overdue", "lapsed")
    assert got == [(state, 302, 401) if state == "lapsed" else (state, 200, 200) for state in states]
    told = client.get(reverse("home"), follow=True)
    assert "Personne n’a confirmé votre accès cette année" in told.content.decode()
    manager = amina()
    Person.objects.filter(pk=manager.pk).update(confirmed_at=last)
    let_in(client, manager)
    assert fleur.name in main_of(client, reverse("people") + "?show=due")
    assert "?show=due" in main_of(client, reverse("home"))
    client.post(reverse("people-confirm"), {"person": [fleur.pk]})
    fleur.refresh_from_db()
    assert (fleur.confirmed_at, fleur.confirmed_by) == (last, "amina")
    assert client.get("/api/v1/lookup?q=a", headers=said).status_code == 200
    assert "Everybody is confirmed" in main_of(client, reverse("people") + "?show=due")
    assert Entry.objects.filter(action="person.confirmed", subject=f"person:{fleur.pk}").count() == 1


def test_the_centre_sees_where_confirmations_are_overdue_and_no_names(client: Client, clock: SetClock) -> None:
    fleur, paula = people.call("fleur_officer"), people.call("paula_partnership")
    at = fleur.created_at + admission.CONFIRMED_FOR
    clock(at)
    Person.objects.filter(pk=paula.pk).update(confirmed_at=at)
    people.let_in(client, "paula_partnership")
    page = main_of(client, reverse("people"))
    assert "NCB FR" in page
    assert fleur.name not in page
