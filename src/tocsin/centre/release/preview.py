"""Who would get it, and why the others would not: each organisation's viewer put to the gate itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tocsin.centre.intake.register import facts_of
from tocsin.centre.intake.selectors import victim_countries
from tocsin.centre.members import admission
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of_organisation
from tocsin.handling import HandlingSet, Reason, Viewer, explain, may_see

ORDER = list(Reason)


@dataclass(frozen=True, slots=True)
class Line:
    """One organisation, or a person of it where the source named persons, and the gate's answer."""

    organisation: Organisation
    person: Person | None
    viewer: Viewer
    reason: Reason


@dataclass(frozen=True, slots=True)
class Part:
    """All with the same answer."""

    reason: Reason
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Everybody with the gate's answer, by reason."""

    shown: tuple[Part, ...]
    untouched: tuple[Line, ...]
    """The gate opens it to them, and all that is in it are victims of other countries."""
    kept_from: tuple[Part, ...]

    @property
    def shown_count(self) -> int:
        return sum(len(part.lines) for part in self.shown)

    @property
    def kept_from_count(self) -> int:
        return sum(len(part.lines) for part in self.kept_from)


def preview(
    handling: HandlingSet, source: str, audience: Sequence[str] | None, at: datetime, permitted: Sequence[str] = (), *,
    is_private: bool = False, countries: frozenset[str] | None = None, only: str = "",
) -> Preview:  # fmt: skip
    """For every organisation that can sign in, or those of `only` one country: whether it would see it, by which rule.

    Where victims of some `countries` are all that is in it (`intake.concern`), others find nothing there.
    """
    released_to = None if audience is None else tuple(audience)
    facts = facts_of(source, handling, released_to, tuple(permitted), is_private=is_private)
    lines = [
        Line(organisation, person, viewer, explain(viewer, handling, facts, at))
        for organisation, person, viewer in _viewers(handling, _organisations(at))
        if not only or organisation.country == only
    ]
    lines.sort(key=lambda line: ORDER.index(line.reason))
    untouched: list[Line] = []
    left: list[Line] = []
    for line in lines:
        (untouched if line.reason.is_shown and not _is_concerned(line, source, countries) else left).append(line)
    parts = [Part(reason, tuple(some)) for reason, some in groupby(left, key=lambda line: line.reason)]
    shown = tuple(part for part in parts if part.reason.is_shown)
    return Preview(shown, tuple(untouched), tuple(part for part in parts if not part.reason.is_shown))


def _is_concerned(line: Line, source: str, countries: frozenset[str] | None) -> bool:
    own = line.organisation.is_centre or line.organisation.slug == source
    return countries is None or own or bool(victim_countries(line.viewer) & countries)


def is_for_anybody(
    handling: HandlingSet, source: Organisation, audience: Sequence[str], at: datetime, permitted: Sequence[str] = ()
) -> bool:
    """Whether anybody but the Centre and the source would get it."""
    facts = facts_of(source.slug, handling, tuple(audience), tuple(permitted))
    others: Iterable[Organisation] = _organisations(at)
    if not any(entry.startswith("person:") for entry in handling.audience):  # Such may be of the Centre.
        others = (each for each in others if each.pk != source.pk and not each.is_centre)
    return any(may_see(viewer, handling, facts, at) for _, _, viewer in _viewers(handling, others))


def is_wider(
    handling: HandlingSet, source: Organisation, audience: Sequence[str], at: datetime, permitted: Sequence[str] = ()
) -> bool:
    """Whether an organisation is named that the handling set keeps it from: the gate would refuse it all the same."""
    named = Organisation.objects.filter(slug__in=audience, is_active=True).select_related("parent")
    facts = facts_of(source.slug, handling, tuple(audience), tuple(permitted))
    return any(not may_see(viewer, handling, facts, at) for _, _, viewer in _viewers(handling, named))


def _organisations(at: datetime) -> list[Organisation]:
    """Those of which somebody may come in: what reaches closed ones alone reaches nobody."""
    return admission.admitted_among(admission.all_organisations(), at)


def _viewers(
    handling: HandlingSet, organisations: Iterable[Organisation]
) -> Iterator[tuple[Organisation, Person | None, Viewer]]:
    """One for each organisation, and one for each person whom the set names."""
    logins = [entry.removeprefix("person:") for entry in handling.audience if entry.startswith("person:")]
    named: dict[int, list[Person]] = {}
    for person in Person.objects.filter(login__in=logins).select_related("organisation__parent"):
        if may(person, "read"):
            named.setdefault(person.organisation_id, []).append(person)
    for each in organisations:
        people = named.get(each.pk, [])
        for person in people:
            yield each, person, viewer_of_organisation(each, person.login)
        if not people:
            yield each, None, viewer_of_organisation(each)
