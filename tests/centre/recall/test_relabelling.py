"""Another handling set for one object, a choice of them, or a delivery (W34), and who is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.centre.recall.conftest import bundle, handed_over, indicator, known_of

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.services import add_key
from tocsin.centre.recall import given_back, journal, relabelling, services
from tocsin.centre.recall.models import Relabelling
from tocsin.centre.recall.relabelling import chosen_of, relabel
from tocsin.centre.release.given import Given, Item, Wanted, page
from tocsin.centre.release.models import Release
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.core.words import Tlp

STRICT = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
pytestmark = pytest.mark.django_db


def key(number: int) -> str:
    return f"indicator--00000000-0000-4000-8000-{number:012x}"


def sent_and_released(count: int = 5, marking: str = "TLP:AMBER") -> Delivery:
    sent = handed_over(bundle(*(indicator(n, f"198.51.100.{n % 250}") for n in range(1, count + 1))), "iocs.json",
                       marking=marking)  # fmt: skip
    builders.release(*sent.batches.all())
    return sent


def changed(delivery: Delivery, changes: dict[str, Any], *keys: str, by: str = "pia_partner") -> Relabelling:
    seen = chosen_of(delivery, keys).mark
    return relabel(delivery, keys, changes, seen=seen, note="", by=people.call(by), at=timezone.now())


def given_to(person: Person, after: datetime | None = None) -> Given:
    """To the end of the pass: a page ends where so much was rendered for it that nobody should wait for more."""
    found, cursor = list[Item](), ""
    while True:
        made = page(person, wanted=Wanted(), after=after, cursor=cursor, limit=5_000, now=timezone.now())
        found += made.items
        cursor = made.cursor
        if not cursor:
            return Given(found)


def indicators(given: Given) -> dict[str, dict[str, Any]]:
    return {item.body["id"]: item.body for item in given.items if item.body["type"] == "indicator"}


def sees(person: Person, delivery: Delivery) -> set[str]:
    shown = visible_batches(viewer_of(person)).filter(delivery=delivery)
    return set(delivery.things.filter(batch__in=shown).values_list("object_id", flat=True))


def test_w34_one_of_500_objects_is_relabelled_and_the_other_499_are_untouched(officers: list[Person]) -> None:
    sent = sent_and_released(500)
    fleur, khalil = officers[:2]
    before = given_to(fleur)
    old = indicators(before)
    number = next(item.body["id"] for item in before.items if item.body.get("name") == "Server 7")
    cursor = max(item.added_at for item in before.items)
    took(khalil, Taking.Channel.API, [sent.batches.get().pk], timezone.now())

    made = changed(sent, {"tlp": "TLP:AMBER+STRICT", "audience": ["ncb-fr"]}, key(7))

    assert made.state == "done"
    new = indicators(given_to(fleur))
    assert {name for name in old if old[name] != new[name]} == {number}
    assert new[number]["modified"] > old[number]["modified"], "a new version"
    assert new[number]["object_marking_refs"] != old[number]["object_marking_refs"], "a new marking id"
    assert set(indicators(given_to(fleur, cursor))) == {number}, "nothing else is new to programs"
    assert len(sees(khalil, sent)) == 499
    assert known_of("198.51.100.7", khalil)[0] == 1, "Server 257 has the same address"
    told = dict(made.recall.notices.values_list("organisation__slug", "state"))
    assert "ncb-fr" not in told, "who may still have it was not recalled from"
    assert told["ncb-jo"] == "informed"
    assert told["ncb-br"] == "nothing-taken"
    part = Batch.objects.get(delivery=sent, parted_from__isnull=False)
    assert Release.objects.get().batches.filter(pk=part.pk).exists(), "two people let it go"
    notice = given_back.page(khalil, wanted=Wanted(), after=None, cursor="", limit=50, now=timezone.now())
    assert number in {item.body["id"] for item in notice.items}, "programs of who lost it get a last version"
    assert Entry.objects.filter(action="relabel.done").count() == 1


def test_w01b_a_whole_delivery_opens_to_more_once_a_second_person_says_so(officers: list[Person]) -> None:
    sent = handed_over(bundle(indicator(1, "198.51.100.1")), "strict.json", marking="TLP:AMBER+STRICT")
    changed(sent, {"audience": ["ncb-fr"]})  # Nothing of it may go anywhere before somebody is named.
    assert Relabelling.objects.get().state == "waiting"
    dora, fleur, khalil = people.call("dora_dissemination"), *officers[:2]
    said: dict[str, Any] = {"is_proved": True, "at": timezone.now()}
    with pytest.raises(Conflict, match="waits"):
        changed(sent, {"audience": ["ncb-jo"]})
    with pytest.raises(Refused, match="not-allowed"):
        relabelling.confirm(Relabelling.objects.get(), by=people.call("mona_manager"), **said)
    with pytest.raises(Refused, match="not-proved"):
        relabelling.confirm(Relabelling.objects.get(), by=dora, is_proved=False, at=timezone.now())
    assert not sees(fleur, sent)
    relabelling.confirm(Relabelling.objects.get(), by=dora, **said)
    assert sees(fleur, sent)
    assert not sees(khalil, sent)
    [shown] = indicators(given_to(fleur)).values()
    assert shown["object_marking_refs"][0] == STRICT, "the marking by which TLP 2.0 is known"
    cursor = max(item.added_at for item in given_to(fleur).items)
    asked = changed(sent, {"tlp": "TLP:AMBER", "audience": []})
    assert (asked.state, asked.wider) == ("waiting", ["tlp"])
    relabelling.confirm(asked, by=dora, **said)
    assert all(item.added_at > cursor for item in given_to(khalil).items), "a new view has it from now on"
    acts = Entry.objects.filter(action__startswith="relabel.").order_by("pk").values_list("action", "actor")
    assert list(acts) == [("relabel.asked", "pia_partner"), ("relabel.done", "dora_dissemination")] * 2
    with pytest.raises(Conflict, match="meanwhile"):
        relabelling.confirm(asked, by=dora, **said)


def test_what_is_red_waits_for_nobody_whom_it_does_not_name(officers: list[Person]) -> None:
    sent = sent_and_released(1, "TLP:RED")
    asked, dora = changed(sent, {"tlp": "TLP:AMBER"}), people.call("dora_dissemination")
    assert asked.state == "waiting"
    assert not relabelling.waiting_for(dora).exists()
    with pytest.raises(NotFound):
        relabelling.confirm(asked, by=dora, is_proved=True, at=timezone.now())
    assert relabelling.withdraw(asked, by=people.call("mona_manager"), at=timezone.now()).state == "withdrawn"


def test_of_two_who_relabel_at_once_one_wins_and_the_other_is_told(officers: list[Person]) -> None:
    sent = sent_and_released()
    seen = {keys: chosen_of(sent, keys).mark for keys in ((), (key(1),))}
    pia, now = people.call("pia_partner"), timezone.now()
    said: dict[str, Any] = {"note": "", "by": pia, "at": now}
    relabel(sent, (key(1),), {"pap": "PAP:RED"}, seen=seen[key(1),], **said)
    for keys in seen:
        with pytest.raises(Conflict, match="meanwhile"):
            relabel(sent, keys, {"tlp": "TLP:RED"}, seen=seen[keys], **said)
    assert Batch.objects.filter(delivery=sent, handling_set__tlp="TLP:RED").count() == 0
    assert Relabelling.objects.count() == 1


def test_what_cannot_be_is_refused_with_its_reason(officers: list[Person]) -> None:
    sent = sent_and_released()
    for changes, reason in (
        ({"audience": ["ncb-fr"], "exclusions": ["ncb-fr"]}, "relabel-contradiction"),
        ({"tlp": "TLP:RED", "audience": ["all-members"]}, "relabel-contradiction"),
        ({"purposes": []}, "relabel-contradiction"),
        ({"tlp": "TLP:WHITE"}, "relabel-contradiction"),
        ({"retention_months": 60}, "relabel-nothing"),
        ({"tlp": "TLP:AMBER"}, "relabel-nothing"),
        ({}, "relabel-nothing"),
    ):
        with pytest.raises(InputError, match=reason):
            changed(sent, changes)
    with pytest.raises(InputError, match="recall-not-in-delivery"):
        changed(sent, {"pap": "PAP:RED"}, "203.0.113.99")
    with pytest.raises(InputError, match="relabel-value-wider"):
        changed(sent, {"tlp": "TLP:GREEN"}, "198.51.100.1")
    with pytest.raises(NotFound):
        changed(sent, {"pap": "PAP:RED"}, by="omar_partner")
    with pytest.raises(Refused, match="wider-by-centre"):
        changed(sent, {"tlp": "TLP:GREEN"}, by="lena_legal")
    assert changed(sent, {"tlp": "TLP:AMBER+STRICT", "audience": ["centre"]}, by="lena_legal").state == "done"
    changed(sent, {"tlp": "TLP:RED", "audience": []})
    with pytest.raises(NotFound):  # Who may not read it does not choose among it.
        changed(sent, {"pap": "PAP:RED"}, by="lena_legal")


def test_w32_a_wider_label_does_not_let_peoples_data_slip_by(officers: list[Person]) -> None:
    named = [{"full_name": name} for name in ("Amal Haddad", "Ivo Marin", "Lea Brun", "Noa Diaz")]
    people_in_it = indicator(2, "198.51.100.2", x_customers=named)
    sent = handed_over(bundle(indicator(1, "198.51.100.1"), people_in_it), "people.json")
    with pytest.raises(InputError, match="relabel-personal-data"):
        changed(sent, {"tlp": "TLP:GREEN"})
    assert changed(sent, {"tlp": "TLP:GREEN"}, key(1)).state == "waiting"


def test_what_was_taken_before_it_was_relabelled_is_recalled_too(officers: list[Person]) -> None:
    sent = sent_and_released()
    fleur, khalil = officers[:2]
    took(fleur, Taking.Channel.API, [sent.batches.get().pk], timezone.now() - timedelta(minutes=30))
    changed(sent, {"pap": "PAP:RED"}, key(2))
    took(khalil, Taking.Channel.API, [sent.batches.get(parted_from=None).pk], timezone.now() + timedelta(minutes=9))
    made = services.recall_parts(sent, [key(2)], by=people.call("pia_partner"), reason="wrong-data", action="destroy",
                                 note="", at=timezone.now() + timedelta(minutes=10))  # fmt: skip
    told = dict(made.notices.values_list("organisation__slug", "state"))
    assert (told["ncb-fr"], told["ncb-jo"]) == ("informed", "nothing-taken")
    assert [part.key for part in services.shown_parts(made, fleur.organisation)] == [key(2)]


def test_who_still_sees_one_part_is_told_of_another_that_it_lost(officers: list[Person]) -> None:
    """Each part keeps what the change does not say: here to whom its source addressed it."""
    sent = builders.delivery(people.call("pia_partner").organisation)
    of_fleur, of_khalil = (
        builders.batch(sent, builders.handling(Tlp.AMBER, audience=(slug,))) for slug in ("ncb-fr", "ncb-jo")
    )
    for each in officers[:2]:
        took(each, Taking.Channel.API, [of_fleur.pk, of_khalil.pk], timezone.now())
    made = changed(sent, {"tlp": "TLP:AMBER+STRICT"})
    assert made.recall is not None
    told = dict(made.recall.notices.values_list("organisation__slug", "state"))
    assert (told["ncb-fr"], told["ncb-jo"]) == ("informed", "informed")


def test_w38_a_stricter_label_is_laid_down_again_after_a_backup_is_restored(officers: list[Person]) -> None:
    sent = sent_and_released()
    under = sent.batches.get().handling_set
    changed(sent, {"exclusions": ["country:JO"]})
    assert not sees(officers[1], sent)
    assert "country:JO" not in journal.places()[0].read_text(), "whom a source leaves out is its secret"
    # The database as it was before.
    Relabelling.objects.all().delete()
    Batch.objects.filter(delivery=sent).update(handling_set=under)
    assert sees(officers[1], sent)
    assert services.replay(datetime.now(UTC)) == 0
    assert relabelling.replay(datetime.now(UTC)) == 1
    assert relabelling.replay(datetime.now(UTC)) == 0
    assert not sees(officers[1], sent)
    assert sees(officers[0], sent)


@pytest.mark.usefixtures("contexts")
def test_on_the_page_it_is_chosen_looked_at_and_changed(client: Client, officers: list[Person]) -> None:
    sent = sent_and_released()
    people.let_in(client, "pia_partner", "en")
    address = reverse("delivery-relabel", args=[sent.receipt])
    assert address in client.get(reverse("delivery", args=[sent.receipt])).content.decode()
    thing = sent.things.get(object_id=key(2)) if sent.things.filter(object_id=key(2)).exists() else sent.things.first()
    assert f"{address}?object={thing.pk}" in client.get(reverse("object", args=[thing.pk])).content.decode()
    assert key(2) in client.get(address).content.decode()
    form = client.get(address, {"object": thing.pk}).context
    first = {name: value for name, value in form["form"].initial.items() if value != ""}
    said = {**first, "persons": "", "note": "", "parts": form["parts"], "seen": form["chosen"].mark}
    both = client.post(address, {**said, "step": "look", "audience": ["ncb-fr"], "exclusions": ["ncb-fr"]})
    assert both.status_code == 422
    assert "contradict one another" in both.content.decode()
    assert "Nothing would change" in client.post(address, {**said, "step": "look"}).content.decode()
    looked = client.post(address, {**said, "step": "look", "exclusions": ["country:JO"]})
    assert "it holds at once" in looked.content.decode()
    assert not Relabelling.objects.exists()
    done = client.post(address, {**said, "step": "relabel", "exclusions": ["country:JO"]})
    made = Relabelling.objects.get()
    assert done["Location"] == reverse("recall", args=[made.recall.number])
    assert key(2) not in sees(officers[1], sent)
    again = client.post(address, {**said, "step": "relabel", "exclusions": ["country:BR"]}, follow=True)
    assert "Nothing was done" in again.content.decode(), "who was slower is told"
    wider = client.post(address, {**said, "parts": key(1), "seen": chosen_of(sent, [key(1)]).mark, "step": "relabel",
                                  "tlp": "TLP:GREEN"})  # fmt: skip
    assert "Waits for a second person" in client.get(wider["Location"]).content.decode()
    second = Client()
    people.let_in(second, "dora_dissemination", "en")
    assert wider["Location"] in second.get(reverse("recalls")).content.decode()
    assert "Let it go further" in second.get(wider["Location"]).content.decode()
    second.post(wider["Location"], {"act": "confirm"})
    assert Batch.objects.filter(delivery=sent, handling_set__tlp="TLP:GREEN", objects_count=1).exists()
    third = Client()
    people.let_in(third, "omar_partner", "en")
    assert {third.get(each).status_code for each in (address, wider["Location"])} == {404}


def test_by_program(client: Client, officers: list[Person]) -> None:
    sent = sent_and_released()
    pia = people.call("pia_partner")
    _, secret = add_key(person=pia, name="relabel", scopes=("recall",), by="test", at=timezone.now(),
                        expires_at=timezone.now() + timedelta(days=9))  # fmt: skip
    address = f"/api/v1/deliveries/{sent.receipt}/handling"
    headers = {"authorization": f"Bearer {secret}"}

    def post(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        reply = client.post(address, body, content_type="application/json", headers=headers)
        return reply.status_code, reply.json()

    stands = client.get(address, {"part": key(3)}, headers=headers).json()
    assert stands["sets"][0]["tlp"] == "TLP:AMBER"
    wanted = {"parts": [key(3)], "mark": stands["mark"], "handling": {"exclusions": ["country:JO"]}}
    status, refused = post({**wanted, "handling": {"exclusions": ["southgate"]}})
    assert (status, refused["reason"], refused["field"]) == (422, "relabel-unknown-reader", "exclusions")
    assert post({**wanted, "handling": {"tlp": "TLP:BLUE"}})[1]["reason"] == "relabel-contradiction"
    status, made = post(wanted)
    assert (status, made["state"], made["wider"]) == (200, "done", [])
    assert made["recall"].startswith("RC-")
    assert post(wanted)[0] == 409
    status, asked = post({"parts": [key(3)], "mark": made["mark"], "handling": {"exclusions": []}})
    assert (status, asked["state"], asked["wider"]) == (202, "waiting", ["exclusions"])
    assert key(3) not in sees(officers[1], sent)


def test_who_may_not_read_all_of_it_chooses_nothing_among_it(client: Client, officers: list[Person]) -> None:
    sent = sent_and_released(2, "TLP:RED")
    duty = people.let_in(client, "dario_duty")
    _, secret = add_key(person=duty, name="recall", scopes=("recall",), by="test", at=timezone.now(),
                        expires_at=timezone.now() + timedelta(days=9))  # fmt: skip
    pages = [reverse(name, args=[sent.receipt]) for name in ("delivery-recall-parts", "delivery-relabel")]
    doors = [f"/api/v1/deliveries/{sent.receipt}/{name}" for name in ("recall", "handling")]
    said = {"reason": "legal", "parts": [key(1)], "mark": "", "handling": {"pap": "PAP:RED"}}
    for address in pages:
        assert client.get(address).status_code == 404
        assert client.post(address, {"parts": key(1), "step": "look"}).status_code == 404
    headers = {"authorization": f"Bearer {secret}"}
    for address in doors:
        reply = client.post(address, said, content_type="application/json", headers=headers)
        assert (reply.status_code, reply.json()["reason"]) == (404, "not-found")
    assert client.get(doors[1], headers=headers).status_code == 404
    assert "recall/parts/" not in client.get(reverse("delivery-recall", args=[sent.receipt])).content.decode()
    whole = client.post(doors[0], {"reason": "legal"}, content_type="application/json", headers=headers)
    assert whole.status_code == 201, "the whole of it needs no reading"
