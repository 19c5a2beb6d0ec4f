"""The browsers in which people are signed in: noted, listed, ended.

Django's row of a session is what counts: where it is gone, the session is. The rows here say what a person recognises
a session by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at

from . import admission
from .models import OpenSession, Person

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is known when somebody was here last; a row is not written for every request."""
ENDS_AFTER = timedelta(hours=12)
"""However busy it is (OWASP ASVS 5, 7.3.2)."""
IDLE_AFTER = timedelta(hours=2)
"""Without a request in between (7.3.1)."""
SESSION_ENDED = "session.ended"

_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?(?:iOS)?/")),
    ("Opera", re.compile(r"\bOPR/|\bOpera\b")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
_SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iOS", re.compile(r"\b(?:iPhone|iPad|iPod)\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMacintosh\b|\bMac OS X\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b|\bX11\b")),
)


def family_of(agent: str) -> tuple[str, str]:
    """Browser and system that a program says it is; empty where it is none that people know."""
    agent = agent[:512]
    browser = next((name for name, looks in _BROWSERS if looks.search(agent)), "")
    return browser, next((name for name, looks in _SYSTEMS if looks.search(agent)), "")


def begin(request: HttpRequest, *, person: Person, at: datetime, proved_by: Sequence[str] = ()) -> None:
    """Note a session that was opened this moment."""
    at = judged_at(at)
    if not request.session.session_key:
        request.session.save()
    browser, system = family_of(request.headers.get("User-Agent", ""))
    seen = {"person": person, "address": _address(request), "browser": browser, "system": system, "seen_at": at}
    OpenSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults=seen,
        create_defaults={**seen, "began_at": at, "proved_by": ",".join(proved_by)},
    )


def is_open(request: HttpRequest, *, person: Person, at: datetime) -> bool:
    """Note that the person is here. False where the session has been open or idle for too long."""
    at = judged_at(at)
    known = OpenSession.objects.filter(session_key=request.session.session_key).first()
    if known is None or known.person_id != person.pk:
        begin(request, person=person, at=at)
        return True
    if at - known.began_at >= ENDS_AFTER or at - known.seen_at >= IDLE_AFTER:
        return False
    if known.seen_at - at >= SEEN_EVERY:
        return False  # Seen in the future: the clock was ahead, and nobody knows for how long it has been open.
    if at - known.seen_at >= SEEN_EVERY or known.address != _address(request):
        OpenSession.objects.filter(pk=known.pk).update(seen_at=at, address=_address(request))
    return True


def session_of(request: HttpRequest) -> int | None:
    """The number of the row of this request's session, which it keeps when it gets another name."""
    key = request.session.session_key
    return OpenSession.objects.filter(session_key=key).values_list("pk", flat=True).first() if key else None


def is_still_open(number: int | None, at: datetime) -> bool:
    """Whether nobody ended this session since it was asked for, and its person may come in at this moment."""
    if number is None:
        return False
    found = OpenSession.objects.filter(pk=number).select_related("person__organisation__parent").first()
    return found is not None and admission.is_admitted(found.person, at)


def forget(request: HttpRequest) -> None:
    """The session of this request ends."""
    OpenSession.objects.filter(session_key=request.session.session_key).delete()


def renamed(request: HttpRequest, rename: Callable[[], None]) -> None:
    """Keep the row while the session gets another name."""
    old = request.session.session_key
    rename()
    OpenSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


def open_sessions(person: Person, at: datetime) -> QuerySet[OpenSession]:
    """The person's sessions that open something, last seen first."""
    lasting = Session.objects.filter(expire_date__gt=at).values("session_key")
    return OpenSession.objects.filter(
        person=person, session_key__in=lasting, seen_at__gt=at - IDLE_AFTER, began_at__gt=at - ENDS_AFTER
    ).order_by("-seen_at", "-pk")


@transaction.atomic
def end(*, session: OpenSession, by: str, at: datetime) -> None:
    """End one session at once."""
    if end_chosen(OpenSession.objects.filter(pk=session.pk)):
        record(by, SESSION_ENDED, f"person:{session.person_id}", {"sessions": 1}, at=at)


@transaction.atomic
def end_rest(request: HttpRequest, *, person: Person, at: datetime) -> int:
    """End all of the person's sessions but this one, at the person's wish."""
    ended = end_others(request, person=person)
    if ended:
        record(person.login, SESSION_ENDED, f"person:{person.pk}", {"sessions": ended}, at=at)
    return ended


def end_others(request: HttpRequest, *, person: Person) -> int:
    """End all of the person's sessions but this one: what proves who the person is has changed."""
    return end_chosen(OpenSession.objects.filter(person=person).exclude(session_key=request.session.session_key))


def end_all(person: Person) -> int:
    """End all of the person's sessions."""
    return end_chosen(OpenSession.objects.filter(person=person))


def sweep(at: datetime) -> None:
    """Forget sessions that are over."""
    Session.objects.filter(expire_date__lte=at).delete()
    OpenSession.objects.filter(seen_at__lte=at - ENDS_AFTER).delete()


def end_chosen(chosen: QuerySet[OpenSession]) -> int:
    """End these sessions at once; give how many there were."""
    keys = list(chosen.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    return OpenSession.objects.filter(session_key__in=keys).delete()[0]


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))[:45]
