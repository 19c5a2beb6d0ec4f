"""Words for people: decisions on terms, rules of purges."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, str | Promise] = {
    "extend": _("Kept longer"),
    "shorten": _("Ended earlier"),
    "let-end": _("Left to end"),
}

STATES: dict[str, str | Promise] = {
    "in-force": _("Decided"),
    "asked": _("The source was asked"),
    "refused": _("The source does not agree"),
}

TONES = {"asked": "warn"}

RULES: dict[str, str | Promise] = {
    "term": _("Its term was over"),
    "order": _("By order"),
}
