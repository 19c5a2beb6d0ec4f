"""Pages of the second factor: the second step of signing in, setting up and removing, proving once more who one is."""

from __future__ import annotations

import segno
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core.errors import Refused
from tocsin.credentials import one_time

from . import browsers, factors, passkeys, providers, sessions, signing_in
from .access import fresh_proof, is_fresh, person_of, requires
from .forms import AppForm, PasskeyForm, ProofForm, SecondStepForm
from .models import Person
from .views import PROVIDER_ONLY, limit_said, target_of

_PROPOSED = "proposed-secret"


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_second(request: HttpRequest) -> HttpResponse:
    """Ask who gave the right password for the second factor."""
    target, now = target_of(request), timezone.now()
    person = signing_in.half_in(request, now)
    if request.user.is_authenticated:
        return redirect(target)
    if person is None:
        return redirect(reverse("sign-in", query={"next": target}))
    answer = request.POST.get("passkey", "")
    form = SecondStepForm(request.POST if request.method == "POST" and not answer else None)
    status = 200
    try:
        if answer:
            if signing_in.by_passkey(request, person=person, said=answer, at=now):
                return redirect(target)
            messages.error(request, _("This passkey does not open your account."))
        elif form.is_valid():
            if signing_in.by_code(request, person=person, said=form.cleaned_data["code"], at=now):
                _warn_of_few_codes(request, person)
                return redirect(target)
            form.add_error("code", _("This code is not right, or it was used already. Wait for the next one."))
    except sessions.TooManyFailures as limit:
        status = 429
        messages.error(request, limit_said(limit))
    context = {"form": form, "next": target, "has_passkeys": _may_answer(person), "person": person}
    context["by_provider"] = signing_in.half_by(request) == sessions.PROVIDER
    return render(request, "members/sign_in_second.html", context, status=status)


def _may_answer(person: Person) -> bool:
    return passkeys.are_possible() and person.passkeys.exists()


def _warn_of_few_codes(request: HttpRequest, person: Person) -> None:
    left = factors.codes_left(person)
    if left <= one_time.RECOVERY_CODES // 3:
        said = ngettext("%(left)s recovery code is left.", "%(left)s recovery codes are left.", left) % {"left": left}
        messages.warning(request, said + " " + _("Make new ones under Second factor."))


@never_cache
@require_POST
def sign_in_passkey(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey that made sure who holds it; no password."""
    target = target_of(request)
    try:
        said = request.POST.get("passkey", "")
        if signing_in.by_passkey(request, person=None, said=said, at=timezone.now()):
            return redirect(target)
        messages.error(request, _("This passkey opens no account. Sign in with your password."))
    except sessions.TooManyFailures as limit:
        messages.error(request, limit_said(limit))
    return redirect(reverse("sign-in", query={"next": target}))


@never_cache
@require_POST
def passkey_challenge(request: HttpRequest) -> JsonResponse:
    """What a browser needs to make a passkey, or to answer with one."""
    if not passkeys.are_possible():
        raise Http404
    person, now = request.user, timezone.now()
    if not isinstance(person, Person):
        return JsonResponse(passkeys.ask(request, signing_in.half_in(request, now), now))
    if request.POST.get("purpose") != "new":
        return JsonResponse(passkeys.ask(request, person, now))
    if person.must_change_password or not is_fresh(request):
        return JsonResponse({}, status=403)
    return JsonResponse(passkeys.ask_new(request, person, now))


@sensitive_post_parameters("password", "code")
@requires(opens_before="password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """Ask somebody who is signed in once more for password and second factor, before something dangerous."""
    person, target, now = person_of(request), target_of(request), timezone.now()
    is_half_proved = signing_in.is_half_proved(request, person, now)
    needs_password = not is_half_proved and not sessions.is_closed_to_passwords(person)
    form = ProofForm(factors.has_factor(person), needs_password, request.POST or None)
    identity = None if is_half_proved else providers.identity_of(person)
    status = 200
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            is_proved = signing_in.prove(
                request, person=person, password=said.get("password", ""), code=said.get("code", ""),
                passkey=request.POST.get("passkey", ""), at=now,
            )  # fmt: skip
        except sessions.TooManyFailures as limit:
            status = 429
            form.add_error(None, limit_said(limit))
        except Refused:
            form.add_error(None, PROVIDER_ONLY)
        else:
            if is_proved:
                return redirect(target)
            form.add_error(None, _("This does not fit. Check what you typed and try again."))
    context = {
        "form": form, "next": target, "has_passkeys": _may_answer(person), "is_half_proved": is_half_proved,
        "provider": identity.provider if identity else None, "shows_form": needs_password or is_half_proved,
    }  # fmt: skip
    return render(request, "members/prove.html", context, status=status)


@requires(opens_before="factor")
@never_cache
@require_safe
def factors_page(request: HttpRequest) -> HttpResponse:
    """What the person has beside a password."""
    return _page(request, PasskeyForm())


def _page(request: HttpRequest, form: PasskeyForm) -> HttpResponse:
    person = person_of(request)
    context = {
        "form": form,
        "app": factors.app_of(person),
        "passkeys": person.passkeys.order_by("created_at", "pk"),
        "are_passkeys_possible": passkeys.are_possible(),
        "has_factor": factors.has_factor(person),
        "is_wanting": factors.is_wanting(person),
        "codes_left": factors.codes_left(person),
        "is_proved": is_fresh(request),
    }
    return render(request, "members/factors.html", context)


@sensitive_post_parameters("code")
@requires(opens_before="factor")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof()
def app(request: HttpRequest) -> HttpResponse:
    """Set up an app that shows codes: its secret as a square and as text, and a first code as confirmation."""
    person = person_of(request)
    if factors.app_of(person) is not None:
        return redirect("factors")
    secret, request.session[_PROPOSED] = factors.proposed_secret(person, request.session.get(_PROPOSED))
    form = AppForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if factors.add_app(person=person, secret=secret, said=form.cleaned_data["code"], at=timezone.now()):
            del request.session[_PROPOSED]
            return _set_up(request, person)
        form.add_error("code", _("This is not the code of this secret. Check the clock of your phone and try again."))
    address = one_time.address(secret, issuer=settings.INSTALLATION.organisation, login=person.login)
    square = segno.make(address, error="m", micro=False).svg_inline(scale=4, dark="#000", light="#fff", border=4)
    typed = one_time.typed(secret)
    context = {
        "form": form,
        "square": mark_safe(square),  # noqa: S308 - drawn by us, of squares alone.
        "typed": " ".join(typed[place : place + 4] for place in range(0, len(typed), 4)),
    }
    return render(request, "members/factor_app.html", context)


def _set_up(request: HttpRequest, person: Person) -> HttpResponse:
    """A factor was added: other sessions end, and with the first one come recovery codes."""
    browsers.end_others(request, person=person)
    messages.success(request, _("The second factor is set up. Your other sessions were ended."))
    return redirect("factors") if factors.codes_left(person) else _codes(request, person)


def _codes(request: HttpRequest, person: Person) -> HttpResponse:
    codes = factors.renew_codes(person=person, at=timezone.now())
    return render(request, "members/recovery_codes.html", {"codes": codes, "together": "\n".join(codes)})


@requires(opens_before="factor")
@require_POST
@fresh_proof(back="factors")
def app_remove(request: HttpRequest) -> HttpResponse:
    """Remove the app."""
    person = person_of(request)
    if factors.remove_app(person=person, at=timezone.now()):
        _removed(request, person)
    return redirect("factors")


def _removed(request: HttpRequest, person: Person) -> None:
    browsers.end_others(request, person=person)
    messages.success(request, _("The second factor was removed. Your other sessions were ended."))


@requires(opens_before="factor")
@never_cache
@require_POST
@fresh_proof(back="factors")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes; they stand in this answer alone."""
    person = person_of(request)
    return _codes(request, person) if factors.has_factor(person) else redirect("factors")


@requires(opens_before="factor")
@never_cache
@require_POST
@fresh_proof(back="factors")
def passkey_add(request: HttpRequest) -> HttpResponse:
    """Keep a passkey that the browser has made."""
    person, form = person_of(request), PasskeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    name, said = form.cleaned_data["name"], request.POST.get("passkey", "")
    if passkeys.add(request, person=person, name=name, said=said, at=timezone.now()) is None:
        form.add_error(None, _("The passkey was not made. Try again."))
        return _page(request, form)
    return _set_up(request, person)


@requires(opens_before="factor")
@require_POST
@fresh_proof(back="factors")
def passkey_remove(request: HttpRequest, passkey: int) -> HttpResponse:
    """Remove one of the person's own passkeys."""
    person = person_of(request)
    found = get_object_or_404(person.passkeys, pk=passkey)
    if factors.remove_passkey(passkey=found, at=timezone.now()):
        _removed(request, person)
    return redirect("factors")
