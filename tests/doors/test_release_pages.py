"""The release desk in the browser: what waits, who would get it, two people, standing orders, the simulator."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Person
from tocsin.centre.members.sessions import PROVED_AT
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Release, StandingOrder
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def waiting(tlp: Tlp = Tlp.GREEN, **said: object) -> Delivery:
    people.call("fleur_officer")
    source = people.call("pia_partner")
    made = builders.delivery(source.organisation, "waits.csv", person=source, rows=31, countries=2)
    builders.batch(made, builders.handling(tlp, **{"codes": ("H1",), **said}), released_to=None)
    return made


def browser(login: str, *, is_proved: bool = True) -> Client:
    client = Client()
    people.let_in(client, login)
    if not is_proved:
        session = client.session
        session[PROVED_AT] = 0
        session.save()
    return client


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def test_two_people_let_a_delivery_go(client: Client) -> None:
    delivery = waiting()
    address = reverse("release-of", args=[delivery.receipt])
    first, second, bureau = browser("dana_analyst"), browser("dora_dissemination"), browser("fleur_officer")
    assert "waits.csv" in text_of(first, reverse("release-desk"))
    assert "NCB FR" in text_of(first, address)
    first.post(address, {"act": "propose", "reason": "they asked", "audience": ["country:FR"]})
    proposed = Release.objects.get()
    assert (proposed.state, proposed.audience) == ("proposed", ["country:FR"])
    first.post(address, {"act": "release", "release": proposed.pk})
    proposed.refresh_from_db()
    assert proposed.state == "proposed", "not by the same person"
    assert delivery.receipt not in text_of(bureau, reverse("deliveries"))
    second.post(address, {"act": "release", "release": proposed.pk})
    proposed.refresh_from_db()
    assert (proposed.state, proposed.released_by) == ("released", people.call("dora_dissemination"))
    assert "Nothing waits for its release" in text_of(second, reverse("release-desk"))
    page = text_of(second, address)
    assert "These see it now" in page
    again = second.post(address, {"act": "refuse", "release": proposed.pk, "reason": "late"}, follow=True)
    assert "Somebody else decided meanwhile" in again.content.decode()


def test_who_finds_only_victims_of_other_countries_is_told_apart() -> None:
    """The preview names the exact recipients: to whom the gate opens it and nothing in it is for them, is not one."""
    people.call("khalil_officer")
    delivery = waiting()
    batch = delivery.batches.get()
    builders.tallies(batch, [(builders.NOW.date(), "FR", "infected-system", "VICTIM", 31)])
    dana, address = browser("dana_analyst"), reverse("release-of", args=[delivery.receipt])
    shown, _, rest = text_of(dana, address).partition("finds only victims of other countries")
    apart = rest.partition("<h3>")[0]
    assert "NCB FR" in shown
    assert "NCB JO" in apart
    assert "NCB FR" not in apart
    builders.tallies(batch, [(builders.NOW.date(), "", "c2-server", "ATTACKER_INFRA", 1)])
    assert "finds only victims" not in text_of(dana, address)


def test_release_and_signature_ask_who_it_is_first() -> None:
    delivery = waiting()
    address = reverse("release-of", args=[delivery.receipt])
    browser("dana_analyst").post(address, {"act": "propose"})
    stale = browser("dora_dissemination", is_proved=False)
    response = stale.post(address, {"act": "release", "release": Release.objects.get().pk})
    assert response["Location"].startswith(reverse("prove"))
    assert Release.objects.get().state == "proposed"
    assert stale.get(reverse("order-new"))["Location"].startswith(reverse("prove"))


def test_w01a_the_button_is_disabled_and_says_why() -> None:
    delivery = waiting(Tlp.AMBER_STRICT)
    dana = browser("dana_analyst")
    address = reverse("release-of", args=[delivery.receipt])
    page = text_of(dana, address)
    assert "Ask the source" in page
    assert re.search(r'value="propose" disabled', page)
    dana.post(address, {"act": "propose"})
    assert not Release.objects.exists()


def test_what_is_excluded_is_shown_to_those_who_release_and_to_nobody_else() -> None:
    delivery = waiting(exclusions=("country:FR",))
    page = text_of(browser("dana_analyst"), reverse("release-of", args=[delivery.receipt]))
    assert "The source excluded it" in page
    for login in ("pia_partner", "fleur_officer", "vera_victim_desk"):
        assert browser(login).get(reverse("release-of", args=[delivery.receipt])).status_code == 404


def test_red_waits_before_those_only_whom_it_names() -> None:
    people.call("fleur_officer")
    delivery = waiting(Tlp.RED, audience=("person:dana_analyst", "person:fleur_officer"))
    assert "waits.csv" in text_of(browser("dana_analyst"), reverse("release-desk"))
    assert "waits.csv" not in text_of(browser("rui_reviewer"), reverse("release-desk"))
    assert browser("rui_reviewer").get(reverse("release-of", args=[delivery.receipt])).status_code == 404


def test_parts_without_a_common_purpose_are_chosen_one_by_one() -> None:
    delivery = waiting()
    part = builders.batch(delivery, builders.handling(codes=("H1",), purposes=("INVESTIGATE",)), released_to=None)
    dana = browser("dana_analyst")
    address = reverse("release-of", args=[delivery.receipt])
    page = text_of(dana, address)
    assert "no common purpose" in page
    assert reverse("permission-ask", args=[delivery.receipt]) in page, "or its source is asked for another purpose"
    assert "no common purpose" not in text_of(dana, f"{address}?part={part.pk}")
    dana.post(address, {"act": "propose", "part": [part.pk]})
    assert [each.pk for each in Release.objects.get().batches.all()] == [part.pk]


def test_a_choice_that_cannot_be_read_is_not_everybody() -> None:
    """Nobody chosen means whomever the label lets have it: a recipient that closed meanwhile must not become that."""
    delivery = waiting()
    part = builders.batch(delivery, builders.handling(Tlp.AMBER, codes=("H1",)), released_to=None)
    dana, address = browser("dana_analyst"), reverse("release-of", args=[delivery.receipt])
    for said in ({"audience": ["ncb-zz"]}, {"audience": ["country:FR", "ncb-zz"]}, {"part": ["999"]},
                 {"part": [str(part.pk), "999"], "audience": ["country:FR"]}):  # fmt: skip
        answer = dana.post(address, {"act": "propose", **said}, follow=True)
        assert "not there any more as you saw it" in answer.content.decode()
        assert not Release.objects.exists()
    page = text_of(dana, f"{address}?audience=ncb-zz")
    assert "Somebody whom you chose cannot be chosen" in page
    assert 'value="propose"' not in page
    dana.post(address, {"act": "propose", "part": [str(part.pk)], "audience": ["country:FR"]})
    assert [each.pk for each in Release.objects.get().batches.all()] == [part.pk]


def test_the_second_person_sees_which_parts_are_proposed() -> None:
    delivery = waiting()
    part = builders.batch(delivery, builders.handling(Tlp.AMBER, codes=("H1",)), rows=7, released_to=None)
    dana, address = browser("dana_analyst"), reverse("release-of", args=[delivery.receipt])
    dana.post(address, {"act": "propose", "part": [str(part.pk)], "audience": ["country:FR"]})
    page = text_of(browser("dora_dissemination"), address)
    other, proposed = (page.partition(f'id="part-{each.pk}"')[2].partition("</section>")[0]
                       for each in delivery.batches.order_by("pk"))  # fmt: skip
    assert "goes on waiting" in other
    assert "NCB FR" not in other
    assert "NCB FR" in proposed


def test_an_order_is_drawn_up_signed_by_another_and_stopped() -> None:
    people.call("pia_partner")
    rui, lena = browser("rui_reviewer"), browser("lena_legal")
    assert "There is no standing order" in text_of(rui, reverse("orders"))
    said = {"title": "Northwind", "organisation": "northwind", "ceiling": "TLP:GREEN", "purposes": ["PROTECT"]}
    today = releasing_day()
    assert rui.post(reverse("order-new"), {**said, "starts_on": today, "ends_on": "2099-01-01"}).status_code == 422
    rui.post(reverse("order-new"), {**said, "starts_on": today, "ends_on": today})
    order = StandingOrder.objects.get()
    address = reverse("order", args=[order.pk])
    rui.post(address, {"act": "sign"})
    order.refresh_from_db()
    assert order.second_by is None
    assert "Sign as the second person" in text_of(lena, address)
    lena.post(address, {"act": "sign"})
    order.refresh_from_db()
    assert order.second_by == people.call("lena_legal")
    browser("dora_dissemination").post(address, {"act": "stop", "reason": "asked to"})
    assert "Stopped" in text_of(lena, address)


def releasing_day() -> str:
    from django.utils import timezone

    return timezone.now().date().isoformat()


def test_the_simulator_answers_as_the_gate_would() -> None:
    people.call("fleur_officer")
    people.call("pia_partner")
    page = text_of(
        browser("dana_analyst"),
        reverse("release-simulator")
        + "?source=northwind&tlp=TLP:AMBER&codes=H2&purposes=PROTECT&classification=official-use&exclusions=country:FR",
    )
    assert "The source excluded it" in page
    assert "Nobody would get it" in page
    assert releasing.waiting_batches().count() == 0


def test_the_simulator_knows_of_victims_of_one_country() -> None:
    people.call("khalil_officer")
    waiting()
    asked = (
        reverse("release-simulator") + "?source=northwind&tlp=TLP:AMBER&purposes=PROTECT&classification=official-use"
    )
    dana = browser("dana_analyst")
    assert "finds only victims of other countries" not in text_of(dana, asked)
    apart = text_of(dana, asked + "&victims=FR").partition("finds only victims of other countries")[2]
    assert "NCB JO" in apart.partition("<h3>")[0]
    assert "finds only" not in text_of(dana, asked + "&victims=ZZ"), "no country: the form says so"


def test_what_would_a_country_get() -> None:
    people.call("khalil_officer")
    made = waiting(exclusions=("country:JO",))
    strict = builders.delivery(made.organisation, "strict.csv")
    builders.batch(strict, builders.handling(Tlp.AMBER_STRICT), released_to=None)
    red = builders.delivery(made.organisation, "named.csv")
    builders.batch(red, builders.handling(Tlp.RED, audience=("person:rui_reviewer",)), released_to=None)
    dana, address = browser("dana_analyst"), reverse("release-simulator")
    france, jordan = (
        text_of(dana, f"{address}?country={code}").partition("<tbody>")[2].partition("</tbody>")[0]
        for code in ("FR", "JO")
    )
    assert re.search(r'data-label="Would see it"><bdi>NCB FR</bdi>', france)
    assert "NCB JO" not in france
    assert "NCB JO</bdi>: The source excluded it" in jordan
    assert "Ask the source" in jordan
    assert "named.csv" not in france, "what waits for named readers is for them to see"
    refused = text_of(dana, f"{address}?country=ZZ")
    assert "Would not, and why" not in refused
    assert 'class="field-error"' in refused


def test_who_signs_an_order_sees_whom_it_reaches() -> None:
    for login in ("fleur_officer", "khalil_officer", "pia_partner"):
        people.call(login)
    rui, today = browser("rui_reviewer"), releasing_day()
    said = {"title": "Northwind", "organisation": "northwind", "ceiling": "TLP:AMBER", "purposes": ["PROTECT"],
            "audience": ["country:FR"], "starts_on": today, "ends_on": today}  # fmt: skip
    rui.post(reverse("order-new"), said)
    page = text_of(browser("lena_legal"), reverse("order", args=[StandingOrder.objects.get().pk]))
    reached = page.partition('id="reached"')[2].partition("</section>")[0]
    assert "NCB FR" in reached
    assert "The release does not name it" in reached
    assert [label in reached for label in ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT")] == [
        True, True, True, False
    ]  # fmt: skip


def test_an_order_does_not_tell_a_secondee_what_is_kept_from_it() -> None:
    partner, rui = people.call("omar_partner").organisation, people.call("rui_reviewer")
    made = waiting(exclusions=(partner.slug,))
    order = StandingOrder.objects.create(
        title="Northwind", organisation=made.organisation, ceiling="TLP:GREEN", purposes=["PROTECT"], first_by=rui,
        first_at=builders.NOW, second_by=people.call("lena_legal"), second_at=builders.NOW,
        starts_on=builders.NOW.date(), ends_on=builders.NOW.date(),
    )  # fmt: skip
    builders.release(made.batches.get(), order=order)
    builders.person("seconded", builders.centre(), "analyst", employer=partner)
    seated = Client()
    seated.force_login(Person.objects.get(login="seconded"))
    address = reverse("order", args=[order.pk])
    assert "waits.csv" in text_of(browser("dana_analyst"), address)
    page = text_of(seated, address)
    assert "waits.csv" not in page
    assert "0 releases under it" in page


def test_who_releases_finds_the_task_on_the_first_page() -> None:
    waiting()
    assert "Deliveries that wait for their release" in text_of(browser("dana_analyst"), "/")
    assert "Deliveries that wait for their release" not in text_of(browser("fleur_officer"), "/")
