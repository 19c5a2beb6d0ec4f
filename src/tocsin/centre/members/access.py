"""Who may open a page. Strangers are sent to the sign-in; a page that is not for somebody does not exist for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from .models import Person
from .rules import may

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def person_of(request: HttpRequest) -> Person:
    """Who is signed in; only for views behind `requires`."""
    if not isinstance(request.user, Person):
        raise Http404
    return request.user


def requires(ability: str = "") -> Callable[[View[P]], View[P]]:
    """The view exists for those whose roles allow it (empty: for everybody who is signed in)."""

    def around(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            person = request.user
            if not isinstance(person, Person) or not person.is_active or not person.organisation.is_active:
                return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
            if ability and not may(person, ability):
                raise Http404
            if person.must_change_password and view.__name__ != "change_password":
                return redirect("change-password")
            return view(request, *args, **kwargs)

        return cast(View[P], guarded)

    return around
