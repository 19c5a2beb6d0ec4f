"""Joining and leaving. Nobody joins whose address did not answer, and no answer tells who joined already."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from tocsin.centre.audit.services import record
from tocsin.centre.intake import vault
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members import sessions
from tocsin.core.errors import InputError, NotFound
from tocsin.credentials.web_push import Browser
from tocsin.credentials.webhooks import fresh_secret
from tocsin.products.alerts.notice import SEVERITIES, Preferences
from tocsin.products.alerts.record import AlertType
from tocsin.reference.countries import country
from tocsin.transport.asking import require_askable
from tocsin.transport.fetching import FetchError

from .models import Kind, Returning, Subscriber

ASK = "ask-subscriber"
KEY = "subscribers"
"""What the data key of addresses belongs to."""
CONFIRM_WITHIN = timedelta(days=2)
SILENT_KEPT = timedelta(days=90)
MOST_TO_ADDRESS = 3
MOST_FROM_NETWORK = 20
MOST_FROM_ALL = 3_000
"""In a quarter of an hour: whoever floods the form writes to nobody a fourth time, and fills no table."""
LONGEST_MAIL = 254
LONGEST_ADDRESS = 1_000
MOST_CHOSEN = 300
ACTOR = "subscriber"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody chose on a form; checked."""

    language: str
    preferences: Preferences

    @classmethod
    def of(
        cls, language: str, countries: Sequence[str] = (), offences: Sequence[str] = (), types: Sequence[str] = (),
        severity: str = "",
    ) -> Wish:  # fmt: skip
        """Raises InputError for what no form offers."""
        from tocsin.core.words import Offence

        known = {
            "offence": (offences, {each.value for each in Offence}),
            "type": (types, {each.value for each in AlertType if each.is_for_the_public}),
            "severity": ([severity] if severity else [], {each.value for each in SEVERITIES}),
            "country": (countries, {each for each in countries if _is_country(each)}),
        }
        for name, (chosen, offered) in known.items():
            if len(chosen) > MOST_CHOSEN or set(chosen) - offered:
                raise InputError("invalid-object", field=name, excerpt=", ".join(sorted(set(chosen) - offered))[:80])
        if not (language.isascii() and 2 <= len(language) <= 16 and language.replace("-", "").isalnum()):
            raise InputError("invalid-object", field="language", excerpt=language[:16])
        kept = Preferences(sorted(set(countries)), sorted(set(offences)), sorted(set(types)), severity)
        return cls(language, kept)


def _is_country(code: str) -> bool:
    try:
        country(code)
    except KeyError:
        return False
    return True


def mail_address(text: str) -> str:
    """An address as it is kept. Raises InputError for what is none."""
    name, _, domain = text.strip().rpartition("@")
    try:
        made = f"{name.lower()}@{domain.lower().encode('idna').decode()}"
        validate_email(made)
    except (ValidationError, UnicodeError) as error:
        raise InputError("invalid-object", field="address", excerpt=text[:80]) from error
    if len(made) > LONGEST_MAIL or not made.isascii():
        raise InputError("invalid-object", field="address", excerpt=text[:80])
    return made


def web_address(text: str, *, may_lie_inside: bool) -> str:
    """The address of a server, of which nothing was asked yet. Raises InputError."""
    made = text.strip()
    try:
        if len(made) > LONGEST_ADDRESS:
            raise FetchError("not-allowed")
        require_askable(made, may_lie_inside=may_lie_inside)
    except FetchError as error:
        raise InputError("invalid-object", field="address", excerpt=made[:80]) from error
    return made


def sealed_address(address: str) -> str:
    return vault.written(vault.key_for(KEY).word(address))


def address_of(subscriber: Subscriber) -> str:
    """Empty where the key of the database is away."""
    return vault.opened_word(subscriber.address)


def ask_mail(text: str, wish: Wish, *, network: str, at: datetime) -> None:
    """Somebody wants mail at this address: whoever reads it is asked. Raises InputError and TooManyFailures.

    Nothing that comes back tells whether the address was known: to who reads its mail, the mail does.
    """
    address = mail_address(text)
    count("mail", network, at)
    sessions.count_try(sessions.subject_of(f"alerts-to\n{address}"), MOST_TO_ADDRESS, at)
    with transaction.atomic():
        found = Subscriber.objects.select_for_update().filter(kind=Kind.MAIL, address=sealed_address(address)).first()
        if found is None:
            found = _asked(Kind.MAIL, address, wish, at)
        elif found.state == Subscriber.State.ASKED:
            _wished(found, wish)
            found.confirm_until = at + CONFIRM_WITHIN
            found.save()
        jobs.enqueue(ASK, found.name, {"subscriber": found.pk}, at=at, priority=3)


def ask_server(text: str, wish: Wish, *, network: str, at: datetime, may_lie_inside: bool) -> Subscriber:
    """Somebody wants to be told at a server: it is asked whether it agrees. Its secret is shown to who asked, once."""
    address = web_address(text, may_lie_inside=may_lie_inside)
    count("webhook", network, at)
    with transaction.atomic():
        made = _asked(Kind.HOOK, address, wish, at, {"secret": fresh_secret()})
        jobs.enqueue(ASK, made.name, {"subscriber": made.pk}, at=at, priority=3)
    return made


def add_browser(said: Mapping[str, Any], wish: Wish, *, network: str, at: datetime, may_lie_inside: bool) -> Subscriber:
    """A browser whose owner allowed it. Asked again, it changes what it wants."""
    endpoint, keys = said.get("endpoint"), said.get("keys")
    if not (isinstance(endpoint, str) and isinstance(keys, dict)):
        raise InputError("invalid-object", field="endpoint")
    address = web_address(endpoint, may_lie_inside=may_lie_inside)
    kept = {"p256dh": str(keys.get("p256dh", "")), "auth": str(keys.get("auth", ""))}
    Browser.of(kept["p256dh"], kept["auth"])
    count("push", network, at)
    with transaction.atomic():
        word = sealed_address(address)
        found = Subscriber.objects.select_for_update().filter(kind=Kind.PUSH, address=word).first()
        if found is None:
            found = _asked(Kind.PUSH, address, wish, at, kept)
            confirm(found, at)
        else:
            _wished(found, wish)
            found.secrets, found.state = kept, Subscriber.State.ACTIVE
            found.save()
    return found


def count(what: str, network: str, at: datetime) -> None:
    """One request more from a network, and from all. Raises TooManyFailures."""
    sessions.count_try(sessions.subject_of(f"alerts-{what}\n{sessions.network_of(network)}"), MOST_FROM_NETWORK, at)
    sessions.count_try(sessions.subject_of(f"alerts-{what}"), MOST_FROM_ALL, at)


def _asked(kind: Kind, address: str, wish: Wish, at: datetime, kept: Mapping[str, str] | None = None) -> Subscriber:
    made = Subscriber(
        name=secrets.token_urlsafe(16), kind=kind, address=sealed_address(address), secrets=dict(kept or {}),
        asked_at=at, confirm_until=at + CONFIRM_WITHIN,
    )  # fmt: skip
    _wished(made, wish)
    made.save()
    return made


def _wished(subscriber: Subscriber, wish: Wish) -> None:
    chosen = wish.preferences
    subscriber.language = wish.language
    subscriber.countries, subscriber.offences = list(chosen.countries), list(chosen.offences)
    subscriber.types, subscriber.severity = list(chosen.types), chosen.severity


def preferences_of(subscriber: Subscriber) -> Preferences:
    return Preferences(subscriber.countries, subscriber.offences, subscriber.types, subscriber.severity)


def confirm(subscriber: Subscriber, at: datetime) -> None:
    """It answered: from now on it is told. Once more changes nothing. Raises NotFound where its time is over."""
    with transaction.atomic():
        found = Subscriber.objects.select_for_update().filter(pk=subscriber.pk).first()
        if found is None or (found.confirm_until is not None and found.confirm_until < at):
            raise NotFound
        if found.state == Subscriber.State.ACTIVE:
            return
        Subscriber.objects.filter(kind=found.kind, address=found.address).exclude(pk=found.pk).delete()
        found.state, found.confirmed_at, found.confirm_until = Subscriber.State.ACTIVE, at, None
        found.failures, found.failing_since = 0, None
        found.save()
        record(ACTOR, "subscriber.joined", f"subscriber:{found.name}", _facts(found), at=at)


def change(subscriber: Subscriber, wish: Wish) -> None:
    """Other wishes of somebody who holds the link; who had fallen silent is tried again."""
    _wished(subscriber, wish)
    if subscriber.state == Subscriber.State.SILENT:
        subscriber.state, subscriber.failures, subscriber.failing_since = Subscriber.State.ACTIVE, 0, None
        Returning.objects.filter(subscriber=subscriber).delete()
    subscriber.save()


def leave(subscriber: Subscriber, *, why: str, at: datetime) -> None:
    """Delete all that is kept of it."""
    with transaction.atomic():
        if Subscriber.objects.filter(pk=subscriber.pk).delete()[0]:
            facts = {**_facts(subscriber), "why": why}
            record(ACTOR, "subscriber.left", f"subscriber:{subscriber.name}", facts, at=at)


def _facts(subscriber: Subscriber) -> dict[str, object]:
    """For the log: no address, and nothing of what somebody wants to know."""
    return {"kind": subscriber.kind, "language": subscriber.language}


def own_data(subscriber: Subscriber) -> dict[str, object]:
    """All that is kept of it, for itself."""
    return {
        "kind": subscriber.kind, "address": address_of(subscriber), "language": subscriber.language,
        "countries": subscriber.countries, "offences": subscriber.offences, "types": subscriber.types,
        "severity": subscriber.severity, "state": subscriber.state, "asked_at": subscriber.asked_at.isoformat(),
        "confirmed_at": subscriber.confirmed_at.isoformat() if subscriber.confirmed_at else None,
        "failures": subscriber.failures, "last_failure": subscriber.last_failure,
    }  # fmt: skip


def token(subscriber: Subscriber, purpose: str) -> str:
    """What stands in a link of the subscriber: for `confirm` or for its `own` pages. Kept nowhere."""
    return f"{subscriber.name}.{_mac(subscriber.name, purpose)}"


def subscriber_with(token: str, purpose: str) -> Subscriber:
    """Whose link it is. Raises NotFound, the same for a wrong one and for one that is over."""
    name, _, mac = token.rpartition(".")
    found = Subscriber.objects.filter(name=name).first()
    if not constant_time_compare(mac, _mac(name, purpose)) or found is None:
        raise NotFound
    return found


def _mac(name: str, purpose: str) -> str:
    return salted_hmac(f"tocsin.subscribers.{purpose}", name, algorithm="sha256").hexdigest()[:32]


def forget_unconfirmed(at: datetime) -> int:
    """Who did not answer in time is deleted, and who fell silent long ago. Returns how many."""
    asked = Subscriber.objects.filter(state=Subscriber.State.ASKED, confirm_until__lt=at).delete()[0]
    silent = Subscriber.objects.filter(state=Subscriber.State.SILENT, failing_since__lt=at - SILENT_KEPT)
    return int(asked + silent.delete()[0])
