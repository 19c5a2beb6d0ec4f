"""Cancelling an alert: why, in the four languages of the public, and a second person who confirms it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.reasons import sentence
from tocsin.core.errors import NotFound
from tocsin.products.alerts.record import LANGUAGES
from tocsin.products.alerts.words import words

from . import labels, publishing
from .desk_views import done, of_alert
from .forms import CancelForm
from .models import Alert
from .rules import Act
from .selectors import standing


def reasons_of(form: CancelForm) -> dict[str, str]:
    """Language → why: own words, else the ready sentence. Languages of neither are left out."""
    said = form.cleaned_data
    found = {}
    for language in LANGUAGES:
        text = said[f"own_{language}"].strip() or (words(language)(f"cancel.{said['ready']}") if said["ready"] else "")
        if text:
            found[language] = text
    return found


@requires("write-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
@of_alert
def cancel(request: HttpRequest, alert: Alert) -> HttpResponseBase:
    """Ask that it is cancelled: the public reads why, in each of the four languages."""
    version, person = standing(alert), person_of(request)
    if version is None:
        raise NotFound
    if version.cancel_asked_by_id is not None:
        return redirect("alert-page", alert.reference)
    form = CancelForm(request.POST or None)
    if form.is_bound and form.is_valid():
        reasons = reasons_of(form)
        if set(LANGUAGES) - set(reasons):
            form.add_error("ready", sentence("alert-reason-missing"))
        else:
            return done(
                request, alert, Act.CANCEL,
                lambda: publishing.ask_cancel(version, reasons=reasons, by=person, at=timezone.now()),
            )  # fmt: skip
    ready = [
        (label, [(language, words(language)(f"cancel.{name}")) for language in LANGUAGES])
        for name, label in labels.CANCEL_REASONS.items()
    ]
    context = {"alert": alert, "current": version, "form": form, "ready": ready}
    return render(request, "alerts/cancel.html", context, status=422 if form.is_bound else 200)
