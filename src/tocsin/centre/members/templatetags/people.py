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


@register.inclusion_tag("members/_badge.html")
def review_badge(word: str) -> dict[str, object]:
    """How the yearly confirmation of a person stands."""
    icon, tone, label = labels.REVIEWS[str(word)]
    return {"icon": icon, "tone": tone, "label": label}


@register.filter
def language_name(word: str) -> object:
    return labels.LANGUAGES.get(str(word), word)


@register.filter
def classification_name(word: str) -> object:
    return labels.CLASSIFICATIONS.get(str(word), word)
