"""What else goes into country packages: topics above this one say it, as `settings.PACKAGE_ENCLOSURES` names them.

A bureau on a slow line lives on packages: what it would read on its pages has to be in there, under the same gate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from tocsin.handling import HandlingSet
from tocsin.products.order import Enclosed


@dataclass(frozen=True, slots=True)
class Enclosing:
    """What goes with the rows of one country."""

    enclosed: tuple[Enclosed, ...] = ()
    batches: Mapping[int, HandlingSet] = field(default_factory=dict)
    """Whose it is: they bind the package, leave with it in the ledger, and take it back when they are recalled."""


Encloses = Callable[[str, str], Enclosing]
"""Country and language → what goes with its rows."""
Source = Callable[[datetime, datetime, str, datetime], Encloses]
"""A span of arrivals, the purpose that all of it has to serve, and the moment; called once for all countries."""


def sources() -> Sequence[Source]:
    return [cast("Source", import_string(name)) for name in settings.PACKAGE_ENCLOSURES]


def enclosing(arrived_from: datetime, arrived_until: datetime, purpose: str, at: datetime) -> Encloses:
    """All of them together."""
    several = [source(arrived_from, arrived_until, purpose, at) for source in sources()]

    def of_country(code: str, language: str) -> Enclosing:
        found = [each(code, language) for each in several]
        batches = {number: handling for each in found for number, handling in each.batches.items()}
        return Enclosing(tuple(one for each in found for one in each.enclosed), batches)

    return of_country


def kept_of(enclosed: Collection[Enclosed]) -> list[dict[str, object]]:
    """What the list of packages says of it: numbers alone, since titles are sealed in the database."""
    return [
        {name: each.facts[name] for name in ("number", "version", "state") if name in each.facts} for each in enclosed
    ]
