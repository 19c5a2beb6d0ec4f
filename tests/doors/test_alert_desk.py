"""The desk of alerts through its pages: four people, four languages, two who write at once, bad input, proposals."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import alerts_at_desk, builders, people

from tocsin.centre.alerts import services
from tocsin.centre.alerts.models import Alert, Proposal, Revision, Translation, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Person
from tocsin.products.alerts.draft import Named, Texts, to_json
from tocsin.products.alerts.record import Made

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


def page(client: Client, name: str, *arguments: object, **query: str) -> str:
    found = client.get(reverse(name, args=arguments, query=query or None))
    assert found.status_code == 200, (name, found.status_code)
    return found.content.decode()


def fields_of(html: str) -> dict[str, Any]:
    """What a form of the page would send, as a browser fills it in."""
    forms = re.findall(r"<form.*?</form>", html, re.DOTALL)
    form = next(part for part in forms if 'name="base"' in part)
    found: dict[str, Any] = {}
    for kind, attributes in re.findall(r"<(input|textarea)\b([^>]*)>", form):
        name = re.search(r'name="([^"]*)"', attributes)
        value = re.search(r'value="([^"]*)"', attributes)
        if name is None or kind == "textarea" or ('type="checkbox"' in attributes and "checked" not in attributes):
            continue
        found[name[1]] = _unescaped(value[1]) if value else "on" if 'type="checkbox"' in attributes else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = _unescaped(text.removeprefix("\n"))
    for name, attributes, options in re.findall(r'<select name="([^"]*)"([^>]*)>(.*?)</select>', form, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)"\s+selected', options)
        if not chosen and "multiple" not in attributes:
            chosen = re.findall(r'<option value="([^"]*)"', options)[:1]
        if chosen:
            found[name] = chosen if "multiple" in attributes else chosen[0]
    return found


def _unescaped(text: str) -> str:
    from html import unescape

    return unescape(text)


def act(client: Client, alert: Alert, word: str, **said: str) -> Any:
    found = Version.objects.filter(alert=alert).order_by("-number")[0]
    read = f"{found.number}.{found.revision}"
    return client.post(reverse("alert-act", args=[alert.reference]), {"act": word, "read": read, **said}, follow=True)


def state_of(alert: Alert) -> str:
    return str(Version.objects.filter(alert=alert).order_by("-number")[0].state)


def test_four_people_and_two_translators_take_an_alert_through_its_pages(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    said = {"type": "METHOD", "title": alerts_at_desk.TITLES["en"], "language": "en"}
    client.post(reverse("alert-start"), said)
    alert = Alert.objects.get()
    html = page(client, "alert-write", alert.reference)
    assert "Name the offence" in html
    filled = fields_of(html) | {
        "offence": "computer-related-fraud", "expires": "2099-01-01T10:00", "happening": "Do not open the link.",
        "facts": "The kit answers at 198.51.100.9.", "indicators-0-value": "198.51.100.9",
        "indicators-0-kind": "ipv4", "indicators-0-role": "ATTACKER_INFRA", "tasks-0-text": "Block it",
        "countries": ["FR", "JO"], "techniques": "T1566 T1566.001",
    }  # fmt: skip
    answer = client.post(reverse("alert-write", args=[alert.reference]), filled | {"then": "submit"}, follow=True)
    assert answer.status_code == 200
    assert state_of(alert) == "quality-review", answer.content.decode()
    assert "Pass its quality" not in page(client, "alert-review", alert.reference), "not by who wrote it"

    people.let_in(client, "rui_reviewer")
    assert alert.reference in page(client, "alert-desk")
    assert "Pass its quality" in page(client, "alert-review", alert.reference)
    act(client, alert, "pass-quality")
    people.let_in(client, "lena_legal")
    act(client, alert, "pass-legal")
    assert state_of(alert) == "translation"

    for language in ("fr", "es", "ar"):
        client.force_login(alerts_at_desk.translator())
        html = page(client, "alert-translate", alert.reference, language)
        assert '<bdi class="locked" dir="ltr"' in html
        words = fields_of(html) | {"title": alerts_at_desk.TITLES[language], "happening": "x.", "task_text_0": "y",
                                   "facts": "198.51.100.9", "made": "machine"}  # fmt: skip
        client.post(reverse("alert-translate", args=[alert.reference, language]), words)
        there = Translation.objects.get(language=language)
        check = reverse("alert-check", args=[alert.reference, language])
        client.post(check, {"read": there.revision})
        assert Translation.objects.get(pk=there.pk).made == "machine", "nobody checks the own translation"
        client.force_login(alerts_at_desk.translator("timo_translator"))
        client.post(check, {"read": there.revision})
        assert Translation.objects.get(pk=there.pk).made == "checked"
    assert state_of(alert) == "approval"
    draft = Version.objects.get().content
    assert [(each["value"], each["role"]) for each in draft["indicators"]] == [("198.51.100.9", "ATTACKER_INFRA")]
    assert draft["techniques"] == ["T1566", "T1566.001"]
    people.let_in(client, "lena_legal")
    assert "Approve and send" not in page(client, "alert-page", alert.reference)
    people.let_in(client, "dora_dissemination")
    assert "Approve and send" in page(client, "alert-page", alert.reference)


def test_saving_what_was_not_changed_changes_nothing(client: Client) -> None:
    """Nothing of a draft is lost on its way through the form."""
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    before = Version.objects.get().content
    client.post(reverse("alert-write", args=[alert.reference]), fields_of(page(client, "alert-write", alert.reference)))
    assert Version.objects.get().content == before
    assert Revision.objects.count() == 1


def test_the_second_of_two_sees_both_texts_and_loses_nothing(client: Client) -> None:
    alert = alerts_at_desk.alert()
    people.let_in(client, "dario_duty")
    his = fields_of(page(client, "alert-write", alert.reference)) | {"title": "His title", "if_victim": "His alone"}
    made = Version.objects.get()
    content = to_json(alerts_at_desk.draft_of_alert()) | {"expires": made.content["expires"]}
    content["texts"] |= {"title": "Her title", "at_risk": "Hers alone"}
    services.write(made, content, base=1, by=people.call("dana_analyst"), at=timezone.now())
    answer = client.post(reverse("alert-write", args=[alert.reference]), his)
    html = answer.content.decode()
    assert answer.status_code == 409
    for said in ("His", "Her", "Hers alone", "His alone"):
        assert said in html
    assert Version.objects.get().content["texts"]["title"] == "Her title"
    sent = fields_of(html)
    assert (
        client.post(reverse("alert-resolve", args=[alert.reference]), sent | {"choice-texts.title": "mine"}).status_code
        == 302
    )
    texts = Version.objects.get().content["texts"]
    assert (texts["title"], texts["at_risk"], texts["if_victim"]) == ("His title", "Hers alone", "His alone")
    history = page(client, "alert-versions", alert.reference, old="1.2", new="1.3")
    assert "<del>Her</del>" in history
    assert "<ins>His</ins>" in history


def test_a_decision_is_about_what_its_maker_read(client: Client) -> None:
    alert = alerts_at_desk.alert()
    made = Version.objects.get()
    services.submit(made, by=people.call("dana_analyst"), at=timezone.now())
    people.let_in(client, "rui_reviewer")
    answer = client.post(
        reverse("alert-act", args=[alert.reference]), {"act": "pass-quality", "read": "1.0"}, follow=True
    )
    assert "since you opened the page" in answer.content.decode()
    assert state_of(alert) == "quality-review"


@pytest.mark.parametrize(("field", "said", "wanted"), [
    ("happening", "evil\u202etxt.exe", "turns the writing around"),
    ("happening", "word " * 10_000, "Ensure this value has at most 20000 characters"),
    ("title", "x" * 141, "Ensure this value has at most 140 characters"),
    ("expires", "yesterday", "Enter a valid date"),
    ("countries", ["XX", "FR"], "Select a valid choice"),
    ("indicators-0-kind", "nonsense", "Select a valid choice"),
])  # fmt: skip
def test_bad_input_is_named_at_its_field_and_nothing_is_saved(
    field: str, said: Any, wanted: str, client: Client
) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    filled = fields_of(page(client, "alert-write", alert.reference)) | {field: said}
    answer = client.post(reverse("alert-write", args=[alert.reference]), filled)
    assert answer.status_code == 422
    assert wanted in answer.content.decode()
    assert Revision.objects.count() == 1


@pytest.mark.parametrize(("expires", "onset", "wanted"), [
    ("2020-01-01T10:00", "", "over before it is published"),
    ("2099-01-01T10:00", "2099-02-01T10:00", "ends before it begins"),
])  # fmt: skip
def test_moments_that_cannot_be_are_told_before_handing_in(
    expires: str, onset: str, wanted: str, client: Client
) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    filled = fields_of(page(client, "alert-write", alert.reference)) | {"expires": expires, "onset": onset}
    client.post(reverse("alert-write", args=[alert.reference]), filled)
    assert wanted in page(client, "alert-write", alert.reference)


def test_mark_up_in_a_text_is_shown_as_text(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    made = alerts_at_desk.version()
    # No draft can be written so: what is shown does not lean on that.
    made.content["texts"] |= {"title": "<script>alert(1)</script>", "happening": "<b>&amp;"}
    made.save()
    Revision.objects.update(content=made.content)
    alert = Alert.objects.get()
    for name in ("alert-page", "alert-review", "alert-preview", "alert-write", "alert-versions"):
        html = page(client, name, alert.reference)
        assert "<script>alert(1)" not in html
        assert "&lt;script&gt;alert(1)" in html or name == "alert-versions"


def test_a_text_that_names_a_state_is_shown_where_and_does_not_pass_the_law(client: Client) -> None:
    """W17."""
    words = alerts_at_desk.Texts(title="X", happening="It was attributed to the intelligence service of France.")
    made = alerts_at_desk.version(texts=words)
    services.submit(made, by=people.call("dana_analyst"), at=timezone.now())
    services.pass_quality(made, by=people.call("rui_reviewer"), at=timezone.now())
    people.let_in(client, "lena_legal")
    html = page(client, "alert-review", made.alert.reference)
    assert "puts the deed down to a State" in html
    assert "What is happening" in html
    act(client, made.alert, "pass-legal")
    assert state_of(made.alert) == "legal-review"


def test_a_stale_translation_says_so_and_what_changed(client: Client) -> None:
    """W22."""
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    made = Version.objects.get()
    content = made.content | {"texts": made.content["texts"] | {"happening": "Everything is different."}}
    services.write(made, content, base=1, by=people.call("dana_analyst"), at=timezone.now())
    html = page(client, "alert-translate", alert.reference, "fr")
    assert "The source changed since this was translated" in html
    assert re.search(r"<ins>[^<]*different", html)
    assert "older text" in page(client, "alert-page", alert.reference)
    assert 'role="alert"' in page(client, "alert-preview", alert.reference, language="fr")


@pytest.mark.parametrize(("tag", "wanted"), [("pt-br", "pt-BR"), ("zh-hant", "zh-Hant"), ("de", "de")])
def test_other_languages_are_added_by_their_tags(tag: str, wanted: str, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    answer = client.post(reverse("alert-add-language", args=[alert.reference]), {"language": tag})
    assert answer["Location"] == reverse("alert-translate", args=[alert.reference, wanted])
    assert client.get(answer["Location"]).status_code == 200


@pytest.mark.parametrize("tag", ["en", "", "x", "<script>", "zz", "a" * 40, "../..", "fr/../en"])
def test_what_is_no_tag_of_another_language_is_refused(tag: str, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    answer = client.post(reverse("alert-add-language", args=[alert.reference]), {"language": tag})
    assert answer["Location"] == reverse("alert-page", args=[alert.reference])


def test_two_who_translate_at_once_lose_nothing(client: Client) -> None:
    people.let_in(client, "dario_duty")
    alert = alerts_at_desk.alert()
    address = reverse("alert-translate", args=[alert.reference, "fr"])
    his = fields_of(page(client, "alert-translate", alert.reference, "fr")) | {"title": "Le sien"}
    theirs = to_json(alerts_at_desk.Texts(title="Celui de l’autre"))
    services.translate(
        Version.objects.get(), "fr", theirs, base=1, made=alerts_at_desk.Made.HUMAN, by=people.call("dana_analyst"),
        at=timezone.now(),
    )  # fmt: skip
    answer = client.post(address, his)
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "Le sien" in html
    assert "de l’autre" in html
    client.post(address, fields_of(html))
    assert Translation.objects.get().content["title"] == "Le sien"


def test_plainness_is_told_while_one_writes(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    said = {"language": "en", "happening": "Notwithstanding comprehensive institutional considerations " * 60}
    html = client.post(reverse("alert-plain"), said).content.decode()
    assert "Harder than everybody reads" in html
    assert "Notwithstanding" in html
    assert Revision.objects.count() == 0


def test_a_search_finds_by_number_and_by_words_of_the_title(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    alerts_at_desk.version(texts=alerts_at_desk.Texts(title="Another matter", happening="x"))
    for asked in ("PARCEL steal", alert.reference.lower()):
        html = page(client, "alert-desk", q=asked)
        assert alert.reference in html
        assert "Another matter" not in html


@pytest.mark.parametrize("show", ["waiting", "drafts", "review", "published", "ending", "due", "taken-back", "over",
                                  "all", "nonsense"])  # fmt: skip
def test_every_tab_opens(show: str, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    alerts_at_desk.alert()
    assert "<h1>Alerts</h1>" in page(client, "alert-desk", show=show)


def test_a_cancellation_is_asked_in_four_languages_and_taken_back(client: Client) -> None:
    people.let_in(client, "dana_analyst")
    alert = alerts_at_desk.alert()
    Version.objects.update(state=State.POLICE, police_at=timezone.now())
    address = reverse("alert-cancel", args=[alert.reference])
    refused = client.post(address, {"ready": "", "own_en": "An error."})
    assert refused.status_code == 422
    assert "four languages" in refused.content.decode()
    client.post(address, {"ready": "error", "own_fr": "Erreur à nous."})
    made = Version.objects.get()
    assert set(made.cancel_reasons) == {"en", "fr", "es", "ar"}
    assert made.cancel_reasons["fr"] == "Erreur à nous."
    assert "Cancel it everywhere" not in page(client, "alert-page", alert.reference), "not by who asked"
    people.let_in(client, "dora_dissemination")
    assert "Cancel it everywhere" in page(client, "alert-page", alert.reference)
    act(client, alert, "keep")
    assert Version.objects.get().cancel_asked_by is None


def test_a_bureau_proposes_and_reads_the_answer(client: Client) -> None:
    people.let_in(client, "fleur_officer")
    said = {"type": "METHOD", "offence": "ransomware", "language": "fr", "title": "Rançongiciel", "happening": "Vu.",
            "values-TOTAL_FORMS": "4", "values-INITIAL_FORMS": "0", "values-0-value": "evil.example",
            "values-0-kind": "domain", "values-0-role": "ATTACKER_INFRA"}  # fmt: skip
    client.post(reverse("alert-propose"), said)
    made = Proposal.objects.get()
    assert made.organisation == builders.bureau("FR")
    assert client.get(reverse("alert-desk")).status_code == 404
    tried = client.post(reverse("alert-publish-refused", args=[made.reference]))
    assert tried.status_code == 403
    assert Entry.objects.filter(actor="fleur_officer", action="alert.publish-refused").count() == 1

    people.let_in(client, "dana_analyst")
    assert made.reference in page(client, "alert-proposals-desk")
    desk = reverse("alert-proposal-desk", args=[made.reference])
    client.post(desk, {"act": "refuse", "answer": ""})
    assert Proposal.objects.get().state == "open", "nobody is refused without a word"
    client.post(desk, {"act": "take", "answer": "Merci."})
    assert Alert.objects.get().begun_from == f"proposal:{made.reference}"
    people.let_in(client, "fleur_officer")
    assert "Merci." in page(client, "alert-proposal", made.reference)
    people.let_in(client, "khalil_officer")
    assert client.get(reverse("alert-proposal", args=[made.reference])).status_code == 404


def test_paragraphs_and_lists_are_read_as_such(client: Client) -> None:
    texts = Texts(
        title="T", happening="First.\n\nSecond.\r\nThird.", do_now=("One.", "Two."), never=("Never.",),
        facts="Fact.\nMore.", assessment="With high confidence it is very likely.",
    )  # fmt: skip
    persons = (Named("Zora Quellwasser", "suspect", "Seen.\nHeard."),)
    made = alerts_at_desk.version(texts=texts, persons=persons, is_public=False, contact="Desk\nRoom 2")
    alert = made.alert
    services.translate(made, "fr", to_json(texts), base=0, made=Made.HUMAN, by=alerts_at_desk.translator(),
                       at=timezone.now())  # fmt: skip
    services.submit(made, by=people.call("dana_analyst"), at=timezone.now())
    services.send_back(made, reason="This.\nAnd that.", by=people.call("rui_reviewer"), at=timezone.now())
    people.let_in(client, "dana_analyst")
    for name in ("alert-page", "alert-review", "alert-preview", "alert-write", "alert-versions"):
        html = page(client, name, alert.reference)
        assert "U+000" not in html, name
        if name in {"alert-review", "alert-write"}:
            assert '<q dir="auto">With high confidence it is very likely.</q>' in html, "two things in one sentence"
    html = page(client, "alert-review", alert.reference)
    assert html.count("<p>First.</p>") == 2
    assert html.count("<p>Second.<br>Third.</p>") == 2
    assert html.count('<ul dir="auto"><li>One.</li><li>Two.</li></ul>') == 2, "in both languages"


@pytest.mark.parametrize(("reader", "language", "frame", "words"), [
    ("ar", "en", "rtl", "ltr"), ("ar", "ar", "rtl", "rtl"), ("en", "ar", "ltr", "rtl"), ("en", "fr", "ltr", "ltr"),
])  # fmt: skip
def test_words_have_their_own_direction_and_the_page_its_reader_s(
    reader: str, language: str, frame: str, words: str, client: Client
) -> None:
    alert = alerts_at_desk.alert()
    people.let_in(client, "dana_analyst")
    Person.objects.filter(login="dana_analyst").update(language=reader)
    source = Version.objects.get()
    if language == "ar":
        client.force_login(alerts_at_desk.translator())
        Person.objects.filter(login="tara_translator").update(language=reader)
        texts = to_json(alerts_at_desk.translated(alerts_at_desk.draft_of_alert().texts, "ar"))
        services.translate(
            source, "ar", texts, base=0, made=Made.HUMAN, by=alerts_at_desk.translator(), at=timezone.now()
        )
    html = page(client, "alert-preview", alert.reference, language=language)
    assert f'<html lang="{reader}" dir="{frame}"' in html
    assert html.count(f'class="phone-screen" lang="{language}" dir="{words}"') == 2
    if language != "en":
        html = page(client, "alert-translate", alert.reference, language)
        assert f'<html lang="{reader}" dir="{frame}"' in html
        assert 'class="source-text" lang="en" dir="ltr"' in html
        assert f'lang="{language}" dir="{words}"' in html


@pytest.mark.parametrize("name", ["alert-desk", "alert-page", "alert-review", "alert-translate"])
def test_a_translator_reads_what_it_translates(name: str, client: Client) -> None:
    alert = alerts_at_desk.alert()
    client.force_login(alerts_at_desk.translator())
    people.proves(client)
    arguments = {"alert-desk": (), "alert-translate": (alert.reference, "fr")}.get(name, (alert.reference,))
    page(client, name, *arguments)
    assert client.get(reverse("alert-write", args=[alert.reference])).status_code == 404
    assert client.get(reverse("lookup")).status_code == 404
