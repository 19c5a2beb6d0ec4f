"""The page of a sealed copy: what it is, who asked for it, and taking it out."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.centre.members.access import fresh_proof, person_of, requires
from tocsin.centre.members.doors import while_here
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.credentials.content_keys import KeyMissing

from . import copy_openings, legal_holds
from .forms import CopyForm
from .models import LegalHold


def _hold(request: HttpRequest, key: int) -> LegalHold:
    found = legal_holds.holds_for(person_of(request)).filter(pk=key).first()
    if found is None:
        raise Http404
    return found


@requires("hold-legally")
@never_cache
@fresh_proof(only_post=True)
@require_http_methods(["GET", "HEAD", "POST"])
def copy_page(request: HttpRequest, key: int) -> HttpResponse:
    """The copy, and asking for it."""
    hold, now = _hold(request, key), timezone.now()
    form = CopyForm(request.POST or None, initial={"authority": hold.authority})
    if request.method == "POST" and form.is_valid():
        try:
            copy_openings.ask(hold, **form.cleaned_data, by=person_of(request), at=now)
        except NotFound:
            raise Http404 from None
        except InputError as error:
            form.add_error(error.field, sentence(error.reason))
        except Conflict:
            form.add_error(None, _("It was asked for already, or is open."))
        else:
            messages.success(request, _("Another legal officer now has to open it."))
            return redirect("legal-hold-copy", hold.pk)
    return _page(request, hold, form, now)


def _page(request: HttpRequest, hold: LegalHold, form: CopyForm, now: datetime) -> HttpResponse:
    person = person_of(request)
    try:
        copy = copy_openings.copy_for(person, hold, now)
    except NotFound:
        raise Http404 from None
    waiting, opened = copy_openings.waiting(copy, now), copy_openings.open_now(copy, now)
    context = {
        "hold": hold, "copy": copy, "form": form, "waiting": waiting, "opened": opened,
        "may_be_opened": copy_openings.may_be_opened(copy, now),
        "is_own": waiting is not None and waiting.asked_by_id == person.pk,
        "takes": opened is not None and person.pk in {opened.asked_by_id, opened.approved_by_id},
        "open_until": opened and opened.approved_at and opened.approved_at + copy_openings.LASTS,
        "openings": copy.openings.select_related("asked_by", "approved_by").order_by("-pk"),
    }  # fmt: skip
    return render(request, "retention/copy.html", context, status=422 if form.errors else 200)


@requires("hold-legally")
@fresh_proof(back="legal-holds")
@require_POST
def copy_approve(request: HttpRequest, key: int) -> HttpResponse:
    """Open it for a day, as the second person."""
    hold = _hold(request, key)
    try:
        copy_openings.approve(hold, by=person_of(request), at=timezone.now())
    except NotFound:
        raise Http404 from None
    except Conflict:
        messages.error(request, _("Nothing waits for an answer any more."))
    except Refused as error:
        messages.error(request, sentence(error.rule))
    else:
        messages.success(request, _("It is open for a day, to you and to whoever asked."))
    return redirect("legal-hold-copy", hold.pk)


@requires("hold-legally")
@fresh_proof(back="legal-holds")
@require_POST
def copy_take(request: HttpRequest, key: int) -> HttpResponseBase:
    """The bytes as received, as an attachment that no browser opens by itself."""
    hold = _hold(request, key)
    try:
        copy, pieces = copy_openings.take(hold, by=person_of(request), at=timezone.now())
    except NotFound:
        raise Http404 from None
    except (InputError, KeyMissing):
        messages.error(request, _("No key of this installation opens it. Nothing of it is lost: restore the keys."))
        return redirect("legal-hold-copy", hold.pk)
    response = StreamingHttpResponse(while_here(request, pieces), content_type="application/octet-stream")
    response["Content-Length"] = str(copy.delivery.size_bytes)
    response["Content-Disposition"] = f'attachment; filename="{copy.delivery.receipt}.bin"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
