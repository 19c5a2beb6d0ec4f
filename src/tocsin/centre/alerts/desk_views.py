"""The desk of alerts: what there is, what waits for whom, one alert with its way, and how one begins."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.access import is_fresh, person_of, prove, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.pages import NEWEST_FIRST, page_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.products.alerts import addresses
from tocsin.products.alerts.draft import Draft, Texts
from tocsin.products.alerts.record import AlertType

from . import labels, publishing, services, waiting, watching
from .forms import StartForm
from .models import Alert, PublicFile, Translation, Version
from .rules import IN_REVIEW, STANDING, WRITABLE, Act, Facts, may_be_public, missing_languages, refusal_of
from .selectors import alert_for, facts_of, newest, proposals_for, standing, versions_of

P = ParamSpec("P")
PER_PAGE = 25
SEEN = "seen"
"""What somebody does who has looked at what is told of an alert."""
MOST_SEARCHED = 2_000
"""Titles are sealed: a search opens so many of the newest, one by one."""
TABS = ("waiting", "drafts", "review", "published", "ending", "due", "concerns", "taken-back", "over", "all")


def of_alert(
    view: Callable[Concatenate[HttpRequest, Alert, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]:
    """A view of one alert of the desk; absent for everybody else."""

    @wraps(view)
    def found(request: HttpRequest, reference: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, alert_for(person_of(request), reference), *args, **kwargs)
        except NotFound:
            raise Http404 from None

    return cast(Callable[Concatenate[HttpRequest, str, P], HttpResponseBase], found)


@requires("read-alerts")
@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """What waits for the reader first; then everything, by where it stands."""
    person, now = person_of(request), timezone.now()
    show = request.GET.get("show", "")
    show = show if show in TABS else "waiting"
    asked, kind = request.GET.get("q", "").strip()[:100], request.GET.get("type", "")
    page = None
    if show == "waiting" and not asked:
        rows = waiting.in_work(person)
    elif asked:
        show = show if show != "waiting" else "all"
        rows = _searched(person, asked, show, now)
    else:
        found = waiting.shown(person, show, now)
        if kind in AlertType.__members__:
            found = found.filter(alert__type=kind)
        page = page_of(found, NEWEST_FIRST, request.GET.get("after", ""), PER_PAGE)
        rows = waiting.rows(person, page.rows)
    if kind in AlertType.__members__:
        rows = [row for row in rows if row.alert.type == kind]
    context = {
        "rows": rows, "page": page, "show": show, "asked": asked, "kind": kind, "now": now,
        "tabs": [(each, _tab(each)) for each in TABS],
        "types": [(each.value, labels.word("type", each.value)) for each in AlertType],
        "may_write": may(person, "write-alerts"),
        "proposals": proposals_for(person).filter(state="open").count() if may(person, "write-alerts") else 0,
    }  # fmt: skip
    return render(request, "alerts/desk.html", context)


def _tab(name: str) -> str:
    return {
        "waiting": _("Waits for me"), "drafts": _("Drafts"), "review": _("Under review"),
        "published": _("Published"), "ending": _("Ends within 14 days"), "due": _("Languages due"),
        "concerns": _("New knowledge"), "taken-back": _("Hit by a recall"), "over": _("Over"), "all": _("All"),
    }[name]  # fmt: skip


def _searched(person: Person, asked: str, show: str, now: datetime) -> list[waiting.Row]:
    words = _folded(asked).split()
    found = []
    for version in waiting.shown(person, show, now).order_by("-pk")[:MOST_SEARCHED]:
        title = version.content.get("texts", {}).get("title", "")
        said = _folded(f"{version.alert.reference} {version.alert.number or ''} {title}")
        if all(word in said for word in words):
            found.append(version)
            if len(found) == PER_PAGE:
                break
    return waiting.rows(person, found)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


@requires("write-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Begin one from nothing; what begins from a finding comes here filled in."""
    form = StartForm(request.POST or None, initial={"type": "METHOD", "language": person_of(request).language or "en"})
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        draft = Draft(type=AlertType(said["type"]), language=said["language"], texts=Texts(title=said["title"]),
                      is_public=said["type"] != "PERSON")  # fmt: skip
        try:
            made = services.start(
                by=person_of(request), draft=draft, at=timezone.now(), is_exercise=said["is_exercise"]
            )
        except InputError as error:
            form.add_error("title", explained(error))
        except Refused as error:
            form.add_error(None, sentence(error.rule))
        else:
            return redirect("alert-write", made.alert.reference)
    kinds = [(each.value, *labels.TYPES[each.value], labels.word("type", each.value), labels.TYPE_HINTS[each.value])
             for each in AlertType]  # fmt: skip
    context = {"form": form, "kinds": kinds}
    return render(request, "alerts/start.html", context, status=422 if form.is_bound else 200)


@requires("read-alerts")
@require_safe
@of_alert
def alert_page(request: HttpRequest, alert: Alert) -> HttpResponse:
    """One alert: where it stands, what can be done, who did what."""
    return render(request, "alerts/alert.html", page_of_alert(person_of(request), alert))


def page_of_alert(person: Person, alert: Alert) -> dict[str, Any]:
    version, stands, now = newest(alert), standing(alert), timezone.now()
    facts = facts_of(version)
    own = waiting.abilities(person)
    wanted = waiting.ACT_OF_STAGE.get(facts.state)
    shown = stands if stands is not None and stands.pk != version.pk else None
    return {
        "alert": alert,
        "current": version,
        "stands": shown,
        "draft": facts.draft,
        "state": labels.STATES[version.state],
        "stands_state": labels.STATES[shown.state] if shown else None,
        "type_icon": labels.TYPES[alert.type][0], "type_colour": labels.TYPES[alert.type][1],
        "type_name": labels.word("type", alert.type), "offence": labels.word("offence", facts.draft.offence.value),
        "stages": waiting.stages(version),
        "acts": _acts(facts, person, own),
        "cancels": _cancelling(stands or version, person, own),
        "own_parts": waiting.parts_of(person, facts) if facts.state in IN_REVIEW else [],
        "others": waiting.who_may(wanted, facts) if wanted and facts.state in IN_REVIEW else [],
        "waits_for_me": waiting.waits_for(version, facts, person.pk, own),
        "languages": _languages(version, facts),
        "missing": [labels.language_name(each) for each in missing_languages(facts)],
        "is_open": version.state in WRITABLE,
        "public_refusal": sentence(why) if (why := may_be_public(facts.draft, now)) else "",
        "grounds_closed": version.grounds.filter(closed_at__isnull=False).count(),
        "steps": [(each, labels.ACTS.get(each.act, each.act)) for each in reversed(_steps(alert))],
        "concerns": [(labels.CONCERNS[each.why], labels.CONCERNS_DONE[each.done], each)
                     for each in alert.concerns.filter(seen_at=None).order_by("pk")],
        "versions": [(each, labels.STATES[each.state]) for each in versions_of(alert)],
        "public_page": _public_page(alert, facts.draft.language, person.language),
        "police_edition": _police_edition(stands or version),
        "now": now,
    }  # fmt: skip


def _police_edition(version: Version) -> Delivery | None:
    """What the police has of it."""
    return version.delivery if version.police_at else None


def _public_page(alert: Alert, *languages: str) -> str:
    """Where everybody reads it, in the reader's language if it is there; empty where nobody does."""
    if not alert.number:
        return ""
    paths = [addresses.page(alert.number, each) for each in reversed(languages)]
    there = set(PublicFile.objects.filter(path__in=paths, is_gone=False).values_list("path", flat=True))
    return next((path for path in paths if path in there), "")


def _steps(alert: Alert) -> list[Any]:
    from .models import Step

    return list(Step.objects.filter(version__alert=alert).select_related("by", "version").order_by("pk"))


def _acts(facts: Facts, person: Person, own: frozenset[str]) -> dict[str, dict[str, str]]:
    """Act → whether it stands open to this person, and why not; acts of another stage are left out."""
    found = {}
    for act in (Act.WRITE, Act.SUBMIT, Act.QUALITY_PASSED, Act.LEGAL_PASSED, Act.TRANSLATE, Act.APPROVE, Act.PUBLISH,
                Act.RETURN, Act.UPDATE, Act.DROP):  # fmt: skip
        why = refusal_of(act, facts, person.pk, own)
        if why != "alert-state":
            found[act.value.replace("-", "_")] = {"why": sentence(why) if why else "", "rule": why}
    return found


def _cancelling(version: Version, person: Person, own: frozenset[str]) -> dict[str, Any]:
    """What of cancelling is open for the version that stands."""
    facts = facts_of(version)
    confirm = refusal_of(Act.CONFIRM_CANCEL, facts, person.pk, own)
    return {
        "current": version,
        "is_standing": version.state in STANDING,
        "is_asked": version.cancel_asked_by_id is not None and version.state in STANDING,
        "may_ask": not refusal_of(Act.CANCEL, facts, person.pk, own),
        "may_confirm": not confirm,
        "may_keep": not refusal_of(Act.KEEP, facts, person.pk, own),
        "why": sentence(confirm) if confirm and confirm != "alert-state" else "",
        "reasons": [(labels.language_name(each), each, text) for each, text in version.cancel_reasons.items()],
    }


def _languages(version: Version, facts: Facts) -> list[dict[str, Any]]:
    """The source and each language in which there is a text, or has to be one."""
    source = facts.draft.source_digest
    there: dict[str, Translation] = {each.language: each for each in version.translations.select_related("checked_by")}
    rows: list[dict[str, Any]] = [
        {"code": facts.draft.language, "name": labels.language_name(facts.draft.language), "is_source": True,
         "made": labels.MADE["original"], "is_old": False}
    ]  # fmt: skip
    for code in dict.fromkeys([*facts.languages, *sorted(there)]):
        if code == facts.draft.language:
            continue
        found = there.get(code)
        rows.append({
            "code": code, "name": labels.language_name(code), "is_source": False,
            "made": labels.MADE[found.made] if found else None,
            "is_old": found is not None and found.source_digest != source, "translation": found,
        })  # fmt: skip
    return rows


@requires("read-alerts")
@require_POST
@of_alert
def act(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """What somebody does with the newest version: hand in, pass, send back, give up, begin the next."""
    person, now, word = person_of(request), timezone.now(), request.POST.get("act", "")
    version, reason = newest(alert), request.POST.get("reason", "")
    if word in {Act.APPROVE, Act.PUBLISH, Act.CONFIRM_CANCEL} and not is_fresh(request):
        return prove(reverse("alert-page", args=[alert.reference]))
    if not _is_what_was_read(request, version):
        messages.error(request, _("Somebody changed it since you opened the page. Read what changed, then decide."))
        return redirect("alert-page", alert.reference)
    acts: dict[str, Callable[[], object]] = {
        Act.SUBMIT: lambda: services.submit(version, by=person, at=now),
        Act.QUALITY_PASSED: lambda: services.pass_quality(version, by=person, at=now),
        Act.LEGAL_PASSED: lambda: services.pass_legal(version, by=person, at=now),
        Act.RETURN: lambda: services.send_back(version, reason=reason, by=person, at=now),
        Act.DROP: lambda: services.drop(version, reason=reason, by=person, at=now),
        Act.UPDATE: lambda: services.update(standing(alert) or version, by=person, at=now),
        Act.KEEP: lambda: services.keep(standing(alert) or version, by=person, at=now),
        Act.APPROVE: lambda: publishing.approve(version, by=person, at=now),
        Act.PUBLISH: lambda: publishing.publish_public(version, by=person, at=now),
        Act.CONFIRM_CANCEL: lambda: publishing.confirm_cancel(standing(alert) or version, by=person, at=now),
    }
    if word == SEEN and may(person, "write-alerts"):
        acts[word] = lambda: watching.seen(alert, by=person, at=now)
    if word not in acts:
        raise Http404
    return done(request, alert, word, acts[word])


def _is_what_was_read(request: HttpRequest, version: Version) -> bool:
    """A decision is about what its maker read: the page said which version and revision that was."""
    read = request.POST.get("read", "")
    return not read or read == f"{version.number}.{version.revision}"


def done(request: HttpRequest, alert: Alert, word: str, act: Callable[[], object]) -> HttpResponseBase:
    """Do it, and say what came of it on the alert's page."""
    try:
        act()
    except Refused as error:
        messages.error(request, explained_refusal(error))
        if error.rule == "alert-leaks":
            return redirect(reverse("alert-review", args=[alert.reference], query={"look": "1"}))
        back = "alert-review" if word in {Act.LEGAL_PASSED, Act.APPROVE, Act.PUBLISH} else "alert-page"
        return redirect(back, alert.reference)
    except InputError as error:
        messages.error(request, explained(error))
        back = "alert-review" if word in {Act.RETURN, Act.APPROVE, Act.PUBLISH} else "alert-page"
        return redirect(back, alert.reference)
    except Conflict:
        messages.error(request, _("Somebody else was there first. This is how it stands now."))
        return redirect("alert-page", alert.reference)
    messages.success(request, _done(word))
    return redirect("alert-write" if word == Act.UPDATE else "alert-page", alert.reference)


def _done(word: str) -> str:
    return {
        Act.SUBMIT: _("Handed in. Others review it now; you see here how far it is."),
        Act.QUALITY_PASSED: _("Passed. It goes on to the legal review."),
        Act.LEGAL_PASSED: _("Passed. It goes on."),
        Act.RETURN: _("Sent back. Its author reads your reason."),
        Act.DROP: _("Given up. What was written stays readable here."),
        Act.UPDATE: _("The next version is begun. What is published stays until it replaces it."),
        Act.APPROVE: _("Approved. Its police edition is on its way."),
        Act.PUBLISH: _("Published to everybody."),
        Act.CANCEL: _("Asked. A second person confirms it, then it is cancelled everywhere at once."),
        Act.KEEP: _("It is not cancelled. It stands as before."),
        Act.CONFIRM_CANCEL: _("Cancelled everywhere. Its page says why, in four languages."),
    }.get(cast(Act, word), _("Done."))


def explained(error: InputError) -> str:
    """What is wrong, where, and what stands there."""
    where = " · ".join(part for part in (labels.field_name(error.field) if error.field else "", error.position) if part)
    said = sentence(error.reason)
    if error.field == "reason" and error.reason == "missing-field":
        said = _("Say why: a reason is kept with this step.")
    return " ".join(
        part for part in (f"{where}: {said}" if where else said, error.excerpt and f"({error.excerpt})") if part
    )


def explained_refusal(error: Refused) -> str:
    said = sentence(error.rule)
    if error.rule == "alert-values-changed" and error.remedy:
        return f"{said} ({error.remedy})"
    return said
