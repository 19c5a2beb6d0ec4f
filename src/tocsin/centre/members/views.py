"""Pages by which people sign in and look after their account."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from tocsin.core.errors import Refused

from . import passkeys, providers, sessions, signing_in
from .access import fresh_proof, person_of, requires
from .forms import PasswordForm, PreferencesForm, SignInForm
from .labels import NOT_ADMITTED

PROVIDER_ONLY = gettext_lazy("Your organisation lets its people in by its own provider only. Sign in with that.")


@sensitive_post_parameters("password")
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for login and password."""
    target = target_of(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            person = signing_in.by_password(request, name=said["login"], password=said["password"], at=timezone.now())
        except sessions.TooManyFailures as limit:
            status = 429
            form.add_error(None, limit_said(limit))
        except sessions.NotAdmitted as error:
            form.add_error(None, str(NOT_ADMITTED[error.refusal]))
        except Refused:
            form.add_error(None, PROVIDER_ONLY)
        else:
            if person is not None:
                is_in = request.user.is_authenticated
                return redirect(target if is_in else reverse("sign-in-second", query={"next": target}))
            form.add_error(None, _("Login and password do not fit. Check both and try again."))
    context = {
        "form": form,
        "next": target,
        "has_passkeys": passkeys.are_possible(),
        "has_providers": providers.are_any(),
    }
    return render(request, "members/sign_in.html", context, status=status)


def limit_said(limit: sessions.TooManyFailures) -> str:
    """How long to wait, in words."""
    said = ngettext(
        "Too many failed attempts. Try again in %(minutes)s minute.",
        "Too many failed attempts. Try again in %(minutes)s minutes.",
        limit.minutes,
    )
    return said % {"minutes": limit.minutes}


def target_of(request: HttpRequest) -> str:
    """The page of ours to go to next, as the form or the address says."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    hosts = {request.get_host()}
    # A word that is no path would be looked up as the name of a page, and fail where there is none.
    if asked.startswith("/") and url_has_allowed_host_and_scheme(asked, hosts, require_https=request.is_secure()):
        return asked
    return "/"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session. That at the organisation's provider goes on: other portals may need it."""
    has_provider = sessions.PROVIDER in sessions.came_by(request)
    sessions.sign_out(request, at=timezone.now())
    if has_provider:
        messages.info(
            request, _("You are signed out here. At your organisation's provider you may still be signed in.")
        )
    return redirect("sign-in")


@sensitive_post_parameters("old", "new", "again")
@requires(opens_before="password")
@fresh_proof()
def change_password(request: HttpRequest) -> HttpResponse:
    """Ask for the old password and a new one."""
    person = person_of(request)

    def fits(old: str) -> bool:
        address = request.META.get("REMOTE_ADDR", "")
        try:
            at = timezone.now()
            known = sessions.check_password(request, name=person.login, password=old, address=address, at=at)
        except sessions.TooManyFailures as limit:
            raise ValidationError(limit_said(limit)) from limit
        except sessions.NotAdmitted as error:
            raise ValidationError(str(NOT_ADMITTED[error.refusal])) from error
        except Refused as rule:
            raise ValidationError(PROVIDER_ONLY) from rule
        return known is not None and known.pk == person.pk

    form = PasswordForm(person, fits, request.POST or None)
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


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """The language switch: for the signed-in it changes their preference, for others it sets a cookie."""
    language = request.POST.get("language", "")
    response = HttpResponseRedirect(target_of(request))
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 86400, samesite="Lax", httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
        if request.user.is_authenticated:
            person = person_of(request)
            sessions.change_preferences(person=person, language=language, time_zone=person.time_zone, at=timezone.now())
    return response
