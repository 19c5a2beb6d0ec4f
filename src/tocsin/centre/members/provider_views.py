"""The way to an organisation's provider of sign-in and back."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.credentials.proofs import NotProved, Proof

from . import arrivals, departures, openid, providers, saml, sessions
from .departures import Departure
from .models import Person, Provider
from .provider_forms import WhoForm
from .provider_labels import REFUSALS
from .views import limit_said, target_of

LOOKUPS_ALLOWED = 20
"""Logins whose provider one address may ask for in vain within a quarter of an hour: it would learn whose there are."""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_organisation(request: HttpRequest) -> HttpResponse:
    """Ask for the login, and lead to the provider of that person's organisation."""
    target = target_of(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = WhoForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        place = sessions.subject_of("who\n" + sessions.network_of(request.META.get("REMOTE_ADDR", "")))
        try:
            sessions.count_try(place, LOOKUPS_ALLOWED, timezone.now())
        except sessions.TooManyFailures as limit:
            status = 429
            form.add_error(None, limit_said(limit))
        else:
            provider = providers.for_login(form.cleaned_data["login"])
            if provider is not None:
                sessions.give_back(place)
                # The policy forbids a form to lead to another host: a page of ours leads there instead.
                onward = reverse("provider-start", args=[provider.key], query={"next": target})
                return render(request, "members/provider_onward.html", {"onward": onward})
            form.add_error("login", _("No organisation's provider is known for this login. Use your password."))
    return render(request, "members/sign_in_organisation.html", {"form": form, "next": target}, status=status)


@never_cache
@require_safe
def start(request: HttpRequest, key: str) -> HttpResponse:
    """Send the browser to the provider: to come in, or to prove once more who it is."""
    provider, target, at = _provider(key), target_of(request), timezone.now()
    is_proof = request.GET.get("purpose") == departures.PROVE
    if is_proof:
        identity = providers.identity_of(request.user) if isinstance(request.user, Person) else None
        if identity is None or identity.provider_id != provider.pk:
            raise Http404
    elif request.user.is_authenticated:
        return redirect(target)
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and not is_proof:
        # Whoever lured somebody here does not sign them in: they begin by themselves, on our own page.
        return redirect(reverse("sign-in-organisation", query={"next": target}))
    purpose = departures.PROVE if is_proof else departures.ENTER
    departure = departures.begin(request, provider=provider, purpose=purpose, target=target, at=at)
    if provider.kind == Provider.Kind.SAML:
        return redirect(saml.departs_to(provider, departure, at))
    return redirect(openid.departs_to(provider, departure))


@never_cache
@require_safe
def back(request: HttpRequest, key: str) -> HttpResponse:
    """The browser is back: with a code of OpenID Connect, or with the ticket for a SAML assertion."""
    provider, at = _provider(key), timezone.now()
    if provider.kind == Provider.Kind.SAML and request.GET.get("failed") in REFUSALS:
        return refusal(request, request.GET["failed"])  # `assertion` has noted it.
    said = {name: request.GET[name] for name in ("state", "code", "iss", "error") if name in request.GET}
    try:
        if provider.kind == Provider.Kind.SAML:
            answered, proof = saml.proof_of(provider, request.GET.get("ticket", ""))
            departure = departures.take(request, provider=provider, state=answered, at=at)
            return _arrived(request, provider, departure, proof)
        departure = departures.take(request, provider=provider, state=said.get("state", ""), at=at)
        return _arrived(request, provider, departure, openid.proof_of(provider, departure, said, at))
    except NotProved as why:
        return _refused(request, provider, why)


@csrf_exempt
@never_cache
@require_POST
def assertion(request: HttpRequest, key: str) -> HttpResponse:
    """Take in a SAML assertion. It comes from another host, so our cookie is not with it: the page after this has it.

    Nothing but the provider's signature, for a request of ours, gets further: no token against forged requests needed.
    """
    provider, at = _provider(key), timezone.now()
    if provider.kind != Provider.Kind.SAML:
        raise Http404
    try:
        query = {"ticket": saml.keep(provider, request.POST.get("SAMLResponse", ""), at)}
    except NotProved as why:
        arrivals.note_failure(request, provider=provider, why=why, at=at)
        query = {"failed": why.code}
    onward = redirect(reverse("provider-back", args=[key], query=query))
    onward.status_code = 303
    return onward


@require_safe
def metadata(request: HttpRequest, key: str) -> HttpResponse:
    """What a SAML provider reads about us. It is there before the provider is set up, and says nothing of anybody."""
    return HttpResponse(saml.own_metadata(key), content_type="application/samlmetadata+xml")


def _arrived(request: HttpRequest, provider: Provider, departure: Departure, proof: Proof) -> HttpResponse:
    """Let in, or note the proof; or ask for the second factor first. Raises NotProved."""
    person, at = request.user, timezone.now()
    if departure.purpose == departures.ENTER:
        is_whole = arrivals.enter(request, provider=provider, proof=proof, at=at)
        return redirect(departure.target if is_whole else _with_next("sign-in-second", departure))
    if not isinstance(person, Person):
        raise NotProved("state", "the session ended on the way")
    is_whole = arrivals.prove(
        request, provider=provider, person=person, departure=departure, proof=proof, at=at
    )  # fmt: skip
    return redirect(departure.target if is_whole else _with_next("prove", departure))


def _with_next(name: str, departure: Departure) -> str:
    return reverse(name, query={"next": departure.target})


def _refused(request: HttpRequest, provider: Provider, why: NotProved) -> HttpResponse:
    arrivals.note_failure(request, provider=provider, why=why, at=timezone.now())
    return refusal(request, why.code)


def refusal(request: HttpRequest, code: str) -> HttpResponse:
    """Say what happened and what to do."""
    what, remedy = REFUSALS.get(code, REFUSALS["answer"])
    context = {"what": what, "remedy": remedy, "is_signed_in": request.user.is_authenticated}
    return render(request, "members/provider_refused.html", context, status=503 if code == "unreachable" else 403)


def _provider(key: str) -> Provider:
    found = providers.by_key(key)
    if found is None:
        raise Http404
    return found
