"""Forms for the public: they need no script and no cookie, tell nobody who is known, and keep programs out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import far_ends
from tests.crew import work
from tests.far_ends import Mailbox

from tocsin.centre.audit.models import Entry
from tocsin.centre.subscribers import door, services
from tocsin.centre.subscribers.models import Subscriber

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests fill in forms faster than people."""
    monkeypatch.setattr(door, "YOUNGEST_SECONDS", -1.0)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with far_ends.mail_relay() as box:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, mail=box.relay))
        yield box


@pytest.fixture
def anybody() -> Client:
    """Without a cookie, and with Django's guard against forgery on."""
    return Client(enforce_csrf_checks=True)


def asked(anybody: Client, address: str, **said: object) -> object:
    facts = {"address": address, "stamp": door.stamp(), "language": "en", **said}
    return anybody.post(reverse("alert-mail"), facts)


def link(mail: object, name: str) -> str:
    plain = mail.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    found = re.search(rf"https?://[^/]+(/alert-service/{name}/[^\s]+)", plain)
    assert found is not None
    return found[1]


def test_from_asking_to_leaving(anybody: Client, mailbox: Mailbox) -> None:
    form = anybody.get(reverse("alert-mail-in", args=["ar"]))
    page = form.content.decode()
    assert form.status_code == 200
    assert '<html lang="ar" dir="rtl">' in page
    assert "<script" not in page
    assert form["Content-Language"] == "ar"
    assert "no-store" in form["Cache-Control"]
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    said = {"address": "ana@reader.example", "stamp": stamp[1], "language": "ar", "country": ["FR"], "type": ["METHOD"]}
    assert anybody.post(reverse("alert-mail"), said).status_code == 200
    work()
    [mail] = mailbox.of("ana@reader.example")
    confirm = link(mail, "confirm")
    assert anybody.get(confirm).status_code == 200
    assert Subscriber.objects.get().state == "asked", "a program that looks at links confirms nothing"
    assert anybody.post(confirm).status_code == 200
    found = Subscriber.objects.get()
    assert (found.state, found.language, found.countries, found.types) == ("active", "ar", ["FR"], ["METHOD"])
    own = reverse("alert-own", args=[services.token(found, "own")])
    assert "ana@reader.example" in anybody.get(own).content.decode()
    anybody.post(own, {"language": "fr", "severity": "Severe"})
    found.refresh_from_db()
    assert (found.language, found.countries, found.severity) == ("fr", [], "Severe")
    copy = anybody.get(reverse("alert-own-data", args=[services.token(found, "own")]))
    assert json.loads(copy.content)["address"] == "ana@reader.example"
    leave = reverse("alert-leave", args=[services.token(found, "own")])
    assert anybody.get(leave).status_code == 200
    assert Subscriber.objects.exists()
    done = anybody.post(leave, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert done.status_code == 200
    assert not Subscriber.objects.exists()
    assert anybody.post(leave).status_code == 200, "a mail program may ask twice"
    assert anybody.get(own).status_code == anybody.get(own.replace(".", "x")).status_code == 404
    assert not anybody.cookies
    told = [f"{each.subject} {each.detail}" for each in Entry.objects.filter(actor="subscriber")]
    assert len(told) == 2
    assert "ana" not in " ".join(told)


def test_nobody_learns_who_is_subscribed(anybody: Client, mailbox: Mailbox) -> None:
    before = asked(anybody, "ana@reader.example")
    services.confirm(Subscriber.objects.get(), datetime.now(UTC))
    again, new = asked(anybody, "ana@reader.example"), asked(anybody, "badr@reader.example")
    assert before.content == again.content == new.content  # type: ignore[attr-defined]


def test_nobody_is_written_to_more_often_than_a_few_times(anybody: Client, mailbox: Mailbox) -> None:
    statuses = [asked(anybody, "ana@reader.example").status_code for _ in range(5)]  # type: ignore[attr-defined]
    work()
    assert statuses == [200, 200, 200, 429, 429]
    assert len(mailbox.of("ana@reader.example")) <= services.MOST_TO_ADDRESS


@pytest.mark.any_database
@pytest.mark.parametrize(
    "address", ["", "ana", "ana@", "@reader.example", "a b@reader.example", "ana@reader", "x" * 300 + "@reader.example",
                "ana@reader.example\nBcc: x@y.example", "ana@reader.example,b@reader.example", "A <a@reader.example>"],
)  # fmt: skip
def test_what_is_no_address_is_said_to_be_none(address: str, anybody: Client, mailbox: Mailbox) -> None:
    response = asked(anybody, address)
    assert response.status_code == 422
    assert not Subscriber.objects.exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "wrong", [{"country": "ZZZ"}, {"type": "PERSON"}, {"severity": "Huge"}, {"offence": "x"}, {"language": "<b>"}]
)
def test_what_no_form_offers_is_not_taken(wrong: dict[str, str], anybody: Client, mailbox: Mailbox) -> None:
    assert asked(anybody, "ana@reader.example", **wrong).status_code == 422  # type: ignore[attr-defined]
    assert not Subscriber.objects.exists()


def test_programs_that_fill_in_everything_or_are_too_quick_subscribe_nobody(
    anybody: Client, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trapped = asked(anybody, "ana@reader.example", website="https://spam.example")
    assert trapped.status_code == 200
    assert not Subscriber.objects.exists()
    for stamp in ("", "form:1:x", door.stamp()[:-1] + "!"):
        assert asked(anybody, "ana@reader.example", stamp=stamp).status_code == 422  # type: ignore[attr-defined]
    monkeypatch.setattr(door, "YOUNGEST_SECONDS", 60.0)
    assert asked(anybody, "ana@reader.example").status_code == 422  # type: ignore[attr-defined]
    assert not Subscriber.objects.exists()


def test_without_a_relay_nothing_is_promised(anybody: Client) -> None:
    assert anybody.get(reverse("alert-mail")).status_code == 404


def test_a_server_is_shown_its_secret_once_and_a_link_that_works(anybody: Client) -> None:
    said = {"address": "https://hook.example/alerts", "stamp": door.stamp(), "language": "en"}
    page = anybody.post(reverse("alert-webhook"), said).content.decode()
    made = Subscriber.objects.get()
    assert made.secrets["secret"] in page
    own = reverse("alert-own", args=[services.token(made, "own")])
    assert own in page
    assert made.secrets["secret"] not in anybody.get(own).content.decode()
    inside = anybody.post(reverse("alert-webhook"), {**said, "address": "https://127.0.0.1/", "stamp": door.stamp()})
    assert inside.status_code == 422


def test_a_browser_joins_and_leaves(anybody: Client) -> None:
    page = anybody.get(reverse("alert-push-in", args=["es"]))
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert b"onclick" not in page.content
    assert b"<script>" not in page.content
    worker = anybody.get(reverse("alert-push-worker"))
    assert worker["Content-Type"].startswith("text/javascript")
    assert b"showNotification" in worker.content
    keys = {"p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth": "BTBZMqHH6r4Tts7J_aSIgg"}  # fmt: skip
    said = {"subscription": {"endpoint": "https://push.example/1", "keys": keys}, "language": "es", "countries": ["MX"]}
    for _ in range(2):
        joined = anybody.post(reverse("alert-push-register"), json.dumps(said), content_type="application/json")
        assert joined.status_code == 200
    made = Subscriber.objects.get()
    assert (made.state, made.language, made.countries) == ("active", "es", ["MX"])
    inside = b'{"subscription": {"endpoint": "https://10.0.0.1/", "keys": {}}}'
    for wrong in (b"", b"[]", b"{", b'{"subscription": 1}', inside, b'{"countries": 7}', b" " * 9_000):  # fmt: skip
        refused = anybody.post(reverse("alert-push-register"), wrong, content_type="application/json")
        assert refused.status_code == 422, wrong
    for endpoint in ("https://push.example/2", "https://push.example/1"):
        left = anybody.post(
            reverse("alert-push-leave"), json.dumps({"endpoint": endpoint}), content_type="application/json"
        )
        assert left.json() == {"status": "ok"}
    assert not Subscriber.objects.exists()


def test_a_link_that_is_too_old_confirms_nothing(anybody: Client, mailbox: Mailbox) -> None:
    asked(anybody, "ana@reader.example")
    work()
    Subscriber.objects.update(confirm_until=datetime.now(UTC) - timedelta(seconds=1))
    assert anybody.post(link(mailbox.mails[0][1], "confirm")).status_code == 404
    assert Subscriber.objects.get().state == "asked"
