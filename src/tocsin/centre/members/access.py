"""Who may open a page. Strangers are sent to the sign-in; a page that is not for somebody does not exist for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from tocsin.centre import refusals

from . import factors, limits, sessions
from .models import Person
from .rules import may

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
PROOF_LASTS = timedelta(minutes=10)
"""How long a proof of who one is opens dangerous pages (OWASP ASVS 5, 7.5.3)."""


def person_of(request: HttpRequest) -> Person:
    """Who is signed in; only for views behind `requires`."""
    if not isinstance(request.user, Person):
        raise Http404
    return request.user


def requires(
    ability: str = "", *, opens_before: Literal["", "password", "factor"] = ""
) -> Callable[[View[P]], View[P]]:
    """The view exists for those whose roles allow it (empty: for everybody who is signed in).

    Who has still to choose a password opens what says `opens_before="password"` and nothing else; who has still to set
    up a second factor also what says "factor".
    """

    def around(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            person = request.user
            if not isinstance(person, Person) or not person.is_active or not person.organisation.is_active:
                if request.method not in {"GET", "HEAD"}:  # To begin a visit at a page is nothing to be told.
                    refusals.note(request, "sign-in")
                return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
            if ability and not may(person, ability):
                refusals.note(request, "ability")
                raise Http404
            first = must_first(request, person)
            if first == "password" and opens_before != "password":
                return redirect("change-password")
            if first == "factor" and not opens_before:
                return redirect("factors")
            return view(request, *args, **kwargs)

        return cast(View[P], guarded)

    return around


def costs(kind: limits.Kind) -> Callable[[View[P]], View[P]]:
    """Below `requires`: the view counts towards a limit of the person. Raises limits.TooOften."""

    def around(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            limits.spend(person_of(request), kind, timezone.now())
            return view(request, *args, **kwargs)

        return cast(View[P], guarded)

    return around


def must_first(request: HttpRequest, person: Person) -> Literal["", "password", "factor"]:
    """What the person of this session has to do before anything else opens: choose a password, set up a second factor.

    A first password is no matter to who came by a provider, nor a factor here where the provider's counted.
    """
    came_by = sessions.came_by(request)
    if person.must_change_password and sessions.PROVIDER not in came_by:
        return "password"
    return "factor" if sessions.PROVIDED_FACTOR not in came_by and factors.is_wanting(person) else ""


def is_fresh(request: HttpRequest, within: timedelta = PROOF_LASTS) -> bool:
    """Whether the person proved lately who it is."""
    return sessions.is_proved(request, within, timezone.now())


def prove(back: str) -> HttpResponseBase:
    """Send to the page that asks for password and second factor again, and from there back."""
    return redirect(reverse("prove", query={"next": back}))


def fresh_proof(
    within: timedelta = PROOF_LASTS, *, only_post: bool = False, back: str = ""
) -> Callable[[View[P]], View[P]]:
    """Step-up, below `requires`: the view opens to who proved lately who it is; others do so first and come back.

    `back` names the page to come back to where the view itself takes forms only; `only_post` lets it be read without.
    """

    def around(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if (only_post and request.method != "POST") or is_fresh(request, within):
                return view(request, *args, **kwargs)
            refusals.note(request, "proof")
            return prove(reverse(back) if back else request.get_full_path())

        return cast(View[P], guarded)

    return around
