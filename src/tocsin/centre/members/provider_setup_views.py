"""Pages by which administrators set up an organisation's provider of sign-in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.core.errors import Refused
from tocsin.credentials.proofs import NotProved

from . import openid, providers, saml, second_look
from .access import fresh_proof, is_fresh, person_of, requires
from .models import Organisation, Provider
from .provider_forms import FORMS, OpenIdForm, SamlForm
from .provider_labels import CHECKS, KINDS

LINKS_SHOWN = 200


@sensitive_post_parameters("secret")
@requires("administer")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def provider_page(request: HttpRequest, slug: str) -> HttpResponse:
    """How an organisation's people sign in with their own provider, and the form to set that up."""
    organisation = get_object_or_404(Organisation, slug=slug)
    provider = providers.provider_of(organisation)
    asked = request.POST.get("kind") or request.GET.get("kind") or (provider.kind if provider else "")
    chosen = FORMS.get(asked, OpenIdForm)
    form = chosen(organisation, provider, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _kept(request, organisation, form):
        return redirect("provider", slug)
    return _page(request, organisation, provider, form)


def _page(
    request: HttpRequest, organisation: Organisation, provider: Provider | None, form: OpenIdForm | SamlForm
) -> HttpResponse:  # fmt: skip
    context = {
        "organisation": organisation,
        "provider": provider,
        "kind": KINDS[provider.kind] if provider else "",
        "kinds": KINDS.items(),
        "addresses": _addresses(provider.key if provider else providers.key_of(organisation), form.kind),
        "links": list(providers.links_of(provider)[:LINKS_SHOWN]) if provider else [],
        "form": form,
        "is_proved": is_fresh(request),
        "is_reached_safely": settings.INSTALLATION.public_origin.startswith("https:"),
    }
    return render(request, "members/provider.html", context, status=422 if form.errors else 200)


def _addresses(key: str, kind: str) -> list[tuple[str, str]]:
    """What the provider's administrators have to enter there."""
    start = (_("Address to start from, for bookmarks and the like"), providers.address(key, "provider-start"))
    if kind == Provider.Kind.SAML:
        entity, service = saml.audience_of(key), saml.recipient_of(key)
        return [(_("Entity id, and address of our metadata"), entity), (_("Address for assertions"), service), start]
    return [(_("Redirect address"), providers.address(key, "provider-back")), start]


def _kept(request: HttpRequest, organisation: Organisation, form: OpenIdForm | SamlForm) -> bool:
    said: dict[str, Any] = form.cleaned_data
    first = next(iter(form.fields))
    try:
        is_saml = form.kind == Provider.Kind.SAML
        setup = _saml_setup(form, said) if is_saml else _openid_setup(said)
        providers.set_up(organisation=organisation, said=setup, by=person_of(request).login, at=timezone.now())
    except NotProved as why:
        form.add_error(first, str(CHECKS.get(why.code, CHECKS["provider"])))
        form.add_error(first, _("In detail: %(detail)s") % {"detail": why.detail})
        return False
    except Refused:
        form.add_error("break_glass", _("Choose somebody, or nobody could come in when the provider fails."))
        return False
    messages.success(request, _("The provider was looked at and kept."))
    _tell_held(request, organisation.slug)
    return True


def _openid_setup(said: dict[str, Any]) -> providers.Setup:
    return providers.Setup(
        kind=Provider.Kind.OPENID, issuer=said["issuer"], client=said["client"], secret=said["secret"],
        published=openid.read(said["issuer"]), **_shared(said),
    )  # fmt: skip


def _saml_setup(form: OpenIdForm | SamlForm, said: dict[str, Any]) -> providers.Setup:
    known = form.provider
    if not said["metadata"] and known:
        issuer, published = known.issuer, known.published
    else:
        issuer, published = saml.read(said["metadata"])
    return providers.Setup(kind=Provider.Kind.SAML, issuer=issuer, published=published, **_shared(said))


def _shared(said: dict[str, Any]) -> dict[str, Any]:
    names = ("claim", "is_only", "counts_as_factor", "factor_words")
    return {"break_glass": said.get("break_glass"), **{name: said[name] for name in names}}


@requires("administer")
@require_POST
@fresh_proof(back="organisations")
def provider_switch(request: HttpRequest, slug: str) -> HttpResponse:
    """Switch it on or off."""
    provider, is_on = get_object_or_404(Provider, organisation__slug=slug), request.POST.get("on") == "yes"
    try:
        providers.switch(provider=provider, is_on=is_on, by=person_of(request).login, at=timezone.now())
    except Refused:
        messages.error(request, _("Choose an administrator whose password goes on to count first."))
    else:
        on, off = _("People come in by the provider now."), _("Nobody comes in by the provider any more.")
        if not _tell_held(request, slug):
            messages.success(request, on if is_on else off)
    return redirect("provider", slug)


def _tell_held(request: HttpRequest, slug: str) -> bool:
    """Say that it waits, where it does."""
    if not second_look.waiting_providers().filter(organisation__slug=slug).exists():
        return False
    said = _("Nobody comes in by it before a second person at the Centre, who reads, made sure whose it is.")
    messages.warning(request, said)
    return True


@requires("administer")
@require_POST
@fresh_proof(back="organisations")
def provider_remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Forget it."""
    provider = get_object_or_404(Provider, organisation__slug=slug)
    providers.remove(provider=provider, by=person_of(request).login, at=timezone.now())
    messages.success(request, _("The provider was removed. Its sessions were ended."))
    return redirect("provider", slug)


@requires("administer")
@require_POST
@fresh_proof(back="organisations")
def provider_unlink(request: HttpRequest, slug: str, identity: int) -> HttpResponse:
    """Undo the link between an account and the provider's person."""
    provider = get_object_or_404(Provider, organisation__slug=slug)
    found = get_object_or_404(providers.links_of(provider), pk=identity)
    providers.unlink(identity=found, by=person_of(request).login, at=timezone.now())
    said = _("The account of %(name)s is linked to nobody at the provider any more.")
    messages.success(request, said % {"name": found.person.name})
    return redirect("provider", slug)
