"""Nobody comes to read by looking after accounts: a second person opens what somebody opens who reads nothing himself.

Who administers gives roles and first passwords, and could come in with them. Where somebody without any content, or the
command line, makes an account that opens some, or gives it a new way in, the account waits until somebody who reads has
made sure whose it is (docs/decisions/0033-second-look.md).
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.selectors import found
from tocsin.centre.audit.services import record
from tocsin.core.errors import Conflict, Refused

from . import admission, browsers
from .emergency_states import ACCOUNT_SETTLES
from .models import Person, Provider
from .rules import abilities_of, may, side_of

OPENS = frozenset({"read", "audit-searches", "decide-rights"})
"""What shows what was handed over, what people searched for, or what they asked the commission."""
COMMAND = "command"


def hold_if_needed(person: Person, *, by: str, at: datetime) -> bool:
    """Let the account wait for its second look, where it opens something to `by`, a login or `command`, that `by` may
    not read. Sessions end. Not where nobody could look: an installation begins with such accounts."""
    if not _opens(person) or _may_read_himself(by):
        return False
    if not any(each.login != by and each.pk != person.pk for each in _who_could_look(at)):
        return False
    with transaction.atomic():
        Person.objects.filter(pk=person.pk).update(held_at=at, held_by=by)
        person.held_at, person.held_by = at, by
        browsers.end_all(person)
        record(by, "person.held", f"person:{person.pk}", {}, at=at)
    return True


def hold_provider_if_needed(provider: Provider, *, by: str, at: datetime) -> bool:
    """Let an organisation's provider of sign-in wait likewise: whoever sets it up says who is believed to be each of
    its people, and those who are to come. Meanwhile it lets nobody in, and passwords count as if it were off."""
    if _may_read_himself(by) or not any(each.login != by for each in _who_could_look(at)):
        return False
    Provider.objects.filter(pk=provider.pk).update(held_at=at, held_by=by)
    provider.held_at, provider.held_by = at, by
    record(by, "provider.held", f"organisation:{provider.organisation_id}", {"issuer": provider.issuer}, at=at)
    return True


def _may_read_himself(by: str) -> bool:
    maker = Person.objects.select_related("organisation").filter(login=by).first()
    return maker is not None and not _is_without_content(maker)


def _opens(person: Person) -> bool:
    return bool(OPENS & abilities_of(side_of(person.organisation), person.roles))


def _is_without_content(maker: Person) -> bool:
    """Of the Centre, and reads nothing; or waits for a second look itself. A bureau and a partner look after their own
    people, in what is their own."""
    return maker.held_at is not None or (maker.organisation.is_centre and not _opens(maker))


def _who_could_look(at: datetime) -> list[Person]:
    those = Person.objects.select_related("organisation__parent").filter(organisation__is_centre=True, is_active=True)
    return [each for each in those if may(each, "approve-emergency") and admission.is_admitted(each, at)]


def waiting() -> QuerySet[Person]:
    """Accounts that wait, the oldest first."""
    return (
        Person.objects.select_related("organisation").filter(is_active=True).exclude(held_at=None).order_by("held_at")
    )


def waiting_providers() -> QuerySet[Provider]:
    """Providers that are switched on and wait, the oldest first."""
    return Provider.objects.select_related("organisation").filter(is_on=True).exclude(held_at=None).order_by("held_at")


def missing(held: Person | Provider, by: Person, at: datetime) -> str:
    """Why `by` does not open it: a word of `emergency.MISSING`; empty: could."""
    if not by.organisation.is_centre or not may(by, "approve-emergency"):
        return "role"
    if held.held_at is None:
        return "waiting"
    if held == by or by.login == held.held_by:
        return "second-person"
    touched = found(actor=held.held_by, action="person.", subject=f"person:{by.pk}", since=at - ACCOUNT_SETTLES)
    return "settled-account" if held.held_by != COMMAND and touched.exists() else ""


@transaction.atomic
def open_account(person: Person, *, by: Person, at: datetime) -> None:
    """The second person made sure whose it is. Raises Refused with a word of `missing`, Conflict where it waits no
    more."""
    if (word := missing(person, by, at)) and word != "waiting":
        raise Refused(word)
    if not Person.objects.filter(pk=person.pk).exclude(held_at=None).update(held_at=None, held_by=""):
        raise Conflict("it does not wait any more")
    record(by.login, "person.opened", f"person:{person.pk}", {"held_by": person.held_by}, at=at)


@transaction.atomic
def open_provider(provider: Provider, *, by: Person, at: datetime) -> None:
    """The second person made sure that it is the organisation's own. Raises as `open_account` does."""
    if (word := missing(provider, by, at)) and word != "waiting":
        raise Refused(word)
    # What was looked at, and nothing that was said since.
    same = Provider.objects.filter(pk=provider.pk, held_at=provider.held_at).exclude(held_at=None)
    if not same.update(held_at=None, held_by=""):
        raise Conflict("it does not wait any more")
    facts = {"held_by": provider.held_by, "issuer": provider.issuer}
    record(by.login, "provider.opened", f"organisation:{provider.organisation_id}", facts, at=at)
