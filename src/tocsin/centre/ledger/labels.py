"""Words for people: channels, steps, what came of it."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CHANNELS: dict[str, str | Promise] = {
    "package": _("Country package"),
    "api": _("Program (API)"),
    "page": _("Shown on a page"),
    "file": _("Downloaded file"),
    "alert": _("Standing query"),
}

OUTCOMES: dict[str, str | Promise] = {
    "acted": _("We acted on it"),
    "no-action": _("We did nothing with it"),
}

USEFULNESS: dict[str, str | Promise] = {
    "useful": _("Useful"),
    "not-useful": _("Not useful"),
    "false-positive": _("False positive"),
}
