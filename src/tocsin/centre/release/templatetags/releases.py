"""Words of releases in templates."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from tocsin.centre.members.labels import CODES, PAP, PURPOSES
from tocsin.centre.permissions.labels import entry_names

from .. import labels

register = template.Library()
TABLES = {"reason": labels.REASONS, "release": labels.STATES, "order": labels.STANDINGS}


@register.filter
def sign_of(word: str, table: str) -> str:
    """The icon that goes with a word of one of the tables."""
    return TABLES[table][str(word)][0]


@register.filter
def tone_of(word: str, table: str) -> str:
    return TABLES[table][str(word)][1]


@register.filter
def words_of(word: str, table: str) -> object:
    """What it says."""
    return TABLES[table][str(word)][2]


@register.filter
def refusal_text(word: str) -> object:
    """Why something is not let go."""
    return labels.REFUSALS.get(str(word), word)


@register.filter
def names_of(entries: Iterable[str]) -> list[str]:
    """An audience in words."""
    return entry_names(entries)


@register.filter
def purpose_name(word: str) -> object:
    return PURPOSES.get(str(word), word)


@register.filter
def pap_text(word: str) -> object:
    return PAP.get(str(word), word)


@register.filter
def code_text(word: str) -> object:
    return CODES.get(str(word), word)
