"""The cast: who stands in tests for whom. Each has the password `builders.PASSWORD`."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.centre.members.models import Person

from . import builders

CAST: dict[str, Callable[[], Person]] = {
    "dana_analyst": lambda: builders.person("dana_analyst", builders.centre(), "analyst", name="Dana Okafor"),
    "rui_reviewer": lambda: builders.person("rui_reviewer", builders.centre(), "reviewer", name="Rui Tanaka"),
    "ada_administrator": lambda: builders.person("ada_administrator", builders.centre(), "administrator", name="Ada Lindqvist"),
    "fleur_officer": lambda: builders.person("fleur_officer", builders.bureau("FR"), "officer", name="Fleur Marchand", language="fr"),
    "khalil_officer": lambda: builders.person("khalil_officer", builders.bureau("JO"), "officer", name="خليل حداد", language="ar"),
    "pia_partner": lambda: builders.person("pia_partner", builders.organisation("northwind"), "analyst", name="Pia Novak"),
    "omar_partner": lambda: builders.person("omar_partner", builders.organisation("southgate"), "analyst", name="Omar Reyes"),
}  # fmt: skip
"""Login → makes the person with the organisation. `omar_partner` is the stranger to all that northwind sends."""


def call(login: str) -> Person:
    """The person of that name, made on the first call."""
    return Person.objects.filter(login=login).first() or CAST[login]()
