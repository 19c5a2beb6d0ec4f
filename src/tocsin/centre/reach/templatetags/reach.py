"""Words of answers in templates, and what a source may know of its delivery."""

from __future__ import annotations

from django import template

from tocsin.centre.intake.models import Delivery
from tocsin.centre.ledger.labels import CHANNELS, OUTCOMES, USEFULNESS

from .. import headings, labels, spread
from ..about import About

register = template.Library()


@register.filter
def stage_icon(word: str) -> str:
    """The icon that goes with how far a recipient is."""
    return labels.STAGES[str(word)][0]


@register.filter
def stage_tone(word: str) -> str:
    return labels.STAGES[str(word)][1]


@register.filter
def stage_words(word: str) -> object:
    """How far a recipient is."""
    return labels.STAGES[str(word)][2]


@register.filter
def heading(about: About) -> str:
    """What something received is about."""
    return headings.heading_of(about)


@register.filter
def under_heading(about: About) -> str:
    """What stands below that: figures where the heading is a title, and days."""
    return headings.under_heading(about)


@register.filter
def channel_name(word: str) -> object:
    return CHANNELS.get(str(word), word)


@register.filter
def outcome_words(word: str) -> object:
    return OUTCOMES.get(str(word), word)


@register.filter
def usefulness_words(word: str) -> object:
    return USEFULNESS.get(str(word), word)


@register.inclusion_tag("reach/_usefulness.html")
def usefulness(delivery: Delivery) -> dict[str, object]:
    """Whether it was useful to at least three countries."""
    return {"found": spread.usefulness_of(delivery)}
