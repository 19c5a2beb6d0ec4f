"""Pages of circulars: the inbox, writing one, reading one, and the Centre's check."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.intake import originals
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.intake.views.restrictions import to_read_first
from tocsin.centre.knowledge.models import Document
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members import agreements
from tocsin.centre.members.access import costs, fresh_proof, is_fresh, person_of, prove, requires
from tocsin.centre.members.doors import while_here
from tocsin.centre.members.limits import Kind
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import page_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused, Unavailable
from tocsin.products import copies
from tocsin.transport import scanning

from . import labels, selectors, services
from .forms import CheckForm, CircularForm
from .models import Circular
from .selectors import Found

log = logging.getLogger(__name__)
P = ParamSpec("P")
PER_PAGE = 25
THINGS_SHOWN = 50


def of_number(
    view: Callable[Concatenate[HttpRequest, Found, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """A view of one circular: absent and not for this person look the same."""

    @wraps(view)
    def found(request: HttpRequest, number: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, selectors.circular_for(person_of(request), number), *args, **kwargs)
        except NotFound:
            raise Http404 from None

    return cast(Callable[Concatenate[HttpRequest, str, P], HttpResponseBase], found)


@requires("read")
@require_safe
def circular_list(request: HttpRequest) -> HttpResponse:
    """What came, what one's own bureau sent, and what waits for a check."""
    person = person_of(request)
    received = page_of(selectors.received_by(person), selectors.LAST_SENT, request.GET.get("after", ""), PER_PAGE)
    own, after = selectors.sent_by(person), request.GET.get("sent", "")
    sent = page_of(own, selectors.LAST_HANDED_OVER, after, PER_PAGE, name="sent")
    readings = {
        each.circular_id: each
        for circular in received.rows
        for each in circular.readings.filter(organisation=person.organisation)
    }
    context = {
        "page": received,
        "received": [(each, readings.get(each.pk)) for each in received.rows],
        "sent_page": sent,
        "sent": [(each, labels.STATES[selectors.state_of(each)]) for each in sent.rows],
        "to_check": list(selectors.to_check(person)[:PER_PAGE]),
        "may_send": selectors.may_send(person),
    }
    return render(request, "circulars/circular_list.html", context)


@requires("deliver")
@require_http_methods(["GET", "HEAD", "POST"])
def circular_write(request: HttpRequest) -> HttpResponse:
    """Write one and send it."""
    person = person_of(request)
    if not selectors.may_send(person):
        raise Http404
    files = (request.POST, request.FILES) if request.method == "POST" else ()
    form = CircularForm(*files, own=person.organisation.country)
    if form.is_bound and form.is_valid():
        try:
            made = _send(person, form, timezone.now())
        except (InputError, Refused) as error:
            _explain(form, error)
        else:
            messages.success(request, _("Sent. This page follows what becomes of it."))
            return redirect("circular", made.number)
    context = {"form": form, "refusal": agreements.refusal_of(person.organisation, timezone.now())}
    return render(request, "circulars/circular_write.html", context, status=422 if form.is_bound else 200)


def _send(person: Person, form: CircularForm, at: datetime) -> Circular:
    said = form.cleaned_data
    file = said["file"]
    return services.send(
        by=person, subject=said["subject"], text=said["text"], tlp=form.label, chosen=form.chosen, at=at,
        attachment=services.Attachment(file.name or "file", file.chunks()) if file else None,
    )  # fmt: skip


def _explain(form: CircularForm, error: InputError | Refused) -> None:
    match error:
        case InputError(reason="missing-field", field="countries"):
            form.add_error("countries", _("Choose who gets it: a country, a region, or all members."))
        case InputError(reason="invalid-object", field="except_countries"):
            form.add_error("except_countries", _("Nobody can be both chosen and left out, nor leave out itself."))
        case InputError(reason="invalid-object", field="audience"):
            form.add_error("tlp", _("This label does not go to all members: choose the countries."))
        case InputError():
            form.add_error(None, sentence(error.reason))
        case Refused():
            form.add_error(None, sentence(error.rule))


@requires("read")
@require_safe
@of_number
def circular_page(request: HttpRequest, found: Found) -> HttpResponse:
    """One circular: for its sender with its reach, for an addressee to read, for a legal officer to check."""
    return _page(request, found, CheckForm() if found.role == "checker" else None)


def _page(request: HttpRequest, found: Found, form: CheckForm | None) -> HttpResponse:
    person, now, circular = person_of(request), timezone.now(), found.circular
    if found.role == "addressee":
        seen = visible_batches(viewer_of(person)).filter(delivery=circular.delivery_id).select_related("handling_set")
        if (first := to_read_first(request, seen)) is not None:
            return first
    reading = None
    if found.role == "checker" and request.method == "GET":
        record(person.login, "circular.checked", f"circular:{circular.number}", {"what": "text"}, at=now)
    if found.role == "addressee":
        with transaction.atomic():
            reading = services.note_opened(circular, by=person, at=now)
            took(person, Taking.Channel.PAGE, selectors.batches_seen(person, circular), now, reference=circular.number)
    things = selectors.things_of(person, circular)
    state = selectors.state_of(circular)
    context: dict[str, Any] = {
        "circular": circular,
        "role": found.role,
        "state": labels.STATES[state],
        "is_held": state == "held",
        "is_sent": state == "sent",
        "texts": [(each.title, _lines(each, circular)) for each in selectors.texts_of(person, found)],
        "things": things[:THINGS_SHOWN],
        "things_count": things.count(),
        "may_fetch": selectors.may_fetch(person, found),
        "reading": reading,
        "reach": selectors.reach_of(circular, now) if found.role == "sender" else [],
        "form": form,
    }
    return render(request, "circulars/circular.html", context, status=422 if form and form.is_bound else 200)


def _lines(text: Document, circular: Circular) -> list[str]:
    """The text without its subject, which stands above it, and without the number that every message ends with."""
    lines = str(text.text).splitlines()
    if lines and lines[0] == f"# {text.title}":
        del lines[0]
    while lines and lines[-1].strip() in {"", circular.number}:
        del lines[-1]
    while lines and not lines[0].strip():
        del lines[0]
    return lines


@requires("read")
@require_POST
@of_number
def circular_acknowledge(request: HttpRequest, found: Found) -> HttpResponse:
    """Say to the sender that it was received."""
    if found.role != "addressee":
        raise NotFound
    try:
        services.acknowledge(found.circular, by=person_of(request), at=timezone.now())
    except Conflict:
        messages.error(request, _("Your organisation acknowledged it already."))
    else:
        messages.success(request, _("Acknowledged. Its sender sees it."))
    return redirect("circular", found.circular.number)


@requires("deliver")
@require_POST
@of_number
def circular_open(request: HttpRequest, found: Found) -> HttpResponse:
    """Let the Centre's people read it as well."""
    if found.role != "sender":
        raise NotFound
    try:
        services.open_to_centre(found.circular, by=person_of(request), at=timezone.now())
    except Conflict:
        messages.error(request, _("It is open to the Centre already."))
    else:
        messages.success(request, _("The Centre's people can read it now."))
    return redirect("circular", found.circular.number)


@requires("decide-legal")
@require_POST
@fresh_proof(back="circulars")
@of_number
def circular_check(request: HttpRequest, found: Found) -> HttpResponse:
    """Let it go, or refuse it."""
    if found.role != "checker":
        raise NotFound
    form = CheckForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    passes = request.POST.get("act") == "pass"
    try:
        services.decide(
            found.circular, passes=passes, reason=form.cleaned_data["reason"], by=person_of(request), at=timezone.now()
        )
    except Conflict:
        messages.error(request, _("Another officer decided on this meanwhile."))
    else:
        said = _("It went to its addressees.") if passes else _("Refused. Its sender sees the reason; nobody else it.")
        messages.success(request, said)
    return redirect("circulars")


@requires("read")
@costs(Kind.DOWNLOADS)
@require_safe
@of_number
def circular_file(request: HttpRequest, found: Found) -> HttpResponseBase:
    """The bytes as they were sent, as an attachment that no browser opens by itself."""
    person, now, circular = person_of(request), timezone.now(), found.circular
    path = delivery_path(store_folder(), circular.delivery.sha256)
    if not selectors.may_fetch(person, found) or not path.is_file():
        raise NotFound
    if not is_fresh(request):
        return prove(request.get_full_path())
    mark = copies.draw()
    if request.method == "GET":
        if said := _harm_said(person, circular, path, now):
            messages.error(request, said)
            return redirect("circular", circular.number)
        with transaction.atomic():
            batches = selectors.batches_seen(person, circular)
            if found.role == "addressee":
                services.note_opened(circular, by=person, at=now)
                took(person, Taking.Channel.FILE, batches, now, reference=circular.number)
            word = "circular.checked" if found.role == "checker" else "circular.read"
            record(person.login, word, f"circular:{circular.number}", {"what": "file", "copy": mark}, at=now)
    pieces = while_here(request, originals.pieces(path), lambda: _require_file(person, circular.number))
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Length"] = str(circular.delivery.size_bytes)
    name = copies.marked_name(f"{circular.number}.{circular.delivery.name.rpartition('.')[2]}", mark)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


def _require_file(person: Person, number: str) -> None:
    """Asked anew while the file leaves. Raises NotFound."""
    if not selectors.may_fetch(person, selectors.circular_for(person, number)):
        raise NotFound


def _harm_said(person: Person, circular: Circular, path: Path, at: datetime) -> str:
    """Why the file is not given: the scanner knows it as malware, or could not look. Empty: it may be given.

    It is asked at each fetch: what nobody knew when the file was sent may be known when it is opened.
    """
    address = settings.INSTALLATION.scanner
    if not address:
        return ""
    try:
        name = scanning.found_in(originals.pieces(path), address)
    except Unavailable as error:
        log.critical("A file is not given: %s.", error)
        return _("The file cannot be scanned for malware now, and is not given without. Try again later.")
    if not name:
        return ""
    record(person.login, "circular.file-harmful", f"circular:{circular.number}", at=at)
    return _("The file is not given: the scanner knows it as %(name)s. Ask its sender.") % {"name": name}
