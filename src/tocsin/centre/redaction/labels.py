"""Words of redacted versions, as people read them."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

GROUPS: dict[str, str | Promise] = {
    "times": _("When and how often it was seen"),
    "names": _("Malware, actor and the source's own name"),
    "network": _("Network, port, protocol and host name"),
    "address": _("Web address that belongs to it"),
    "other-side": _("The other side"),
    "countries": _("Countries that the source states"),
    "weight": _("Severity and confidence"),
    "free-text": _("Remarks, tags and references"),
}
"""Columns of rows that are taken out together, as `cutting.COLUMN_GROUPS` has them."""

REFUSALS: dict[str, str | Promise] = {
    "not-allowed": _("Your roles do not allow this."),
    "nothing-chosen": _("Choose at least one object. What you may not see cannot be chosen."),
    "nothing-taken-out": _("Take at least one field out, or replace a text: else nothing is redacted."),
    "no-reason": _("Say why: a reason is kept with this step."),
    "too-short": _("A text that is replaced has at least three characters: a shorter one stands in too many places."),
    "too-many-rows": _("These are too many rows for a redacted version. Ask the source for a smaller delivery."),
    "no-common-purpose": _("Its parts serve no common purpose: redact each by itself, or ask the source."),
    "origin-closed": _("What it was made of is hidden from you, or gone: it stays closed."),
}
