"""A grade in templates: letters and digits as given, their meaning, and what other schemes would say."""

from __future__ import annotations

from typing import Any

from django import template

from tocsin.core.errors import InputError
from tocsin.core.grading import HOUSE, Grade, conversions, grade_of, stix_confidence

from .. import grade_labels as words

register = template.Library()


@register.inclusion_tag("intake/_grade.html")
def grade(text: str) -> dict[str, Any]:
    """The grade, to be opened for the words and the comparisons. Empty: before grades were kept nobody said any."""
    try:
        known = grade_of(text) if text else HOUSE
    except InputError:
        return {"short": text}
    number, lost = stix_confidence(known)
    return {
        "short": known.short,
        "scheme": words.SCHEMES[known.scheme],
        "meaning": _meaning(known),
        "compared": [
            {"scheme": words.SCHEMES[each.grade.scheme], "short": each.grade.short, "meaning": _meaning(each.grade),
             "losses": [words.LOSSES[loss] for loss in each.losses]}
            for each in conversions(known)
        ],
        "number": number,
        "number_losses": [words.LOSSES[loss] for loss in lost],
    }  # fmt: skip


@register.filter
def grade_short(text: str) -> str:
    """Letters and digits alone, for places without room."""
    return str(text).rpartition(":")[2] or HOUSE.short


@register.filter
def grade_scheme(text: str) -> object:
    """The name of its scheme."""
    try:
        return words.SCHEMES[grade_of(text).scheme if text else HOUSE.scheme]
    except InputError:
        return ""


def _meaning(known: Grade) -> list[object]:
    source = words.SOURCES[known.scheme].get(known.source, words.NOT_GIVEN)
    information = words.INFORMATION[known.scheme].get(known.information, words.NOT_GIVEN)
    handling = words.HANDLING.get(known.scheme, {}).get(known.handling)
    return [source, information, *([handling] if handling else [])]
