"""The catalogue of public feeds: switches, health, running one now."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.jobs.models import Job
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.rules import may
from tocsin.core.errors import NotFound

from .. import feeds

TABS = ("on", "trouble")


@requires("read-feeds")
@require_safe
def feed_list(request: HttpRequest) -> HttpResponse:
    """Every feed of the catalogue with its switch and how it is doing: trouble first, then those that are on."""
    now = timezone.now()
    rows = feeds.catalogue(now)
    shown = request.GET.get("show", "")
    chosen = {
        "on": [row for row in rows if row.state.enabled],
        "trouble": [row for row in rows if row.words or row.is_late],
    }.get(shown, rows)
    open_states = [Job.State.WAITING, Job.State.RUNNING]
    running = set(Job.objects.filter(kind=feeds.FETCH, state__in=open_states).values_list("subject", flat=True))
    last = [row.state.last_delivery for row in rows if row.state.last_delivery]
    dues = [row.state.next_at for row in rows if row.state.enabled and row.state.next_at]
    context = {
        "rows": sorted(
            ((row, f"feed:{row.feed.slug}" in running) for row in chosen),
            key=lambda each: (not (each[0].words or each[0].is_late), not (each[0].state.enabled or each[1])),
        ),
        "is_running": bool(running),
        "rows_sum": sum(each.rows for each in last),
        "refused_sum": sum(each.rejections for each in last),
        "next_at": min(dues, default=None),
        "is_due": any(due <= now for due in dues),
        "shown": shown,
        "all_count": len(rows),
        "on_count": sum(row.state.enabled for row in rows),
        "trouble_count": sum(bool(row.words or row.is_late) for row in rows),
        "can_switch": may(person_of(request), "switch-feeds"),
        "reads_receipts": may(person_of(request), "read-all-deliveries"),
    }
    return render(request, "intake/feed_list.html", context)


@requires("switch-feeds")
@require_POST
def feed_switch(request: HttpRequest) -> HttpResponse:
    """On or off."""
    on = request.POST.get("on") == "1"
    slug = request.POST.get("feed", "")
    try:
        feeds.switch(slug, on=on, by=person_of(request).login, at=timezone.now())
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The feed is on and will be fetched now.") if on else _("The feed is off."))
    return _back(request)


@requires("switch-feeds")
@require_POST
def feed_run(request: HttpRequest) -> HttpResponse:
    """Fetch one now."""
    try:
        queued = feeds.run_now(request.POST.get("feed", ""), by=person_of(request).login, at=timezone.now())
    except NotFound:
        raise Http404 from None
    messages.success(request, _("The feed is being fetched.") if queued else _("A fetch of this feed is under way."))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    """To the tab that the button stood on."""
    shown = request.POST.get("show", "")
    return redirect(f"{reverse('feeds')}?show={shown}" if shown in TABS else reverse("feeds"))
