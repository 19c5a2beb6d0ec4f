"""Words for people: how far a recipient is, what was done to chase it."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

STAGES: dict[str, tuple[str, str, str | Promise]] = {
    "offered": ("hourglass", "", pgettext_lazy("stage", "Offered")),
    "fetched": ("download", "", pgettext_lazy("stage", "Fetched")),
    "opened": ("eye", "", pgettext_lazy("stage", "Opened")),
    "acknowledged": ("check", "accent", pgettext_lazy("stage", "Acknowledged")),
    "no-action": ("circle-check", "", pgettext_lazy("stage", "No action")),
    "acted": ("circle-check", "good", pgettext_lazy("stage", "Acted on")),
}
"""Stage → icon, tone, label."""

CHASES: dict[str, tuple[str, str | Promise]] = {
    "urgent": ("flame", _("Marked as urgent")),
    "reminded": ("bell-ringing", _("Reminded")),
    "escalated": ("alert-triangle", _("Overdue: put on the duty officer's desk")),
    "noted": ("message-report", _("Noted")),
}

STATES: dict[str, str | Promise] = {
    "waiting": _("To acknowledge"),
    "acknowledged": _("Acknowledged, no answer yet"),
    "answered": _("Answered"),
    "all": _("All"),
}

FILTERS: dict[str, str | Promise] = {"all": _("All"), "overdue": _("Overdue"), "urgent": _("Urgent")}
