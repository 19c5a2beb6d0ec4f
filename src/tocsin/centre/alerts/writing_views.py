"""Writing an alert: the form, what stands against handing it in, and two people who save at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.contrib import messages
from django.forms import BaseFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import Draft, draft_of, merged, texts_of, to_json
from tocsin.products.alerts.police_document import mixed_sentences
from tocsin.products.alerts.readability import Reading, measured
from tocsin.products.alerts.record import LANGUAGES, Made
from tocsin.products.alerts.words import words

from . import comparing, labels, services, waiting
from .desk_views import done, explained, of_alert
from .forms import DraftForm, content_of_form, direction, initial_of, row_sets
from .models import Alert, Revision, Translation, Version
from .rules import Act, not_ready, refusal_of, wrong_times
from .selectors import content_of, facts_of, newest

LONGEST_CONTENT = 4_000_000
FIELD_OF = {
    "alert-no-offence": "offence", "alert-no-title": "title", "alert-no-text": "happening", "alert-no-end": "expires",
    "alert-no-edition": "is_public", "alert-police-first": "is_for_police", "alert-person-public": "is_public",
    "alert-end-past": "expires", "alert-end-before-onset": "onset",
}  # fmt: skip
"""What stands against handing in → the field where it is mended."""


@requires("write-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
@of_alert
def write(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """Write the newest version, and hand it in."""
    person, version = person_of(request), newest(alert)
    facts = facts_of(version)
    if why := refusal_of(Act.WRITE, facts, person.pk, waiting.abilities(person)):
        messages.error(request, sentence(why))
        return redirect("alert-page", alert.reference)
    if request.method != "POST":
        form = DraftForm(initial=initial_of(facts.draft))
        return _page(request, version, facts.draft, form, row_sets(facts.draft))
    former = _read(version, request)
    form, sets = DraftForm(request.POST, initial=initial_of(former)), row_sets(former, request.POST)
    if not (form.is_valid() and all(rows.is_valid() for rows in sets.values())):
        return _page(request, version, former, form, sets)
    content = content_of_form(form, sets, former)
    try:
        services.write(version, content, base=_base(request), by=person, at=timezone.now())
    except services.EditConflict as conflict:
        return _conflict(request, alert, _base(request), content, conflict)
    except InputError as error:
        _explain(form, error)
        return _page(request, version, former, form, sets)
    except Refused as error:
        form.add_error(None, sentence(error.rule))
        return _page(request, version, former, form, sets)
    if request.POST.get("then") == "submit":
        return done(request, alert, Act.SUBMIT, lambda: services.submit(newest(alert), by=person, at=timezone.now()))
    messages.success(request, _("Saved."))
    return redirect("alert-write", alert.reference)


def _base(request: HttpRequest) -> int:
    said = request.POST.get("base", "")
    return int(said) if said.isdecimal() and len(said) < 10 else 0


def _read(version: Version, request: HttpRequest) -> Draft:
    """What the writer had before him: rows that are kept are known from there."""
    found = Revision.objects.filter(version=version, number=_base(request)).first()
    return draft_of(found.content) if found else content_of(version)


def _explain(form: DraftForm, error: InputError) -> None:
    name = next((part for part in error.field.split(".") if part in form.fields), None)
    form.add_error(name, explained(error))


def _page(
    request: HttpRequest, version: Version, draft: Draft, form: DraftForm, sets: Mapping[str, BaseFormSet[Any]]
) -> HttpResponse:
    base = _base(request) if form.is_bound else version.revision
    context = {
        "alert": version.alert, "current": version, "form": form, "sets": sets, "base": base, "draft": draft,
        "sections": _sections(form, version), "against": against(draft), "mixed": mixed(draft),
        "reading": reading_of(draft.texts.public(draft.language, Made.ORIGINAL).passages(), draft.language),
        "is_in_review": version.state != "draft", "state": labels.STATES[version.state],
    }  # fmt: skip
    return render(request, "alerts/write.html", context, status=422 if form.is_bound else 200)


def _sections(form: DraftForm, version: Version) -> list[dict[str, Any]]:
    """The form in the order in which one thinks: each with a heading and what it is for."""
    public = ["title", "happening", "at_risk", "recognise", "do_now", "if_victim"]
    if version.number > 1:
        public.append("reason")
    listed = (
        ("kind", _("What it is"), "", ("type", "offence", "severity", "urgency", "certainty", "language", "onset",
                                       "expires")),
        ("public", _("What everybody reads"), _("Short sentences, plain words, at most 400 in all."), public),
        ("police", _("What the police reads beside it"), _("Facts apart from what you conclude from them."),
         ("bottom_line", "facts", "assessment", "likelihood", "confidence", "never", "questions", "contact",
          "answer_by")),
        ("where", _("Countries and techniques"), "", ("countries", "techniques")),
        ("who", _("Who may read it"), _("What its sources allow is the widest it can be. Here you can only narrow it."),
         ("is_for_police", "is_public", "tlp", "audience", "exclusions", "embargo_until")),
    )  # fmt: skip
    return [
        {"id": name, "heading": heading, "hint": hint, "fields": list(form.fields_of(*fields)),
         "is_grid": name in {"kind", "who", "where"}}
        for name, heading, hint, fields in listed
    ]  # fmt: skip


def against(draft: Draft) -> list[tuple[str, str]]:
    """What stands against handing it in or publishing it: sentence, id of the field."""
    found = []
    left = draft
    if why := not_ready(left):
        found.append(why)
    if why := wrong_times(draft, timezone.now()):
        found.append(why)
    return [(sentence(each), f"id_{FIELD_OF.get(each, 'title')}") for each in found]


def mixed(draft: Draft) -> list[str]:
    """Sentences that speak of likelihood and of confidence at once. A word may mean something else: this advises."""
    texts = draft.texts
    said = (texts.bottom_line, texts.facts, texts.assessment)
    return [each for text in said for each in mixed_sentences(text, draft.language)]


def reading_of(passages: Any, language: str) -> Reading:
    return measured((text for _name, text in passages), language)


@requires("read-alerts")
@require_POST
def plain(request: HttpRequest) -> HttpResponse:
    """How plain the text is that somebody is writing. Nothing of it is kept."""
    said = request.POST
    language = said.get("language", "en")[:16] or "en"
    names = ("title", "happening", "at_risk", "recognise", "do_now", "if_victim")
    passages = [(name, said.get(name, "")[:40_000]) for name in names]
    return render(request, "alerts/_plain.html", {"reading": reading_of(passages, language)})


def _conflict(
    request: HttpRequest, alert: Alert, base: int, mine: Mapping[str, Any], conflict: services.EditConflict
) -> HttpResponse:
    """Both texts beside one another. Nothing is saved yet, and nothing is lost."""
    version = newest(alert)
    read = Revision.objects.filter(version=version, number=base).first()
    before = {} if read is None else read.content
    own = to_json(draft_of(mine))
    contested = set(conflict.contested)
    context = {
        "alert": alert, "current": version, "base": base, "revision": conflict.revision,
        "mine": orjson.dumps(own).decode(),
        "contested": [
            {"path": path, "before": comparing.shown(comparing.at(before, path)),
             "name": labels.field_name(path),
             "mine": comparing.change_of(path, comparing.at(before, path), comparing.at(own, path)),
             "theirs": comparing.change_of(path, comparing.at(before, path), comparing.at(version.content, path))}
            for path in conflict.contested
        ],
        "theirs": [each for each in comparing.changes_of(conflict.theirs) if each.path not in contested],
        "own": [each for each in comparing.changes(before, own) if each.path not in contested],
        "last": Revision.objects.filter(version=version, number=conflict.revision).select_related("by").first(),
    }  # fmt: skip
    return render(request, "alerts/conflict.html", context, status=409)


@requires("write-alerts")
@require_POST
@of_alert
def resolve(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """Save both changes together, with the choice where both changed the same."""
    version, base, said = newest(alert), _base(request), request.POST
    try:
        if len(said.get("mine", "")) > LONGEST_CONTENT:
            raise InputError("too-large")
        mine = to_json(draft_of(orjson.loads(said.get("mine", ""))))
        revision = int(said.get("revision", "0")[:9] or 0)
        read = Revision.objects.filter(version=version, number=base).first()
        there = Revision.objects.filter(version=version, number=revision).first()
        both, contested = merged(read.content if read else {}, mine, there.content if there else version.content)
        for path in contested:
            if said.get(f"choice-{path}") == "mine":
                comparing.put(both, path, comparing.at(mine, path))
        services.write(version, both, base=revision, by=person_of(request), at=timezone.now())
    except services.EditConflict as conflict:
        return _conflict(request, alert, revision, both, conflict)
    except (InputError, ValueError, TypeError) as error:
        messages.error(request, explained(error) if isinstance(error, InputError) else sentence("not-json"))
        return redirect("alert-write", alert.reference)
    except Refused as error:
        messages.error(request, sentence(error.rule))
        return redirect("alert-page", alert.reference)
    messages.success(request, _("Saved, with both changes."))
    return redirect("alert-write", alert.reference)


@requires("read-alerts")
@require_safe
@of_alert
def preview(request: HttpRequest, alert: Alert) -> HttpResponse:
    """Both editions beside one another, as a phone shows them, in one of the languages that are there."""
    version = newest(alert)
    draft = content_of(version)
    there: dict[str, Translation] = {each.language: each for each in version.translations.all()}
    language = request.GET.get("language", draft.language)
    translation = there.get(language)
    texts = texts_of(translation.content) if translation else draft.texts
    language = language if translation else draft.language
    say = words(language)
    public = None
    if draft.is_public and draft.type.is_for_the_public:
        public = texts.public(language, Made(translation.made) if translation else Made.ORIGINAL)
    context = {
        "alert": alert, "current": version, "draft": draft, "texts": texts, "public": public, "language": language,
        "text_direction": direction(language), "say": {name: say(name) for name in (
            "alert", "happening", "at_risk", "recognise", "do_now", "if_victim", "report_it", "signs", "severity",
            "issued", "expires", "worldwide")},
        "type_name": say(f"type.{draft.type.value}"), "type_colour": labels.TYPES[draft.type.value][1],
        "severity": say(f"severity.{draft.severity.value}"),
        "countries": [say.country(code) for code in draft.countries],
        "expires": say.moment(draft.expires) if draft.expires else "",
        "signs": [each for each in draft.indicators if each.is_marked and each.has_consent],
        "likelihood": labels.LIKELIHOODS.get(draft.likelihood, ""),
        "confidence": labels.CONFIDENCES.get(draft.confidence, ""),
        "languages": [(code, labels.language_name(code)) for code in
                      dict.fromkeys([draft.language, *[each for each in LANGUAGES if each in there], *sorted(there)])],
        "is_old": translation is not None and translation.source_digest != draft.source_digest,
        "made": labels.MADE[translation.made] if translation else labels.MADE["original"],
    }  # fmt: skip
    return render(request, "alerts/preview.html", context)


@requires("read-alerts")
@require_safe
@of_alert
def versions(request: HttpRequest, alert: Alert) -> HttpResponse:
    """All that was ever written of it, and what differs between any two."""
    found = list(
        Revision.objects.filter(version__alert=alert).defer("content").select_related("by", "version")
        .order_by("-version__number", "-number")[:200]
    )  # fmt: skip
    names = {f"{each.version.number}.{each.number}": each.pk for each in found}
    new = request.GET.get("new", "")
    new = new if new in names else next(iter(names), "")
    old = request.GET.get("old", "")
    if old not in names:
        places = list(names)
        old = places[places.index(new) + 1] if new and places.index(new) + 1 < len(places) else new
    contents = {
        each.pk: each.content for each in Revision.objects.filter(pk__in=[names[name] for name in (old, new) if name])
    }
    same = [] if not new else comparing.changes(contents[names[old]], contents[names[new]])
    context = {
        "alert": alert, "revisions": [(f"{each.version.number}.{each.number}", each) for each in found],
        "old": old, "new": new, "changes": same,
    }  # fmt: skip
    return render(request, "alerts/versions.html", context)
