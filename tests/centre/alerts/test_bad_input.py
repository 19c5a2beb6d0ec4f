"""What nobody should be able to write into an alert, by page, program and command: refused where it is written, with
the field and the place, and nothing kept of it."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from tests import alert_life, people

from tocsin.centre.alerts import publishing, services
from tocsin.centre.alerts.models import Proposal, Revision, Version
from tocsin.centre.members.services import add_key
from tocsin.cli import main
from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.products.alerts.draft import to_json

pytestmark = pytest.mark.django_db
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a word that turns around": ({"texts": {"title": "Pay\u202egnp.exe"}}, "alert-control-character", "title"),
    "a sign between lines": ({"texts": {"facts": "One\u2028Two\u0007"}}, "alert-control-character", "facts"),
    "a page feed that XML forbids": ({"texts": {"happening": "One\n\nTwo\x0cThree\x1f"}}, "alert-control-character",
                                     "happening"),
    "half a sign": ({"texts": {"title": "Half \ud83d"}}, "alert-control-character", "title"),
    "nothing to see": ({"texts": {"recognise": ["a\u200bb"]}}, "alert-control-character", "recognise.1"),
    "in a contact": ({"contact": "Desk \u2066x"}, "alert-control-character", "contact"),
    "in a person": ({"persons": [{"name": "A\u202eB", "status": "suspect"}], "is_public": False},
                    "alert-control-character", "persons.1.name"),
    "in a value": ({"indicators": [{"value": "evil\u200b.example", "kind": "domain"}]}, "alert-control-character",
                   "indicators.1.value"),
    "in a note": ({"indicators": [{"value": "e.example", "kind": "domain", "note": "x\x00"}]},
                  "alert-control-character", "indicators.1.note"),
    "in the name of an image": ({"texts": {"image_texts": {"a\u202e.png": "x"}}}, "alert-control-character",
                                "image_texts"),
    "mark-up": ({"texts": {"happening": "Fine.\n\n<script>alert(1)</script>"}}, "alert-mark-up", "happening"),
    "mark-up of a mail program": ({"texts": {"do_now": ["Do&nbsp;not pay"]}}, "alert-mark-up", "do_now.1"),
    "too many words": ({"texts": {"happening": "word " * 10_000}}, "alert-too-long", "happening"),
    "a title nobody reads": ({"texts": {"title": "x" * 141}}, "alert-too-long", "title"),
    "too many lines": ({"texts": {"do_now": ["x"] * 31}}, "alert-too-many", "do_now"),
    "too many people": ({"persons": [{"name": "x", "status": "suspect"}] * 101}, "alert-too-many", "persons"),
    "a long contact": ({"contact": "x" * 301}, "alert-too-long", "contact"),
    "a moment without a zone": ({"expires": "2030-01-01T10:00:00"}, "alert-moment", "expires"),
    "a slip in the year": ({"onset": "0206-11-23T10:00:00+00:00"}, "alert-moment", "onset"),
    "a moment that is none": ({"expires": "2026-02-30T10:00:00Z"}, "invalid-object", "expires"),
    "a due moment without a zone": ({"texts": {"tasks": [{"text": "x", "due": "2030-01-01T10:00:00"}]}},
                                    "alert-moment", "tasks.1"),
    "no country": ({"countries": ["FR", "Atlantis"]}, "invalid-object", "countries"),
    "no language": ({"language": "en\n<b>"}, "invalid-object", "language"),
    "no likelihood": ({"likelihood": "maybe"}, "invalid-object", "likelihood"),
    "a label that is none": ({"label": {"tlp": "TLP:PINK"}}, "invalid-object", "tlp"),
    "named and left out": ({"label": {"audience": ["ncb-fr"], "exclusions": ["ncb-fr"]}}, "relabel-contradiction",
                           "audience"),
    "without a limit, with one": ({"label": {"tlp": "TLP:CLEAR", "exclusions": ["ncb-fr"]}}, "relabel-contradiction",
                                  "exclusions"),
    "for all, and by name": ({"label": {"tlp": "TLP:RED", "audience": ["all-members"]}}, "relabel-contradiction",
                             "audience"),
    "a word of no label": ({"label": {"colour": "blue"}}, "invalid-object", "label"),
    "an audience that is no list": ({"label": {"audience": "ncb-fr"}}, "invalid-object", "audience"),
    "an unknown field": ({"txet": {}}, "invalid-object", ""),
    "a text that is a number": ({"contact": 7}, "invalid-object", "contact"),
}  # fmt: skip


CLEANED = ("in a note", "half a sign")
"""The door of programs takes these signs off whatever comes in."""


def content(change: dict[str, Any]) -> dict[str, Any]:
    """A good draft, and this of it otherwise."""
    good = to_json(alert_life.draft())
    return {**good, **change, "texts": {**good["texts"], **change.get("texts", {})}}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.alert_acts.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.alert_acts.reader", lambda *told: None)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", BAD)
def test_a_command_names_field_and_reason_and_keeps_nothing(name: str) -> None:
    change, reason, field = BAD[name]
    version = alert_life.begun()
    said = json.dumps(content(change)).encode()
    words = ["alert", "write", version.alert.reference, "-", "--base", "1", "--as", alert_life.AUTHOR]
    done = CliRunner().invoke(main, words, input=said)
    assert done.exit_code == 1, done.exception
    assert REASONS[reason] in done.output
    assert field in done.output
    assert "\u202e" not in done.output
    assert Revision.objects.filter(version=version).count() == 1
    started = CliRunner().invoke(main, ["alert", "start", "--file", "-", "--as", alert_life.AUTHOR], input=said)
    assert started.exit_code == 1
    assert Version.objects.count() == 1


@pytest.mark.parametrize("name", [each for each in BAD if "label" not in BAD[each][0] and each not in CLEANED])
def test_a_program_that_proposes_is_told_the_same(name: str) -> None:
    change, reason, _ = BAD[name]
    client = Client(raise_request_exception=False)
    now = timezone.now()
    _, key = add_key(
        person=people.call("fleur_officer"), name="test", scopes=["deliver"], expires_at=now + timedelta(days=1),
        by="test", at=now,
    )  # fmt: skip
    answer = client.post(
        "/api/v1/alert-proposals", json.dumps({"content": content(change)}), content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert answer.status_code == 422, answer.content[:500]
    assert reason in answer.content.decode()
    assert not Proposal.objects.exists()


@pytest.mark.parametrize(("written", "reason"), [("Pay\u202egnp.exe", "alert-control-character"),
                                                 ("Fine. <script>alert(1)</script>", "alert-mark-up")])  # fmt: skip
def test_the_page_says_it_in_its_readers_language_and_loses_nothing(written: str, reason: str) -> None:
    version = alert_life.ready(alert_life.begun(), languages=())
    client = Client()
    for language in ("en", "ar"):
        people.let_in(client, alert_life.TRANSLATOR, language)
        address = reverse("alert-translate", args=[version.alert.reference, "fr"])
        said = {"base": 0, "made": "human", "title": alert_life.TITLES["fr"], "happening": written}
        answer = client.post(address, said)
        html = unescape(answer.content.decode())
        assert answer.status_code == 422
        with translation.override(language):
            assert translation.gettext(REASONS[reason]) in html
        assert alert_life.TITLES["fr"] in html, "what was written stands in the form"
        assert not version.translations.exists()


def test_a_published_translation_is_shown_and_not_edited() -> None:
    version = alert_life.with_police(alert_life.begun())
    client = Client()
    people.let_in(client, alert_life.AUTHOR, "en")
    html = client.get(reverse("alert-translate", args=[version.alert.reference, "fr"])).content.decode()
    assert "<textarea" not in html
    assert alert_life.TITLES["fr"] in html
    assert "Begin an update" in html
    client.post(reverse("alert-act", args=[version.alert.reference]), {"act": "update"})
    html = client.get(reverse("alert-translate", args=[version.alert.reference, "fr"])).content.decode()
    assert "<textarea" in html
    assert "Save the translation" in html


@pytest.mark.parametrize(("onset", "expires", "reason"), [
    (None, timedelta(minutes=-1), "alert-end-past"), (timedelta(days=4), timedelta(days=3), "alert-end-before-onset"),
])  # fmt: skip
def test_moments_that_cannot_be_are_not_handed_in(onset: timedelta | None, expires: timedelta, reason: str) -> None:
    now = timezone.now()
    version = alert_life.begun(expires=now + expires, onset=None if onset is None else now + onset)
    with pytest.raises(InputError, match=reason):
        services.submit(version, by=people.call(alert_life.AUTHOR), at=now)
    assert alert_life.fresh(version).state == "draft"


@pytest.mark.parametrize("said", ["Gone\u202e", "<b>Gone</b>", "Gone\x0b\x01"])
def test_a_reason_of_cancelling_is_plain_in_each_language(said: str) -> None:
    version = alert_life.with_police(alert_life.begun())
    reasons = {**alert_life.REASONS, "es": said}
    with pytest.raises(InputError) as raised:
        publishing.ask_cancel(version, reasons, by=people.call(alert_life.AUTHOR), at=timezone.now())
    assert raised.value.field == "reason.es"
    assert alert_life.fresh(version).cancel_asked_by is None


@pytest.mark.parametrize("language", ["", "en", "x" * 40, "e\nn", "fr_FR", "../../en", "12"])
def test_no_translation_lies_under_a_tag_that_is_none(language: str) -> None:
    version = alert_life.begun()
    with pytest.raises(InputError, match="invalid-object"):
        services.translate(
            version, language, to_json(alert_life.texts("fr")), base=0, made=services.Made.HUMAN,
            by=people.call(alert_life.TRANSLATOR), at=timezone.now(),
        )  # fmt: skip


def test_what_looks_like_mark_up_and_is_none_is_kept() -> None:
    words = "If A < B and C > D, write to <desk@alerts.example> or <name>. See <https://alerts.example/a?b=1&c=2>. R&D"
    version = alert_life.begun(texts=alert_life.texts(happening=words, facts="It loads <script src=x> at https."))
    assert words in version.content["texts"]["happening"]
