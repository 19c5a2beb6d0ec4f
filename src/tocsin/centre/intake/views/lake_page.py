"""The page on the store of observations, for administrators: how it grows, how far behind it is, what is wrong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tocsin.centre.members.access import requires

from .. import labels
from ..lake_state import state


@requires("administer")
@require_safe
def lake_page(request: HttpRequest) -> HttpResponse:
    """Growth, files, lag, room and verification. No content."""
    found = state(timezone.now())
    checked = found.verified
    context = {
        "found": found,
        "rows_by_day": [(day.on, day.rows) for day in found.days],
        "deliveries_by_day": [(day.on, day.deliveries) for day in found.days],
        "size_by_day": [(day.on, day.size_bytes) for day in found.days],
        "rows_in_all": sum(day.rows for day in found.days),
        "deliveries_in_all": sum(day.deliveries for day in found.days),
        "bytes_in_all": sum(day.size_bytes for day in found.days),
        "used_percent": round(100 * (1 - found.room.free_bytes / (found.room.total_bytes or 1))),
        "faults": [(each, *labels.fault_label(each.kind, each.fault)) for each in checked.faults],
        "is_all_verified": checked.verified_files == checked.files and checked.verified_originals == checked.originals,
    }
    return render(request, "intake/lake.html", context)
