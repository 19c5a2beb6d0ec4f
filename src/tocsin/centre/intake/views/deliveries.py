"""The list of deliveries, the receipt of one, and what is fetched from it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.members.access import costs, is_fresh, person_of, prove, requires
from tocsin.centre.members.doors import while_here
from tocsin.centre.members.limits import Kind
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.products.text_safety import cell

from .. import checks, grades, holding, mending, originals, profiles, services, urgency
from .. import deliveries as selectors
from ..forms import FilterForm, UrgencyForm
from ..models import Batch, Delivery, SavedProfile
from ..outlook import is_told, outlook_of
from ..selectors import visible_batches
from ..store import delivery_path
from .restrictions import to_read_first

P = ParamSpec("P")
THINGS_SHOWN = 25


def of_receipt(
    view: Callable[Concatenate[HttpRequest, Delivery, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """A view of one delivery: absent and invisible look the same."""

    @wraps(view)
    def found(request: HttpRequest, receipt: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, selectors.delivery_for(person_of(request), receipt), *args, **kwargs)
        except NotFound:
            raise Http404 from None

    return cast(Callable[Concatenate[HttpRequest, str, P], HttpResponseBase], found)


@requires("read")
@require_safe
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Deliveries that the person may read the receipts of, newest first."""
    person = person_of(request)
    mine = selectors.deliveries_for(person)
    sees_all = may(person, "read-all-deliveries")
    organisations = selectors.sources_in(mine) if sees_all else []
    formats = selectors.formats_in(mine, request.GET.get("format", ""))
    form = FilterForm(request.GET, organisations=organisations, formats=formats)
    page = selectors.page_of(form.narrowed(mine, timezone.now()), request.GET.get("after", ""))
    running = selectors.progress_of(page.rows)
    context = {
        "page": page,
        "rows": [(each, running.get(each.pk)) for each in page.rows],
        "form": form,
        "sees_all": sees_all,
        "is_running": any(each.state == Delivery.State.RECEIVED for each in page.rows),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "can_deliver": may(person, "deliver"),
    }
    partial = request.headers.get("HX-Target") == "deliveries"
    return render(request, "intake/_delivery_rows.html" if partial else "intake/delivery_list.html", context)


@requires("read")
@require_safe
@of_receipt
def delivery(request: HttpRequest, found: Delivery) -> HttpResponse:
    """The receipt: what became of every part of a delivery."""
    context = receipt_context(request, found)
    partial = request.headers.get("HX-Target") == "receipt"
    return render(request, "intake/_receipt.html" if partial else "intake/delivery.html", context)


def receipt_context(request: HttpRequest, found: Delivery) -> dict[str, Any]:
    """All that the receipt shows."""
    person = person_of(request)
    viewer = viewer_of(person)
    reads_contents = selectors.may_read_contents(person, found)
    seen = visible_batches(viewer).filter(delivery=found).select_related("handling_set").order_by("pk")
    things = found.things.filter(batch__in=seen).order_by("pk")
    countries = selectors.countries_of(found, viewer)
    own_side = found.organisation_id == person.organisation_id
    known = selectors.deliveries_for(person)
    return {
        "delivery": found,
        "title": selectors.title_for(person, found),
        "urgency": selectors.urgency_for(person, found) if found.urgent_at else "",
        "urgent_due_at": urgency.due_at(found) if urgency.waits(found, timezone.now()) else None,
        "urgency_form": UrgencyForm() if urgency.may_call(person, found, timezone.now()) else None,
        "outlook": outlook_of(found, timezone.now()) if is_told(person, found) else None,
        # One of two may be held while the other is seen by all.
        "mends": known.filter(pk=found.mends_id).first() if found.mends_id else None,
        "mended_by": known.filter(mends=found).order_by("pk"),
        "asked": holding.question_for(person, found),
        "stricter": [label.value for label in Tlp if label not in holding.WIDE],
        "refusal_text": holding.refusal_text(found),
        "job": selectors.progress_of([found]).get(found.pk),
        "refusals": selectors.refusals_of(found, with_samples=reads_contents) if found.rejections else [],
        "reads_contents": reads_contents,
        "batches": grades.graded(seen, person),
        "can_grade": grades.may_regrade(person, found) or grades.may_evaluate(person),
        "hidden_batches": Batch.objects.filter(delivery=found).count() - len(seen),
        "documents": found.documents.filter(batch__in=seen).defer("text"),
        "things": things[:THINGS_SHOWN],
        "countries": [(code, rows) for code, rows in countries[:12] if code],
        "countries_left": max(0, len([code for code, _ in countries if code]) - 12),
        "rows_without_country": next((rows for code, rows in countries if not code), 0),
        "can_mend": reads_contents and mending.can_mend(found),
        "can_deliver": may(person, "deliver") and (own_side or may(person, "deliver-for-others")),
        "can_map": may(person, "map-columns") and reads_contents,
        "can_review": may(person, "review"),
        "can_review_term": found.duplicate_of_id is None
        and may(person, "review-terms")
        and (person.organisation.is_centre or own_side),
        "waits_for_check": checks.waits(found),
        "can_recall": may(person, "recall") and (person.organisation.is_centre or own_side) and len(seen) > 0,
        "can_redact": may(person, "propose-release") and found.state == Delivery.State.PARSED and len(seen) > 0,
        "maps": SavedProfile.objects.filter(organisation=found.organisation).order_by("name"),
    }


@requires("read")
@costs(Kind.DOWNLOADS)
@require_safe
@of_receipt
def delivery_rejections(request: HttpRequest, found: Delivery) -> HttpResponseBase:
    """Every refused record with its reason, as a table for spreadsheets. Who took it is recorded."""
    person = person_of(request)
    if not selectors.may_read_contents(person, found):
        raise NotFound
    if not is_fresh(request):
        return prove(request.get_full_path())
    if request.method == "GET":
        _note_fetch(person, found, "rejections")
    lines = while_here(request, _rejection_lines(found), lambda: _require_contents(person, found))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rejections-{found.receipt}.csv"'
    return response


class _Echo:
    """What the csv writer writes to: hands every line back."""

    def write(self, text: str) -> str:
        return text


def _rejection_lines(found: Delivery) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff"  # Spreadsheets take the text for UTF-8 only with this mark.
    yield writer.writerow(("file", "unit", "position", "field", "reason", "explanation", "excerpt"))
    for frame in selectors.rejection_frames(found):
        for row in frame.iter_rows(named=True):
            cells = (row["file"], row["unit"], row["position"], row["field"], row["reason"], sentence(row["reason"]))
            yield writer.writerow(cell(each) if isinstance(each, str) else each for each in (*cells, row["excerpt"]))


@requires("read")
@require_http_methods(["GET", "POST"])
@of_receipt
def delivery_mend(request: HttpRequest, found: Delivery) -> HttpResponseBase:
    """GET: the refused records alone, with reasons. POST: the same file mended, handed over again."""
    person = person_of(request)
    if not selectors.may_read_contents(person, found):
        raise NotFound
    if request.method != "POST":
        if not is_fresh(request):
            return prove(request.get_full_path())
        made = mending.mend_file(found)
        _note_fetch(person, found, "refused")
        response = HttpResponse(made.content, content_type="application/octet-stream")
        response["Content-Disposition"] = _attachment(made.name)
        return response
    own_side = found.organisation_id == person.organisation_id
    if not may(person, "deliver") or not (own_side or may(person, "deliver-for-others")):
        raise NotFound
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, _("Choose the mended file first."))
        return redirect("delivery", found.receipt)
    try:
        made_of = services.receive(
            organisation=found.organisation, via=Delivery.Via.PAGE, name=found.name, chunks=file.chunks(),
            at=timezone.now(), person=person, profile=mending.profile_for_mended(found),
            marking=found.stated_marking, grade=found.stated_grade, source_at=found.source_at, mends=found,
        )  # fmt: skip
    except InputError as error:
        messages.error(request, sentence(error.reason))
        return redirect("delivery", found.receipt)
    messages.success(request, _("The mended records were received. This is their receipt."))
    return redirect("delivery", made_of.receipt)


@requires("read")
@costs(Kind.DOWNLOADS)
@require_safe
@of_receipt
def delivery_original(request: HttpRequest, found: Delivery) -> HttpResponseBase:
    """The bytes as received, as an attachment that no browser opens by itself. Who took them is recorded."""
    person = person_of(request)
    path = delivery_path(services.store_folder(), found.sha256)
    if not selectors.may_read_contents(person, found) or not path.is_file():
        raise NotFound
    if not is_fresh(request):
        return prove(request.get_full_path())
    if (first := to_read_first(request, found.batches.select_related("handling_set"))) is not None:
        return first
    if request.method == "GET":
        _note_fetch(person, found, "original")
    pieces = while_here(request, originals.pieces(path), lambda: _require_contents(person, found))
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Length"] = str(found.size_bytes)
    response["Content-Disposition"] = _attachment(found.name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _require_contents(person: Person, found: Delivery) -> None:
    """Asked anew while something long leaves. Raises NotFound."""
    if not selectors.may_read_contents(person, Delivery.objects.get(pk=found.pk)):
        raise NotFound


def _note_fetch(person: Person, found: Delivery, what: str) -> None:
    """What the source wrote leaves the Centre: an act of whoever takes it."""
    record(person.login, f"delivery.{what}-fetched", f"delivery:{found.pk}", {}, at=timezone.now())


def _attachment(name: str) -> str:
    return content_disposition_header(as_attachment=True, filename=name) or "attachment"


@requires("read")
@require_safe
@of_receipt
def receipt(request: HttpRequest, found: Delivery) -> HttpResponse:
    """The receipt for programs."""
    names = ("receipt", "name", "sha256", "size_bytes", "state", "reason", "reason_where", "format", "title", "rows",
             "repeats", "objects_count", "proposals_count", "rejections", "conflicts", "countries",
             "defaults_applied", "received_at", "finished_at")  # fmt: skip
    body = {name: getattr(found, name) for name in names}
    body["title"] = selectors.title_for(person_of(request), found)
    if not selectors.may_read_contents(person_of(request), found):
        body["reason_where"] = ""  # It may repeat what stands there.
    body["explanation"] = sentence(found.reason) if found.reason else ""
    body["rejections_by_reason"] = {
        each.reason: each.count for each in selectors.refusals_of(found, with_samples=False)
    }
    if is_told(person_of(request), found):
        body["outlook"] = outlook_of(found, timezone.now()).as_json()
    body["address"] = request.build_absolute_uri(reverse("delivery", args=[found.receipt]))
    return JsonResponse(body)


@requires("deliver")
@require_POST
@of_receipt
def delivery_urgent(request: HttpRequest, found: Delivery) -> HttpResponse:
    """It turned out to be urgent: from now on the short time runs."""
    form = UrgencyForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why somebody must take it up at once."))
        return redirect("delivery", found.receipt)
    try:
        urgency.call_urgent(found, reason=form.cleaned_data["reason"], by=person_of(request), at=timezone.now())
    except InputError as error:
        messages.error(request, sentence(error.reason))
    except Conflict:
        messages.error(request, _("It is urgent already, or nothing of it waits any more."))
    else:
        messages.success(request, _("It is urgent now: the Centre takes it up within 30 minutes."))
    return redirect("delivery", found.receipt)


@requires("map-columns")
@require_POST
@of_receipt
def delivery_read_again(request: HttpRequest, found: Delivery) -> HttpResponse:
    """Put a quarantined delivery back into the queue, with another column map where one was chosen."""
    person = person_of(request)
    name = request.POST.get("profile", "")
    profile = profiles.named(name, found.organisation) if name else None
    try:
        services.read_again(found, by=person, profile=profile, at=timezone.now())
    except Conflict:
        messages.error(request, _("Somebody else decided meanwhile. Look again."))
    else:
        messages.success(request, _("The delivery is being read again."))
    return redirect("delivery", found.receipt)
