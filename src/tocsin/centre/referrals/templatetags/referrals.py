"""Words of referrals in templates."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

register = template.Library()
ABOUT: dict[str, str | Promise] = {
    "hit": _("Somebody was hit"),
    "seen": _("Somebody has seen it"),
    "question": _("A question"),
}


@register.filter
def about_words(word: str) -> str | Promise:
    return ABOUT.get(word, word)
