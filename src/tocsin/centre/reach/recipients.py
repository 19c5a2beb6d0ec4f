"""To whom something is open at this moment: every organisation put to the gate, once for each set of terms.

Nothing of this is stored. What was offered to whom follows from the terms under which a batch is held, so that it grows
with neither recipients nor objects, and is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from tocsin.centre.clock.services import judged_at
from tocsin.centre.intake.register import Register, register
from tocsin.centre.intake.selectors import victim_countries
from tocsin.centre.members import admission
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of_organisation
from tocsin.handling import Viewer
from tocsin.lake.scope import Batches


@dataclass(frozen=True, slots=True)
class Circle:
    """All organisations beside the Centre that may come in, with what the gate shows them."""

    organisations: Mapping[int, Organisation]
    """Every one there is, those that may not come in too: they may have something from before."""
    keys: tuple[int, ...]
    """Of those in which somebody may come in, in the order of the rows of `flags`."""
    heads: Mapping[int, int]
    """Organisation → the bureau that answers for it, or itself."""
    known: Register
    flags: npt.NDArray[np.bool_]
    """Organisation × place of terms: whether the gate opens what is held under them."""
    now: datetime

    def open_to(
        self, batches: Batches, source: int | None = None, countries: frozenset[str] | None = None
    ) -> list[int]:
        """Organisations to which any of these is open now, the source left out.

        Where victims of some `countries` are all that is in them, it is open to those countries alone.
        """
        known = self.known
        if not batches or not len(known.batches):
            return []
        places = np.searchsorted(known.batches, batches.numbers)
        places = places[places < len(known.batches)]
        places = places[np.isin(known.batches[places], batches.numbers)]
        shown = places[known.rows["hidden_at"][places] > self.now.timestamp()]
        columns = self.flags[:, np.unique(known.rows["terms"][shown])]
        found = [self.keys[row] for row in np.flatnonzero(columns.any(axis=1)).tolist() if self.keys[row] != source]
        if countries is None:
            return found
        return [key for key in found if victim_countries(viewer_of_organisation(self.organisations[key])) & countries]


def circle(now: datetime) -> Circle:
    """The circle of this moment."""
    known = register()
    now = judged_at(now)
    organisations = {each.pk: each for each in admission.all_organisations() if not each.is_centre}
    admitted = admission.admitted_among(organisations.values(), now)
    # Where nobody has an account, nobody can open anything, nor be reminded of it.
    peopled = set(Person.objects.filter(is_active=True).order_by().values_list("organisation_id", flat=True).distinct())
    keys = tuple(each.pk for each in admitted if each.pk in peopled)
    count = len(known.memory.held)
    rows = [_seen(known, viewer_of_organisation(organisations[key]), count) for key in keys]
    flags = np.array(rows, bool).reshape(len(keys), count)
    place = {key: row for row, key in enumerate(keys)}
    for person in _named(known):
        if person.organisation_id in place and may(person, "read"):
            viewer = viewer_of_organisation(organisations[person.organisation_id], person.login)
            flags[place[person.organisation_id]] |= _seen(known, viewer, count)
    heads = {key: _head(each) for key, each in organisations.items()}
    return Circle(organisations, keys, heads, known, flags, now)


def _seen(known: Register, viewer: Viewer, count: int) -> npt.NDArray[np.bool_]:
    flags = known.memory.seen_by(viewer)[:count]
    return np.pad(flags, (0, count - len(flags)))


def _named(known: Register) -> Iterable[Person]:
    """People whom a source named."""
    logins = {login for held in known.memory.held for login in held.facts.named}
    return Person.objects.filter(login__in=logins, is_active=True).select_related("organisation") if logins else ()


def _head(organisation: Organisation) -> int:
    """Answers of units and sub-bureaus count for the bureau at the top."""
    chain = (organisation, *organisation.above())
    return next((each.pk for each in reversed(chain) if each.is_bureau), organisation.pk)
