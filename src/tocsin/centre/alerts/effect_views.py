"""What became of an alert: per bureau at the desk, and the page on which a bureau reads it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.pages import NEWEST_FIRST, page_of
from tocsin.centre.reach import lines, things
from tocsin.centre.reach.board_views import funnel_of
from tocsin.centre.release.models import Release
from tocsin.core.errors import NotFound

from . import labels, police_forms, received
from .desk_views import of_alert
from .models import Alert
from .selectors import versions_of

PER_PAGE = 40


@requires("read-alerts")
@require_safe
@of_alert
def effect(request: HttpRequest, alert: Alert) -> HttpResponse:
    """Who was offered it, took it, opened it, acknowledged it, acted on it and found it useful; version by version."""
    now = timezone.now()
    deliveries = [each.delivery_id for each in versions_of(alert) if each.delivery_id is not None]
    released = Release.objects.filter(delivery__in=deliveries, state="released").select_related("delivery", "order")
    found = lines.lines_of(things.of_releases(released.order_by("-pk")), now)
    numbers = {each.delivery_id: each.number for each in versions_of(alert)}
    sent = [
        {"version": numbers.get(line.thing.of.delivery_id), "line": line, "funnel": funnel_of(line)}
        for line in found
        if isinstance(line.thing.of, Release)
    ]  # fmt: skip
    return render(request, "alerts/effect.html", {"alert": alert, "sent": sent})


@requires("respond")
@require_safe
def police_list(request: HttpRequest) -> HttpResponse:
    """The alerts that came to one's own organisation, the newest first."""
    person, now = person_of(request), timezone.now()
    page = page_of(received.received_by(person, now), NEWEST_FIRST, request.GET.get("after", ""), PER_PAGE)
    rows = [
        {"read": received.read_by(person, each, person.language, now), "version": each,
         "type": labels.word("type", each.alert.type), "colour": labels.TYPES[each.alert.type][1],
         "icon": labels.TYPES[each.alert.type][0]}
        for each in page.rows
    ]  # fmt: skip
    return render(request, "alerts/police_list.html", {"rows": rows, "page": page})


@requires("respond")
@require_safe
def police_page(request: HttpRequest, reference: str) -> HttpResponse:
    """All fields of a police edition, in the reader's language, with what concerns the reader's own country."""
    person, now = person_of(request), timezone.now()
    try:
        version = received.received(person, reference, now)
    except NotFound:
        raise Http404 from None
    read = received.read_by(person, version, person.language, now)
    with transaction.atomic():
        took(person, Taking.Channel.PAGE, received.numbers_of(person, version, now), now, reference=str(version.alert))
    context: dict[str, Any] = {
        "read": read, "edition": read.edition, "text": read.text, "version": version,
        "said": received.as_json(read), "persons": received.persons_for(person, version),
        "type": labels.word("type", version.alert.type), "icon": labels.TYPES[version.alert.type][0],
        "offence": labels.word("offence", read.edition.offence.value),
        "likelihood": labels.LIKELIHOODS.get(read.edition.likelihood, ""),
        "confidence": labels.CONFIDENCES.get(read.edition.confidence, ""),
        "receipt": version.delivery.receipt if version.delivery else "",
    }  # fmt: skip
    return render(request, "alerts/police_page.html", context)


@requires("respond")
@require_safe
def police_file(request: HttpRequest, reference: str, form: str) -> HttpResponse:
    """The same as STIX, MISP or CSV, and as a document. Of these the document alone names persons, to law
    enforcement."""
    person, now = person_of(request), timezone.now()
    try:
        version = received.received(person, reference, now)
    except NotFound:
        raise Http404 from None
    read = received.read_by(person, version, person.language, now)
    file = police_forms.taken(read, form, person.organisation.name, received.persons_for(person, version))
    if file is None:
        raise Http404
    with transaction.atomic():
        took(person, Taking.Channel.PAGE, received.numbers_of(person, version, now), now, reference=str(version.alert))
    return HttpResponse(
        file.body, content_type=file.media_type,
        headers={"Content-Disposition": f'attachment; filename="{file.name}"'},
    )  # fmt: skip
