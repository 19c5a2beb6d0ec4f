"""Pages of countries: the list of all members, and what concerns one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language

from tocsin.centre.analysis import selectors as figures
from tocsin.centre.analysis.networks import networks_of_country
from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release.models import Package
from tocsin.centre.release.selectors import countries_for, packages_for
from tocsin.reference.addresses import shipped
from tocsin.reference.countries import Country, all_countries, country, region, regions
from tocsin.reference.members import bureau_of, members

from .access import person_of, requires
from .labels import TYPES
from .views import spans


@dataclass(frozen=True, slots=True)
class Row:
    """A country in the list."""

    code: str
    name: str
    region: str
    line: figures.CountryLine | None
    package: Package | None


@requires("read")
def countries(request: HttpRequest) -> HttpResponse:
    """All members, by rows in the span; searchable by name or code, by region of M49."""
    person, now, language = person_of(request), timezone.now(), get_language() or "en"
    span = figures.span_or(request.GET.get("span", ""), "90d")
    asked, within = request.GET.get("q", "").strip(), request.GET.get("region", "")
    lines = figures.country_lines(viewer_of(person), now, span)
    packages = _latest_packages(person)
    shown = [each for each in _listed(now, lines) if _fits(each, asked, within)]
    rows = [
        Row(each.code, each.name(language), _region_name(each, language), lines.get(each.code), packages.get(each.code))
        for each in shown
    ]
    by_name = request.GET.get("order") == "name"
    rows.sort(key=lambda row: (0 if by_name or row.line is None else -row.line.rows, row.name))
    context = {
        "rows": rows,
        "span": span,
        "spans": spans(),
        "asked": asked,
        "within": within,
        "order": "name" if by_name else "rows",
        "regions": [(each.code, each.name(language), each.level) for each in regions() if each.level != "world"],
        "members": len(members(now.date())),
        "served": len(lines),
        "shows_packages": bool(countries_for(person)),
    }
    template = "site/countries_table.html" if request.headers.get("HX-Target") == "countries" else "site/countries.html"
    return render(request, template, context)


def _listed(now: datetime, lines: dict[str, figures.CountryLine]) -> list[Country]:
    """Members, and whatever else has rows: a territory without a bureau of its own counts too."""
    codes = {member.code for member in members(now.date())} | set(lines)
    return [each for each in all_countries() if each.code in codes]


def _fits(each: Country, asked: str, within: str) -> bool:
    if within and not each.is_in(within):
        return False
    names = (each.code, each.alpha_3, each.name_en, each.name_fr, each.name_es, each.name_ar)
    return not asked or any(asked.casefold() in name.casefold() for name in names)


def type_label(word: str) -> str:
    """The type of event in the reader's language."""
    return str(TYPES.get(word, word))


def _region_name(each: Country, language: str) -> str:
    code = each.intermediate_region or each.sub_region or each.region
    return region(code).name(language) if code else ""


def _latest_packages(person: Person) -> dict[str, Package]:
    found: dict[str, Package] = {}
    for package in packages_for(person).order_by("created_at"):
        found[package.country] = package
    return found


def _subject(code: str) -> Country:
    try:
        return country(code.upper())
    except KeyError:
        raise Http404 from None


@requires("read")
def country_page(request: HttpRequest, code: str) -> HttpResponse:
    """What concerns one country, as far as the reader may know it."""
    person, now, language = person_of(request), timezone.now(), get_language() or "en"
    subject = _subject(code)
    viewer = viewer_of(person)
    asked = request.GET.get("span", "")
    span = figures.span_or(asked, "90d")
    found = figures.country_figures(viewer, now, span, subject.code)
    if not found.rows and not asked:
        span = "all"
        found = figures.country_figures(viewer, now, span, subject.code)
    types, roles = figures.parts_of_country(viewer, now, span, subject.code)
    malware = figures.top_malware(viewer, now, span, subject.code, limit=10)
    every = figures.home_figures(viewer, now, span).by_country
    bureau = bureau_of(subject.code, now.date())
    may_have_packages = subject.code in countries_for(person)
    context = {
        "subject": subject,
        "name": subject.name(language),
        "region": _region_name(subject, language),
        "bureau": bureau,
        "figures": found,
        "span": span,
        "spans": spans(),
        "last_on": max((on for on, value in found.by_day if value), default=None),
        "place": 1 + sum(value > found.rows for value in every.values()) if found.rows else None,
        "places": len(every),
        "by_country": every,
        "types": [{"name": type_label(each.name), "value": each.rows} for each in types],
        "roles": roles,
        "malware": [
            {"name": each.name, "value": each.rows, "url": f"{reverse('lookup')}?{urlencode({'q': each.name})}"}
            for each in malware
        ],
        "sees_victims": viewer.is_victim_desk or viewer.country == subject.code,
        "may_package": may(person, "package") and may_have_packages,
        "packages": packages_for(person).filter(country=subject.code)[:5] if may_have_packages else None,
    }
    return render(request, "site/country.html", context)


@requires("read")
def country_networks(request: HttpRequest, code: str) -> HttpResponse:
    """Who announces the addresses concerned, and the newest value in each network: an act, because it shows values."""
    person, now, language = person_of(request), timezone.now(), get_language() or "en"
    subject = _subject(code)
    span = figures.span_or(request.GET.get("span", ""), "90d")
    systems = networks_of_country(viewer_of(person), now, span, subject.code)
    names = shipped().as_names(pl.Series("asn", [each.asn for each in systems], dtype=pl.UInt32))
    facts = {"span": span, "systems": len(systems)}
    record(person.login, "country.networks-read", f"country:{subject.code}", facts, at=now)
    most = max((each.rows for each in systems), default=0)
    context = {
        "subject": subject,
        "name": subject.name(language),
        "span": span,
        "systems": [
            (each, name, max(0.6, round(100 * each.rows / most, 1)))
            for each, name in zip(systems, names.to_list(), strict=True)
        ],
    }
    is_part = request.headers.get("HX-Target") == "networks"
    return render(request, "site/networks.html" if is_part else "site/country_networks.html", context)
