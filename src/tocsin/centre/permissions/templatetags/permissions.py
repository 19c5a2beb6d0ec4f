"""Words of permissions in templates."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from tocsin.centre.members.labels import PURPOSES

from .. import labels

register = template.Library()


@register.inclusion_tag("permissions/_state.html")
def permission_state(word: str) -> dict[str, object]:
    """How a request stands, as a badge."""
    icon, tone, label = labels.STATES[str(word)]
    return {"icon": icon, "tone": tone, "label": label}


@register.filter
def state_text(word: str) -> object:
    return labels.STATES[str(word)][2]


@register.filter
def audience_names(entries: Iterable[str]) -> list[str]:
    """An audience in words."""
    return labels.entry_names(entries)


@register.filter
def purpose_names(listed: Iterable[str]) -> list[str]:
    return [str(PURPOSES.get(str(word), word)) for word in listed]
