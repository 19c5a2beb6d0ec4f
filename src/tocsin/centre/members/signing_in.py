"""The one road by which people come in: password or their organisation's provider, then the second factor where there
is one; or a passkey alone.

Between the two the session knows who stands at the door and opens nothing: nobody is signed in.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from tocsin.centre import refusals
from tocsin.centre.audit.services import record

from . import admission, browsers, factors, passkeys, sessions
from .models import Person
from .sessions import PROVIDED_FACTOR, PROVIDER

HALF_LASTS = timedelta(minutes=5)
_HALF = "half"
_HALF_PROOF = "half-proof"
PASSWORD, PASSKEY = "password", "passkey"  # Words of the log.


def by_password(request: HttpRequest, *, name: str, password: str, at: datetime) -> Person | None:
    """Who this is; None when login and password do not fit. Raises TooManyFailures, NotAdmitted.

    The session is open unless the person has a second factor: then `half_in` says who is asked for it.
    """
    address = request.META.get("REMOTE_ADDR", "")
    person = sessions.check_password(request, name=name, password=password, address=address, at=at)
    if person is None:
        return None
    if not factors.has_factor(person):
        sessions.open_session(request, person=person, proved_by=[PASSWORD], at=at)
        return person
    _half(request, person, PASSWORD, at)
    return person


def by_provider(request: HttpRequest, *, person: Person, with_factor: bool, at: datetime) -> bool:
    """Let in whom the organisation's provider brought; False where `half_in` is asked for the second factor first.

    `with_factor`: the provider saw one, and the organisation's settings say that this counts.
    """
    if with_factor or not factors.has_factor(person):
        return _in(request, person, _by_provider(with_factor), at)
    _half(request, person, PROVIDER, at)
    return False


def _by_provider(with_factor: bool) -> list[str]:
    return [PROVIDER, PROVIDED_FACTOR] if with_factor else [PROVIDER]


def _half(request: HttpRequest, person: Person, by: str, at: datetime) -> None:
    request.session.cycle_key()
    kept = {"person": person.pk, "hash": person.get_session_auth_hash(), "at": at.timestamp(), "by": by}
    request.session[_HALF] = kept


def half_by(request: HttpRequest) -> str:
    """What who is half in showed first."""
    half = request.session.get(_HALF)
    return str(half.get("by", PASSWORD)) if isinstance(half, dict) else PASSWORD


def half_in(request: HttpRequest, at: datetime) -> Person | None:
    """Who gave the right password, or came from a provider, a moment ago and is asked for the second factor."""
    half = request.session.get(_HALF)
    if not isinstance(half, dict) or not 0 <= at.timestamp() - half["at"] < HALF_LASTS.total_seconds():
        return None
    person = Person.objects.select_related("organisation").filter(pk=half["person"]).first()
    if person is None or not admission.is_admitted(person, at):
        return None
    return person if constant_time_compare(half["hash"], person.get_session_auth_hash()) else None


def by_code(request: HttpRequest, *, person: Person, said: str, at: datetime) -> bool:
    """Open the session of who is half in, by a code of the app or a recovery code. Raises TooManyFailures."""
    how = factors.check_code(person=person, said=said, address=request.META.get("REMOTE_ADDR", ""), at=at)
    if not how:
        refusals.note(request, "factor")
        return False
    return _in(request, person, [half_by(request), how], at)


def by_passkey(request: HttpRequest, *, person: Person | None, said: str, at: datetime) -> Person | None:
    """Open the session of who is half in by a passkey; of nobody in particular by one that verified who holds it
    (`passkeys.ask` demands that of its answer).

    Raises TooManyFailures.
    """
    address = request.META.get("REMOTE_ADDR", "")
    place = sessions.subject_of(sessions.network_of(address))
    sessions.count_try(place, sessions.FAILURES_OF_ADDRESS, at)
    answered = passkeys.check(request, person, said, at)
    if answered is None or not _opens(answered, at, alone=person is None):
        refusals.note(request, "passkey")
        if person is None:
            detail = {"address": address, "by": PASSKEY}
            if answered and sessions.is_closed_to_passwords(answered.passkey.person):
                detail["reason"] = "only by provider"
            record("-", sessions.FAILED, place, detail, at=at)
        else:
            subject = f"person:{person.pk}"
            record(person.login, sessions.FACTOR_FAILED, subject, {"address": address, "by": PASSKEY}, at=at)
        return None
    sessions.give_back(place)
    found = person or answered.passkey.person
    _in(request, found, [half_by(request), PASSKEY] if person else [PASSKEY], at)
    return found


def _in(request: HttpRequest, person: Person, proved_by: list[str], at: datetime) -> bool:
    request.session.pop(_HALF, None)
    sessions.open_session(request, person=person, proved_by=proved_by, at=at)
    return True


def _opens(answered: passkeys.Answered, at: datetime, *, alone: bool) -> bool:
    """Whether the passkey lets its owner in: not past a provider that is the only way."""
    person = answered.passkey.person
    return admission.is_admitted(person, at) and not (alone and sessions.is_closed_to_passwords(person))


def prove(request: HttpRequest, *, person: Person, password: str, code: str, passkey: str, at: datetime) -> bool:
    """Whether somebody who is signed in is still who it was: password and second factor, or a passkey that verified.

    Who came back from the provider a moment ago shows the second factor alone. The session then gets another name
    (OWASP ASVS 5, 7.2.4). Raises TooManyFailures and Refused as `sessions.check_password` does.
    """
    address = request.META.get("REMOTE_ADDR", "")
    answered = passkeys.check(request, person, passkey, at) if passkey else None
    proved_by = [PASSKEY] if answered else []
    if passkey and not answered:
        refusals.note(request, "passkey")
        return False
    is_back = is_half_proved(request, person, at)
    if is_back:
        proved_by = [PROVIDER, *proved_by]
    elif answered is None or not answered.is_verified:
        try:
            known = sessions.check_password(request, name=person.login, password=password, address=address, at=at)
        except sessions.NotAdmitted:
            return False
        if known is None or known.pk != person.pk:
            return False
        proved_by = [PASSWORD, *proved_by]
    if answered is None and factors.has_factor(person):
        how = factors.check_code(person=person, said=code, address=address, at=at)
        if not how:
            refusals.note(request, "factor")
            return False
        proved_by.append(how)
    _proved(request, person, proved_by, at)
    return True


def prove_by_provider(request: HttpRequest, *, person: Person, with_factor: bool, at: datetime) -> bool:
    """The provider asked the person anew; False where its second factor here is still to be shown."""
    if with_factor or not factors.has_factor(person):
        _proved(request, person, _by_provider(with_factor), at)
        return True
    request.session[_HALF_PROOF] = {"person": person.pk, "at": at.timestamp()}
    return False


def is_half_proved(request: HttpRequest, person: Person, at: datetime) -> bool:
    """Whether the provider asked this person anew a moment ago."""
    half = request.session.get(_HALF_PROOF)
    if not isinstance(half, dict) or half["person"] != person.pk:
        return False
    return bool(0 <= at.timestamp() - half["at"] < HALF_LASTS.total_seconds())


def _proved(request: HttpRequest, person: Person, proved_by: list[str], at: datetime) -> None:
    address = request.META.get("REMOTE_ADDR", "")
    request.session.pop(_HALF_PROOF, None)
    with transaction.atomic():
        browsers.renamed(request, request.session.cycle_key)
        sessions.mark_proved(request, at)
        record(person.login, "sign-in.proved", f"person:{person.pk}", {"address": address, "by": proved_by}, at=at)
