"""The cast: who stands in tests for whom. Each has the password `builders.PASSWORD`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from django.test import Client
from django.utils import timezone

from tocsin.centre.members.models import Agreement, CountryStatus, Person
from tocsin.centre.members.sessions import PROVED_AT

from . import builders


def _at_centre(login: str, role: str, name: str) -> Person:
    return builders.person(login, builders.centre(), role, name=name)


def _at_bureau(login: str, code: str, name: str, language: str, role: str = "officer") -> Person:
    return builders.person(login, builders.bureau(code), role, name=name, language=language)


def _at_partner(login: str, slug: str, name: str, role: str = "analyst") -> Person:
    return builders.person(login, builders.organisation(slug), role, name=name)


def _seconded(login: str, slug: str, name: str) -> Person:
    """In a seat at the Centre with the desk's roles; its employer is a partner."""
    employer = builders.organisation(slug)
    return builders.person(login, builders.centre(), "analyst", "duty", name=name, employer=employer)


def _below(login: str, slug: str, name: str, role: str, **said: object) -> Person:
    """Of a national unit, or a sub-bureau, below the bureau of France."""
    facts = {"class_name": "law-enforcement", "country": "FR", "parent": builders.bureau("FR"), **said}
    return builders.person(login, builders.organisation(slug, **facts), role, name=name)


def _of_suspended(login: str, code: str, name: str) -> Person:
    """Of the bureau of a country whose access is suspended."""
    found = _at_bureau(login, code, name, "en")
    CountryStatus.objects.create(code=code, status="suspended", from_at=builders.NOW, reason="-", set_by="-")
    return found


def _of_expired(login: str, slug: str, name: str) -> Person:
    """Of a partner whose agreement is over."""
    found = _at_partner(login, slug, name)
    Agreement.objects.filter(organisation=found.organisation).update(ends_on=date(2025, 12, 31))
    return found


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
    "dara_protection": lambda: _at_centre("dara_protection", "data-protection", "Dara Ní Bhriain"),
    "sven_secondee": lambda: _seconded("sven_secondee", "southgate", "Sven Dahl"),
    "fleur_officer": lambda: _at_bureau("fleur_officer", "FR", "Fleur Marchand", "fr"),
    "khalil_officer": lambda: _at_bureau("khalil_officer", "JO", "خليل حداد", "ar"),
    "alma_access": lambda: _at_bureau("alma_access", "FR", "Alma Roux", "fr", "access-manager"),
    "ines_investigator": lambda: _below("ines_investigator", "nu-fr", "Inès Caron", "investigator"),
    "una_unit": lambda: _below("una_unit", "nu-fr", "Una Lefèvre", "officer"),
    "sami_sub_bureau": lambda: _below(
        "sami_sub_bureau", "sb-fr", "Sami Temaru", "officer", country="GP", is_bureau=True
    ),
    "sora_suspended": lambda: _of_suspended("sora_suspended", "TV", "Sora Tealofi"),
    "hugo_head": lambda: _at_bureau("hugo_head", "FR", "Hugo Perrin", "fr", "head"),
    "pia_partner": lambda: _at_partner("pia_partner", "northwind", "Pia Novak"),
    "mona_manager": lambda: _at_partner("mona_manager", "northwind", "Mona Weiss", "manager"),
    "omar_partner": lambda: _at_partner("omar_partner", "southgate", "Omar Reyes"),
    "elio_expired": lambda: _of_expired("elio_expired", "eastgate", "Elio Conti"),
}
"""Login → makes the person with the organisation. `omar_partner` is the stranger to all that northwind sends, and the
employer's colleague of `sven_secondee`."""


def call(login: str) -> Person:
    """The person of that name, made on the first call."""
    return Person.objects.filter(login=login).first() or CAST[login]()


def let_in(client: Client, login: str, language: str = "") -> Person:
    """Somebody of the cast signs in with this client, and has thereby just proved who it is; reads in the language."""
    person = call(login)
    if language:
        Person.objects.filter(pk=person.pk).update(language=language)
    client.force_login(person)
    proves(client)
    return person


def proves(client: Client) -> None:
    """Whoever is signed in with this client proves again who it is."""
    session = client.session
    session[PROVED_AT] = timezone.now().timestamp()
    session.save()
