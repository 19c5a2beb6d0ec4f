"""Pages of redacted versions: make one, see all, look at one whose origin changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.intake.models import Batch, Delivery, Origin
from tocsin.centre.intake.register import register
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.views.deliveries import of_receipt
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import newest_first
from tocsin.centre.rows import Numbers
from tocsin.core.errors import Conflict, Refused

from . import cutting, services
from .forms import RedactionForm
from .guard import LeaksError
from .labels import GROUPS, REFUSALS, Leak, leaks_of
from .models import Redaction

PER_PAGE = 25
OBJECTS_LISTED = 200


def _redactions_for(person: Person) -> QuerySet[Redaction]:
    """Those made of nothing that is kept from the person. Of what is hidden by now, its terms say that."""
    terms = Numbers(held.number for held in register().held_by(viewer_of(person)))
    # From each version to what it was drawn from: a list of all that is kept from somebody grows with the years.
    kept_from = Origin.objects.filter(delivery=OuterRef("delivery")).exclude(batch__terms__in=terms)
    found = Redaction.objects.select_related("delivery__organisation", "of__organisation", "made_by").order_by("-pk")
    return found.filter(~Exists(kept_from))


@requires(services.ABILITY)
@require_safe
def redaction_list(request: HttpRequest) -> HttpResponse:
    """All redacted versions; those that closed with what they were made of are to be looked at."""
    now = timezone.now()
    page = newest_first(_redactions_for(person_of(request)), request.GET.get("after", ""), PER_PAGE)
    rows = [(each, services.closed(each, now)) for each in page.rows]
    return render(request, "redaction/list.html", {"page": page, "rows": rows})


@requires(services.ABILITY)
@require_http_methods(["GET", "HEAD", "POST"])
def redaction(request: HttpRequest, key: int) -> HttpResponseBase:
    """One: what was taken out, what holds for it and why, and whether it is closed."""
    person, now = person_of(request), timezone.now()
    found = _redactions_for(person).filter(pk=key).first()
    if found is None:
        raise Http404
    leaks: list[Leak] = []
    if request.method == "POST":
        leaks = _looked_at(request, found, person)
        if not leaks:
            return redirect("redaction", key)
    parents = list(Batch.objects.filter(drawn__delivery=found.delivery).select_related("handling_set", "delivery"))
    context = {
        "redaction": found,
        "closed": services.closed(found, now),
        "derived": services.derived_of(parents) if parents else None,
        "out": [GROUPS.get(name, name) for name in found.out],
        "is_shown": visible_batches(viewer_of(person), now).filter(delivery=found.delivery).exists(),
        "leaks": leaks,
    }
    return render(request, "redaction/redaction.html", context, status=422 if leaks else 200)


def _looked_at(request: HttpRequest, found: Redaction, person: Person) -> list[Leak]:
    """Look for leaks, or let it wait anew; says what was found."""
    try:
        if request.POST.get("act") == "look":
            services.look_for_leaks(found, by=person, at=timezone.now())
            messages.success(request, _("Nothing was found that must not be read."))
        else:
            services.reopen(found, by=person, at=timezone.now())
            messages.success(request, _("It waits anew, under what holds for its origin now. Two people let it go."))
    except LeaksError as stopped:
        return leaks_of(stopped)
    except Refused as refused:
        messages.error(request, str(REFUSALS.get(refused.rule, refused.rule)))
    except Conflict:
        messages.error(request, _("It is not closed by what it was made of."))
    return []


@requires(services.ABILITY)
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def redaction_new(request: HttpRequest, found: Delivery) -> HttpResponse:
    """Choose what to take out of a delivery: of its objects, or of its rows."""
    person, now = person_of(request), timezone.now()
    seen = visible_batches(viewer_of(person), now).filter(delivery=found)
    if not seen.exists():
        raise Http404
    things = services.objects_for(person, found, now)[:OBJECTS_LISTED]
    contents = services.contents_of(things)
    has_rows = seen.filter(rows__gt=0).exists()
    kind = request.POST.get("kind") or request.GET.get("kind") or ("objects" if contents else "rows")
    said: dict[str, Any] = {}
    if kind == "objects" and contents:
        said = {
            "names": cutting.fields_of(contents.values()),
            "things": [(str(each.pk), f"{each.type}: {each.name or each.object_id}") for each in things
                       if each.pk in contents],
        }  # fmt: skip
    chosen = [str(each.pk) for each in things] if request.method != "POST" else []
    form = RedactionForm(request.POST or None, initial={"thing": chosen}, **said)
    leaks: list[Leak] = []
    if request.method == "POST" and form.is_valid():
        made = _made(form, found, person, kind, leaks)
        if made is not None:
            messages.success(request, _("It is being read. Then it waits for its release like any delivery."))
            return redirect("redaction", made.pk)
    context = {
        "form": form, "delivery": found, "kind": kind, "has_objects": bool(contents), "has_rows": has_rows,
        "has_more": len(things) == OBJECTS_LISTED, "others": services.others_for(person, found, now), "leaks": leaks,
    }  # fmt: skip
    return render(request, "redaction/new.html", context, status=422 if form.errors else 200)


def _made(form: RedactionForm, found: Delivery, person: Person, kind: str, leaks: list[Leak]) -> Redaction | None:
    said = form.cleaned_data
    common: dict[str, Any] = {
        "out": said["out"], "replaced": said["replaced"], "reason": said["reason"], "by": person, "at": timezone.now(),
    }  # fmt: skip
    try:
        if kind == "objects" and "thing" in said:
            return services.redact_objects(found, [int(each) for each in said["thing"]], **common)
        return services.redact_rows(found, **common)
    except LeaksError as stopped:
        leaks += leaks_of(stopped)
        form.add_error(None, str(REFUSALS[stopped.rule]))
    except Refused as refused:
        form.add_error(None, str(REFUSALS.get(refused.rule, refused.rule)))
    except Conflict:
        form.add_error(None, _("This redacted version is there already."))
    return None
