"""Reading the log."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from .models import Entry


def found(
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """The entries that fit, newest first. An action that ends with a dot stands for all that begin so."""
    entries = Entry.objects.order_by("-pk")
    if actor:
        entries = entries.filter(actor=actor)
    if action:
        entries = entries.filter(action__startswith=action) if action.endswith(".") else entries.filter(action=action)
    if subject:
        entries = entries.filter(subject=subject)
    if since is not None:
        entries = entries.filter(at__gte=since)
    if until is not None:
        entries = entries.filter(at__lt=until)
    return entries
