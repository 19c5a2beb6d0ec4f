"""How a circular stands, in words."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STATES: dict[str, tuple[str, str, str | Promise]] = {
    "being-read": ("hourglass", "", _("On its way")),
    "held": ("scale", "warn", _("Held: a legal officer of the Centre reads it")),
    "waits": ("hourglass", "warn", _("Waits for the Centre's compliance check")),
    "refused": ("circle-x", "bad", _("Refused by the Centre's legal officer")),
    "unreadable": ("circle-x", "bad", _("Could not be read: it went to nobody")),
    "sent": ("circle-check", "good", _("Sent")),
    "recalled": ("rotate", "bad", _("Recalled")),
    "withdrawn": ("rotate", "", _("Withdrawn")),
}
"""State → icon, tone, label."""
