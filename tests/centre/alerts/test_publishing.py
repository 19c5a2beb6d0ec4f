"""An alert is published to the police, to the public, updated and cancelled: each as one switch over all outputs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.utils import timezone
from pdfminer.high_level import extract_text
from tests import alert_life, people

from tocsin.centre.alerts import files, guarding, publishing, services, telling
from tocsin.centre.alerts.models import PublicFile, PublicState, Version
from tocsin.centre.alerts.public import lists
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import content_of
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.products.alerts.draft import to_json
from tocsin.products.alerts.record import AlertType

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and a store of its own."""
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)


@pytest.fixture(autouse=True)
def few_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new site has two thousand lists; each of these tests makes one. Those that an alert is in are made all the
    same."""
    monkeypatch.setattr(lists, "all_facets", list)


def body(path: str) -> bytes:
    return files.read(PublicFile.objects.get(path=path).sha256)


def test_from_a_draft_to_everybody() -> None:
    version = alert_life.in_public(alert_life.begun())
    number = version.alert.number
    assert number == f"METHOD-{timezone.now().year}-0001"
    assert version.state == State.PUBLIC
    for language in ("en", "fr", "es", "ar"):
        page = body(f"{language}/{number}/").decode()
        assert alert_life.TITLES[language] in page
        for suffix in ("pdf", "txt", "sms.txt"):
            assert PublicFile.objects.filter(path=f"{number}/{language}.{suffix}").exists()
        assert alert_life.TITLES[language] in body(f"{language}/feed.atom").decode()
    cap = body(f"{number}/alert.cap.xml")
    assert cap == body(f"{number}/v1.cap.xml")
    assert cap.count(b"<info>") == 4
    every = set(PublicFile.objects.values_list("path", flat=True))
    own = PublicFile.objects.filter(alert=version.alert).values_list("path", flat=True)
    for path in [*(each for each in own if not each.endswith(".sig")), "feed.atom", "ar/feed.rss"]:
        named = f"{path}index.html" if path.endswith("/") else path
        assert f"{named}.sig" in every, "every file of an alert, and every feed, has its signature beside it"
    assert [each.act for each in version.steps.order_by("pk")][-3:] == ["approve", "published-police", "publish-public"]


def test_an_update_refers_to_what_was_before_and_the_former_stays_readable() -> None:
    first = alert_life.in_public(alert_life.begun())
    number = first.alert.number
    second = alert_life.updated(first, texts=alert_life.texts(title="It goes on", reason="New text"))
    assert body(f"en/{number}/").decode().count("It goes on") == 0, "nothing shows before it is published"
    second = alert_life.in_public(second)
    cap = body(f"{number}/alert.cap.xml").decode()
    assert "<msgType>Update</msgType>" in cap
    assert f"{number}-v1," in cap.partition("<references>")[2].partition("<")[0].replace("alerts.example,", "")
    assert "It goes on" in body(f"en/{number}/").decode()
    assert alert_life.TITLES["en"] in body(f"en/{number}/v1/").decode()
    assert alert_life.fresh(first).state == State.REPLACED
    assert second.state == State.PUBLIC


def test_cancelled_is_gone_everywhere_with_the_reason() -> None:
    version = alert_life.in_public(alert_life.begun())
    number = version.alert.number
    made = alert_life.cancelled(version)
    assert made.state == State.CANCELLED
    page = PublicFile.objects.get(path=f"ar/{number}/")
    assert page.is_gone
    assert alert_life.REASONS["ar"] in files.read(page.sha256).decode()
    assert PublicFile.objects.get(path=f"{number}/kit.zip").is_gone, "no campaign goes on with it"
    assert alert_life.REASONS["en"] in " ".join(extract_text(BytesIO(body(f"{number}/en.pdf"))).split())
    cap = body(f"{number}/alert.cap.xml").decode()
    assert "<msgType>Cancel</msgType>" in cap
    assert "deleted-entry" in body("en/feed.atom").decode()
    assert not PublicFile.objects.get(path=f"{number}/v1.cap.xml").is_gone, "what is referred to can be checked"
    assert alert_life.fresh(version).state == State.REPLACED


def test_nothing_is_half_published(monkeypatch: pytest.MonkeyPatch) -> None:
    version = alert_life.with_police(alert_life.begun())
    before = list(PublicFile.objects.values_list("path", "sha256"))
    was = publishing._entered

    def fails(of: Any, alert: Any, *rest: Any) -> None:
        was(of, alert, *rest)
        if alert is None:
            raise OSError("the disk is gone")

    monkeypatch.setattr(publishing, "_entered", fails)
    with pytest.raises(OSError, match="gone"):
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert list(PublicFile.objects.values_list("path", "sha256")) == before
    assert alert_life.fresh(version).state == State.POLICE
    assert not Job.objects.filter(kind=telling.TELL).exists(), "nobody is told of what does not stand"
    monkeypatch.setattr(publishing, "_entered", was)
    publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert alert_life.fresh(version).state == State.PUBLIC
    assert Job.objects.filter(kind=telling.TELL).count() == 1


def test_a_publication_and_its_telling_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies behind the publication takes nothing with it; what cannot be told is not published."""
    version = alert_life.with_police(alert_life.begun())

    def fails(*_: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(telling, "published", fails)
    with pytest.raises(OSError, match="gone"):
        publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert not PublicFile.objects.exists()
    assert alert_life.fresh(version).state == State.POLICE


def test_two_published_at_once_both_stand_in_the_shared_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (alert_life.with_police(alert_life.begun()) for _ in range(2))
    releaser = people.call(alert_life.RELEASER)
    from tocsin.centre.alerts import making

    shared, is_first = making.shared_files, [True]

    def interrupted(*told: Any) -> Any:
        found = shared(*told)
        if is_first.pop() if is_first else False:
            publishing.publish_public(two, by=releaser, at=timezone.now())
        return found

    monkeypatch.setattr(making, "shared_files", interrupted)
    publishing.publish_public(one, by=releaser, at=timezone.now())
    feed = body("feed.atom").decode()
    for each in (one, two):
        assert alert_life.fresh(each).alert.number in feed
    assert PublicState.objects.get().changes == 2


def test_no_exercise_and_no_person_reaches_the_public() -> None:
    exercise = alert_life.with_police(alert_life.begun(is_exercise=True))
    with pytest.raises(Refused, match="alert-exercise"):
        publishing.publish_public(exercise, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert exercise.alert.number is not None
    assert exercise.alert.number.startswith("EXERCISE-METHOD-")
    person = alert_life.with_police(alert_life.begun(type=AlertType.PERSON, is_public=False))
    with pytest.raises(Refused, match="alert-not-public"):
        publishing.publish_public(person, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert not PublicFile.objects.exists()


def test_an_imminent_one_goes_out_in_one_language_and_the_others_need_no_second_review() -> None:
    first = alert_life.in_public(alert_life.begun(type=AlertType.IMMINENT), languages=())
    assert first.languages == ["en"]
    assert first.languages_due_at is not None
    assert timedelta(hours=23) < first.languages_due_at - timezone.now() <= timedelta(hours=24)
    second = services.update(first, by=people.call(alert_life.AUTHOR), at=timezone.now())
    services.submit(second, by=people.call(alert_life.AUTHOR), at=timezone.now())
    assert alert_life.fresh(second).state == State.APPROVAL, "its text was passed already"
    second = alert_life.in_public(second)
    assert second.languages == ["en", "fr", "es", "ar"]
    assert second.languages_due_at is None


def test_the_end_is_told_and_times_that_are_wrong_are_refused() -> None:
    now = timezone.now()
    version = alert_life.in_public(alert_life.begun(expires=now + timedelta(minutes=5)))
    publishing.tick(now + timedelta(minutes=6))
    assert alert_life.fresh(version).state == State.EXPIRED
    late = alert_life.ready(alert_life.begun(expires=now + timedelta(hours=1)))
    with pytest.raises(InputError, match="alert-end-past"):
        publishing.approve(late, by=people.call(alert_life.RELEASER), at=now + timedelta(hours=2))
    odd: dict[str, Any] = {"expires": now + timedelta(days=1), "onset": now + timedelta(days=2)}
    with pytest.raises(InputError, match="alert-end-before-onset"):
        alert_life.ready(alert_life.begun(**odd))
    # One that was passed before drafts were asked for this where they are handed in.
    passed = alert_life.ready(alert_life.begun())
    Version.objects.filter(pk=passed.pk).update(content=to_json(msgspec.structs.replace(content_of(passed), **odd)))
    with pytest.raises(InputError, match="alert-end-before-onset"):
        publishing.approve(alert_life.fresh(passed), by=people.call(alert_life.RELEASER), at=now)


def test_who_wrote_reviewed_or_cleared_does_not_release_and_nobody_confirms_his_own_cancelling() -> None:
    version = alert_life.ready(alert_life.begun())
    for login in (alert_life.AUTHOR, alert_life.REVIEWER, alert_life.LEGAL):
        person = people.call(login)
        person.roles = [*person.roles, "dissemination"]
        person.save()
        with pytest.raises(Refused, match="alert-same-person"):
            publishing.approve(version, by=person, at=timezone.now())
    version = alert_life.in_public(version)
    releaser = people.call(alert_life.RELEASER)
    version = publishing.ask_cancel(version, alert_life.REASONS, by=releaser, at=timezone.now())
    with pytest.raises(Refused, match="alert-same-person"):
        publishing.confirm_cancel(version, by=releaser, at=timezone.now())
    with pytest.raises(InputError, match=r"reason\.ar"):
        publishing.ask_cancel(version, {"en": "-", "fr": "-", "es": "-"}, by=releaser, at=timezone.now())


def test_a_translation_that_changed_meanwhile_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked through is what will stand there, also in the other languages."""
    version = alert_life.ready(alert_life.begun(type=AlertType.PREVENTION, is_for_police=False))
    looked = guarding.require_publishable

    def slowly(*told: Any) -> None:
        looked(*told)
        french = version.translations.get(language="fr")
        french.content = {**french.content, "title": "Tout autre chose"}
        french.save()

    monkeypatch.setattr(guarding, "require_publishable", slowly)
    with pytest.raises(Conflict):
        publishing.approve(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    assert not PublicFile.objects.exists()


def test_what_was_written_meanwhile_is_not_published() -> None:
    version = alert_life.with_police(alert_life.begun())
    stale = alert_life.fresh(version)
    Version.objects.filter(pk=version.pk).update(revision=2)
    with pytest.raises(Conflict):
        publishing.publish_public(stale, by=people.call(alert_life.RELEASER), at=timezone.now())
