"""Founding an installation; organisations, people and keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.core.errors import Conflict, InputError
from tocsin.core.names import is_login, plain_name
from tocsin.core.words import Tlp
from tocsin.credentials.certificates import Certificate
from tocsin.reference.members import members

from . import agreements, units
from .agreement_states import Basis
from .key_rules import parsed_ranges, require_lifetime
from .models import Key, Organisation, Person
from .rules import ROLES, SCOPES, side_of

CENTRE = "centre"
RESERVED = frozenset({"public-alerts"})
"""What addresses of machine doors say in the place of an organisation."""


@transaction.atomic
def found(name: str, *, at: datetime) -> Organisation:
    """The Centre itself and one bureau for each member country of today; what exists stays."""
    centre, made = Organisation.objects.get_or_create(
        slug=CENTRE,
        defaults={"name": name, "class_name": Organisation.Class.LAW_ENFORCEMENT, "is_centre": True, "created_at": at},
    )
    known = set(Organisation.objects.filter(is_bureau=True).values_list("country", flat=True))
    bureaus = [
        Organisation(
            slug=f"ncb-{member.code.lower()}", name=f"NCB {member.code}", class_name=Organisation.Class.LAW_ENFORCEMENT,
            country=member.code, is_bureau=True, created_at=at,
        )
        for member in members(at.date())
        if member.code not in known
    ]  # fmt: skip
    Organisation.objects.bulk_create(bureaus)
    if made or bureaus:
        record("system", "installation.founded", f"organisation:{centre.pk}", {"bureaus": len(bureaus)}, at=at)
    return centre


@transaction.atomic
def add_organisation(
    *,
    slug: str,
    name: str,
    class_name: str,
    country: str = "",
    contact: str = "",
    defaults: Mapping[str, object] | None = None,
    is_exercise: bool = False,
    is_bureau: bool = False,
    parent: Organisation | None = None,
    basis: Basis | None = None,
    by: str,
    at: datetime,
) -> Organisation:
    """A partner. Its class fixes what it may ever see; `defaults` are what holds where it says nothing.

    A police body may be a bureau, or stand below one. With a `basis` its agreement is in force at once; without, it is
    yet to be concluded and nothing is taken in before.
    """
    from tocsin.handling import default_set

    if class_name not in Organisation.Class.values:
        raise InputError("invalid-object", field="class_name", excerpt=class_name)
    if slug in RESERVED:
        raise InputError("invalid-object", field="slug", excerpt=slug)
    draft = Organisation(class_name=class_name)
    units.check_place(draft, parent)
    if is_bureau and side_of(draft) != "bureau":
        raise InputError("invalid-object", field="is_bureau")
    default_set(defaults or {}, None)  # Contradictions are refused before anything is kept.
    organisation, made = Organisation.objects.get_or_create(
        slug=slug,
        defaults={
            "name": _name_of(name), "class_name": class_name, "country": country, "contact": plain_name(contact),
            "defaults": dict(defaults or {}), "is_exercise": is_exercise, "created_at": at,
            "is_bureau": is_bureau, "parent": parent,
        },
    )  # fmt: skip
    if made:
        record(by, "organisation.added", f"organisation:{organisation.pk}", _kind(organisation), at=at)
        if agreements.needs_agreement(organisation):
            agreements.begin(organisation, basis, by=by, at=at)
    return organisation


def _name_of(said: str) -> str:
    """The name as it can be seen. Raises InputError where nothing of it can."""
    name = plain_name(said)
    if not name:
        raise InputError("missing-field", field="name")
    return name


def _kind(organisation: Organisation) -> dict[str, object]:
    parent = {"parent": organisation.parent.slug} if organisation.parent else {}
    return {"class": organisation.class_name, **parent, **({"bureau": True} if organisation.is_bureau else {})}


@transaction.atomic
def add_person(
    *,
    login: str,
    name: str,
    organisation: Organisation,
    roles: Sequence[str],
    password: str,
    language: str = "en",
    time_zone: str = "UTC",
    by: str,
    at: datetime,
    must_change_password: bool = False,
) -> Person:
    """An account. Raises InputError for a role that the organisation's side does not have, for a login that is none and
    for a name of which nothing can be seen; Conflict for a login that is taken, however its letters are written."""
    wrong = set(roles) - set(ROLES[side_of(organisation)])
    if wrong:
        raise InputError("invalid-object", field="roles", excerpt=", ".join(sorted(wrong)))
    if not is_login(login):
        raise InputError("invalid-object", field="login", excerpt=login[:80])
    if Person.objects.filter(login__iexact=login).exists():
        raise Conflict("this login is taken")
    name = _name_of(name)
    person = Person(
        login=login, name=name, organisation=organisation, roles=list(roles), language=language, time_zone=time_zone,
        created_at=at, must_change_password=must_change_password,
    )  # fmt: skip
    person.set_password(password)
    person.save()
    record(by, "person.added", f"person:{person.pk}", {"organisation": organisation.slug, "roles": list(roles)}, at=at)
    return person


@transaction.atomic
def add_key(
    *,
    person: Person,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime,
    ceiling: str = "",
    ranges: Sequence[str] = (),
    certificate: Certificate | None = None,
    by: str,
    at: datetime,
) -> tuple[Key, str]:
    """A machine's key; the secret is returned once and only its digest is kept. What the person's roles do not open, no
    scope opens. Raises InputError."""
    wrong = set(scopes) - set(SCOPES)
    if wrong or not scopes:
        raise InputError("invalid-object", field="scopes", excerpt=", ".join(sorted(wrong)))
    if ceiling and ceiling not in set(Tlp):
        raise InputError("unknown-label", field="ceiling", excerpt=ceiling[:40])
    require_lifetime(at, expires_at, settings.INSTALLATION.key_days)
    if certificate is not None and certificate.ends_at <= at:
        raise InputError("certificate-ended", field="certificate", excerpt=certificate.subject[:80])
    secret = "toc_" + secrets.token_urlsafe(32)
    bound: dict[str, Any] = {"ceiling": ceiling, "ranges": parsed_ranges(" ".join(ranges))}
    if certificate is not None:
        bound["certificate"] = certificate.fingerprint
        bound["certificate_subject"] = certificate.subject[:200]
        bound["certificate_ends_at"] = certificate.ends_at
    key = Key.objects.create(
        organisation=person.organisation, person=person, name=_name_of(name), digest=key_digest(secret),
        scopes=list(scopes), created_at=at, expires_at=expires_at, **bound,
    )  # fmt: skip
    facts = {"scopes": list(scopes), "until": expires_at.isoformat()}
    facts |= {name: str(value) if name == "certificate_ends_at" else value for name, value in bound.items() if value}
    record(by, "key.added", f"key:{key.pk}", facts, at=at)
    return key, secret


@transaction.atomic
def revoke_key(*, key: Key, by: str, at: datetime) -> None:
    """End a key at once and for good; what it delivered stays."""
    if Key.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at):
        record(by, "key.revoked", f"key:{key.pk}", at=at)


def key_digest(secret: str) -> str:
    """What is kept of a key: it is long and random, so a plain digest is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
