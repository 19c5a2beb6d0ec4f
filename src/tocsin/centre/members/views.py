"""Pages by which people sign in and look after their account."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from . import selectors, services, sessions
from .access import person_of, requires
from .forms import SCOPE_NAMES, KeyForm, PasswordForm, PreferencesForm, SignInForm
from .rules import scopes_of

KEYS_SHOWN = 50


@sensitive_post_parameters("password")
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for login and password."""
    target = _target(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            person = sessions.sign_in(
                request, name=form.cleaned_data["login"], password=form.cleaned_data["password"],
                address=request.META.get("REMOTE_ADDR", ""), at=timezone.now(),
            )  # fmt: skip
        except sessions.TooManyFailures as limit:
            status = 429
            said = ngettext(
                "Too many failed attempts. Try again in %(minutes)s minute.",
                "Too many failed attempts. Try again in %(minutes)s minutes.",
                limit.minutes,
            )
            form.add_error(None, said % {"minutes": limit.minutes})
        else:
            if person is not None:
                return redirect(target)
            form.add_error(None, _("Login and password do not fit. Check both and try again."))
    return render(request, "members/sign_in.html", {"form": form, "next": target}, status=status)


def _target(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return asked
    return "/"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    sessions.sign_out(request, at=timezone.now())
    return redirect("sign-in")


@sensitive_post_parameters("old", "new", "again")
@requires()
def change_password(request: HttpRequest) -> HttpResponse:
    """Ask for the old password and a new one."""
    person = person_of(request)
    form = PasswordForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        sessions.change_password(request, person=person, new=form.cleaned_data["new"], at=timezone.now())
        messages.success(request, _("Your password was changed. Your other sessions were ended."))
        return redirect("home")
    return render(request, "members/change_password.html", {"form": form})


@requires()
def preferences(request: HttpRequest) -> HttpResponse:
    """Language and time zone of the reader."""
    person = person_of(request)
    first = {"language": person.language, "time_zone": person.time_zone}
    form = PreferencesForm(request.POST or None, initial=first)
    if request.method == "POST" and form.is_valid():
        sessions.change_preferences(person=person, at=timezone.now(), **form.cleaned_data)
        with translation.override(person.language):
            messages.success(request, _("Your preferences were saved."))
        return redirect("preferences")
    return render(request, "members/preferences.html", {"form": form})


@requires("read")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """The person's keys for programs, and a form for another. The secret of a new one stands in this answer alone."""
    person, now = person_of(request), timezone.now()
    form = KeyForm(person, request.POST or None, initial={"scopes": scopes_of(person)})
    secret = ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        _key, secret = services.add_key(
            person=person, name=said["name"], scopes=sorted(said["scopes"]),
            expires_at=now + timedelta(days=said["days"]), by=person.login, at=now,
        )  # fmt: skip
        form = KeyForm(person, initial={"scopes": scopes_of(person)})
    in_force = set(selectors.keys_in_force(person, now).values_list("pk", flat=True))
    listed = [
        (key, key.pk in in_force, [SCOPE_NAMES.get(scope, scope) for scope in key.scopes])
        for key in selectors.keys_of(person)[:KEYS_SHOWN]
    ]
    context = {"form": form, "secret": secret, "keys": listed, "origin": settings.INSTALLATION.public_origin}
    return render(request, "members/keys.html", context)


@requires("read")
@require_POST
def key_revoke(request: HttpRequest, key: int) -> HttpResponse:
    """End one of the person's own keys at once."""
    person = person_of(request)
    found = get_object_or_404(selectors.keys_of(person), pk=key)
    services.revoke_key(key=found, by=person.login, at=timezone.now())
    messages.success(request, _("The key %(name)s opens nothing any more.") % {"name": found.name})
    return redirect("keys")


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """The language switch: for the signed-in it changes their preference, for others it sets a cookie."""
    language = request.POST.get("language", "")
    response = HttpResponseRedirect(_target(request))
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 86400, samesite="Lax", httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
        if request.user.is_authenticated:
            person = person_of(request)
            sessions.change_preferences(person=person, language=language, time_zone=person.time_zone, at=timezone.now())
    return response
