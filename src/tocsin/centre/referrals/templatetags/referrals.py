"""Words of referrals in templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tocsin.centre.referrals import selectors
from tocsin.centre.referrals.services import LEAST_SHOWN

register = template.Library()
ABOUT: dict[str, str | Promise] = {
    "hit": _("Somebody was hit"),
    "seen": _("Somebody has seen it"),
    "question": _("A question"),
}


@register.filter
def about_words(word: str) -> str | Promise:
    return ABOUT.get(word, word)


@register.inclusion_tag("referrals/_counts.html")
def referral_counts(number: str | None) -> dict[str, Any]:
    """How many citizens answered an alert, by country, for the desk: counts alone, and none that is small."""
    return {"counts": selectors.counts_of(number) if number else [], "least": LEAST_SHOWN}
