"""The police edition: how it begins, what it says, under what it stands, who gets it."""

from __future__ import annotations

import csv
import json
from io import StringIO

import msgspec
import pytest
import stix2
from django.utils import timezone
from tests import alert_life, builders, found_alerts, people
from tests.found_alerts import C2, VICTIM, begun, hand_over, sees

from tocsin.centre.alerts import composing, guarding, police
from tocsin.centre.alerts.models import Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of
from tocsin.centre.intake.models import Batch, Delivery, Origin
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.members.models import Organisation
from tocsin.centre.reach.board import releases_for
from tocsin.centre.release.models import Release
from tocsin.core.errors import NotFound, Refused
from tocsin.core.words import Kind, Offence, Role
from tocsin.products.alerts import police as files
from tocsin.products.alerts.draft import Indicator, Named
from tocsin.products.alerts.record import AlertType, Certainty, Severity, Urgency

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]


def delivered(version: Version) -> Delivery:
    version = alert_life.with_police(version)
    assert version.delivery is not None
    return version.delivery


def said_in(delivery: Delivery, kind: str) -> list[dict[str, object]]:
    things = Object.objects.filter(delivery=delivery, type=kind).order_by("pk")
    return [json.loads(body_of(each).raw) for each in things]


def test_a_draft_is_filled_from_a_delivery() -> None:
    by, at = people.call("dana_analyst"), timezone.now()
    draft, grounds = composing.draft_from_delivery(hand_over(), by, at)
    assert [(each.value, each.role) for each in draft.indicators] == [(C2, Role.ATTACKER_INFRA)]
    assert all(each.batch in grounds and each.valid_until for each in draft.indicators)
    assert draft.offence is Offence.MISUSE_OF_DEVICES or draft.offence is Offence.ILLEGAL_ACCESS
    assert draft.texts.tasks
    assert draft.texts.questions
    assert draft.texts.if_victim
    assert "Emotet" in draft.texts.title
    assert draft.severity is not Severity.UNKNOWN
    assert draft.urgency is not Urgency.UNKNOWN
    assert draft.certainty is not Certainty.UNKNOWN
    assert draft.texts.assessment.count("\n\n") == 2, "why each of the three is proposed"
    assert draft.expires is not None
    assert draft.expires > at
    assert VICTIM not in str(draft)


@pytest.mark.parametrize("language", ["fr", "es", "ar"])
def test_a_draft_begins_in_the_language_of_its_author(language: str) -> None:
    by = people.call("dana_analyst")
    by.language = language
    english, _ = composing.draft_from_delivery(delivery := hand_over(), people.call("dario_duty"), timezone.now())
    draft, _ = composing.draft_from_delivery(delivery, by, timezone.now())
    assert draft.language == language
    for name in ("title", "bottom_line", "if_victim", "assessment"):
        assert getattr(draft.texts, name)
        assert getattr(draft.texts, name) != getattr(english.texts, name)


def test_it_begins_from_a_value_an_object_and_a_family_too() -> None:
    by, at = people.call("dana_analyst"), timezone.now()
    delivery = hand_over()
    batch = Batch.objects.filter(delivery=delivery)[0]
    draft, grounds = composing.draft_from_values(["198[.]51[.]100[.]9"], by, at)
    assert [each.value for each in draft.indicators] == [C2]
    assert set(grounds) == set(Batch.objects.filter(delivery=delivery).values_list("pk", flat=True))
    malware = {"type": "malware", "id": "malware--11111111-1111-4111-8111-111111111111", "spec_version": "2.1",
               "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z", "name": "Redwing",
               "is_family": True, "malware_types": ["ransomware"], "description": "It locks files."}  # fmt: skip
    attack = {"type": "attack-pattern", "id": "attack-pattern--11111111-1111-4111-8111-111111111111",
              "spec_version": "2.1", "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z",
              "name": "Phishing",
              "external_references": [{"source_name": "mitre-attack", "external_id": "T1566.002"}]}  # fmt: skip
    thing, _ = builders.objects(batch, [malware, attack])
    draft, _ = composing.draft_from_object(thing, by, at)
    assert (draft.offence, draft.texts.title) == (Offence.RANSOMWARE, "Redwing")
    assert "It locks files." in draft.texts.facts
    assert "It locks files." not in draft.texts.happening, "what the public reads, an officer writes"
    draft, _ = composing.draft_from_delivery(delivery, by, at)
    assert draft.techniques == ("T1566.002",)
    assert composing.technique_names(["T1566.002", "T1"], [delivery.pk]) == {"T1566.002": "Phishing", "T1": ""}
    draft, _ = composing.draft_from_family("", "emotet", people.call("vera_victim_desk"), at)
    assert [each.value for each in draft.indicators] == [C2]
    with pytest.raises(NotFound):
        composing.draft_from_values(["192.0.2.250"], by, at)


def test_nobody_begins_from_what_he_does_not_see() -> None:
    red = hand_over("TLP:RED")
    with pytest.raises(NotFound):
        composing.draft_from_delivery(red, people.call("dana_analyst"), timezone.now())


def test_it_opens_to_the_bureaus_under_what_its_grounds_say() -> None:
    ground = hand_over()
    version = begun(ground)
    delivery = delivered(version)
    batches = Batch.objects.filter(delivery=delivery)
    assert {each.handling_set.tlp for each in batches} == {"TLP:GREEN"}
    assert sees("fleur_officer", delivery)
    for login in ("pia_partner", "una_unit", "omar_partner"):
        assert not sees(login, delivery), login
    assert set(Origin.objects.filter(delivery=delivery).values_list("batch", flat=True)) == set(
        Batch.objects.filter(delivery=ground).values_list("pk", flat=True)
    )
    released = Release.objects.get(delivery=delivery)
    assert released.proposed_by is not None
    assert released.released_by is not None
    assert {released.proposed_by.login, released.released_by.login} == {"dana_analyst", "dora_dissemination"}
    assert released in releases_for(people.call("dora_dissemination"), timezone.now())


def test_what_it_says_in_stix() -> None:
    delivery = delivered(begun(techniques=("T1566.002",)))
    [report] = said_in(delivery, "report")
    extension = report["extensions"][files.ALERT_EXTENSION]  # type: ignore[index]
    assert (extension["number"], extension["colour"], extension["version"]) == (
        delivery.name.partition("-v")[0], "purple", 1
    )  # fmt: skip
    assert extension["facts"] == alert_life.HAPPENING["en"]
    [indicator] = said_in(delivery, "indicator")
    assert indicator["pattern"] == f"[ipv4-addr:value = '{C2}']"
    assert {"valid_until", "valid_from"} <= indicator.keys()
    [technique] = said_in(delivery, "attack-pattern")
    assert technique["external_references"][0]["external_id"] == "T1566.002"  # type: ignore[index]
    translations = said_in(delivery, "language-content")
    assert {next(iter(each["contents"])) for each in translations} == {"fr", "es", "ar"}  # type: ignore[call-overload]
    for each in translations:
        assert (each["object_ref"], each["object_modified"]) == (report["id"], report["modified"])
    assert VICTIM not in json.dumps([report, indicator, technique, translations])


def test_the_bundle_is_valid_and_its_report_is_the_same_in_the_next_version() -> None:
    version = begun()
    at = timezone.now()
    derived = guarding.derived(version, at)
    first = json.loads(police.police_bundle(version, derived, at))
    stix2.parse(first, allow_custom=False)
    later = json.loads(police.police_bundle(version, derived, at + alert_life.timedelta(hours=1)))
    before, after = (
        next(each for each in bundle["objects"] if each["type"] == "report") for bundle in (first, later)
    )  # fmt: skip
    assert before["id"] == after["id"]
    assert before["modified"] < after["modified"]


def test_misp_and_csv_hold_no_victim_no_formula_and_nothing_that_stays_here() -> None:
    odd = Indicator(value="=cmd()", kind=Kind.OTHER, role=Role.ATTACKER_INFRA)
    hurt = Indicator(value=VICTIM, kind=Kind.IPV4, role=Role.VICTIM)
    version = begun()
    version.content = composing.msgspec.to_builtins(
        msgspec.structs.replace(content_of(version), indicators=(*content_of(version).indicators, odd, hurt))
    )
    version.save()
    at = timezone.now()
    edition = police.edition_of(version, guarding.derived(version, at), at)
    rows = list(csv.DictReader(StringIO(files.table(edition).decode("utf-8-sig"))))
    assert [each["value"] for each in rows] == [C2, "'=cmd()"]
    event = json.loads(files.misp_event(edition))["Event"]
    assert event["Attribute"] == [], "H2 does not go on to MISP"
    open_edition = files.PoliceEdition(**{
        **{name: getattr(edition, name) for name in edition.__slots__},
        "conditions": files.Conditions(edition.conditions.tlp, "PAP:CLEAR", ("H0",), ("PROTECT",)),
    })  # fmt: skip
    event = json.loads(files.misp_event(open_edition))["Event"]
    assert {each["value"] for each in event["Attribute"]} == {C2, "=cmd()"}


def test_persons_are_in_no_file_for_programs() -> None:
    name = "Zora Quellwasser"
    version = begun(type=AlertType.PERSON, is_public=False, persons=(Named(name=name, status="suspect"),))
    at = timezone.now()
    derived = guarding.derived(version, at)
    edition = police.edition_of(version, derived, at)
    for body in (police.police_bundle(version, derived, at), files.misp_event(edition), files.table(edition)):
        assert name not in body.decode()
    assert edition.persons_count == 1


def test_w06_it_stands_under_the_narrowest_and_lowers_nothing() -> None:
    wide, narrow = hand_over("TLP:CLEAR"), hand_over(
        "TLP:AMBER", body=found_alerts.OTHER, login="omar_partner"
    )  # fmt: skip
    version = begun(wide, narrow)
    derived = guarding.derived(version)
    assert derived.handling is not None
    assert derived.handling.tlp == "TLP:AMBER"
    delivery = delivered(version)
    assert sees("fleur_officer", delivery)
    assert {each.handling_set.tlp for each in Batch.objects.filter(delivery=delivery)} == {"TLP:AMBER"}
    assert {each.handling_set.tlp for each in Batch.objects.filter(delivery=wide)} == {"TLP:CLEAR"}


def test_w07_without_a_common_purpose_nothing_is_sent() -> None:
    one = hand_over(purposes=["PROTECT"])
    other = hand_over(body=found_alerts.OTHER, login="omar_partner",
                      purposes=["INVESTIGATE"])  # fmt: skip
    version = alert_life.ready(begun(one, other))
    with pytest.raises(Refused, match="alert-no-purpose"):
        alert_life.publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert alert_life.fresh(version).state == State.APPROVAL
    assert not Delivery.objects.filter(organisation__is_centre=True).exists()


def test_w01_what_its_source_keeps_to_the_centre_goes_nowhere() -> None:
    version = alert_life.ready(begun(hand_over("TLP:AMBER+STRICT")))
    with pytest.raises(Refused, match="alert-ask-source"):
        alert_life.publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())


def test_w02_whom_one_ground_excludes_gets_nothing_of_it() -> None:
    people.call("khalil_officer")
    delivery = delivered(begun(hand_over(exclusions=["country:JO"])))
    assert sees("fleur_officer", delivery)
    assert not sees("khalil_officer", delivery)
    [body] = said_in(delivery, "report")
    assert "country:JO" not in json.dumps(body)


def test_its_own_label_narrows_and_never_widens() -> None:
    people.call("khalil_officer")
    ground = hand_over("TLP:GREEN")
    narrowed = begun(ground, label={"tlp": "TLP:AMBER+STRICT", "audience": ["ncb-fr"]})
    delivery = delivered(narrowed)
    assert sees("fleur_officer", delivery)
    assert not sees("khalil_officer", delivery)
    widened = guarding.derived(begun(hand_over("TLP:AMBER", login="omar_partner"), label={"tlp": "TLP:CLEAR"})).handling
    assert widened is not None
    assert widened.tlp == "TLP:AMBER"


def test_w31_of_an_exercise_no_value_enters_the_lake() -> None:
    version = begun()
    version.alert.is_exercise = True
    version.alert.save()
    delivery = delivered(version)
    [report] = said_in(delivery, "report")
    assert str(report["name"]).startswith("EXERCISE")
    assert "exercise" in report["labels"]  # type: ignore[operator]
    assert delivery.rows == 0
    assert not said_in(delivery, "indicator")
    assert C2 in json.dumps(report), "who plays it reads it all the same"


def test_the_centre_needs_no_agreement_with_itself() -> None:
    delivery = delivered(alert_life.begun())
    assert delivery.organisation == Organisation.objects.get(is_centre=True)
    assert sees("fleur_officer", delivery)


def test_what_closed_while_it_was_read_keeps_it_shut() -> None:
    ground = hand_over()
    version = alert_life.ready(begun(ground))
    alert_life.publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    Batch.objects.filter(delivery=ground).update(hidden_at=timezone.now())
    found_alerts.work()
    version = alert_life.fresh(version)
    assert version.state == State.DRAFT
    sent = Delivery.objects.get(organisation__is_centre=True)
    assert not sees("fleur_officer", sent)
