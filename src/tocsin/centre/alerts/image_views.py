"""Images and documents of an alert: put one beside the text, say what it shows, take one out."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, Refused

from . import attaching, files, services, waiting
from .desk_views import explained, of_alert
from .forms import direction
from .models import Alert, Attached
from .rules import STANDING, Act, refusal_of
from .selectors import content_of, facts_of, newest


@requires("write-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
@of_alert
def images(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """What images the draft has; one more, or one less."""
    person, version = person_of(request), newest(alert)
    facts, own = facts_of(version), waiting.abilities(person)
    why = refusal_of(Act.WRITE, facts, person.pk, own)
    if request.method == "POST":
        _changed(request, alert)
        return redirect("alert-images", alert.reference)
    draft = content_of(version)
    titles = draft.texts.image_texts
    annexes = [(each, titles.get(each.name, "")) for each in draft.annexes]
    shown = [(each, draft.texts.image_texts.get(each.name, "")) for each in draft.images]
    context = {
        "alert": alert, "images": shown, "why": sentence(why) if why else "", "base": version.revision,
        "is_published": why == "alert-state" and version.state in STANDING, "current": version,
        "may_update": not refusal_of(Act.UPDATE, facts, person.pk, own),
        "most": attaching.MOST_IMAGES, "is_full": len(shown) >= attaching.MOST_IMAGES,
        "annexes": annexes, "most_annexes": attaching.MOST_ANNEXES,
        "is_full_of_annexes": len(annexes) >= attaching.MOST_ANNEXES,
        "text_language": draft.language, "text_direction": direction(draft.language), "longest": attaching.LONGEST_TEXT,
    }  # fmt: skip
    return render(request, "alerts/images.html", context)


def _changed(request: HttpRequest, alert: Alert) -> None:
    """Do what was asked, and tell what came of it."""
    said, person, version, now = request.POST, person_of(request), newest(alert), timezone.now()
    number = said.get("base", "")
    base = int(number) if number.isdecimal() and len(number) < 10 else 0
    try:
        if "remove" in said:
            attaching.detach(version, said["remove"], base=base, by=person, at=now)
            messages.success(request, _("It was taken out."))
            return
        if "annex_title" in said:
            _annexed(request, alert, base)
            return
        given = request.FILES.get("image")
        if given is None:
            messages.error(request, _("Choose a file first."))
            return
        text = said.get("image_text", "")
        attaching.attach(version, given.chunks(), given.name or "", text=text, base=base, by=person, at=now)
        messages.success(request, _("The image was made anew from its points, and put beside the text."))
    except services.EditConflict:
        messages.error(request, _("Somebody else wrote since. This is how it stands now: nothing of theirs is lost."))
    except InputError as error:
        messages.error(request, sentence(error.reason) if error.field in _WORDS else explained(error))
    except Refused as error:
        messages.error(request, sentence(error.rule))


_WORDS = frozenset({"image_text", "annex_title"})
"""Fields whose faults are told by themselves."""


def _annexed(request: HttpRequest, alert: Alert, base: int) -> None:
    given, said = request.FILES.get("annex"), request.POST
    if given is None:
        messages.error(request, _("Choose a file first."))
        return
    attaching.attach_annex(
        newest(alert), given.chunks(), given.name or "", title=said["annex_title"],
        is_public=said.get("audience") == "public", base=base, by=person_of(request), at=timezone.now(),
    )  # fmt: skip
    messages.success(request, _("The document was made anew from what its pages show, and put beside the text."))


@requires("read-alerts")
@require_safe
@of_alert
def image(request: HttpRequest, alert: Alert, name: str) -> HttpResponse:
    """An image as it would be published."""
    found = Attached.objects.filter(alert=alert, name=name).first()
    if found is None:
        raise Http404
    response = HttpResponse(files.read(found.sha256), content_type=found.media_type)
    response["Cache-Control"] = "private, no-store"
    return response
