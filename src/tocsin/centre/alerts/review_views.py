"""Reviewing an alert: its text beside what changed since it was last passed, what it rests on, what was found in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reasons import sentence
from tocsin.centre.redaction.labels import WHY
from tocsin.core.errors import InputError, Refused
from tocsin.products.alerts.draft import Draft, Texts, draft_of, texts_of, to_json
from tocsin.products.alerts.record import Made

from . import comparing, guarding, labels, publishing
from .desk_views import explained, of_alert, page_of_alert
from .forms import LISTS, direction, text_initial
from .models import Alert, Revision, Version
from .rules import State
from .selectors import content_of, newest
from .writing_views import against, mixed, reading_of

REVISIONS_SEARCHED = 200
LISTED = (*LISTS, "tasks")


@requires("read-alerts")
@require_safe
@of_alert
def review(request: HttpRequest, alert: Alert) -> HttpResponse:
    """The text as it stands, what changed since the last pass, what it rests on; and passing it or sending it back."""
    person, version = person_of(request), newest(alert)
    draft = content_of(version)
    since, former = _last_passed(version, draft)
    context: dict[str, Any] = page_of_alert(person, alert) | {
        "draft": draft,
        "passages": passages_of(draft),
        "facts_shown": facts_of_draft(draft),
        "since": since,
        "changes": [] if former is None else comparing.changes(former, to_json(draft)),
        "grounds": _grounds(person, version),
        "named": _state_named(version),
        "against": against(draft),
        "mixed": mixed(draft),
        "reading": reading_of(draft.texts.public(draft.language, Made.ORIGINAL).passages(), draft.language),
        "translations": _translations(version, draft),
        "looked": _looked(version) if "look" in request.GET else None,
    }
    return render(request, "alerts/review.html", context)


def _last_passed(version: Version, draft: Draft) -> tuple[str, dict[str, Any] | None]:
    """What was passed last by the review that the version waits for, or was published last; and which of them it is."""
    state = State(version.state)
    revisions = Revision.objects.filter(version__alert=version.alert_id, version__number__lte=version.number)
    for each in revisions.order_by("-version__number", "-number")[:REVISIONS_SEARCHED]:
        text = draft_of(each.content)
        by_law = (text.text_digest, text.label_digest) == (version.legal_text, version.legal_label)
        if by_law if state is State.LEGAL else text.text_digest == version.quality_text:
            return "passed", each.content
    published = (
        Version.objects.filter(alert=version.alert_id, number__lt=version.number, police_at__isnull=False)
        .order_by("-number").first()
    ) or (
        Version.objects.filter(alert=version.alert_id, number__lt=version.number).exclude(state=State.DROPPED)
        .order_by("-number").first()
    )  # fmt: skip
    return ("published", published.content) if published else ("", None)


def passages_of(draft: Draft) -> list[dict[str, Any]]:
    """The words of both editions, in the order in which they are read."""
    shown = text_initial(to_json(draft)["texts"])
    public = ("title", "happening", "at_risk", "recognise", "do_now", "if_victim", "reason")
    police = ("bottom_line", "facts", "assessment", "never", "questions")
    return [
        {"name": labels.FIELDS[name], "text": shown[name], "lines": _lines(name, shown[name]),
         "is_public": name in public}
        for name in (*public, *police) if shown[name]
    ]  # fmt: skip


def _lines(name: str, text: str) -> list[str]:
    """Those of a list; none of a text in paragraphs."""
    return text.splitlines() if name in LISTS else []


def _translated(texts: Texts) -> list[tuple[str, str, list[str]]]:
    """Name of a field, its text, its lines where it is a list."""
    found: dict[str, list[str]] = {}
    for name, text in texts.passages():
        whole = name.partition(".")[0]
        found.setdefault(whole if whole in LISTED else name, []).append(text)
    return [(labels.field_name(name), "\n".join(said), said if name in LISTED else []) for name, said in found.items()]


def facts_of_draft(draft: Draft) -> list[tuple[Any, str]]:
    """What is said beside the words."""
    said = to_json(draft)
    found = [
        (labels.FIELDS["type"], labels.word("type", draft.type.value)),
        (labels.FIELDS["offence"], labels.word("offence", draft.offence.value)),
        (labels.FIELDS["severity"], labels.word("severity", draft.severity.value)),
        (labels.FIELDS["urgency"], labels.URGENCIES[draft.urgency.value]),
        (labels.FIELDS["certainty"], labels.CERTAINTIES[draft.certainty.value]),
        (labels.FIELDS["onset"], comparing.shown(said["onset"])),
        (labels.FIELDS["expires"], comparing.shown(said["expires"])),
        (labels.FIELDS["likelihood"], labels.LIKELIHOODS.get(draft.likelihood, "")),
        (labels.FIELDS["confidence"], labels.CONFIDENCES.get(draft.confidence, "")),
        (labels.FIELDS["techniques"], " ".join(draft.techniques)),
        (labels.FIELDS["contact"], draft.contact),
        (labels.FIELDS["answer_by"], comparing.shown(said["answer_by"])),
        (labels.FIELDS["tlp"], str(draft.label.get("tlp", ""))),
        (labels.FIELDS["audience"], ", ".join(draft.label.get("audience", []))),
        (labels.FIELDS["exclusions"], ", ".join(draft.label.get("exclusions", []))),
        (labels.FIELDS["embargo_until"], comparing.shown(said["embargo_until"])),
    ]
    return [(name, str(value)) for name, value in found if value]


def _grounds(person: Person, version: Version) -> list[tuple[Batch, bool]]:
    """What it rests on, as far as the reader may see it: the others are absent to him, here as elsewhere."""
    numbers = dict(version.grounds.values_list("batch", "closed_at"))
    seen = visible_batches(viewer_of(person)).filter(pk__in=numbers)
    found = seen.select_related("delivery__organisation", "handling_set").order_by("-received_at", "-pk")
    return [(each, numbers[each.pk] is not None) for each in found[:100]]


def _state_named(version: Version) -> list[tuple[str, str, str]]:
    """Where a text puts the deed down to a State: language, field, the words."""
    try:
        guarding.require_lawful(version)
    except guarding.StateNamed as error:
        return [
            (labels.language_name(language), labels.field_name(field), words) for language, field, words in error.found
        ]
    return []


def _looked(version: Version) -> dict[str, Any]:
    """What would stand against publishing it now: all that the public would read is made and looked through. Where
    something is, and why; never the value."""
    try:
        made = publishing.preview(version, timezone.now())
    except guarding.LeaksFound as found:
        places = [
            (labels.language_name(language) if language else "", labels.field_name(where), str(WHY.get(why, why)))
            for language, where, why in found.places
        ]
        return {"places": places, "why": sentence(found.rule), "files": 0}
    except Refused as refused:
        return {"places": [], "why": sentence(refused.rule), "files": 0}
    except InputError as error:
        return {"places": [], "why": explained(error), "files": 0}
    return {"places": [], "why": "", "files": len(made)}


def _translations(version: Version, draft: Draft) -> list[dict[str, Any]]:
    return [
        {"name": labels.language_name(each.language), "code": each.language, "direction": direction(each.language),
         "made": labels.MADE[each.made], "is_old": each.source_digest != draft.source_digest,
         "passages": _translated(texts_of(each.content))}
        for each in version.translations.order_by("language")
    ]  # fmt: skip
