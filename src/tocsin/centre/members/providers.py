"""Organisations' own providers of sign-in: set up, switched, removed; and which people they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.crypto import salted_hmac

from tocsin.centre.audit.keys import sealing_key
from tocsin.centre.audit.services import record
from tocsin.core.errors import InputError, Refused
from tocsin.credentials.content_keys import KeyMissing
from tocsin.credentials.proofs import NotProved

from . import browsers, second_look
from .models import Identity, OpenSession, Organisation, Person, Provider
from .rules import may
from .sessions import PROVIDER

KEY_CHARACTERS = 24
IN_FORCE = Q(is_on=True, held_at=None)
"""Lets people in: switched on, and nobody has still to look at it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an administrator says of a provider, and what the provider published when it was looked at."""

    kind: str
    issuer: str
    claim: str
    published: Mapping[str, object]
    client: str = ""
    secret: str = field(default="", repr=False)
    """Empty: the one that is there stays."""
    is_only: bool = False
    break_glass: Person | None = None
    counts_as_factor: bool = False
    factor_words: tuple[str, ...] = ()


def provider_of(organisation: Organisation) -> Provider | None:
    """The organisation's provider, on or off."""
    return Provider.objects.select_related("organisation").filter(organisation=organisation).first()


def are_any() -> bool:
    """Whether anybody comes in by a provider."""
    return Provider.objects.filter(IN_FORCE, organisation__is_active=True).exists()


def by_key(key: str) -> Provider | None:
    """The provider with this key in its addresses, if it is on and its organisation may come in."""
    on = Provider.objects.select_related("organisation").filter(IN_FORCE, organisation__is_active=True)
    return on.filter(key=key).first()


def for_login(login: str) -> Provider | None:
    """The provider that the account of this login signs in with."""
    found = Person.objects.filter(login__iexact=login.strip().replace("\x00", ""), is_active=True)
    on = Provider.objects.select_related("organisation").filter(IN_FORCE, organisation__is_active=True)
    return on.filter(organisation__in=found.values("organisation")).first()


def identity_of(person: Person) -> Identity | None:
    """By which name its organisation's provider knows the person, if that provider is on."""
    mine = Identity.objects.select_related("provider__organisation").filter(person=person)
    in_force = Provider.objects.filter(IN_FORCE, organisation=person.organisation_id)
    return mine.filter(provider__in=in_force).first()


def administrators() -> list[Person]:
    """Who could be the one whose password goes on to count."""
    people = Person.objects.select_related("organisation").filter(organisation__is_centre=True, is_active=True)
    return [each for each in people.order_by("name") if may(each, "administer") and each.has_usable_password()]


def address(key: str, name: str) -> str:
    """One of our addresses as the provider and its administrators must know it."""
    return settings.INSTALLATION.public_origin.rstrip("/") + reverse(name, args=[key])


def key_of(organisation: Organisation) -> str:
    """What stands in the addresses of its provider: known before there is one, and to nobody who was not told."""
    return salted_hmac("tocsin.providers", str(organisation.pk), algorithm="sha256").hexdigest()[:KEY_CHARACTERS]


def secret_of(provider: Provider) -> str:
    """What the provider gave us. Raises NotProved where another key sealed it."""
    try:
        return sealing_key().opened(provider.sealed, _about(provider.organisation_id)).decode()
    except (InputError, KeyMissing) as error:
        raise NotProved("provider", "keys/sealing-key does not open the provider's secret") from error


@transaction.atomic
def set_up(*, organisation: Organisation, said: Setup, by: str, at: datetime) -> Provider:
    """Keep what was said. A provider of another name knows other people: all links end, and it is off at first.

    Raises Refused where nobody could come in any more.
    """
    known = Provider.objects.select_for_update().filter(organisation=organisation).first()
    provider = known or Provider(organisation=organisation, key=key_of(organisation), created_at=at)
    is_other = known is not None and (known.kind, known.issuer) != (said.kind, said.issuer)
    break_glass = said.break_glass if organisation.is_centre and said.is_only else None
    _require_way_in(organisation, said.is_only, break_glass)
    facts = {
        "kind": said.kind, "issuer": said.issuer, "claim": said.claim, "published": dict(said.published),
        "client": said.client, "is_only": said.is_only, "break_glass": break_glass,
        "counts_as_factor": said.counts_as_factor, "factor_words": list(said.factor_words), "read_at": at,
    }  # fmt: skip
    is_changed = bool(said.secret) or any(getattr(provider, name) != facts[name] for name in facts.keys() - {"read_at"})
    for name, value in facts.items():
        setattr(provider, name, value)
    sealed = sealing_key().seal(said.secret.encode(), _about(organisation.pk)) if said.secret else ""
    provider.sealed = sealed or provider.sealed
    detail = {
        "kind": said.kind, "issuer": said.issuer, "only": said.is_only, "factor": said.counts_as_factor,
        "claim": said.claim, "break_glass": break_glass.login if break_glass else "", "secret": bool(said.secret),
    }  # fmt: skip
    if is_other:
        provider.is_on, provider.sealed = False, sealed
        detail["unlinked"] = provider.identities.all().delete()[0]
        detail["sessions"] = _end_sessions(organisation)
    provider.save()
    record(by, "provider.changed" if known else "provider.added", _subject(provider), detail, at=at)
    if provider.is_on and is_changed:
        _hold_if_needed(provider, by, at)
    return provider


@transaction.atomic
def switch(*, provider: Provider, is_on: bool, by: str, at: datetime) -> None:
    """Let people in by it, or no more: then sessions that it opened end. Raises Refused as `set_up` does."""
    if is_on:
        _require_way_in(provider.organisation, provider.is_only, provider.break_glass)
    if not Provider.objects.filter(pk=provider.pk).exclude(is_on=is_on).update(is_on=is_on):
        return
    ended = 0 if is_on else _end_sessions(provider.organisation)
    record(by, "provider.on" if is_on else "provider.off", _subject(provider), {"sessions": ended}, at=at)
    if is_on:
        _hold_if_needed(provider, by, at)


def _hold_if_needed(provider: Provider, by: str, at: datetime) -> None:
    """Who sets up where others prove who they are could come in as any of them: a second person looks first."""
    if second_look.hold_provider_if_needed(provider, by=by, at=at):
        _end_sessions(provider.organisation)


@transaction.atomic
def remove(*, provider: Provider, by: str, at: datetime) -> None:
    """Forget it with all links and its secret; sessions that it opened end."""
    ended = _end_sessions(provider.organisation)
    detail = {"issuer": provider.issuer, "unlinked": provider.identities.count(), "sessions": ended}
    subject = _subject(provider)
    if Provider.objects.filter(pk=provider.pk).delete()[0]:
        record(by, "provider.removed", subject, detail, at=at)


@transaction.atomic
def unlink(*, identity: Identity, by: str, at: datetime) -> None:
    """The provider's person is nobody here any more, until it is linked again; its sessions end."""
    if Identity.objects.filter(pk=identity.pk).delete()[0]:
        ended = browsers.end_chosen(OpenSession.objects.filter(_by_provider(), person=identity.person_id))
        record(by, "person.unlinked", f"person:{identity.person_id}", {"sessions": ended}, at=at)


def _require_way_in(organisation: Organisation, is_only: bool, break_glass: Person | None) -> None:
    if not (organisation.is_centre and is_only):
        return
    if break_glass is None or break_glass.pk not in {each.pk for each in administrators()}:
        raise Refused("one administrator of the Centre must keep a password that lets in")


def _end_sessions(organisation: Organisation) -> int:
    return browsers.end_chosen(OpenSession.objects.filter(_by_provider(), person__organisation=organisation))


def _by_provider() -> Q:
    return Q(proved_by__startswith=PROVIDER)


def links_of(provider: Provider) -> QuerySet[Identity]:
    """Whom it has brought in, by name."""
    return provider.identities.select_related("person").order_by("person__name", "pk")


def _subject(provider: Provider) -> str:
    return f"organisation:{provider.organisation_id}"


def _about(organisation: int) -> str:
    return f"provider:{organisation}"
