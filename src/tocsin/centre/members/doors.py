"""Who stands at a machine door: a key, or a login with its password or one of its keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest

from tocsin.core.errors import Refused

from . import admission, factors
from .models import Key, Person
from .rules import may
from .services import key_digest
from .sessions import NotAdmitted, check_password

KEY_PREFIX = "toc_"
USED_EVERY = timedelta(minutes=1)
"""How exactly the last use of a key is known; a row is not written for every request."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, or a machine with one of the person's keys: it may do what both the key and the person may."""

    person: Person
    key: Key | None = None

    def has_scope(self, *scopes: str) -> bool:
        """Whether the key was given any of these scopes; a person's own session has all."""
        return self.key is None or bool(set(scopes) & set(self.key.scopes))

    def require(self, ability: str, *scopes: str) -> Person:
        """The person. Raises Refused unless the key has one of the scopes and the person has the ability."""
        if not self.has_scope(*scopes):
            raise Refused(f"the key lacks the scope {scopes[0]}")
        if not may(self.person, ability):
            raise Refused(f"the account lacks the ability {ability}")
        return self.person


def by_key(secret: str, at: datetime) -> Caller | None:
    """Whose key this is; None when it is unknown, expired or revoked, or when its owner may no longer come in."""
    if not secret.startswith(KEY_PREFIX):
        return None
    in_force = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=at))
    people = "person__organisation__parent"
    key = Key.objects.select_related(people).filter(in_force, digest=key_digest(secret)).first()
    if key is None or not admission.is_admitted(key.person, at):
        return None
    if key.organisation_id != key.person.organisation_id:  # The person moved; the key was given to the old seat.
        return None
    if key.used_at is None or key.used_at <= at - USED_EVERY:
        Key.objects.filter(pk=key.pk).update(used_at=at)
    return Caller(key.person, key)


def by_login(request: HttpRequest, login: str, secret: str, at: datetime) -> Caller | None:
    """The person with this login, by password or by one of the person's keys. Raises sessions.TooManyFailures.

    A first password opens no machine door: it must be changed on the portal before. Nor does the password of somebody
    who has a second factor or must have one: it would be the way around it. Raises Refused, to those alone who know it.
    """
    if secret.startswith(KEY_PREFIX):
        caller = by_key(secret, at)
        return caller if caller and caller.person.login.casefold() == login.casefold() else None
    address = request.META.get("REMOTE_ADDR", "")
    try:
        person = check_password(request, name=login, password=secret, address=address, at=at)
    except NotAdmitted:
        return None
    if person is None or person.must_change_password:
        return None
    if factors.has_factor(person) or factors.is_demanded(person):
        raise Refused("the account has a second factor, so that its password opens no machine door: use a key")
    return Caller(person)
