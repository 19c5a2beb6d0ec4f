"""People who come back from their organisation's provider: whose account it is, and what it opens.

A provider speaks for the people of its own organisation alone. It makes no account, moves none and gives no role.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from tocsin.centre import refusals
from tocsin.centre.audit.services import record
from tocsin.credentials.proofs import LEEWAY_SECONDS, NotProved, Proof

from . import admission, sessions, signing_in
from .departures import Departure
from .models import Identity, Person, Provider

FAILED = "sign-in.provider-failed"
NOTED_OF_ADDRESS = 50
"""Failures that the log takes from one address within a quarter of an hour; they lock nobody out."""
LOGIN_CHARACTERS = 120


def enter(request: HttpRequest, *, provider: Provider, proof: Proof, at: datetime) -> bool:
    """Let the person in; False where a second factor is asked for next. Raises NotProved."""
    person = _person_of(provider, proof, at)
    return signing_in.by_provider(request, person=person, with_factor=_has_factor(provider, proof), at=at)


def prove(
    request: HttpRequest, *, provider: Provider, person: Person, departure: Departure, proof: Proof, at: datetime
) -> bool:
    """Whether somebody who is signed in is still who it was; False where the second factor is asked for next.

    Raises NotProved: also where the provider let the person through without asking anew.
    """
    identity = Identity.objects.filter(provider=provider, subject=proof.subject, person=person).first()
    if identity is None or person.organisation_id != provider.organisation_id:
        raise NotProved("other-person", "the provider's person is not who is signed in")
    asked_at = departure.began_at - LEEWAY_SECONDS
    if proof.proved_at is None or not asked_at <= proof.proved_at.timestamp() <= at.timestamp() + LEEWAY_SECONDS:
        raise NotProved("stale", f"shown to the provider: {proof.proved_at or 'it does not say when'}")
    Identity.objects.filter(pk=identity.pk).update(used_at=at)
    return signing_in.prove_by_provider(request, person=person, with_factor=_has_factor(provider, proof), at=at)


def note_failure(request: HttpRequest, *, provider: Provider | None, why: NotProved, at: datetime) -> None:
    """Write the true reason into the log."""
    refusals.note(request, "provider")
    address = request.META.get("REMOTE_ADDR", "")
    place = sessions.subject_of(f"provider\n{sessions.network_of(address)}")
    with suppress(sessions.TooManyFailures), transaction.atomic():
        sessions.count_try(place, NOTED_OF_ADDRESS, at)
        actor = request.user.login if isinstance(request.user, Person) else "-"
        subject = f"organisation:{provider.organisation_id}" if provider else place
        detail = {"address": address, "reason": why.code, "detail": why.detail[:300]}
        record(actor, FAILED, subject, detail, at=at)


def _person_of(provider: Provider, proof: Proof, at: datetime) -> Person:
    """Whose account the provider's person has, linked now where it never was. Raises NotProved."""
    with transaction.atomic():
        linked = Identity.objects.select_related("person__organisation__parent")
        known = linked.filter(provider=provider, subject=proof.subject).first()
        person = known.person if known else _claimed(provider, proof)
        if person.organisation_id != provider.organisation_id:
            raise NotProved("other-organisation", f"{person.login} belongs to another organisation now")
        if refusal := admission.refusal_of(person, at):
            raise NotProved("closed", f"{person.login}: {refusal}")
        if known is None:
            _link(provider, person, proof.subject, at)
        else:
            Identity.objects.filter(pk=known.pk).update(used_at=at)
    return person


def _claimed(provider: Provider, proof: Proof) -> Person:
    """The account of the provider's organisation whose login the provider said."""
    said = proof.claims.get(provider.claim)
    if not isinstance(said, str) or not 0 < len(said) <= LOGIN_CHARACTERS or not said.isprintable():
        raise NotProved("no-claim", f"the provider does not say {provider.claim}")
    # An attribute of SAML is the provider's own word; OpenID Connect says apart whether it made sure of an address.
    is_stated = provider.kind == Provider.Kind.OPENID and provider.claim == "email"
    if is_stated and proof.claims.get("email_verified") is not True:
        raise NotProved("no-claim", "the provider did not verify the address (email_verified)")
    people = Person.objects.select_related("organisation__parent").filter(organisation=provider.organisation_id)
    # The database folds letters in its own way: only the very same name counts.
    found = [each for each in people.filter(login__iexact=said) if each.login.casefold() == said.casefold()]
    if len(found) != 1:
        raise NotProved("unknown-person", f"no account of this organisation has the login {said}")
    return found[0]


def _link(provider: Provider, person: Person, subject: str, at: datetime) -> None:
    try:
        with transaction.atomic():
            Identity.objects.create(provider=provider, person=person, subject=subject, linked_at=at, used_at=at)
    except IntegrityError as error:
        raise NotProved("linked-elsewhere", f"{person.login} is linked to another person of the provider") from error
    detail = {"issuer": provider.issuer, "subject": subject, "claim": provider.claim}
    record(person.login, "person.linked", f"person:{person.pk}", detail, at=at)


def _has_factor(provider: Provider, proof: Proof) -> bool:
    return provider.counts_as_factor and bool(proof.ways & set(provider.factor_words))
