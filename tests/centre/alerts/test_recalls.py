"""What an alert rests on is recalled: it closes everywhere and goes back to its author (W04)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pytest
from django.utils import timezone
from lxml import etree
from tests import alert_life, builders, people
from tests.crew import work
from tests.found_alerts import C2, begun, hand_over, marked, sees

from tocsin.centre.alerts import editions, files, publishing, recalls, services
from tocsin.centre.alerts.models import PublicFile, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of, standing
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.services import recall, recall_parts
from tocsin.core.errors import Refused
from tocsin.products.alerts import addresses, feeds
from tocsin.products.alerts.draft import to_json
from tocsin.products.alerts.record import LANGUAGES, AlertType
from tocsin.products.alerts.words import words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]
NAMES = {"a": feeds.SPACE, "c": feeds.ALERTING, "t": feeds.TOMBSTONES}
REASONS = {language: words(language)("draft.recalled") for language in LANGUAGES}


def with_sign(ground: Delivery, **said: object) -> Version:
    """An alert whose one value is published."""
    version = begun(ground, **said)
    content = {**to_json(content_of(version)), "indicators": [to_json(each) for each in marked(version)]}
    return services.write(version, content, base=1, by=people.call("dana_analyst"), at=timezone.now())


def taken_back(ground: Delivery) -> None:
    recall(ground, by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="", at=timezone.now())


@dataclass
class Message:
    """What programs read of a CAP message."""

    identifier: str
    sender: str
    sent: str
    kind: str
    references: list[str]
    parameters: list[str]
    descriptions: dict[str, str]


def message_in(body: bytes) -> Message:
    root = etree.fromstring(body)
    one = {name: root.findtext(f"c:{name}", "", NAMES) for name in ("identifier", "sender", "sent", "msgType")}
    return Message(
        one["identifier"], one["sender"], one["sent"], one["msgType"],
        root.findtext("c:references", "", NAMES).split(),
        [each.text or "" for each in root.findall("c:info[1]/c:parameter/c:value", NAMES)],
        {each.findtext("c:language", "", NAMES): each.findtext("c:description", "", NAMES)
         for each in root.findall("c:info", NAMES)},
    )  # fmt: skip


def entry_ids(language: str) -> list[str]:
    feed = etree.fromstring(shown()[addresses.atom(language)])
    return [each.findtext("a:id", "", NAMES) for each in feed.findall("a:entry", NAMES)]


def shown() -> dict[str, bytes]:
    return {each.path: files.read(each.sha256) for each in PublicFile.objects.filter(is_gone=False)}


def test_w04_a_recalled_ground_closes_the_police_edition_and_the_alert_is_written_anew() -> None:
    ground = hand_over()
    version = alert_life.with_police(begun(ground))
    assert version.delivery is not None
    taken_back(ground)
    assert not sees("fleur_officer", version.delivery), "in the transaction of the recall"
    recalls.tick(timezone.now())
    draft = Version.objects.get(alert=version.alert, number=2)
    assert draft.state == State.DRAFT
    assert content_of(draft).indicators == ()
    assert C2 not in str(draft.content)
    assert not draft.grounds.exists()
    assert recalls.is_closed(alert_life.fresh(version))
    assert draft.steps.filter(act=recalls.RETURNED).exists()
    recalls.tick(timezone.now())
    assert Version.objects.filter(alert=version.alert).count() == 2, "once"


def test_one_recalled_value_of_several_is_enough() -> None:
    ground = hand_over()
    version = alert_life.with_police(begun(ground))
    recall_parts(ground, [C2], by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
                 at=timezone.now())  # fmt: skip
    work()
    recalls.tick(timezone.now())
    draft = Version.objects.filter(alert=version.alert).latest("number")
    assert (draft.number, draft.state) == (2, State.DRAFT)
    assert version.delivery is not None
    assert not sees("fleur_officer", version.delivery)
    assert [each.value for each in content_of(draft).indicators] == []


def test_what_is_still_written_goes_back_to_its_author() -> None:
    ground = hand_over()
    version = alert_life.ready(begun(ground))
    assert version.state == State.APPROVAL
    taken_back(ground)
    with pytest.raises(Refused, match="alert-recall-running"):
        publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    recalls.tick(timezone.now())
    assert alert_life.fresh(version).state == State.DRAFT
    assert content_of(alert_life.fresh(version)).indicators == ()


def test_w04_a_recalled_sign_leaves_the_public_site_at_once() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    version = alert_life.in_public(with_sign(ground))
    number = version.alert.number
    before = shown()
    assert any(C2 in body.decode("utf-8", "replace") or "198[.]51" in body.decode("utf-8", "replace")
               for body in before.values())  # fmt: skip
    taken_back(ground)
    recalls.tick(timezone.now())
    for path, body in shown().items():
        text = body.decode("utf-8", "replace")
        assert C2 not in text, path
        assert "198[.]51[.]100[.]9" not in text, path
    now = standing(version.alert)
    assert now is not None
    assert (now.number, now.state, now.public_signs) == (2, State.PUBLIC, [])
    assert f"en/{number}/" in shown(), "the warning itself stays"
    draft = Version.objects.filter(alert=version.alert).latest("number")
    assert (draft.number, draft.state) == (3, State.DRAFT)
    assert [each.version for each in editions.published(version.alert)] == [1, 2]


def test_w04_a_sign_that_was_taken_off_is_told_as_an_update_to_programs_and_feeds() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    version = alert_life.in_public(with_sign(ground))
    number = version.alert.number
    before = message_in(shown()[f"{number}/alert.cap.xml"])
    assert C2 in before.parameters
    taken_back(ground)
    recalls.tick(timezone.now())
    made = message_in(shown()[f"{number}/alert.cap.xml"])
    assert (made.identifier, made.kind) == (f"{number}-v2", "Update")
    assert made.references == [f"{before.sender},{before.identifier},{before.sent}"]
    assert made.parameters == [each for each in before.parameters if each != C2]
    for language, said in REASONS.items():
        assert said in made.descriptions[language]
        feed = etree.fromstring(shown()[addresses.atom(language)])
        [entry] = feed.findall("a:entry", NAMES)
        assert entry.findtext("c:msgType", "", NAMES) == "Update"
        assert entry.findtext("a:updated", "", NAMES) > entry.findtext("a:published", "", NAMES)
        assert said in entry.findtext("a:content", "", NAMES)
        assert feed.findall("t:deleted-entry", NAMES) == []
        [item] = etree.fromstring(shown()[addresses.rss(language)]).findall("channel/item")
        assert said in item.findtext("description", "")
        assert item.findtext("guid") == entry.findtext("a:id", "", NAMES), "the same entry as before"
    assert files.read(PublicFile.objects.get(path=f"{number}/v1.cap.xml").sha256).decode().startswith(number)


def test_what_was_withheld_is_told_as_cancelled_to_programs_and_feeds() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    texts = alert_life.texts(recognise=(f"Traffic to {C2}.",))
    version = alert_life.in_public(with_sign(ground, texts=texts))
    number = version.alert.number
    before = message_in(shown()[f"{number}/alert.cap.xml"])
    ids = {each: entry_ids(each) for each in LANGUAGES}
    first_list = shown()[f"{number}/v1.manifest.json"]
    taken_back(ground)
    recalls.tick(timezone.now())
    newest = Version.objects.filter(alert=version.alert).latest("number")
    assert newest.number == 3, "the second was dropped on the way"
    made = message_in(shown()[f"{number}/v3.cap.xml"])
    assert made.kind == "Cancel"
    told = json.loads(shown()[f"{number}/v3.manifest.json"])
    assert told["before"]["sha256"] == hashlib.sha256(first_list).hexdigest(), "the list of what the public had before"
    assert made.references == [f"{before.sender},{before.identifier},{before.sent}"]
    for language in LANGUAGES:
        said = words(language)("draft.withheld")
        assert said in made.descriptions[language]
        assert alert_life.TITLES[language] not in str(made)
        feed = etree.fromstring(shown()[addresses.atom(language)])
        assert len(ids[language]) == 1
        assert set(ids[language]) <= {each.get("ref") for each in feed.findall("t:deleted-entry", NAMES)}
        [entry] = feed.findall("a:entry", NAMES)
        assert entry.findtext("c:msgType", "", NAMES) == "Cancel"
        assert entry.findtext("a:id", "", NAMES) not in ids[language], "one of its own, which people see"
        assert said in entry.findtext("a:content", "", NAMES)
        [item] = etree.fromstring(shown()[addresses.rss(language)]).findall("channel/item")
        assert said in item.findtext("description", "")


def test_where_the_words_hold_it_all_is_cancelled_and_another_alert_begins() -> None:
    ground = hand_over("TLP:CLEAR", pap="PAP:CLEAR")
    texts = alert_life.texts(recognise=(f"Traffic to {C2}.",))
    version = alert_life.in_public(with_sign(ground, texts=texts, type=AlertType.IMMINENT), languages=())
    taken_back(ground)
    recalls.tick(timezone.now())
    for path, body in shown().items():
        assert C2 not in body.decode("utf-8", "replace"), path
    made = Version.objects.filter(alert=version.alert).latest("number")
    assert made.state == State.CANCELLED
    page = PublicFile.objects.get(path=f"en/{version.alert.number}/")
    assert page.is_gone
    assert "A corrected version follows" in files.read(page.sha256).decode()
    draft = Version.objects.get(alert__begun_from=f"alert:{version.alert.number}")
    assert (draft.number, draft.state, content_of(draft).indicators) == (1, State.DRAFT, ())
    recalls.tick(timezone.now())
    assert Version.objects.filter(alert=version.alert).count() == made.number


def test_w26_cancelling_recalls_the_police_edition_from_whoever_had_it() -> None:
    version = alert_life.with_police(begun())
    assert version.delivery is not None
    from tocsin.centre.ledger.services import took

    numbers = list(Batch.objects.filter(delivery=version.delivery).values_list("pk", flat=True))
    took(people.call("fleur_officer"), "taxii", numbers, builders.NOW)
    alert_life.cancelled(version)
    assert not sees("fleur_officer", version.delivery)
    made = Recall.objects.get(delivery=version.delivery)
    assert made.notices.filter(organisation=people.call("fleur_officer").organisation, state="informed").exists()


def test_a_police_edition_that_was_not_read_comes_back() -> None:
    version = alert_life.ready(begun())
    version = publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    Delivery.objects.filter(pk=version.delivery_id).update(state=Delivery.State.QUARANTINED)
    recalls.tick(timezone.now())
    assert alert_life.fresh(version).state == State.DRAFT
