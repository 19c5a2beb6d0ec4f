"""Words for people: how far a recipient is, what was done to chase it."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STAGES: dict[str, tuple[str, str, str | Promise]] = {
    "offered": ("hourglass", "", _("Offered")),
    "fetched": ("download", "", _("Fetched")),
    "opened": ("eye", "", _("Opened")),
    "acknowledged": ("check", "accent", _("Acknowledged")),
    "no-action": ("circle-check", "", _("No action")),
    "acted": ("circle-check", "good", _("Acted on")),
}
"""Stage → icon, tone, label."""

CHASES: dict[str, tuple[str, str | Promise]] = {
    "urgent": ("flame", _("Marked as urgent")),
    "reminded": ("bell-ringing", _("Reminded")),
    "escalated": ("alert-triangle", _("Overdue: put on the duty officer's desk")),
    "noted": ("message-report", _("Noted")),
    "outcome-30": ("help", _("Asked after 30 days what came of it")),
    "outcome-90": ("help", _("Asked after 90 days what came of it")),
    "outcome-180": ("help", _("Asked after 180 days what came of it")),
}

STATES: dict[str, str | Promise] = {
    "waiting": _("To acknowledge"),
    "acknowledged": _("Acknowledged, no answer yet"),
    "asked": _("To say what came of it"),
    "answered": _("Answered"),
    "all": _("All"),
}

FILTERS: dict[str, str | Promise] = {"all": _("All"), "overdue": _("Overdue"), "urgent": _("Urgent")}
