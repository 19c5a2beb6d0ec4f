"""One action on a finding begins an alert that is filled with it."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from tocsin.centre.members.access import person_of, requires
from tocsin.core.errors import InputError, NotFound, Refused

from . import beginning
from .desk_views import explained, explained_refusal


@requires("write-alerts")
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Begin one from what the field `from` names; its author goes on writing."""
    now: datetime = timezone.now()
    try:
        made = beginning.begin(request.POST.get("from", "")[:4_000], by=person_of(request), at=now)
    except NotFound:
        raise Http404 from None
    except InputError as error:
        messages.error(request, explained(error))
        return redirect("alert-start")
    except Refused as error:
        messages.error(request, explained_refusal(error))
        return redirect("alert-desk")
    return redirect("alert-write", made.alert.reference)
