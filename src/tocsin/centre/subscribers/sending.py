"""Telling one portion of subscribers, and what became of each. Nothing here writes to the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import orjson
from django.conf import settings
from django.urls import reverse

from tocsin.centre.alerts.editions import issuer
from tocsin.centre.audit import keys as house_keys
from tocsin.core.errors import InputError, Unavailable
from tocsin.credentials import keys as signing
from tocsin.credentials import web_push, webhooks
from tocsin.credentials.content_keys import KeyMissing
from tocsin.credentials.keys import SigningKey
from tocsin.credentials.web_push import Browser, PushKey
from tocsin.products.alerts.notice import Letterhead, Notice, call, letter, note, pushed
from tocsin.transport.asking import ask
from tocsin.transport.fetching import FetchError
from tocsin.transport.mailing import Fate, Post, Relay

from . import bouncing
from .models import Kind, Subscriber
from .services import address_of, token

AT_ONCE = 16
"""How many servers are written to beside one another."""
KEPT_SECONDS = 24 * 3600
"""For how long a push service keeps a message for a browser that is away."""
GONE = frozenset({404, 410})
TAKEN = range(200, 300)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message."""

    subscriber: Subscriber
    fate: Fate
    why: str = ""


def send(kind: str, notice: Notice, to: Sequence[Subscriber], at: datetime) -> Iterator[Outcome]:
    """Tell these subscribers of one kind. Raises Unavailable where nobody of them can be told now."""
    match kind:
        case Kind.MAIL:
            yield from _mails(notice, to, at)
        case Kind.HOOK:
            yield from _beside(partial(_called, notice=notice, key=signing_key(), at=at), to)
        case Kind.PUSH:
            yield from _beside(partial(_pushed, notice=notice, key=push_key(at), at=at), to)


def relay() -> Relay:
    """Where mail is handed in. Raises Unavailable where the settings name none."""
    found: Relay | None = settings.INSTALLATION.mail
    if found is None:
        raise Unavailable("the settings name no mail relay", 3600)
    return found


def signing_key() -> SigningKey:
    return signing.load_or_make(house_keys.folder(), settings.INSTALLATION.organisation)


def push_key(at: datetime) -> PushKey:
    """Raises Unavailable where its file is lost: who is to be told waits until it is back."""
    try:
        return house_keys.push_key(at)
    except KeyMissing as error:
        raise Unavailable(str(error), 3600) from error


def letterhead(subscriber: Subscriber | None = None) -> Letterhead:
    """Who writes, with the links of whom it is written to."""
    own = {} if subscriber is None else {
        "settings": absolute("alert-own", token(subscriber, "own")),
        "leave": absolute("alert-leave", token(subscriber, "own")),
    }  # fmt: skip
    who = issuer()
    language = subscriber.language if subscriber else "en"
    return Letterhead(who.origin, who.name(language), relay().sender, **own)


def absolute(name: str, *arguments: str) -> str:
    return f"{settings.INSTALLATION.public_origin}{reverse(name, args=arguments)}"


def _mails(notice: Notice, to: Sequence[Subscriber], at: datetime) -> Iterator[Outcome]:
    with Post(relay()) as post:
        for each in to:
            address = address_of(each)
            if not address:
                yield Outcome(each, Fate.LATER, "key-missing")
                continue
            made = letter(notice, each.language, letterhead(each), to=address, reader=each.name)
            said = post.hand_in(made, address, bouncing.path_for(each, at))
            yield Outcome(each, said.fate, f"smtp-{said.code}")


def _beside(tell: Callable[[Subscriber, str], Outcome], to: Sequence[Subscriber]) -> Iterator[Outcome]:
    """Side by side, so that one slow server holds up nobody. What the database says is asked before."""
    known = [(each, address_of(each)) for each in to]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda pair: tell(*pair), known)


def _called(subscriber: Subscriber, address: str, *, notice: Notice, key: SigningKey, at: datetime) -> Outcome:
    body = call(notice, issuer().origin)
    number = f"{notice.number}.{notice.version}.{notice.message}.{subscriber.name}"
    return _asked(subscriber, address, body, _signed(subscriber, body, number, key, at))


def _signed(subscriber: Subscriber, body: bytes, number: str, key: SigningKey, at: datetime) -> dict[str, str]:
    secret = str(subscriber.secrets.get("secret", ""))
    return webhooks.headers(body, number=number, at_seconds=int(at.timestamp()), secret=secret, key=key)


def _pushed(subscriber: Subscriber, address: str, *, notice: Notice, key: PushKey, at: datetime) -> Outcome:
    plain = pushed(notice, subscriber.language, issuer().origin)
    try:
        body = web_push.sealed(plain, Browser.of(subscriber.secrets["p256dh"], subscriber.secrets["auth"]))
    except (InputError, KeyError):
        return Outcome(subscriber, Fate.LATER, "key-missing")
    contact = settings.INSTALLATION.public_origin
    if settings.INSTALLATION.mail is not None:
        contact = f"mailto:{settings.INSTALLATION.mail.sender}"
    headers = {
        "Authorization": key.authorization(address, contact, int(at.timestamp())), "TTL": str(KEPT_SECONDS),
        "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream", "Urgency": "high",
        "Topic": web_push.padless(notice.number.encode())[:32],
    }  # fmt: skip
    return _asked(subscriber, address, body, headers)


def _asked(subscriber: Subscriber, address: str, body: bytes, headers: dict[str, str]) -> Outcome:
    if not address:
        return Outcome(subscriber, Fate.LATER, "key-missing")
    inside = settings.INSTALLATION.inner_webhooks
    try:
        answer = ask(address, content=body, headers=headers, may_lie_inside=inside)
    except FetchError as error:
        return Outcome(subscriber, Fate.LATER, error.code)
    if answer.status in TAKEN:
        return Outcome(subscriber, Fate.TAKEN)
    # 410 of a server, and 404 too of a push service: the subscription is over (Standard Webhooks; RFC 8030, 7.3).
    is_gone = answer.status in GONE if subscriber.kind == Kind.PUSH else answer.status == 410
    return Outcome(subscriber, Fate.GONE if is_gone else Fate.LATER, f"http-{answer.status}")


def ask_to_confirm(subscriber: Subscriber) -> Outcome:
    """The mail by which an address is confirmed; to who is subscribed already, one that says so."""
    address = address_of(subscriber)
    if not address:
        return Outcome(subscriber, Fate.LATER, "key-missing")
    is_known = subscriber.state != Subscriber.State.ASKED
    name, link = ("known", "alert-own") if is_known else ("confirm", "alert-confirm")
    to_open = absolute(link, token(subscriber, "own" if is_known else "confirm"))
    head = letterhead(subscriber if is_known else None)
    made = note(name, subscriber.language, head, to=address, link=to_open, is_right_away=not is_known)
    with Post(relay()) as post:
        said = post.hand_in(made, address)
    return Outcome(subscriber, said.fate, f"smtp-{said.code}")


def challenge(subscriber: Subscriber, at: datetime) -> Outcome:
    """Ask a server whether it wants to be told: it must say again what it was told, which a strange one does not."""
    word = secrets.token_urlsafe(24)
    body = orjson.dumps({"type": "challenge", "timestamp": int(at.timestamp()), "challenge": word})
    address = address_of(subscriber)
    headers = _signed(subscriber, body, f"challenge.{subscriber.name}", signing_key(), at)
    try:
        inside = settings.INSTALLATION.inner_webhooks
        answer = ask(address, content=body, headers=headers, may_lie_inside=inside)
    except FetchError as error:
        return Outcome(subscriber, Fate.LATER, error.code)
    is_said = answer.status == 200 and _said_again(answer.body) == word
    return Outcome(subscriber, Fate.TAKEN if is_said else Fate.LATER, "" if is_said else f"http-{answer.status}")


def _said_again(body: bytes) -> str:
    """The word alone, or `{"challenge": word}`."""
    text = body.decode(errors="replace").strip()
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return text
    found = said.get("challenge") if isinstance(said, dict) else said
    return found if isinstance(found, str) else ""
