"""The cast: who stands in tests for whom. Each has the password `builders.PASSWORD`."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.utils import timezone

from tocsin.centre.members.models import Person
from tocsin.centre.members.sessions import PROVED_AT

from . import builders


def _at_centre(login: str, role: str, name: str) -> Person:
    return builders.person(login, builders.centre(), role, name=name)


def _at_bureau(login: str, code: str, name: str, language: str, role: str = "officer") -> Person:
    return builders.person(login, builders.bureau(code), role, name=name, language=language)


def _at_partner(login: str, slug: str, name: str, role: str = "analyst") -> Person:
    return builders.person(login, builders.organisation(slug), role, name=name)


CAST: dict[str, Callable[[], Person]] = {
    "dana_analyst": lambda: _at_centre("dana_analyst", "analyst", "Dana Okafor"),
    "rui_reviewer": lambda: _at_centre("rui_reviewer", "reviewer", "Rui Tanaka"),
    "dora_dissemination": lambda: _at_centre("dora_dissemination", "dissemination", "Dora Lindt"),
    "lena_legal": lambda: _at_centre("lena_legal", "legal", "Lena Brandt"),
    "dario_duty": lambda: _at_centre("dario_duty", "duty", "Darío Fuentes"),
    "vera_victim_desk": lambda: _at_centre("vera_victim_desk", "victim-desk", "Vera Costa"),
    "paula_partnership": lambda: _at_centre("paula_partnership", "partnership", "Paula Stone"),
    "ada_administrator": lambda: _at_centre("ada_administrator", "administrator", "Ada Lindqvist"),
    "aida_auditor": lambda: _at_centre("aida_auditor", "auditor", "Aïda Ben Salem"),
    "cora_commission": lambda: _at_centre("cora_commission", "commission", "Cora Nyberg"),
    "fleur_officer": lambda: _at_bureau("fleur_officer", "FR", "Fleur Marchand", "fr"),
    "khalil_officer": lambda: _at_bureau("khalil_officer", "JO", "خليل حداد", "ar"),
    "hugo_head": lambda: _at_bureau("hugo_head", "FR", "Hugo Perrin", "fr", "head"),
    "pia_partner": lambda: _at_partner("pia_partner", "northwind", "Pia Novak"),
    "mona_manager": lambda: _at_partner("mona_manager", "northwind", "Mona Weiss", "manager"),
    "omar_partner": lambda: _at_partner("omar_partner", "southgate", "Omar Reyes"),
}
"""Login → makes the person with the organisation. `omar_partner` is the stranger to all that northwind sends."""


def call(login: str) -> Person:
    """The person of that name, made on the first call."""
    return Person.objects.filter(login=login).first() or CAST[login]()


def let_in(client: Client, login: str, language: str = "") -> Person:
    """Somebody of the cast signs in with this client, and has thereby just proved who it is; reads in the language."""
    person = call(login)
    if language:
        Person.objects.filter(pk=person.pk).update(language=language)
    client.force_login(person)
    session = client.session
    session[PROVED_AT] = timezone.now().timestamp()
    session.save()
    return person
