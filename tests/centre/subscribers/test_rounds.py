"""Who asked to be told is told, once, what he wants to know; who cannot be reached is tried again and given up."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from tests.crew import work
from tests.far_ends import Called, Mailbox

from tocsin.centre.alerts.telling import TELL
from tocsin.centre.audit import keys as house_keys
from tocsin.centre.audit.models import Entry
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.subscribers import rounds, services
from tocsin.centre.subscribers.models import Kind, Owed, Round, Subscriber, Telling
from tocsin.centre.subscribers.services import Wish
from tocsin.core.errors import InputError, NotFound
from tocsin.core.words import Offence
from tocsin.credentials import keys, web_push, webhooks
from tocsin.products.alerts.notice import Notice, Said, to_json
from tocsin.products.alerts.record import AlertType, Message, Severity

pytestmark = pytest.mark.django_db(transaction=True)
TEXTS = {"en": Said("Fake parcel messages", "They ask for a fee.", ("Do not pay.",)),
         "ar": Said("رسائل طرود مزيفة", "تطلب رسومًا.", ("لا تدفع.",))}  # fmt: skip


def notice(version: int = 1, **said: Any) -> Notice:
    facts: dict[str, Any] = {
        "number": "METHOD-2026-0042", "version": version, "message": Message.ALERT if version == 1 else Message.UPDATE,
        "type": AlertType.METHOD, "offence": Offence.FRAUD, "severity": Severity.SEVERE,
        "sent": datetime(2026, 11, 23, tzinfo=UTC), "countries": ("FR",), "texts": TEXTS,
    }  # fmt: skip
    return Notice(**{**facts, **said})


def tell(what: Notice) -> None:
    jobs.enqueue(TELL, f"{what.number}-v{what.version}", {"notice": to_json(what)}, at=datetime.now(UTC))
    work()


def subscribed(address: str, language: str = "en", kind: Kind = Kind.MAIL, **said: Any) -> Subscriber:
    before = datetime.now(UTC) - timedelta(days=1)
    facts = {"state": "active", "asked_at": before, "confirmed_at": before, "language": language, **said}
    name = address.partition("@")[0].replace(".", "-")[-30:]
    return Subscriber.objects.create(name=name, kind=kind, address=services.sealed_address(address), **facts)


def hurry() -> None:
    """What waits for its time need not."""
    Owed.objects.update(due_at=datetime.now(UTC))
    Job.objects.filter(state="waiting").update(run_at=datetime.now(UTC))
    rounds.tick(datetime.now(UTC))
    work()


def test_each_is_told_in_the_own_language_what_it_wants(mailbox: Mailbox) -> None:
    subscribed("ana@reader.example")
    subscribed("badr@reader.example", "ar", countries=["FR", "JO"])
    subscribed("carla@reader.example", countries=["BR"])
    subscribed("dora@reader.example", offences=["ransomware"])
    subscribed("emil@reader.example", severity="Extreme")
    subscribed("fay@reader.example", state="asked")
    tell(notice())
    assert {to for to, _ in mailbox.mails} == {"ana@reader.example", "badr@reader.example"}
    [mail] = mailbox.of("badr@reader.example")
    assert mail["Subject"] == "رسائل طرود مزيفة (METHOD-2026-0042)"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = mail.get_body(("html",))
    plain = mail.get_body(("plain",))
    assert html is not None
    assert plain is not None
    assert 'dir="rtl"' in html.get_content()
    assert "<img" not in html.get_content()
    assert "لا تدفع." in plain.get_content()
    assert "/ar/METHOD-2026-0042/" in plain.get_content()
    assert Round.objects.get(kind=Kind.MAIL).told == 2
    tell(notice())
    assert len(mailbox.mails) == 2, "the same version is told once"


def test_portions_are_gone_through_to_the_end_and_other_work_goes_between(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PORTION", 3)
    monkeypatch.setattr(rounds, "LOOKED_AT", 4)
    for number in range(11):
        subscribed(f"reader{number}@reader.example", countries=[] if number % 3 else ["BR"])
    jobs.enqueue(TELL, "one", {"notice": to_json(notice())}, at=datetime.now(UTC))
    work()
    for _ in range(5):
        hurry()
    assert sorted(to for to, _ in mailbox.mails) == sorted(
        f"reader{number}@reader.example" for number in range(11) if number % 3
    )
    assert Job.objects.filter(kind=rounds.GO, subject__startswith="round:").count() > len(Kind.values)
    assert not Round.objects.filter(ended_at=None).exists()


def test_no_more_mail_in_a_minute_than_the_relay_takes(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(settings.INSTALLATION, mail=replace(mailbox.relay, per_minute=1))
    monkeypatch.setattr(settings, "INSTALLATION", slow)
    monkeypatch.setattr(rounds, "PORTION", 2)
    for number in range(4):
        subscribed(f"reader{number}@reader.example")
    before = datetime.now(UTC)
    tell(notice())
    assert len(mailbox.mails) == 2
    [waiting] = Job.objects.filter(kind=rounds.GO, state="waiting")
    assert waiting.run_at >= before + timedelta(minutes=2)


def test_an_address_that_nobody_has_is_deleted_and_one_that_is_full_is_tried_again(mailbox: Mailbox) -> None:
    subscribed("gone@reader.example")
    subscribed("full@reader.example")
    mailbox.answers = {"gone@reader.example": "550 5.1.1 no such user", "full@reader.example": "452 4.2.2 mailbox full"}
    tell(notice())
    assert not Subscriber.objects.filter(name="gone").exists()
    assert "gone@" not in " ".join(Entry.objects.values_list("detail", flat=True)), "the log knows no addresses"
    full = Subscriber.objects.get(name="full")
    assert (full.failures, full.last_failure) == (1, "smtp-452")
    mailbox.answers = {}
    hurry()
    assert len(mailbox.of("full@reader.example")) == 1
    full.refresh_from_db()
    assert full.failures == 0
    assert not Owed.objects.exists()
    assert (Round.objects.get(kind=Kind.MAIL).told, Round.objects.get(kind=Kind.MAIL).failed) == (1, 0)


def test_a_relay_that_is_away_loses_nothing(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribed("ana@reader.example")
    away = replace(settings.INSTALLATION, mail=replace(mailbox.relay, port=1))
    here = settings.INSTALLATION
    monkeypatch.setattr(settings, "INSTALLATION", away)
    tell(notice())
    assert Job.objects.filter(kind=rounds.GO, state="waiting").count() == 1
    monkeypatch.setattr(settings, "INSTALLATION", here)
    hurry()
    assert len(mailbox.of("ana@reader.example")) == 1


def test_who_was_not_told_of_a_version_yet_hears_of_the_newest_alone(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "PORTION", 1)
    for name in ("ana", "badr"):
        subscribed(f"{name}@reader.example")
    mailbox.answers = {"ana@reader.example": "452 later", "badr@reader.example": "452 later"}
    tell(notice())
    mailbox.answers = {}
    tell(notice(2, message=Message.CANCEL, texts={"en": Said("Fake parcel messages", reason="An error.")}))
    for _ in range(4):
        hurry()
    [mail] = mailbox.of("ana@reader.example")
    assert mail["Subject"] == "[Cancelled] Fake parcel messages (METHOD-2026-0042)"
    assert mail["References"] == "<METHOD-2026-0042.v1.ana@tocsin.example>"
    assert Telling.objects.count() == 2


def test_a_server_is_asked_before_it_is_told_and_knows_who_speaks(server: Called) -> None:
    wish = Wish.of("en")
    made = services.ask_server(
        f"{server.address}/hook", wish, network="192.0.2.1", at=datetime.now(UTC), may_lie_inside=True
    )
    work()
    made.refresh_from_db()
    assert made.state == "asked", "whoever answers anything else did not agree"
    server.answer = lambda path, body: (200, json.dumps({"challenge": json.loads(body).get("challenge")}).encode())
    hurry()
    made.refresh_from_db()
    assert made.state == "active"
    Subscriber.objects.update(confirmed_at=datetime.now(UTC) - timedelta(days=1))
    tell(notice())
    path, headers, body = server.requests[-1]
    said = json.loads(body)
    assert path == "/hook"
    assert said["type"] == "alert.published"
    assert said["data"]["number"] == "METHOD-2026-0042"
    number, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert webhooks.is_signed(body, number=number, at_seconds=at, secret=made.secrets["secret"],
                              signature=headers["webhook-signature"])  # fmt: skip
    asymmetric = headers["webhook-signature"].split()[1].removeprefix("v1a,")
    public = keys.load_or_make(house_keys.folder()).public_pem
    assert keys.verify(f"{number}.{at}.".encode() + body, base64.b64decode(asymmetric), public)


def test_a_server_that_never_answers_well_falls_silent_and_one_that_redirects_is_not_followed(server: Called) -> None:
    made = subscribed(f"{server.address}/hook", kind=Kind.HOOK, secrets={"secret": webhooks.fresh_secret()})
    server.answer = lambda path, body: (302, b"")
    tell(notice())
    for _ in range(len(rounds.BACK_OFF) + 1):
        hurry()
    assert {path for path, _, _ in server.requests} == {"/hook"}
    assert not Owed.objects.exists(), "it was given up for this alert"
    made.refresh_from_db()
    assert made.failures == 1 + len(rounds.BACK_OFF)
    assert made.state == "active"
    Subscriber.objects.update(failing_since=datetime.now(UTC) - timedelta(days=8), failures=rounds.SILENT_LEAST)
    tell(notice(2))
    made.refresh_from_db()
    assert made.state == "silent"
    rounds.tick(datetime.now(UTC) + timedelta(days=91))
    assert not Subscriber.objects.filter(pk=made.pk).exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "address",
    ["http://hook.example/", "https://127.0.0.1/", "https://10.0.0.8/hook", "https://[::1]/", "https://localhost/",
     "https://169.254.169.254/latest", "ftp://hook.example/", "https://user:word@hook.example/", "https:///",
     "https://0x7f.1/"],
)  # fmt: skip
def test_nobody_has_ones_own_network_called(address: str) -> None:
    with pytest.raises(InputError):
        services.web_address(address, may_lie_inside=False)


def test_a_browser_alone_reads_what_is_pushed(server: Called) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    secret = b"0123456789abcdef"
    point = web_push._point(private.public_key())
    said = {"endpoint": f"{server.address}/push/1", "keys": {"p256dh": web_push.padless(point),
                                                          "auth": web_push.padless(secret)}}  # fmt: skip
    made = services.add_browser(said, Wish.of("ar"), network="192.0.2.1", at=datetime.now(UTC), may_lie_inside=True)
    Subscriber.objects.update(confirmed_at=datetime.now(UTC) - timedelta(days=1))
    server.answer = lambda path, body: (201, b"")
    tell(notice())
    [(_, headers, body)] = server.requests
    shown = json.loads(web_push.opened(body, private, secret))
    assert (shown["title"], shown["dir"], shown["tag"]) == ("رسائل طرود مزيفة", "rtl", "METHOD-2026-0042")
    assert headers["content-encoding"] == "aes128gcm"
    assert headers["ttl"] == "86400"
    token = headers["authorization"].split("t=")[1].split(",")[0]
    claims = json.loads(web_push.unpadded(token.split(".")[1]))
    assert claims["aud"] == server.address
    server.answer = lambda path, body: (410, b"")
    tell(notice(2))
    assert not Subscriber.objects.filter(pk=made.pk).exists(), "a browser that is gone is deleted"


def test_an_address_is_confirmed_by_who_reads_its_mail_and_nobody_else(mailbox: Mailbox) -> None:
    at = datetime.now(UTC)
    services.ask_mail(" Ana@Reader.EXAMPLE ", Wish.of("fr"), network="192.0.2.1", at=at)
    work()
    [mail] = mailbox.of("ana@reader.example")
    found = Subscriber.objects.get()
    assert found.state == "asked"
    assert "ana@" not in found.address
    with pytest.raises(NotFound):
        services.subscriber_with(services.token(found, "own"), "confirm")
    services.confirm(services.subscriber_with(services.token(found, "confirm"), "confirm"), at)
    services.ask_mail("ana@reader.example", Wish.of("fr"), network="192.0.2.2", at=at)
    work()
    assert Subscriber.objects.count() == 1
    assert len(mailbox.of("ana@reader.example")) == 2
    first, second = mailbox.of("ana@reader.example")
    assert first["Subject"].startswith("Confirmez")
    assert second["Subject"].startswith("Votre abonnement")
    assert mail["List-Unsubscribe"] is None


def test_what_nobody_confirmed_is_forgotten(mailbox: Mailbox) -> None:
    at = datetime.now(UTC)
    services.ask_mail("ana@reader.example", Wish.of("fr"), network="192.0.2.1", at=at - timedelta(days=3))
    found = Subscriber.objects.get()
    with pytest.raises(NotFound):
        services.confirm(found, at)
    rounds.tick(at)
    assert not Subscriber.objects.exists()
