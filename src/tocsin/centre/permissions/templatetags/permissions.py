"""Words of permissions in templates."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.translation import ngettext

from tocsin.centre.members.labels import ATTRIBUTIONS, CLASSIFICATIONS, PURPOSES
from tocsin.handling import Decision

from .. import labels

register = template.Library()
_WORDS = {"classification": CLASSIFICATIONS, "attribution": ATTRIBUTIONS}


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


@register.filter
def field_name(word: str) -> object:
    """A field of a handling set."""
    return labels.FIELDS[str(word)]


@register.filter
def derived_words(decision: Decision) -> list[str]:
    """The value of a field in words."""
    match decision.field:
        case "audience" | "exclusions":
            return labels.entry_names(decision.value)
        case "purposes":
            return [str(PURPOSES.get(word, word)) for word in decision.value]
        case "classification" | "attribution":
            return [str(_WORDS[decision.field].get(word, word)) for word in decision.value]
        case "retention_months":
            months = int(decision.value[0])
            return [ngettext("%(months)s month", "%(months)s months", months) % {"months": months}]
        case _:
            return list(decision.value)
