"""Circulars: from one bureau straight to others, kept from the Centre's people, held where the law asks for it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import GiveKey, work

from tocsin.centre.analysis.lookups import answer
from tocsin.centre.audit.models import Entry
from tocsin.centre.circulars import selectors, services
from tocsin.centre.circulars.models import Circular
from tocsin.centre.circulars.rules import Addressees, audience_of
from tocsin.centre.circulars.services import Attachment
from tocsin.centre.intake import holding
from tocsin.centre.intake.deliveries import deliveries_for, may_read_contents
from tocsin.centre.intake.models import Delivery, Tally
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members import countries
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.selectors import recalls_for
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.core.words import Tlp
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
SUBJECT, TEXT = "Loader seen in banks", "Look for the loader that is described in the file."
VALUE = "198.51.100.77"
CENTRE = ("dana_analyst", "rui_reviewer", "dora_dissemination", "lena_legal", "dario_duty", "vera_victim_desk",
          "paula_partnership", "ada_administrator", "aida_auditor")  # fmt: skip


def file() -> Attachment:
    host = builders.indicator(1, pattern=f"[ipv4-addr:value = '{VALUE}']", name="loader host")
    bundle = {"type": "bundle", "id": "bundle--11111111-1111-4111-8111-111111111111", "objects": [host]}
    return Attachment("loader.json", [json.dumps(bundle).encode()])


def send(chosen: Addressees, text: str = TEXT, attachment: Attachment | None = None, **said: Any) -> Circular:
    """A circular of the bureau of FR, on its way and read."""
    for code in ("JO", "BR", "KE"):
        builders.bureau(code)
    made = services.send(
        by=people.call("fleur_officer"), subject=SUBJECT, text=text, tlp=said.pop("tlp", Tlp.AMBER), chosen=chosen,
        at=timezone.now(), attachment=attachment,
    )  # fmt: skip
    work()
    return Circular.objects.select_related("delivery__organisation").get(pk=made.pk)


def officer(code: str) -> Person:
    login = f"officer_{code.lower()}"
    return Person.objects.filter(login=login).first() or builders.person(login, builders.bureau(code), "officer")


def received(person: Person) -> list[str]:
    return [each.number for each in selectors.received_by(person)]


def test_it_reaches_whom_it_names_and_nobody_at_the_centre() -> None:
    made = send(Addressees(countries=("JO",)), attachment=file())
    assert selectors.state_of(made) == "sent"
    khalil = people.call("khalil_officer")
    assert received(khalil) == [made.number]
    assert received(officer("BR")) == received(people.call("pia_partner")) == []
    found = selectors.circular_for(khalil, made.number)
    assert TEXT in selectors.texts_of(khalil, found)[0].text
    assert [each.name for each in selectors.things_of(khalil, made)] == ["loader host"]
    for login in CENTRE:
        person = people.call(login)
        assert not visible_batches(viewer_of(person)).exists()
        assert not deliveries_for(person).exists()
        assert not may_read_contents(person, made.delivery)
        with pytest.raises(NotFound):
            selectors.circular_for(person, made.number)
    assert not selectors.sent_by(officer("BR")).exists()


def test_w02_release_to_all_but_two(client: Client, give_key: GiveKey) -> None:
    brazil, kenya, khalil = officer("BR"), officer("KE"), people.call("khalil_officer")
    unit = builders.organisation("unit-jo", class_name="law-enforcement", country="JO", parent=builders.bureau("JO"))
    una = builders.person("una_unit", unit, "officer")
    made = send(Addressees(is_everybody=True, except_countries=("JO", "BR")), attachment=file())
    assert received(kenya) == [made.number]
    for person in (khalil, brazil, una):
        assert received(person) == []
        reply = answer(VALUE, viewer_of(person))
        assert (reply.found.total, reply.objects) == (0, [])
        assert not Tally.objects.filter(batch__in=visible_batches(viewer_of(person))).exists()
        assert not visible_batches(viewer_of(person)).exists()
    assert answer(VALUE, viewer_of(kenya)).found.total == 1
    for person, seen in ((kenya, True), (khalil, False), (una, False)):
        headers = {"Authorization": f"Bearer {give_key(person.login)}", "Accept": MEDIA_TYPE}
        path = f"/taxii2/{person.organisation.slug}/collections/released/manifest/"
        assert (client.get(path, headers=headers).content != b"{}") is seen
    people.let_in(client, kenya.login)
    page = client.get(reverse("circular", args=[made.number])).content.decode().partition("<main")[2]
    assert TEXT in page
    assert not [word for word in ("Jordan", "Brazil", "ncb-jo", "ncb-br", "recipients") if word in page]
    reach = {each.organisation.slug for each in selectors.reach_of(made, timezone.now())}
    assert "ncb-ke" in reach
    assert not reach & {"ncb-jo", "ncb-br", "unit-jo", "centre"}


def test_w19_what_a_supervised_country_sends_waits_for_the_check(client: Client) -> None:
    lena, khalil = people.call("lena_legal"), people.call("khalil_officer")
    builders.bureau("FR")
    countries.set_status("FR", "supervised", reason="test", by=lena.login, at=timezone.now())
    made = send(Addressees(countries=("JO",)))
    assert selectors.state_of(made) == "waits"
    assert received(khalil) == []
    with pytest.raises(NotFound):
        selectors.circular_for(people.call("dana_analyst"), made.number)
    people.let_in(client, "lena_legal")
    page = client.get(reverse("circular", args=[made.number])).content.decode()
    assert TEXT in page
    assert Entry.objects.filter(actor="lena_legal", action="circular.checked").count() == 1
    client.post(reverse("circular-check", args=[made.number]), {"act": "pass", "reason": "Nothing against it."})
    assert received(khalil) == [made.number]
    assert client.get(reverse("circular", args=[made.number])).status_code == 404, "it is private again"
    with pytest.raises(Conflict):
        services.decide(made, passes=False, reason="late", by=lena, at=timezone.now())

    refused = send(Addressees(countries=("JO",)), text="Another message.")
    services.decide(refused, passes=False, reason="Against article 3.", by=lena, at=timezone.now())
    refused.refresh_from_db()
    assert selectors.state_of(refused) == "refused"
    assert received(khalil) == [made.number]
    people.let_in(client, "fleur_officer")
    assert "Against article 3." in client.get(reverse("circular", args=[refused.number])).content.decode()


@pytest.mark.parametrize("status", ["restricted", "suspended"])
def test_w19_restricted_and_suspended_countries_send_nothing(status: str) -> None:
    builders.bureau("FR")
    countries.set_status("FR", status, reason="test", by=people.call("lena_legal").login, at=timezone.now())
    with pytest.raises(InputError, match=f"country-{status}"):
        send(Addressees(countries=("JO",)))
    assert not Delivery.objects.exists()


def test_w16_words_of_article_3_hold_it_and_only_then_a_legal_officer_reads_it() -> None:
    lena, khalil = people.call("lena_legal"), people.call("khalil_officer")
    quiet = send(Addressees(countries=("JO",)))
    made = send(Addressees(countries=("JO",)), text="The suspect is charged with spreading false information.")
    assert selectors.state_of(made) == "held"
    assert received(khalil) == [quiet.number]
    [hold] = holding.queue_for(lena)
    assert may_read_contents(lena, made.delivery)
    assert not may_read_contents(lena, quiet.delivery)
    assert not may_read_contents(people.call("dana_analyst"), made.delivery)
    holding.note(hold, dict.fromkeys(holding.CHECKLIST, "Ordinary crime."), by=lena, at=timezone.now())
    holding.clear(hold, text="Ordinary crime prevails.", by=lena, at=timezone.now())
    work()
    made.refresh_from_db()
    made.delivery.refresh_from_db()
    assert selectors.state_of(made) == "sent"
    assert set(received(khalil)) == {quiet.number, made.number}
    assert not may_read_contents(lena, made.delivery)


def test_acknowledging_opening_to_the_centre_and_recalling(client: Client) -> None:
    made = send(Addressees(countries=("JO", "BR")), attachment=file())
    people.let_in(client, "khalil_officer")
    assert TEXT in client.get(reverse("circular", args=[made.number])).content.decode()
    client.post(reverse("circular-acknowledge", args=[made.number]))
    taking = Taking.objects.get(organisation__slug="ncb-jo")
    assert (taking.channel, taking.reference) == ("page", made.number)
    given = client.get(reverse("circular-file", args=[made.number]))
    taken = b"".join(given.streaming_content)  # type: ignore[arg-type]
    assert hashlib.sha256(taken).hexdigest() == made.delivery.sha256
    assert client.post(reverse("circular-open", args=[made.number])).status_code == 404

    people.let_in(client, "fleur_officer")
    [jordan] = [each for each in selectors.reach_of(made, timezone.now()) if each.organisation.slug == "ncb-jo"]
    assert jordan.reading is not None
    assert jordan.reading.acknowledged_by == "khalil_officer"
    dana = people.call("dana_analyst")
    assert not visible_batches(viewer_of(dana)).exists()
    client.post(reverse("circular-open", args=[made.number]))
    assert visible_batches(viewer_of(dana)).exists()
    assert received(dana) == [made.number]

    other = send(Addressees(countries=("JO",)), text="Another one.")
    told = recall.recall(other.delivery, by=people.call("fleur_officer"), reason="wrong-data", action="destroy",
                         note="", at=timezone.now())  # fmt: skip
    assert selectors.state_of(other) == "recalled"
    assert received(people.call("khalil_officer")) == [made.number]
    assert told.notices.filter(organisation__slug="ncb-jo").exists()
    assert not recalls_for(people.call("lena_legal")).exists(), "what is private stays so when it is recalled"


def test_nothing_of_it_is_in_the_log(client: Client) -> None:
    made = send(Addressees(countries=("JO",)), attachment=file())
    people.let_in(client, "khalil_officer")
    client.get(reverse("circular", args=[made.number]))
    text = " ".join(f"{each.subject} {each.detail}" for each in Entry.objects.all())
    assert "circular:" in text
    assert not [word for word in (SUBJECT, TEXT, "loader", "ncb-br", VALUE) if word in text]


def test_the_page_to_write_one(client: Client) -> None:
    builders.bureau("JO")
    people.let_in(client, "fleur_officer")
    url = reverse("circular-write")
    said = {"subject": SUBJECT, "text": TEXT, "tlp": "TLP:AMBER"}
    wrong: tuple[dict[str, Any], ...] = (
        {}, {"countries": ["FR"]}, {"countries": ["JO"], "except_countries": ["JO"]}, {"regions": ["999"]},
        {"is_everybody": "on", "tlp": "TLP:AMBER+STRICT"}, {"countries": ["JO"], "subject": " "},
        {"countries": ["JO"], "tlp": "TLP:RED"},
    )  # fmt: skip
    for more in wrong:
        assert client.post(url, {**said, **more}).status_code == 422
    assert not Delivery.objects.exists()
    file = SimpleUploadedFile("../../evil name?.txt", b"see 198.51.100.4")
    response = client.post(url, {**said, "countries": ["JO"], "file": file})
    made = Circular.objects.get()
    assert response["Location"] == reverse("circular", args=[made.number])
    work()
    assert received(people.call("khalil_officer")) == [made.number]
    for login, code in (("pia_partner", 404), ("dana_analyst", 404), ("khalil_officer", 200)):
        people.let_in(client, login)
        assert client.get(url).status_code == code


def test_who_is_no_bureau_sends_none() -> None:
    for login in ("pia_partner", "dana_analyst"):
        with pytest.raises(Refused, match="not-a-bureau"):
            services.send(by=people.call(login), subject="a", text="b", tlp=Tlp.AMBER, at=timezone.now(),
                          chosen=Addressees(is_everybody=True))  # fmt: skip


def test_addressees() -> None:
    bureaus = {"FR": ["ncb-fr"], "JO": ["ncb-jo"], "BR": ["ncb-br", "sb-br"], "KE": ["ncb-ke"]}
    places = {"145": {"JO"}, "019": {"BR"}}

    def chosen(**said: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return audience_of(Addressees(**said), bureaus, "FR", lambda code, region: code in places.get(region, ()))

    assert chosen(countries=("JO",)) == (("ncb-jo",), ())
    assert chosen(regions=("145", "019")) == (("ncb-br", "ncb-jo", "sb-br"), ())
    assert chosen(regions=("145", "019"), except_countries=("BR",)) == (("ncb-jo",), ("country:BR",))
    assert chosen(is_everybody=True, except_countries=("BR", "JO")) == (("all-members",), ("country:BR", "country:JO"))
    for wrong in (
        {}, {"countries": ("FR",)}, {"countries": ("XX",)}, {"countries": ("JO",), "except_countries": ("JO",)},
        {"is_everybody": True, "except_countries": ("FR",)}, {"regions": ("002",)},
    ):  # fmt: skip
        with pytest.raises(InputError):
            chosen(**wrong)


def test_by_program(client: Client, give_key: GiveKey) -> None:
    builders.bureau("JO")
    fleur, khalil, dana, pia = (
        {"Authorization": f"Bearer {give_key(login)}"}
        for login in ("fleur_officer", "khalil_officer", "dana_analyst", "pia_partner")
    )
    letter = {"subject": SUBJECT, "text": TEXT, "countries": ["jo"]}
    sent = client.post("/api/v1/circulars", letter, content_type="application/json", headers=fleur)
    assert sent.status_code == 202
    number = sent.json()["number"]
    work()
    [line] = client.get("/api/v1/circulars", headers=khalil).json()
    assert (line["number"], line["state"]) == (number, "sent")
    whole = client.get(f"/api/v1/circulars/{number}", headers=khalil).json()
    assert TEXT in whole["texts"][0]
    assert Taking.objects.get(organisation__slug="ncb-jo").reference == number
    assert client.post(f"/api/v1/circulars/{number}/acknowledge", headers=khalil).status_code == 200
    assert client.post(f"/api/v1/circulars/{number}/acknowledge", headers=khalil).status_code == 409
    for other in (dana, pia):
        assert client.get("/api/v1/circulars", headers=other).json() == []
        missing = client.get("/api/v1/circulars/C-2026-000000", headers=other)
        assert client.get(f"/api/v1/circulars/{number}", headers=other).content == missing.content
    for wrong in ({**letter, "tlp": "RED"}, {**letter, "countries": []}, {"subject": "x"}):
        answered = client.post("/api/v1/circulars", wrong, content_type="application/json", headers=fleur)
        assert answered.status_code == 422
    refused = client.post("/api/v1/circulars", letter, content_type="application/json", headers=pia)
    assert refused.status_code == 403
