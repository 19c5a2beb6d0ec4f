"""What the desk promises: four different people, nothing lost when two write, translations bound to their source."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from django.utils import timezone
from tests import alerts_at_desk, builders, people
from tests.alerts_at_desk import draft_of_alert

from tocsin.centre.alerts import proposing, services, waiting
from tocsin.centre.alerts.models import Ground, Proposal, Translation, Version
from tocsin.centre.alerts.rules import Act, Facts, Passed, State, refusal_of
from tocsin.centre.alerts.selectors import alerts_for, facts_of, proposals_for
from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Person
from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import Draft, Texts, differences, merged, to_json
from tocsin.products.alerts.record import AlertType, Made

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
EVERY = frozenset({"write-alerts", "review-alerts", "clear-alerts", "release-alerts", "translate-alerts"})
AUTHOR, QUALITY, LEGAL, RELEASER = 1, 2, 3, 4


@pytest.fixture
def store(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation of its own."""
    from dataclasses import replace

    from django.conf import settings

    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


def facts(state: State, **said: Any) -> Facts:
    draft = draft_of_alert()
    values = {
        "authors": frozenset({AUTHOR}), "quality": Passed(draft.text_digest, "", QUALITY),
        "legal": Passed(draft.text_digest, draft.label_digest, LEGAL), **said,
    }  # fmt: skip
    return Facts(state=state, draft=draft, **values)


@pytest.mark.parametrize(("act", "state", "own"), [
    (Act.QUALITY_PASSED, State.QUALITY, QUALITY), (Act.LEGAL_PASSED, State.LEGAL, LEGAL),
    (Act.APPROVE, State.APPROVAL, RELEASER), (Act.PUBLISH, State.POLICE, RELEASER), (Act.WRITE, State.APPROVAL, AUTHOR),
])  # fmt: skip
def test_one_part_for_one_person_whatever_the_roles(act: Act, state: State, own: int) -> None:
    """Who can do everything by role still has one part in a version."""
    may = {person for person in (AUTHOR, QUALITY, LEGAL, RELEASER) if not refusal_of(act, facts(state), person, EVERY)}
    assert may == ({AUTHOR, RELEASER} if act is Act.WRITE else {own, RELEASER})


def test_no_order_of_fewer_than_four_people_gets_a_version_approved() -> None:
    draft = draft_of_alert()
    acts = (Act.QUALITY_PASSED, Act.LEGAL_PASSED, Act.APPROVE)
    states = (State.QUALITY, State.LEGAL, State.APPROVAL)
    for people_of_it in permutations((1, 2, 3), 3):
        known: dict[str, Any] = {"quality": Passed(), "legal": Passed()}
        done = 0
        for act, state, person in zip(acts, states, people_of_it, strict=True):
            if refusal_of(act, facts(state, authors=frozenset({1}), **known), person, EVERY):
                break
            done += 1
            passed = Passed(draft.text_digest, draft.label_digest, person)
            known |= {"quality": passed} if act is Act.QUALITY_PASSED else {"legal": passed}
        assert done < 3, people_of_it


def write(made: Version, base: int, who: str, **changed: Any) -> Version:
    content = to_json(msgspec.structs.replace(draft_of_alert(expires=made_expires(made)), **changed))
    return services.write(made, content, base=base, by=people.call(who), at=timezone.now())


def made_expires(made: Version) -> Any:
    return facts_of(made).draft.expires


def texts(**said: Any) -> Texts:
    return msgspec.structs.replace(draft_of_alert().texts, **said)


def test_two_who_write_at_once_lose_nothing() -> None:
    made = alerts_at_desk.version()
    write(made, 1, "dana_analyst", texts=texts(title="Hers", at_risk="Hers as well"))
    with pytest.raises(services.EditConflict) as met:
        write(made, 1, "dario_duty", texts=texts(title="His", if_victim="His alone"))
    found = met.value
    assert found.revision == 2
    assert found.contested == ("texts.title",)
    assert found.merged is not None
    both = found.merged["texts"]
    assert (both["title"], both["at_risk"], both["if_victim"]) == ("Hers", "Hers as well", "His alone")
    assert {path for path, _old, _new in found.theirs} == {"texts.title", "texts.at_risk"}
    made.refresh_from_db()
    assert made.content["texts"]["title"] == "Hers"
    assert [each.by.login for each in made.revisions.order_by("number")] == ["dana_analyst", "dana_analyst"]


def test_a_merge_of_what_is_apart_is_both_changes() -> None:
    base = to_json(draft_of_alert(expires=builders.LATER))
    mine, theirs = to_json(draft_of_alert(expires=builders.LATER, contact="x")), dict(base) | {"countries": ["BR"]}
    both, contested = merged(base, mine, theirs)
    assert contested == []
    assert {path for path, _old, _new in differences(base, both)} == {"contact", "countries"}


def test_a_translation_of_an_older_text_counts_no_more(client: object) -> None:
    """W22, at the desk: the source goes on, the translation does not go with it."""
    made = alerts_at_desk.in_four_languages(alerts_at_desk.through_reviews(alerts_at_desk.version()))
    assert made.state == State.APPROVAL
    write(made, made.revision, "dana_analyst", texts=texts(title="Something new"))
    found = facts_of(Version.objects.get(pk=made.pk))
    assert found.state is State.QUALITY
    assert not any(each.is_ready(found.draft.source_digest) for each in found.translations.values())
    french = Translation.objects.get(version=made, language="fr")
    with pytest.raises(Refused, match="alert-translation-old"):
        services.check(french, by=alerts_at_desk.translator("timo_translator"), at=timezone.now())


@pytest.mark.parametrize("facts_text", ["Le kit répond.", "Le kit répond à 198.51.100.8.", "١٩٨.٥١.١٠٠.٩"])
def test_a_translation_whose_values_differ_is_not_checked(facts_text: str) -> None:
    made = alerts_at_desk.version()
    words = to_json(Texts(title="Titre", happening="Texte.", facts=facts_text))
    each = services.translate(
        made, "fr", words, base=0, made=Made.HUMAN, by=people.call("dana_analyst"), at=timezone.now()
    )
    with pytest.raises(Refused, match="alert-values-changed") as met:
        services.check(each, by=people.call("dario_duty"), at=timezone.now())
    assert "198.51.100.9" in met.value.remedy


def test_any_language_can_be_added_as_data() -> None:
    made = alerts_at_desk.version()
    words = to_json(alerts_at_desk.translated(Texts(), "pt-BR"))
    services.translate(made, "pt-BR", words, base=0, made=Made.HUMAN, by=people.call("dana_analyst"), at=timezone.now())
    assert set(facts_of(made).translations) == {"pt-BR"}


def mine(login: str) -> list[str]:
    person = Person.objects.get(login=login)
    return [row.version.state for row in waiting.in_work(person)]


def test_what_waits_follows_who_can_do_it() -> None:
    for login in ("rui_reviewer", "lena_legal", "dora_dissemination", "dario_duty", "vera_victim_desk"):
        people.call(login)
    alerts_at_desk.translator()
    made = alerts_at_desk.version()
    seen = {}
    for step in ("draft", "submitted", "passed", "cleared"):
        if step == "submitted":
            services.submit(made, by=people.call("dana_analyst"), at=timezone.now())
        elif step == "passed":
            services.pass_quality(made, by=people.call("rui_reviewer"), at=timezone.now())
        elif step == "cleared":
            services.pass_legal(made, by=people.call("lena_legal"), at=timezone.now())
        seen[step] = [each for each in ("dana_analyst", "rui_reviewer", "lena_legal", "dora_dissemination",
                                        "tara_translator", "vera_victim_desk") if mine(each)]  # fmt: skip
    assert seen == {
        "draft": ["dana_analyst"], "submitted": ["rui_reviewer"], "passed": ["lena_legal"],
        "cleared": ["dana_analyst", "dora_dissemination", "tara_translator"],
    }  # fmt: skip
    alerts_at_desk.in_four_languages(made)
    assert mine("dora_dissemination") == ["approval"]
    assert mine("dana_analyst") == []


def test_the_home_page_counts_what_was_sent_back_and_what_a_recall_hit() -> None:
    dana, now = people.call("dana_analyst"), timezone.now()
    made = alerts_at_desk.version()
    services.submit(made, by=dana, at=now)
    services.send_back(made, reason="Too long.", by=people.call("rui_reviewer"), at=now)
    batch = builders.batch(builders.delivery(builders.organisation("northwind")), builders.handling())
    Ground.objects.create(version=made, batch=batch, closed_at=now)
    found = waiting.counts(dana, now)
    assert (found.sent_back, found.taken_back, found.mine) == (1, 1, 0)
    assert waiting.counts(people.call("fleur_officer"), now) == waiting.Waiting(0, 0, 0, 0, 0)


def test_languages_that_are_due_have_a_clock() -> None:
    made = alerts_at_desk.version(type=AlertType.IMMINENT)
    due = timezone.now() + timedelta(hours=20)
    Version.objects.filter(pk=made.pk).update(state=State.POLICE, languages_due_at=due, police_at=timezone.now())
    dario = people.call("dario_duty")
    (row,) = waiting.in_work(dario)
    assert row.version.languages_due_at == due
    assert row.missing == ("fr", "es", "ar")
    assert waiting.counts(dario, timezone.now()).languages_due == 1


# Proposals.


def propose(who: str = "fleur_officer", **said: Any) -> Proposal:
    return proposing.propose(by=people.call(who), content=to_json(draft_of_alert(**said)), at=timezone.now())


def test_a_proposal_is_taken_up_without_what_only_the_centre_decides() -> None:
    value = msgspec.structs.replace(draft_of_alert().indicators[0], is_marked=True, has_consent=True, pap="PAP:CLEAR",
                                    batch=17)  # fmt: skip
    made = propose(indicators=(value,), label={"tlp": "TLP:CLEAR"})
    version = proposing.take(made, by=people.call("dana_analyst"), answer="Thank you.", at=timezone.now())
    draft: Draft = facts_of(version).draft
    (kept,) = draft.indicators
    assert (kept.is_marked, kept.has_consent, kept.pap, kept.batch, draft.label) == (False, False, "PAP:AMBER", 0, {})
    assert version.alert.begun_from == f"proposal:{made.reference}"
    made.refresh_from_db()
    assert (made.state, made.answer, made.alert_id) == ("taken", "Thank you.", version.alert_id)


def test_a_proposal_is_decided_once_and_never_without_an_answer_when_refused() -> None:
    made, dana = propose(), people.call("dana_analyst")
    with pytest.raises(InputError, match="alert-answer-missing"):
        proposing.refuse(made, answer=" ", by=dana, at=timezone.now())
    proposing.refuse(made, answer="We know of it.", by=dana, at=timezone.now())
    with pytest.raises(Refused, match="alert-proposal-decided"):
        proposing.take(made, by=dana, at=timezone.now())


@pytest.mark.parametrize("who", ["dana_analyst", "ines_investigator", "alma_access"])
def test_who_may_not_propose_does_not(who: str) -> None:
    with pytest.raises(Refused):
        propose(who)


def test_trying_to_publish_from_outside_is_refused_and_logged() -> None:
    made, fleur = propose(), people.call("fleur_officer")
    with pytest.raises(Refused, match="alert-centre-only"):
        proposing.refuse_publishing(made, by=fleur, at=timezone.now())
    last = Entry.objects.latest("pk")
    assert (last.actor, last.action, last.subject) == (
        "fleur_officer", "alert.publish-refused", f"alert-proposal:{made.reference}"
    )  # fmt: skip


def test_others_do_not_see_a_proposal() -> None:
    made = propose()
    seen = {who: proposals_for(people.call(who)).filter(pk=made.pk).exists()
            for who in ("fleur_officer", "hugo_head", "khalil_officer", "pia_partner", "dana_analyst")}  # fmt: skip
    assert seen == {"fleur_officer": True, "hugo_head": True, "khalil_officer": False, "pia_partner": False,
                    "dana_analyst": True}  # fmt: skip


def test_what_rests_on_something_closed_to_a_secondee_is_not_there_for_him() -> None:
    """I3: an exclusion is inherited by the draft of an alert, at the desk too."""
    batch = builders.batch(
        builders.delivery(builders.organisation("northwind")), builders.handling(exclusions=("southgate",))
    )
    made = services.start(by=people.call("dana_analyst"), draft=draft_of_alert(), at=timezone.now(), batches=[batch.pk])
    seen = {who: alerts_for(people.call(who)).filter(pk=made.alert_id).exists()
            for who in ("dana_analyst", "rui_reviewer", "sven_secondee")}  # fmt: skip
    assert seen == {"dana_analyst": True, "rui_reviewer": True, "sven_secondee": False}
    assert waiting.in_work(people.call("sven_secondee")) == []
    builders.Batch.objects.filter(pk=batch.pk).update(hidden_at=timezone.now())
    assert alerts_for(people.call("dana_analyst")).filter(pk=made.alert_id).exists(), "who writes it anew sees it"


def test_languages_added_to_something_imminent_go_straight_to_approval_and_a_changed_text_to_quality() -> None:
    made = alerts_at_desk.through_reviews(alerts_at_desk.version(type=AlertType.IMMINENT))
    assert made.state == State.APPROVAL
    Version.objects.filter(pk=made.pk).update(state=State.POLICE, police_at=timezone.now())
    dana, at = people.call("dana_analyst"), timezone.now()
    following = alerts_at_desk.in_four_languages(services.update(made, by=dana, at=at))
    assert following.state == State.DRAFT
    assert services.submit(following, by=dana, at=at).state == State.APPROVAL
    changed = msgspec.structs.replace(
        draft_of_alert(type=AlertType.IMMINENT), expires=facts_of(following).draft.expires
    )
    changed = msgspec.structs.replace(changed, texts=msgspec.structs.replace(changed.texts, happening="It changed."))
    assert services.write(following, to_json(changed), base=1, by=dana, at=at).state == State.QUALITY
