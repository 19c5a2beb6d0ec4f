"""The cast: who stands in tests for whom. Each has the password `builders.PASSWORD`."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.centre.members.models import Person

from . import builders


def _at_centre(login: str, role: str, name: str) -> Person:
    return builders.person(login, builders.centre(), role, name=name)


def _at_bureau(login: str, code: str, name: str, language: str) -> Person:
    return builders.person(login, builders.bureau(code), "officer", name=name, language=language)


def _at_partner(login: str, slug: str, name: str) -> Person:
    return builders.person(login, builders.organisation(slug), "analyst", name=name)


CAST: dict[str, Callable[[], Person]] = {
    "dana_analyst": lambda: _at_centre("dana_analyst", "analyst", "Dana Okafor"),
    "rui_reviewer": lambda: _at_centre("rui_reviewer", "reviewer", "Rui Tanaka"),
    "ada_administrator": lambda: _at_centre("ada_administrator", "administrator", "Ada Lindqvist"),
    "fleur_officer": lambda: _at_bureau("fleur_officer", "FR", "Fleur Marchand", "fr"),
    "khalil_officer": lambda: _at_bureau("khalil_officer", "JO", "خليل حداد", "ar"),
    "pia_partner": lambda: _at_partner("pia_partner", "northwind", "Pia Novak"),
    "omar_partner": lambda: _at_partner("omar_partner", "southgate", "Omar Reyes"),
}
"""Login → makes the person with the organisation. `omar_partner` is the stranger to all that northwind sends."""


def call(login: str) -> Person:
    """The person of that name, made on the first call."""
    return Person.objects.filter(login=login).first() or CAST[login]()
