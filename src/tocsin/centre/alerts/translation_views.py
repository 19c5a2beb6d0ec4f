"""Translating an alert: side by side with its source, with the glossary's words and with values that stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale, UnknownLocaleError
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import Draft, Texts, draft_of, texts_of, to_json
from tocsin.products.alerts.locked import differences, locked_in
from tocsin.products.alerts.record import LANGUAGES, Made
from tocsin.reference.glossary import LANGUAGES as GLOSSARY_LANGUAGES
from tocsin.reference.glossary import terms_in

from . import comparing, labels, services, waiting
from .desk_views import explained, explained_refusal, of_alert
from .forms import TranslationForm, direction, translated_initial
from .models import Alert, Revision, Translation, Version
from .rules import STANDING, Act, refusal_of
from .selectors import content_of, facts_of, newest
from .writing_views import reading_of

TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}")
LONGEST_TAG = 16
REVISIONS_SEARCHED = 200


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch of the source: plain, a term of the glossary with its word, or a value that stays."""

    text: str
    kind: str = ""
    word: str = ""


@requires("read-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
@of_alert
def translate(request: HttpRequest, alert: Alert, language: str) -> HttpResponseBase:
    """The source on one side, the translation on the other."""
    version = newest(alert)
    draft, language = content_of(version), tag_of(language)
    if not language or language == draft.language:
        raise Http404
    there = Translation.objects.filter(version=version, language=language).first()
    source = to_json(draft.texts)
    if request.method != "POST":
        form = TranslationForm(initial=_initial(there, source), source=source, language=language)
        return _page(request, version, draft, language, there, form)
    form = TranslationForm(request.POST, source=source, language=language)
    if not form.is_valid():
        return _page(request, version, draft, language, there, form)
    said = form.cleaned_data
    try:
        services.translate(
            version, language, form.texts(), base=said["base"], made=Made(said["made"]), by=person_of(request),
            at=timezone.now(),
        )  # fmt: skip
    except services.EditConflict as conflict:
        return _page(request, version, draft, language, there, form, conflict)
    except InputError as error:
        form.add_error(next((part for part in error.field.split(".") if part in form.fields), None), explained(error))
        return _page(request, version, draft, language, there, form)
    except Refused as error:
        form.add_error(None, sentence(error.rule))
        return _page(request, version, draft, language, there, form)
    messages.success(request, _("Saved. Somebody else checks it beside its source."))
    return redirect("alert-translate", alert.reference, language)


def tag_of(said: str) -> str:
    """A language tag as it is stored: `pt-BR`; empty for what is none. Any language can be added."""
    if len(said) > LONGEST_TAG or not TAG.fullmatch(said):
        return ""
    first, *rest = said.split("-")
    tag = "-".join([first.lower(), *(each.upper() if len(each) == 2 else each.title() for each in rest)])
    try:
        Locale.parse(first.lower())
    except (UnknownLocaleError, ValueError):
        return ""
    return tag


def _initial(there: Translation | None, source: Mapping[str, Any]) -> dict[str, Any]:
    if there is None:
        return {"base": 0, "made": "human"}
    made = "machine" if there.made == Made.MACHINE else "human"
    return {"base": there.revision, "made": made, **translated_initial(there.content, source)}


def _page(
    request: HttpRequest, version: Version, draft: Draft, language: str, there: Translation | None,
    form: TranslationForm, conflict: services.EditConflict | None = None,
) -> HttpResponse:  # fmt: skip
    person, facts = person_of(request), facts_of(version)
    own = waiting.abilities(person)
    shown = texts_of(there.content) if there else Texts()
    values = differences(draft.texts, shown) if there else []
    is_old = there is not None and there.source_digest != draft.source_digest
    why = refusal_of(Act.TRANSLATE, facts, person.pk, own)
    context = {
        "alert": version.alert, "current": version, "draft": draft, "form": form, "translation": there,
        "language": language, "language_name": labels.language_name(language), "text_direction": direction(language),
        "source_name": labels.language_name(draft.language), "source_direction": direction(draft.language),
        "pairs": [(labels.field_name(name), _marked(text, draft.language, language), control, name)
                  for name, text, control in form.pairs()],
        "made": labels.MADE[there.made] if there else None,
        "is_old": is_old, "source_changes": _changed_since(version, draft, there) if is_old and there else [],
        "values": [(labels.field_name(each.field), each, labels.FAULTS[each.fault]) for each in values],
        "has_faults": any(each.is_fault for each in values),
        "reading": reading_of(shown.public(language, Made.HUMAN).passages(), language) if there else None,
        "refusal": sentence(why) if why and why != "alert-state" else "",
        "is_read_only": bool(why) and not form.is_bound,
        "is_published": why == "alert-state" and not form.is_bound and version.state in STANDING,
        "may_update": not refusal_of(Act.UPDATE, facts, person.pk, own),
        "check_refusal": _why_not_check(there, facts, person.pk, own, is_old),
        "has_glossary": language.split("-")[0] in GLOSSARY_LANGUAGES,
        "others": [(each, labels.language_name(each)) for each in LANGUAGES if each != draft.language],
        "conflict": comparing.changes_of(conflict.theirs) if conflict else [],
        "theirs_revision": conflict.revision if conflict else None,
    }  # fmt: skip
    status = 409 if conflict else 422 if form.is_bound else 200
    return render(request, "alerts/translate.html", context, status=status)


def _why_not_check(there: Translation | None, facts: Any, person: int, own: frozenset[str], is_old: bool) -> str:
    """Why this person cannot check it, in words; empty where it can. Nothing to check: nothing is said."""
    if there is None or there.checked_at is not None:
        return "-"
    if why := refusal_of(Act.CHECK, facts, person, own):
        return sentence(why)
    if there.made_by_id == person:
        return _("You wrote it: somebody else checks it.")
    return sentence("alert-translation-old") if is_old else ""


def _marked(text: str, source: str, language: str) -> list[Marked]:
    """The source with its terms and its values marked; a value wins over a term."""
    base, target = source.split("-")[0], language.split("-")[0]
    spots: list[tuple[int, int, str, str]] = []
    place = 0
    for value in locked_in(text):
        start = text.index(value.value, place)
        place = start + len(value.value)
        spots.append((start, place, "value", ""))
    if target in GLOSSARY_LANGUAGES:
        for found in terms_in(text, base):
            if not any(start < found.end and found.start < end for start, end, _kind, _word in spots):
                spots.append((found.start, found.end, "term", found.term.words.get(target, "")))
    pieces, end = [], 0
    for start, stop, kind, word in sorted(spots):
        if start > end:
            pieces.append(Marked(text[end:start]))
        pieces.append(Marked(text[start:stop], kind, word))
        end = stop
    return [*pieces, *([Marked(text[end:])] if end < len(text) else [])]


def _changed_since(version: Version, draft: Draft, there: Translation) -> list[comparing.Change]:
    """What changed in the source since this translation was made of it (W22)."""
    found = Revision.objects.filter(version__alert=version.alert_id, version__number__lte=version.number)
    for each in found.order_by("-version__number", "-number")[:REVISIONS_SEARCHED]:
        text = draft_of(each.content)
        if text.source_digest == there.source_digest:
            return comparing.changes(to_json(text.texts), to_json(draft.texts))
    return []


@requires("translate-alerts")
@require_POST
@of_alert
def add_language(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """Go to the page of another language: any that has a tag."""
    language = tag_of(request.POST.get("language", "").strip())
    if not language or language == content_of(newest(alert)).language:
        messages.error(request, _("This is no tag of another language. Write one such as pt, de or zh-Hant."))
        return redirect("alert-page", alert.reference)
    return redirect("alert-translate", alert.reference, language)


@requires("translate-alerts")
@require_POST
@of_alert
def check(request: HttpRequest, alert: Alert, language: str) -> HttpResponseBase:
    """Somebody else read it beside its source."""
    there = Translation.objects.filter(version=newest(alert), language=language).first()
    if there is None:
        raise Http404
    address = reverse("alert-translate", args=[alert.reference, language])
    if request.POST.get("read") != str(there.revision):
        messages.error(request, _("Somebody changed it since you opened the page. Read what changed, then decide."))
        return redirect(address)
    try:
        services.check(there, by=person_of(request), at=timezone.now())
    except Refused as error:
        messages.error(request, explained_refusal(error))
    else:
        messages.success(request, _("Checked."))
    return redirect(address)
