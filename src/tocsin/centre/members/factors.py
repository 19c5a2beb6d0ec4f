"""Second factors: an app that shows codes, passkeys, and recovery codes that stand in for them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from tocsin.centre.audit.keys import sealing_key
from tocsin.centre.audit.services import record
from tocsin.core.errors import InputError
from tocsin.credentials import one_time
from tocsin.credentials.content_keys import KeyMissing

from . import browsers, second_look
from .models import CodeApp, Passkey, Person, RecoveryCode
from .sessions import FACTOR_FAILED, FAILURES_ALLOWED, RESET, count_try, give_back, subject_of

log = logging.getLogger(__name__)
CODE, RECOVERY = "code", "recovery code"


def app_of(person: Person) -> CodeApp | None:
    """The person's app for codes."""
    return CodeApp.objects.filter(person=person).first()


def has_factor(person: Person) -> bool:
    """Whether a password alone does not let this person in."""
    return CodeApp.objects.filter(person=person).exists() or Passkey.objects.filter(person=person).exists()


def is_demanded(person: Person) -> bool:
    """Whether the installation's settings want a second factor of this person."""
    rule = settings.INSTALLATION.second_factor
    return bool(rule == "everyone" or (rule == "centre" and person.organisation.is_centre))


def is_wanting(person: Person) -> bool:
    """Whether one is demanded and not there: until it is, nothing else opens."""
    return is_demanded(person) and not has_factor(person)


def codes_left(person: Person) -> int:
    """Recovery codes that were not used."""
    return RecoveryCode.objects.filter(person=person, used_at=None).count()


def check_code(*, person: Person, said: str, address: str, at: datetime) -> str:
    """CODE or RECOVERY where it is one of the person's that was not used; empty where not. Raises TooManyFailures.

    Counted as passwords are, but by person alone: who tries codes knows the password, and may come from many places.
    """
    subject = subject_of(f"factor\n{person.pk}")
    count_try(subject, FAILURES_ALLOWED, at)
    how = _spent(person, said, at)
    if not how:
        record(person.login, FACTOR_FAILED, f"person:{person.pk}", {"address": address}, at=at)
        return ""
    give_back(subject)
    return how


def _spent(person: Person, said: str, at: datetime) -> str:
    """Use the code up. Of two who say the same one at the same time, one comes in (OWASP ASVS 5, 6.5.1)."""
    app = app_of(person)
    secret = _opened(app.sealed, _about(person)) if app else None
    step = one_time.step_of(secret, said, at) if secret else None
    if step is not None and CodeApp.objects.filter(person=person, last_step__lt=step).update(last_step=step):
        return CODE
    digest = one_time.recovery_digest(said)
    left = RecoveryCode.objects.filter(person=person, digest=digest, used_at=None)
    with transaction.atomic():
        if digest and left.update(used_at=at):
            record(person.login, "recovery-code.used", f"person:{person.pk}", {"left": codes_left(person)}, at=at)
            return RECOVERY
    return ""


def proposed_secret(person: Person, kept: Any) -> tuple[bytes, str]:
    """The secret that a person is setting up, and how to keep it sealed in the session until it is confirmed."""
    if isinstance(kept, str) and (known := _opened(kept, _about(person, "proposed"))):
        return known, kept
    secret = one_time.new_secret()
    return secret, sealing_key().seal(secret, _about(person, "proposed"))


@transaction.atomic
def add_app(*, person: Person, secret: bytes, said: str, at: datetime) -> bool:
    """Set up the app; False where the code is not one of this secret. That code is spent."""
    step = one_time.step_of(secret, said, at)
    if step is None:
        return False
    facts = {"sealed": sealing_key().seal(secret, _about(person)), "last_step": step, "created_at": at}
    CodeApp.objects.update_or_create(person=person, defaults=facts)
    record(person.login, "factor.added", f"person:{person.pk}", {"kind": "app"}, at=at)
    return True


@transaction.atomic
def remove_app(*, person: Person, at: datetime) -> bool:
    """Take the app away."""
    if not CodeApp.objects.filter(person=person).delete()[0]:
        return False
    _removed(person, {"kind": "app"}, at)
    return True


@transaction.atomic
def remove_passkey(*, passkey: Passkey, at: datetime) -> bool:
    """Take a passkey away: it opens nothing from now on."""
    if not Passkey.objects.filter(pk=passkey.pk).delete()[0]:
        return False
    _removed(passkey.person, {"kind": "passkey", "name": passkey.name}, at)
    return True


def _removed(person: Person, facts: dict[str, object], at: datetime) -> None:
    record(person.login, "factor.removed", f"person:{person.pk}", facts, at=at)
    if not has_factor(person):  # Nothing is left that recovery codes could stand in for.
        RecoveryCode.objects.filter(person=person).delete()


@transaction.atomic
def renew_codes(*, person: Person, at: datetime) -> list[str]:
    """Fresh recovery codes in place of the old ones. They are returned once and only their digests are kept."""
    codes = one_time.recovery_codes()
    RecoveryCode.objects.filter(person=person).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(person=person, digest=one_time.recovery_digest(code)) for code in codes
    )
    record(person.login, "recovery-codes.made", f"person:{person.pk}", {"codes": len(codes)}, at=at)
    return codes


@transaction.atomic
def reset(*, person: Person, by: str, at: datetime) -> int:
    """Take all second factors away, for somebody who lost them, and end all sessions; give how many there were."""
    gone = 0
    for model in (CodeApp, Passkey):
        gone += model.objects.filter(person=person).delete()[0]
    RecoveryCode.objects.filter(person=person).delete()
    ended = browsers.end_all(person)
    record(by, RESET, f"person:{person.pk}", {"factors": gone, "sessions": ended}, at=at)
    second_look.hold_if_needed(person, by=by, at=at)
    return gone


def _opened(sealed: str, about: str) -> bytes | None:
    """None where another key sealed it: then no code of the app is right, but recovery codes and passkeys still are."""
    try:
        return sealing_key().opened(sealed, about)
    except (InputError, KeyMissing) as error:
        log.critical("%s: %s. Restore the file keys/sealing-key that belongs to this database.", error, about)
        return None


def _about(person: Person, what: str = "code-app") -> str:
    return f"{what}:{person.pk}"
