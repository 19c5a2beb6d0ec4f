"""Permissions and redacted versions in the browser: ask, pass on, answer, let go, take back, redact."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene
from tests.centre.redaction.test_redaction import TABLE, hand_over, stix
from tests.crew import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.sessions import PROVED_AT
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Relabelling
from tocsin.centre.recall.relabelling import chosen_of, confirm, relabel
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release.models import Release
from tocsin.core.words import Tlp
from tocsin.lake.scope import Batches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def browser(login: str, *, is_proved: bool = True) -> Client:
    client = Client()
    people.let_in(client, login, "en")
    if not is_proved:
        session = client.session
        session[PROVED_AT] = 0
        session.save()
    return client


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def strict(tlp: Tlp = Tlp.AMBER_STRICT, released: object = None, **said: object) -> Delivery:
    people.call("fleur_officer")
    source = people.call("pia_partner")
    made = builders.delivery(source.organisation, "strict.csv", person=source, rows=31)
    builders.batch(made, builders.handling(tlp, **{"codes": ("H1",), **said}), released_to=released)
    return made


def until(days: int = 30) -> str:
    return (timezone.now() + timedelta(days=days)).date().isoformat()


def test_w01a_the_button_is_disabled_the_source_is_asked_and_it_is_enabled_for_that_audience() -> None:
    delivery = strict()
    address = reverse("release-of", args=[delivery.receipt])
    analyst, source = browser("dana_analyst"), browser("pia_partner")
    page = text_of(analyst, address + "?audience=ncb-fr")
    assert 'value="propose" disabled' in page
    ask = reverse("permission-ask", args=[delivery.receipt])
    assert f"{ask}?audience=ncb-fr" in page
    assert 'value="ncb-fr" selected' in text_of(analyst, ask + "?audience=ncb-fr")
    analyst.post(ask, {"audience": ["ncb-fr", "ncb-jo"], "until": until(), "reason": "They act on it."})
    assert not Permission.objects.exists(), "NCB JO is not there: no choice"
    analyst.post(ask, {"audience": ["ncb-fr"], "until": until(), "reason": "They act on it."})
    asked = Permission.objects.get()
    page = text_of(source, reverse("permissions-asked"))
    assert asked.number in page
    assert "1 request waits for your answer." in page
    assert "Permissions that wait for your answer" in text_of(source, reverse("home"))
    shown = text_of(source, reverse("permission", args=[asked.pk]))
    assert "NCB FR" in shown
    assert "Dana" not in shown, "the source learns to whom it would go, and not which person asked"
    stale = browser("mona_manager", is_proved=False)
    answer = {"act": "grant", "audience": ["ncb-fr"], "until": until(10), "text": "For this case."}
    assert stale.post(reverse("permission", args=[asked.pk]), answer)["Location"].startswith(reverse("prove"))
    source.post(reverse("permission", args=[asked.pk]), answer)
    asked.refresh_from_db()
    assert (asked.state, asked.permitted_until.isoformat()) == ("granted", until(10))
    assert 'value="propose" disabled' in text_of(analyst, address)
    page = text_of(analyst, address + "?audience=ncb-fr")
    assert 'value="propose" disabled' not in page
    assert "Its source permitted it, or its bureau passed it on" in page
    assert 'value="propose" disabled' in text_of(analyst, address + "?audience=country:JO")
    analyst.post(address, {"act": "propose", "audience": ["ncb-fr"], "reason": "permitted"})
    browser("dora_dissemination").post(address, {"act": "release", "release": Release.objects.get().pk})
    assert Release.objects.get().state == "released"
    shown = text_of(analyst, reverse("permission", args=[asked.pk]))
    assert "Permitted" in shown
    response = source.post(reverse("permission", args=[asked.pk]), {"act": "withdraw", "reason": "Over."})
    assert "recall the delivery" in str(list(get_messages(response.wsgi_request))[-1])
    assert Batch.objects.get(delivery=delivery).terms.audience.entries is None


def test_w01b_a_unit_finds_nothing_until_its_source_relabels_and_its_bureau_passes_it_on() -> None:
    units = {slug: builders.organisation(slug, class_name="law-enforcement", country=slug[3:5].upper(),
                                         parent=builders.bureau(slug[3:5].upper())) for slug in
             ("nu-fr1", "nu-fr2", "nu-jo1")}  # fmt: skip
    for slug, at in units.items():
        builders.person(f"of-{slug}", at, "investigator")
    everybody = ("fleur_officer", "khalil_officer", *(f"of-{slug}" for slug in units))
    named = ("ncb-fr", "ncb-jo")
    delivery = strict(released=named, audience=named)
    batch = delivery.batches.get()
    page = reverse("object", args=[builders.objects(batch, [builders.indicator(1)])[0].pk])
    part = reverse("permission-ask-part", args=[batch.pk])
    bureau, unit = browser("fleur_officer"), browser("of-nu-fr1")

    def may_open() -> set[str]:
        answers = {login: browser(login).get(page).status_code for login in everybody}
        assert set(answers.values()) <= {200, 404}
        return {login for login, status in answers.items() if status == 200}

    def relabelled(**changes: object) -> Relabelling:
        return relabel(delivery, (), changes, seen=chosen_of(delivery, ()).mark, note="", at=timezone.now(),
                       by=people.call("pia_partner"))  # fmt: skip

    both = {"fleur_officer", "khalil_officer"}
    assert may_open() == both
    assert "Ask the source" in text_of(bureau, part), "AMBER+STRICT stays with the bureau"
    bureau.post(part, {"act": "pass", "unit": ["nu-fr1"]})
    assert may_open() == both
    confirm(relabelled(tlp="TLP:AMBER"), by=people.call("dora_dissemination"), is_proved=True, at=timezone.now())
    assert may_open() == both, "the bureau decides"
    assert part in text_of(bureau, page)
    assert "None of your units has it from you." in text_of(bureau, part)
    for wrong in (["nu-jo1"], ["nu-fr1", "southgate"], []):
        bureau.post(part, {"act": "pass", "unit": wrong})
    assert unit.post(part, {"act": "pass", "unit": ["nu-fr1"]}).status_code == 404
    assert may_open() == both
    bureau.post(part, {"act": "pass", "unit": ["nu-fr1"]})
    assert may_open() == {*both, "of-nu-fr1"}
    assert "Take it back" in text_of(bureau, part)
    bureau.post(part, {"act": "take-back", "unit": ["nu-fr1"]})
    assert may_open() == both
    bureau.post(part, {"act": "pass", "unit": ["nu-fr1"]})
    acts = Entry.objects.filter(action__regex="^(relabel|passing)").order_by("pk").values_list("action", "actor")
    assert list(acts)[-4:] == [
        ("relabel.done", "dora_dissemination"), ("passing.made", "fleur_officer"), ("passing.ended", "fleur_officer"),
        ("passing.made", "fleur_officer"),
    ]  # fmt: skip
    relabelled(exclusions=["nu-fr1"])
    bureau.post(part, {"act": "pass", "unit": ["nu-fr1", "nu-fr2"]})
    assert may_open() == {*both, "of-nu-fr2"}, "an exclusion beats it, and the bureau is not told of it"
    relabelled(tlp="TLP:AMBER+STRICT")
    assert may_open() == both


def test_w08_a_bureau_asks_through_the_centre_and_never_learns_whose_it_is() -> None:
    delivery = strict(Tlp.GREEN, (), codes=("H2",))
    builders.organisation("nu-fr1", class_name="law-enforcement", country="FR", parent=builders.bureau("FR"),
                          name="Cyber unit one")  # fmt: skip
    batch = delivery.batches.get()
    bureau, centre, source = browser("fleur_officer"), browser("dora_dissemination"), browser("pia_partner")
    address = reverse("permission-ask-part", args=[batch.pk])
    page = text_of(bureau, address)
    assert "Cyber unit one" in page
    assert "Northwind" not in page
    assert "strict.csv" not in page
    assert browser("khalil_officer").get(address).status_code == 200
    assert "You have no units" in text_of(browser("khalil_officer"), address)
    assert browser("omar_partner").get(address).status_code == 404
    bureau.post(address, {"audience": ["nu-fr1"], "until": until(), "reason": "Case 12."})
    asked = Permission.objects.get()
    one = reverse("permission", args=[asked.pk])
    assert source.get(one).status_code == 404, "nothing is asked of it before the Centre passes it on"
    assert "Northwind" not in text_of(bureau, one)
    assert "Requests of bureaus to pass on" in text_of(centre, reverse("home"))
    assert "Case 12." in text_of(centre, one)
    centre.post(one, {"act": "forward", "reason": "A unit needs it."})
    page = text_of(source, one)
    assert "A unit needs it." in page
    assert "Case 12." not in page
    assert "Fleur" not in page
    assert source.post(one, {"act": "forward", "reason": "x"}).status_code == 404
    assert centre.post(one, {"act": "refuse", "reason": "x"}).status_code == 404
    source.post(one, {"act": "refuse", "reason": "Not to units."})
    assert "Not to units." in text_of(bureau, one)


def test_strangers_and_bad_forms() -> None:
    delivery = strict()
    asked = scene.permission(delivery)
    one = reverse("permission", args=[asked.pk])
    for login in ("omar_partner", "khalil_officer", "lena_legal", "ada_administrator"):
        assert browser(login).get(one).status_code == 404, login
        assert browser(login).post(one, {"act": "grant"}).status_code == 404, login
    source = browser("pia_partner")
    bad = source.post(one, {"act": "grant", "audience": ["ncb-fr"], "until": "soon"})
    assert bad.status_code == 422
    assert source.post(one, {"act": "steal"}).status_code == 404
    source.post(one, {"act": "grant", "audience": ["country:JO"], "until": until(300)})
    asked.refresh_from_db()
    assert asked.state == "asked", "longer than was asked for"
    ask = reverse("permission-ask", args=[delivery.receipt])
    analyst = browser("dana_analyst")
    assert analyst.post(ask, {"audience": ["ncb-fr"], "until": until(500), "reason": "x"}).status_code == 422
    assert analyst.post(ask, {"until": until(), "reason": "x"}).status_code == 422
    before = Permission.objects.count()
    gone = {"audience": ["ncb-fr"], "until": until(), "reason": "x", "part": [delivery.batches.get().pk, 999]}
    assert analyst.post(ask, gone).status_code == 422, "a part that is gone is not all of it"
    assert Permission.objects.count() == before
    assert browser("fleur_officer").get(ask).status_code == 404


def test_an_object_page_leads_a_bureau_to_its_question() -> None:
    shown = scene.make()
    address = reverse("permission-ask-part", args=[shown.thing.batch_id])
    assert address in text_of(browser("fleur_officer"), reverse("object", args=[shown.thing.pk]))
    assert address not in text_of(browser("pia_partner"), reverse("object", args=[shown.thing.pk]))


def test_a_row_that_was_looked_up_leads_a_bureau_to_its_question() -> None:
    of_a_server = TABLE.replace(b"ip,", b"c2 ip,").replace(b"Emotet", b"")
    delivery = hand_over(of_a_server, "seen.csv", "TLP:GREEN")
    set_audience(Batch.objects.filter(delivery=delivery), BY_LABEL)  # type: ignore[arg-type]
    address = reverse("permission-ask-part", args=[delivery.batches.get().pk])
    asked = reverse("lookup", query={"q": "8.8.8.8"})
    assert address in text_of(browser("fleur_officer"), asked)
    assert address not in text_of(browser("dana_analyst"), asked)


def test_objects_that_cannot_be_redacted_are_named_with_what_to_do_instead() -> None:
    delivery = stix()
    thing = Object.objects.filter(delivery=delivery).earliest("pk")
    Object.objects.filter(pk=thing.pk).update(standard="misp")
    page = text_of(browser("dana_analyst"), reverse("redaction-new", args=[delivery.receipt]))
    assert "Objects of these standards are left out:" in page
    assert "ask the source for another version" in page.lower()
    assert f'value="{thing.pk}"' not in page


def test_a_delivery_is_redacted_and_the_version_is_looked_at_when_it_closes() -> None:
    delivery = stix()
    analyst = browser("dana_analyst")
    new = reverse("redaction-new", args=[delivery.receipt])
    assert new in text_of(analyst, reverse("delivery", args=[delivery.receipt]))
    page = text_of(analyst, new)
    assert "Grey Heron" in page
    things = re.findall(r'name="thing" value="(\d+)"', page)
    assert len(things) == 2
    bad = analyst.post(new, {"kind": "objects", "thing": things, "replaced": "no arrow", "reason": "x"})
    assert bad.status_code == 422
    assert analyst.post(new, {"kind": "objects", "thing": things, "reason": "x"}).status_code == 422
    said = {"kind": "objects", "thing": things, "out": ["description"], "replaced": "Heron => Bird", "reason": "Short"}
    analyst.post(new, said)
    work()
    made = Redaction.objects.get()
    one = reverse("redaction", args=[made.pk])
    page = text_of(analyst, one)
    assert "TLP:AMBER+STRICT" in page
    assert "let it wait" not in page
    Batch.objects.filter(delivery=delivery).update(handling_set=builders.handling(Tlp.GREEN))
    assert "Closed: look at it" in text_of(analyst, reverse("redactions"))
    assert "let it wait" in text_of(analyst, one)
    assert "TLP:GREEN" in text_of(analyst, reverse("delivery", args=[delivery.receipt]))
    analyst.post(one)
    assert Batch.objects.get(delivery=made.delivery).hidden_at is None
    assert browser("dora_dissemination").get(one).status_code == 404


def test_a_package_says_what_holds_for_it_and_to_the_centre_alone_because_of_what() -> None:
    shown = scene.make()
    batch = shown.delivery.batches.get()
    narrow = builders.batch(
        builders.delivery(builders.organisation("southgate"), "narrow.csv"),
        builders.handling(Tlp.AMBER, exclusions=("country:JO",), codes=("H3",)),
    )
    shown.package.batches = Batches([batch.pk, narrow.pk]).packed()
    shown.package.save()
    address = reverse("package", args=[shown.package.number])
    centre, bureau = text_of(browser("dana_analyst"), address), text_of(browser("fleur_officer"), address)
    for page in (centre, bureau):
        assert "TLP:AMBER" in page
        assert "H2, H3" in page
    assert "narrow.csv" in centre
    assert "Everybody in Jordan" in centre
    for secret in ("narrow.csv", "Jordan", "because of"):
        assert secret not in bureau
    assert address in text_of(browser("fleur_officer"), reverse("package-list"))


def test_w03_a_version_with_a_leak_is_not_made_and_the_page_says_where() -> None:
    table = TABLE.replace(b"ip,", b"c2 ip,").replace(b"seen at Acme", b"they call it EMOTET")
    delivery = hand_over(table, "seen.csv", "TLP:GREEN")
    analyst = browser("dana_analyst")
    new = reverse("redaction-new", args=[delivery.receipt])
    answer = analyst.post(new, {"kind": "rows", "out": ["names"], "reason": "No names."})
    assert answer.status_code == 422
    page = " ".join(answer.content.decode().split())
    assert "What must not be read" in page
    assert "It was taken out elsewhere: <bdi>Emotet</bdi>" in page
    assert not Redaction.objects.exists()
    analyst.post(new, {"kind": "rows", "out": ["names", "free-text"], "reason": "No names."})
    work()
    one = reverse("redaction", args=[Redaction.objects.get().pk])
    assert "Look for leaks" in text_of(analyst, one)
    assert "Nothing was found" in analyst.post(one, {"act": "look"}, follow=True).content.decode()
