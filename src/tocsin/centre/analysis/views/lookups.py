"""The one box, objects that it leads to, and standing queries."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

import polars as pl
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.intake.grades import graded
from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.intake.views.restrictions import to_read_first
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of, linked
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.access import costs, is_fresh, person_of, prove, requires
from tocsin.centre.members.limits import Kind, spend
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.numbers import RowConverter
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake.objects import Body
from tocsin.lake.shown import SHOWN
from tocsin.products import copies

from .. import lookups, reviewing, standing
from ..attribution import is_named_to, names_source
from ..models import StandingQuery
from ..translations import translation_of

log = logging.getLogger(__name__)
ROWS_SHOWN = 25
BARS_SHOWN = 8
NAMES_SOURCE = gettext_lazy(
    "As it was received it names its source, which does not let itself be named. Ask the Centre for a redacted version."
)
RAW_CHARACTERS = 60_000


@requires("read")
@require_safe
def lookup(request: HttpRequest) -> HttpResponseBase:
    """What is known of one value or name. Every question that is answered is recorded; one for a person takes a fresh
    proof of who asks."""
    asked = request.GET.get("q", "").strip()
    if not asked:
        return render(request, "analysis/lookup.html", {"asked": ""})
    person = person_of(request)
    if lookups.concerns_a_person(asked) and not is_fresh(request):
        return prove(request.get_full_path())
    spend(person, Kind.LOOKUPS, timezone.now())
    # Whoever asks for its own units does so of a row; the Centre asks where it releases.
    can_ask = may(person, "ask-source") and not person.organisation.is_centre
    columns = (*SHOWN, "batch") if can_ask else SHOWN
    reply = lookups.answer(asked, viewer_of(person), most_rows=ROWS_SHOWN, columns=columns)
    lookups.log_lookup(person.login, reply, person)
    context = _answer_context(reply) | {"can_watch": may(person, "watch"), "can_ask": can_ask}
    return render(request, "analysis/lookup.html", context)


def _answer_context(reply: lookups.Answer) -> dict[str, Any]:
    found = reply.found
    return {
        "asked": reply.asked,
        "reply": reply,
        "found": found,
        "rows": found.rows.to_dicts(),
        "countries": _most(found.by_country),
        "roles": list(found.by_role.items()),
        "days": _days(found.rows),
        "is_known": bool(found.total or reply.objects),
        "is_value": reply.kind != "name",
    }


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(code, rows) for code, rows in counts.items() if code][:BARS_SHOWN]


def _days(frame: pl.DataFrame) -> list[tuple[Any, int]]:
    """Rows per day among the newest, oldest first; nothing where they lie on one day."""
    if not frame.height:
        return []
    per_day = frame.group_by(pl.col("last_at").dt.date().alias("day")).len().sort("day")
    filled = per_day.upsample("day", every="1d").with_columns(pl.col("len").fill_null(0)).tail(90)
    return [(day, count) for day, count in filled.iter_rows()] if filled.height > 1 else []


def _object_for(request: HttpRequest, key: int) -> Object:
    seen = visible_batches(viewer_of(person_of(request)))
    found = (
        Object.objects.filter(in_seen(seen), pk=key)
        .select_related("delivery__organisation", "batch__handling_set")
        .first()
    )
    if found is None:
        raise Http404
    return found


def _as_text(raw: bytes) -> str:
    """The bytes as people read them: JSON without escapes, rules and XML as they are."""
    with suppress(ValueError, RecursionError):
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    return raw.decode("utf-8", "replace")


def _body_of(thing: Object) -> Body:
    """Its bytes; what cannot be opened is as if it were not there."""
    try:
        return body_of(thing)
    except KeyMissing as error:
        log.critical("%s", error)
        raise Http404 from None


@requires("read")
@require_safe
def object_page(request: HttpRequest, key: int) -> HttpResponse:
    """An object as it came: what was read out of it, what it names, and its own bytes."""
    found = _object_for(request, key)
    if (first := to_read_first(request, [found.batch])) is not None:
        return first
    viewer = viewer_of(person_of(request))
    body = _body_of(found)
    shown = _as_text(body.raw)
    seen = Object.objects.filter(in_seen(visible_batches(viewer)))
    translated = translation_of(seen, found, get_language() or "en")
    is_own = found.delivery.organisation.slug == viewer.organisation
    is_named = is_named_to(person_of(request), found)
    is_kept = not is_named and names_source(found, [shown])
    if not is_named and names_source(found, [found.name]):
        found.name = ""
    context = {
        "thing": found,
        "body": body,
        "links": linked(seen, found, body),
        "translation": translated,
        "raw": "" if is_kept else reviewing.visible_lines(shown[:RAW_CHARACTERS]),
        "is_kept": is_kept,
        "names_source": NAMES_SOURCE,
        "labels": [each for each in body.labels if is_named or not names_source(found, [each])],
        "is_cut": len(shown) > RAW_CHARACTERS,
        "size_bytes": len(body.raw),
        "source": found.delivery.organisation.name if is_named else "",
        "can_ask": may(person_of(request), "ask-source") and not viewer.is_centre and not is_own,
        "graded": graded([found.batch], person_of(request))[0],
    }
    batches = {found.batch_id, translated.by.batch_id} if translated else {found.batch_id}
    took(person_of(request), Taking.Channel.PAGE, batches, timezone.now())
    return render(request, "analysis/object.html", context)


@requires("read")
@costs(Kind.DOWNLOADS)
@require_safe
def object_download(request: HttpRequest, key: int) -> HttpResponseBase:
    """Exactly the bytes that were received."""
    found = _object_for(request, key)
    person, now = person_of(request), timezone.now()
    if not is_fresh(request):
        return prove(request.get_full_path())
    if (first := to_read_first(request, [found.batch])) is not None:
        return first
    raw = _body_of(found).raw
    if not is_named_to(person, found) and names_source(found, [_as_text(raw)]):
        messages.error(request, NAMES_SOURCE)
        return redirect("object", found.pk)
    with transaction.atomic():
        took(person, Taking.Channel.FILE, [found.batch_id], now)
        mark = copies.draw()
        record(person.login, "object.fetched", f"object:{found.pk}", {"copy": mark}, at=now)
    response = HttpResponse(raw, content_type="application/octet-stream")
    name = copies.marked_name(f"object-{RowConverter().to_url(found.pk)}.json", mark)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@requires("watch")
@require_safe
def watches(request: HttpRequest) -> HttpResponse:
    """Own standing queries with what arrived since."""
    person = person_of(request)
    seen = visible_batches(viewer_of(person))
    hits = standing.hits_of(person, seen).select_related("query", "batch__delivery")
    context = {"queries": list(standing.queries_of(person, seen)), "hits": list(hits.order_by("-at", "-pk")[:50])}
    response = render(request, "analysis/watches.html", context)
    if request.method == "GET":
        standing.mark_seen(person, seen, timezone.now())
    return response


@requires("watch")
@require_POST
def watch_add(request: HttpRequest) -> HttpResponseBase:
    """Keep watch for a value."""
    text = request.POST.get("q", "")
    if lookups.concerns_a_person(text) and not is_fresh(request):
        return prove(reverse("lookup", query={"q": text}))
    try:
        query = standing.add_query(
            person=person_of(request), text=text, reason=request.POST.get("reason", ""), at=timezone.now()
        )
    except InputError as error:
        messages.error(request, sentence(error.reason))
        return redirect("watches")
    messages.success(request, _("You will find here whatever arrives about %(value)s.") % {"value": query.value})
    return redirect("watches")


@requires("watch")
@require_POST
def watch_stop(request: HttpRequest, key: int) -> HttpResponse:
    """Watch no longer."""
    query = get_object_or_404(StandingQuery, pk=key, person=person_of(request))
    standing.stop_query(query=query, at=timezone.now())
    messages.success(request, _("The standing query was ended."))
    return redirect("watches")


def lookup_address(value: str) -> str:
    """Where a value is looked up."""
    return f"{reverse('lookup')}?{urlencode({'q': value})}"
