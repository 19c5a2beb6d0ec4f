"""The log of acts: search it, look at one act with its proof, take entries out for a supervisor, have it verified.

Who reads it sees what was done, not what was seen: texts that people searched for are shown to those alone who may
audit searches, so that nobody reads content by looking after the machine.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import orjson
from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.audit import selectors
from tocsin.centre.audit.models import Checkpoint, Entry
from tocsin.centre.audit.services import record
from tocsin.centre.audit.tree import proof_of
from tocsin.centre.intake.vault import is_sealed, opened_fact
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.doors import while_here
from tocsin.centre.members.limits import Kind
from tocsin.centre.members.rules import may
from tocsin.centre.pages import Page
from tocsin.products.text_safety import cell

from . import act_log
from .access import costs, fresh_proof, person_of, requires
from .labels import ACTIONS

PER_PAGE = 50
SAMPLES = (10, 20, 50)
SEARCHES = frozenset({"lookup", "watch.added"})
"""Acts whose detail repeats what somebody searched for."""
WITHHELD = frozenset({"value", "rows"})
EXPORT_COLUMNS = ("number", "place", "at", "actor", "action", "subject", "detail")
AT_ONCE = 2_000


class ActsForm(forms.Form):
    """Which acts to list."""

    actor = forms.CharField(label=gettext_lazy("Who"), required=False, max_length=120, strip=True)
    action = forms.ChoiceField(label=gettext_lazy("What was done"), required=False)
    subject = forms.CharField(label=gettext_lazy("On what"), required=False, max_length=120, strip=True)
    since = forms.DateField(label=gettext_lazy("From"), required=False)
    until = forms.DateField(label=gettext_lazy("Up to and including"), required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        named = [(action, str(ACTIONS.get(action, action))) for action in selectors.actions()]
        offered: Any = self.fields["action"]
        offered.choices = [("", _("Anything")), *sorted(named, key=lambda each: each[1].casefold())]

    def criteria(self, zone: tzinfo) -> dict[str, Any]:
        """What `found` takes; days are days of the reader's own zone. A field with an error asks for nothing."""
        self.is_valid()
        said = {name: value for name, value in self.cleaned_data.items() if value}
        days = {"since": said.pop("since", None), "until": said.pop("until", None)}
        if days["until"] is not None:
            days["until"] += timedelta(days=1)
        starts = {name: datetime(day.year, day.month, day.day, tzinfo=zone) for name, day in days.items() if day}
        return said | starts


@dataclass(frozen=True, slots=True)
class Act:
    """An entry as it is shown: its detail as far as the reader may know it."""

    entry: Entry
    facts: dict[str, Any]
    is_withheld: bool


@dataclass(frozen=True, slots=True)
class State:
    """How the log stands."""

    entries: int
    waiting: int
    checkpoint: Checkpoint | None
    is_late: bool
    has_second_place: bool
    verified: Entry | None
    verdict: dict[str, Any] = field(default_factory=dict)
    is_verifying: bool = False


def state(now: datetime) -> State:
    """How far the log has come, when it was last signed and verified, and with which result."""
    highest = Entry.objects.aggregate(highest=Max("place"))["highest"]
    waiting = Entry.objects.filter(place=None)
    checkpoint = Checkpoint.objects.order_by("-size").first()
    verified = selectors.found(action=act_log.VERIFIED).first()
    oldest = selectors.oldest_unsigned_at()
    signed = 0 if checkpoint is None else checkpoint.size
    waits = waiting.count()
    placed = 0 if highest is None else highest + 1
    return State(
        entries=placed + waits,
        waiting=placed - signed + waits,
        checkpoint=checkpoint,
        is_late=oldest is not None and oldest < now - act_log.LATE_AFTER,
        has_second_place=act_log.log_of_acts().second_place is not None,
        verified=verified,
        verdict=orjson.loads(verified.detail) if verified else {},
        is_verifying=Job.objects.filter(kind=act_log.VERIFY, state__in=[Job.State.WAITING, Job.State.RUNNING]).exists(),
    )


@requires("read-audit")
@require_safe
def acts(request: HttpRequest) -> HttpResponse:
    """The acts that fit, newest first, or a sample of them; and how the log stands."""
    person = person_of(request)
    form = ActsForm(request.GET)
    found = selectors.found(**form.criteria(timezone.get_current_timezone()))
    asked = request.GET.get("sample", "")
    sample = int(asked) if asked in map(str, SAMPLES) else 0
    page = selectors.page_of(found, request.GET.get("after", ""), PER_PAGE)
    if sample:
        page = Page(selectors.sample_of(found, sample))
    reads_searches = may(person, "audit-searches")
    asked_for = _asked(form)
    if asked_for or sample:  # Who looks through the acts of others leaves one too (DOMAIN 0, rule 10).
        facts = {"asked": asked_for, "sample": sample} if sample else {"asked": asked_for}
        record(person.login, "log.searched", act_log.SUBJECT, facts, at=timezone.now())
    context = {
        "form": form,
        "acts": [_act(entry, reads_searches) for entry in page.rows],
        "page": page,
        "is_filtered": bool(asked_for),
        "query": urlencode(asked_for),
        "sample": sample,
        "samples": SAMPLES,
        "state": state(timezone.now()),
        "names": ACTIONS,
    }
    return render(request, "site/acts.html", context)


@requires("read-audit")
@require_safe
def act(request: HttpRequest, number: int) -> HttpResponse:
    """One act: who, what, on what, with which facts, and where it stands in the tree."""
    person = person_of(request)
    entry = get_object_or_404(Entry, pk=number)
    shown = _act(entry, may(person, "audit-searches"))
    last = Checkpoint.objects.order_by("-size").first()
    is_covered = last is not None and entry.place is not None and entry.place < last.size
    context = {"act": shown, "is_covered": is_covered, "checkpoint": last, "names": ACTIONS}
    return render(request, "site/act.html", context)


@requires("read-audit")
@require_safe
def act_proof(request: HttpRequest, number: int) -> HttpResponse:
    """The proof that the act is in the log, as a file that `tocsin audit check` checks anywhere."""
    person = person_of(request)
    entry = get_object_or_404(Entry, pk=number)
    if entry.action in SEARCHES and not may(person, "audit-searches"):
        raise Http404  # The proof holds the whole entry.
    proof = proof_of(act_log.log_of_acts(), entry)
    if proof is None:
        raise Http404
    response = HttpResponse(json.dumps(proof, indent=1), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="act-{entry.pk}.json"'
    return response


@requires("read-audit")
@costs(Kind.DOWNLOADS)
@require_safe
@fresh_proof()
def acts_export(request: HttpRequest) -> HttpResponseBase:
    """The acts that fit, oldest first, for a supervisor: CSV or JSON Lines. That they were taken out is an act too."""
    person = person_of(request)
    form = ActsForm(request.GET)
    found = selectors.found(**form.criteria(timezone.get_current_timezone()))
    if not form.is_valid():
        raise Http404
    as_json = request.GET.get("format") == "jsonl"
    newest = Entry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    record(person.login, "log.exported", act_log.SUBJECT, {"asked": _asked(form), "until": newest}, at=timezone.now())
    rows = (
        _act(entry, may(person, "audit-searches"))
        for entry in found.filter(pk__lte=newest).order_by("pk").iterator(chunk_size=AT_ONCE)
    )
    kind, ending = ("application/x-ndjson", "jsonl") if as_json else ("text/csv; charset=utf-8", "csv")
    lines = while_here(request, _json_lines(rows)) if as_json else while_here(request, _csv_lines(rows))
    response = StreamingHttpResponse(lines, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="acts-{timezone.now():%Y-%m-%d}.{ending}"'
    return response


@requires("read-audit")
@require_safe
def acts_key(request: HttpRequest) -> HttpResponse:
    """The public key that proofs and checkpoints are checked with."""
    response = HttpResponse(f"{act_log.log_of_acts().key.public_line}\n", content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="log.pub"'
    return response


@requires("read-audit")
@require_POST
def acts_verify(request: HttpRequest) -> HttpResponse:
    """Have every entry hashed again and compared with every checkpoint; a worker does it."""
    now = timezone.now()
    with transaction.atomic():
        queued = jobs.enqueue(act_log.VERIFY, act_log.SUBJECT, at=now)
        if queued:
            record(person_of(request).login, "log.verification-asked", act_log.SUBJECT, at=now)
    messages.success(request, _("The log is being verified.") if queued else _("A verification is under way."))
    return redirect("acts")


def _asked(form: ActsForm) -> dict[str, str]:
    """The conditions that were given."""
    return {name: value for name, value in form.data.items() if name in form.fields and value}


def _act(entry: Entry, reads_searches: bool) -> Act:
    facts = orjson.loads(entry.detail)
    hidden = set() if reads_searches else {name for name, value in facts.items() if is_sealed(str(value))}
    if entry.action in SEARCHES and not reads_searches:
        hidden |= WITHHELD
    return Act(entry, {name: opened_fact(facts[name]) for name in facts if name not in hidden}, bool(hidden))


def _exported(act: Act) -> dict[str, Any]:
    entry = act.entry
    moment = entry.at.astimezone(UTC).isoformat()
    values = (entry.pk, entry.place, moment, entry.actor, entry.action, entry.subject, act.facts)
    return dict(zip(EXPORT_COLUMNS, values, strict=True))


def line_of(entry: Entry) -> dict[str, Any]:
    """An entry for another system: as it was written, so that its hash can be worked out again from it.

    What is sealed stays so. What somebody searched for is left out where it was written unsealed, before there were
    seals, and the line says so.
    """
    facts = orjson.loads(entry.detail)
    is_open = entry.action in SEARCHES and not is_sealed(str(facts.get("value", "")))
    withheld = sorted(WITHHELD & set(facts)) if is_open else []
    detail = orjson.dumps({name: facts[name] for name in facts if name not in withheld}).decode()
    line = dict(zip(EXPORT_COLUMNS, (entry.pk, entry.place, entry.at.astimezone(UTC).isoformat(), entry.actor,
                                     entry.action, entry.subject, detail if withheld else entry.detail),
                    strict=True))  # fmt: skip
    return {**line, "leaf": bytes(entry.leaf).hex()} | ({"withheld": withheld} if withheld else {})


def _json_lines(rows: Iterator[Act]) -> Iterator[bytes]:
    for each in rows:
        yield orjson.dumps(_exported(each), option=orjson.OPT_APPEND_NEWLINE)


def _csv_lines(rows: Iterator[Act]) -> Iterator[str]:
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(EXPORT_COLUMNS)
    for each in rows:
        shown = _exported(each)
        shown["detail"] = orjson.dumps(shown["detail"]).decode()
        writer.writerow([cell(str("" if value is None else value)) for value in shown.values()])
        yield held.getvalue()
        held.seek(0)
        held.truncate()
    yield held.getvalue()  # The head alone, where nothing fitted.
