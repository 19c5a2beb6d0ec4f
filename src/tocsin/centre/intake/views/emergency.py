"""What an emergency access opens: deliveries, one by one, as far as the gate shows them to an analyst of the Centre."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from tocsin.centre.audit.selectors import found as acts
from tocsin.centre.audit.services import record
from tocsin.centre.members import emergency
from tocsin.centre.members.access import costs, fresh_proof, person_of, requires
from tocsin.centre.members.doors import while_here
from tocsin.centre.members.emergency_states import opens_for
from tocsin.centre.members.emergency_views import facts_for
from tocsin.centre.members.limits import Kind
from tocsin.centre.members.models import EmergencyAccess
from tocsin.core.errors import NotFound

from .. import deliveries as selectors
from .. import holding, originals, services
from ..models import Batch, Delivery
from ..store import delivery_path

ACTS_SHOWN = 200
LISTED = 200


@requires("read-emergencies")
@never_cache
@require_safe
def emergency_page(request: HttpRequest, key: int) -> HttpResponse:
    """One access: who, why, until when, and everything done under it; what it opens is listed to its holder alone."""
    person, now = person_of(request), timezone.now()
    access = get_object_or_404(emergency.all_of(), pk=key)
    is_holder = opens_for(access.facts, person.pk, now)
    opened = _opened(access) if is_holder else []
    if opened and request.method == "GET":
        record(person.login, "emergency.read", access.subject, {"what": "list", "deliveries": len(opened)}, at=now)
    context = {
        **facts_for(request, access), "is_holder": is_holder, "deliveries": opened,
        "acts": acts(subject=access.subject)[:ACTS_SHOWN],
    }  # fmt: skip
    return render(request, "intake/emergency.html", context)


def _opened(access: EmergencyAccess, receipt: str = "") -> list[Delivery]:
    """Deliveries that it is about and that the gate shows whole, newest first; with a receipt that one alone."""
    about = Delivery.objects.select_related("organisation", "duplicate_of__organisation")
    if access.organisation is not None:
        about = about.filter(organisation=access.organisation)
    else:
        about = about.filter(receipt=access.receipt)
    if receipt:
        about = about.filter(receipt=receipt)
    newest = [each for each in about.order_by("-received_at", "-pk")[:LISTED] if not holding.is_sealed(each)]
    return selectors.shown_whole(emergency.viewer_in_emergency(access.asked_by), newest)


def _opened_one(request: HttpRequest, key: int, receipt: str, what: str) -> tuple[EmergencyAccess, Delivery]:
    """The access and the delivery, where the one is open and shows the other. The reading is recorded before it."""
    person, now = person_of(request), timezone.now()
    try:
        with transaction.atomic():
            access = emergency.open_to(person, key, now)
            opened = _opened(access, receipt)
            if not opened:
                raise NotFound
            record(person.login, "emergency.read", access.subject, {"what": what, "receipt": receipt}, at=now)
    except NotFound:
        raise Http404 from None
    return access, opened[0]


@requires("ask-emergency")
@never_cache
@require_GET
def emergency_delivery(request: HttpRequest, key: int, receipt: str) -> HttpResponse:
    """A delivery under the access: what it is, under which labels, and what was refused of it."""
    access, found = _opened_one(request, key, receipt, "delivery")
    first = found.duplicate_of or found
    context = {
        "access": access, "delivery": found,
        "batches": Batch.objects.filter(delivery=first).select_related("handling_set").order_by("pk"),
        "refusals": selectors.refusals_of(first, with_samples=True) if first.rejections else [],
        "countries": selectors.countries_of(first, emergency.viewer_in_emergency(access.asked_by)),
    }  # fmt: skip
    return render(request, "intake/emergency_delivery.html", context)


@requires("ask-emergency")
@fresh_proof()
@costs(Kind.DOWNLOADS)
@never_cache
@require_GET
def emergency_original(request: HttpRequest, key: int, receipt: str) -> HttpResponseBase:
    """Its bytes as received, as an attachment that no browser opens by itself."""
    access, found = _opened_one(request, key, receipt, "original")
    path = delivery_path(services.store_folder(), found.sha256)
    if not path.is_file():
        raise Http404

    def require() -> None:
        emergency.open_to(access.asked_by, access.pk, timezone.now())

    pieces = while_here(request, originals.pieces(path), require)
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Length"] = str(found.size_bytes)
    response["Content-Disposition"] = content_disposition_header(True, found.name) or "attachment"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
