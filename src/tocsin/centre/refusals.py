"""What was refused, told to whoever watches the installation: one line for each request, in the log of the process.

It says when, at which door, from where, by whom (a number, no login) and of which kind; never what was asked for. What
is hidden and what is absent are one kind here as they are one answer to who asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

log = logging.getLogger("tocsin.refusals")

KINDS: Mapping[str, str] = {
    "absent": "what was asked for is not there, or not for who asked (404)",
    "sign-in": "a form of a page that asks for a session was sent without one",
    "password": "login and password do not fit",
    "factor": "the second factor was not right, after the right password",
    "passkey": "a passkey opened nothing",
    "provider": "what an organisation's own provider said was not taken",
    "not-admitted": "the proof was right, and the account, its organisation or its country may not come in",
    "guessing": "too many wrong tries",
    "proof": "a dangerous page was opened without a fresh proof of who one is",
    "key": "no valid word at a door for programs (401)",
    "key-revoked": "a known key that was revoked",
    "key-expired": "a known key after its end",
    "key-person": "a known key whose owner may not come in",
    "key-organisation": "a known key whose organisation may not come in",
    "key-moved": "a known key whose owner has another seat",
    "key-address": "a known key from outside its networks",
    "key-no-certificate": "a known key without the certificate that it is bound to",
    "key-certificate": "a known key beside another certificate",
    "key-certificate-ended": "a known key whose certificate ended",
    "scope": "a key asked for more than its scopes",
    "ability": "a person asked for more than the roles open",
    "rule": "a rule said no (403)",
    "forged": "a form without the token of our page (403)",
    "too-often": "a limit on look-ups, downloads or requests was reached (429)",
    "input": "what was sent cannot be taken (400, 409, 411, 413, 415, 422)",
    "method": "a method that is not offered (405, 406)",
    "busy": "not now (503, 507)",
    "fault": "a fault of our own (500); the line before it says where",
    "package": "a package that was to be verified was changed or not signed",
}
"""Every kind, with what it means. The guide names them all; a test sees to it."""

BY_STATUS = {
    401: "key", 403: "rule", 404: "absent", 405: "method", 406: "method", 429: "guessing", 500: "fault", 503: "busy",
    507: "busy",
}  # fmt: skip
_KIND, _ACTOR = "tocsin.refused", "tocsin.actor"
UNNAMED = "/alert-service/"
ASKER = "tocsin.asker"
"""Where the portal's server finds, in the environment of a request, for whom it was made (`serving/askers`)."""


def note(request: HttpRequest, kind: str) -> None:
    """Say of which kind the refusal of this request is; the first word holds: it was nearest to the reason."""
    request.META.setdefault(_KIND, kind)


def name_actor(request: HttpRequest, actor: str) -> None:
    """Say who stands at the door: person:NUMBER or key:NUMBER."""
    request.META[_ACTOR] = actor


def name_asker(request: HttpRequest, asker: str) -> None:
    """Say for whom it is done: organisation:NUMBER at doors for programs, person:NUMBER on pages."""
    request.META[ASKER] = asker


def tell(request: HttpRequest, status: int) -> None:
    """Write the line of a request that was refused; nothing of one that was served."""
    kind = request.META.get(_KIND) or (BY_STATUS.get(status, "input") if status >= 400 else "")
    if not kind:
        return
    match = request.resolver_match
    view = match.view_name if match else ""
    facts = {
        "kind": kind, "status": status, "door": _door(request.path), "view": view, "method": _method(request),
        "actor": request.META.get(_ACTOR) or _person(request), "address": _address(request),
    }  # fmt: skip
    told(kind, facts)


def told(kind: str, facts: Mapping[str, Any]) -> None:
    """Write one line; for what is refused outside of a request too."""
    level = logging.ERROR if kind == "fault" else logging.WARNING
    log.log(level, "refused: %s", KINDS[kind], extra={"facts": {"kind": kind, **facts}})


def _door(path: str) -> str:
    return "api" if path.startswith("/api/") else "taxii" if path.startswith("/taxii2/") else "pages"


def _address(request: HttpRequest) -> str:
    """From where; not of who subscribes to alerts or reports a crime: of them nothing is written down."""
    return "" if request.path.startswith(UNNAMED) else str(request.META.get("REMOTE_ADDR", ""))[:45]


def _method(request: HttpRequest) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    return str(request.method) if request.method in known else "other"


def _person(request: HttpRequest) -> str:
    """Who is signed in, if that was found out already: the database is not asked for a line of the log."""
    person = getattr(request, "_cached_user", None)
    return f"person:{person.pk}" if person is not None and person.pk else ""
