"""Words of people and countries in templates."""

from __future__ import annotations

from django import template

from .. import labels

register = template.Library()


@register.inclusion_tag("members/_badge.html")
def country_status(word: str) -> dict[str, object]:
    """How a country takes part, as a badge."""
    icon, tone, label = labels.COUNTRY_STATUSES[str(word)]
    return {"icon": icon, "tone": tone, "label": label}
