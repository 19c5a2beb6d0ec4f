"""What waits at the desk and for whom: by ability, by the rule of four people, and by the clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import abilities_of, may, side_of
from tocsin.products.alerts.record import LANGUAGES

from . import labels
from .models import Alert, Concern, Ground, Proposal, Revision, Step, Version
from .rules import (
    IN_REVIEW,
    OVER,
    STANDING,
    WRITABLE,
    Act,
    Facts,
    State,
    missing_languages,
    refusal_of,
)
from .selectors import alerts_for, facts_of, proposals_for

NEVER = datetime.max.replace(tzinfo=UTC)
ENDING_WITHIN = timedelta(days=14)
MOST_IN_WORK = 500
"""So many versions in work are gone through for what waits for somebody; a desk has tens."""
ACT_OF_STAGE = {
    State.DRAFT: Act.SUBMIT, State.QUALITY: Act.QUALITY_PASSED, State.LEGAL: Act.LEGAL_PASSED,
    State.TRANSLATION: Act.TRANSLATE, State.APPROVAL: Act.APPROVE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A version as a list shows it."""

    version: Version
    facts: Facts
    waits_for_me: bool
    missing: tuple[str, ...]
    is_taken_back: bool

    @property
    def alert(self) -> Alert:
        return self.version.alert

    @property
    def title(self) -> str:
        return self.facts.draft.texts.title

    @property
    def state(self) -> tuple[str, str, labels.Label]:
        return labels.STATES[self.version.state]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the way, as it is drawn."""

    label: labels.Label
    icon: str
    is_done: bool
    is_now: bool


def abilities(person: Person) -> frozenset[str]:
    return abilities_of(side_of(person.organisation), person.roles) if person.is_active else frozenset()


def rows(person: Person, versions: Iterable[Version]) -> list[Row]:
    """What a list shows of these versions, in their order, asked for together."""
    versions = list(versions)
    numbers = [each.pk for each in versions]
    authors: dict[int, set[int]] = defaultdict(set)
    for version, by in Revision.objects.filter(version__in=numbers).order_by().values_list("version", "by").distinct():
        authors[version].add(by)
    taken_back = set(
        Ground.objects.filter(version__in=numbers, closed_at__isnull=False).values_list("version", flat=True)
    )
    own = abilities(person)
    return [
        Row(each, facts, waits_for(each, facts, person.pk, own), _missing(each, facts), each.pk in taken_back)
        for each in versions
        for facts in [facts_of(each, authors[each.pk])]
    ]


def _missing(version: Version, facts: Facts) -> tuple[str, ...]:
    return missing_languages(facts) if version.state not in OVER else ()


def waits_for(version: Version, facts: Facts, person: int, own: Collection[str]) -> bool:
    """Whether this person can do what the version waits for."""
    if facts.state is State.DRAFT:
        return person in facts.authors and "write-alerts" in own
    if facts.state in STANDING:
        if facts.cancel_asked_by:
            return not refusal_of(Act.CONFIRM_CANCEL, facts, person, own)
        if version.languages_due_at is not None and missing_languages(facts):
            return "write-alerts" in own  # They come with an update, whose text nobody has to change.
        return facts.state is State.POLICE and facts.draft.is_public and not refusal_of(
            Act.PUBLISH, facts, person, own
        )  # fmt: skip
    if facts.state is State.TRANSLATION:
        return "translate-alerts" in own
    act = ACT_OF_STAGE.get(facts.state)
    return act is not None and not refusal_of(act, facts, person, own)


def current(person: Person) -> QuerySet[Version]:
    """The version of each alert that is worked on, or that stands where none is, the newest alert first."""
    later = Version.objects.filter(alert=OuterRef("alert"), number__gt=OuterRef("number")).exclude(state=State.DROPPED)
    only = Version.objects.filter(alert=OuterRef("alert")).exclude(pk=OuterRef("pk"))
    return (
        Version.objects.filter(alert__in=alerts_for(person).order_by().values("pk"))
        .filter(~Exists(later) & (~Q(state=State.DROPPED) | ~Exists(only)))
        .select_related("alert", "alert__created_by", "quality_by", "legal_by", "cancel_asked_by")
        .prefetch_related("translations")
    )


def shown(person: Person, show: str, now: datetime) -> QuerySet[Version]:
    """The versions of one tab of the list."""
    found = current(person)
    match show:
        case "drafts":
            return found.filter(state=State.DRAFT)
        case "review":
            return found.filter(state__in=[*IN_REVIEW])
        case "published":
            standing = Version.objects.filter(
                alert__in=alerts_for(person).order_by().values("pk"), state__in=[*STANDING]
            )
            return standing.select_related("alert", "cancel_asked_by").prefetch_related("translations")
        case "ending":
            return shown(person, "published", now).filter(expires_at__lte=now + ENDING_WITHIN)
        case "due":
            return shown(person, "published", now).filter(languages_due_at__isnull=False)
        case "over":
            return found.filter(state__in=[*OVER])
        case "concerns":
            return found.filter(alert__in=Concern.objects.filter(seen_at=None).values("alert"))
        case "taken-back":
            closed = Ground.objects.filter(version=OuterRef("pk"), closed_at__isnull=False)
            return found.filter(Exists(closed)).exclude(state__in=[*OVER])
    return found


def in_work(person: Person) -> list[Row]:
    """All that waits for this person, what is due first."""
    waits = Q(state=State.POLICE) | Q(cancel_asked_by__isnull=False) | Q(languages_due_at__isnull=False)
    open_ones = Q(state__in=[*WRITABLE]) | (Q(state__in=[*STANDING]) & waits)
    versions = current(person).filter(open_ones).order_by("-pk")[:MOST_IN_WORK]
    mine = [row for row in rows(person, versions) if row.waits_for_me]
    return sorted(mine, key=lambda row: (row.version.languages_due_at or NEVER, -row.version.pk))


def stages(version: Version) -> list[Stage]:
    """The way of a version, drawn as steps: what is behind it, where it is, what comes."""
    state = State(version.state)
    passed = {
        State.QUALITY: version.quality_by_id is not None, State.LEGAL: version.legal_by_id is not None,
        State.POLICE: version.police_at is not None, State.PUBLIC: version.public_at is not None,
    }  # fmt: skip
    here = labels.STAGES.index(state) if state in labels.STAGES else len(labels.STAGES)
    if state is State.SENDING:
        here = labels.STAGES.index(State.POLICE)
    return [
        Stage(
            labels.STATES[each][2], labels.STATES[each][0],
            is_done=passed.get(each, True) if state in OVER or place < here else False, is_now=place == here,
        )
        for place, each in enumerate(labels.STAGES)
    ]  # fmt: skip


def who_may(act: Act, facts: Facts) -> list[Person]:
    """Who of the Centre could do this with the version as it is, by name."""
    people = Person.objects.filter(organisation__is_centre=True, is_active=True).select_related("organisation")
    return [
        each for each in people.order_by("name", "pk") if not refusal_of(act, facts, each.pk, abilities(each))
    ]  # fmt: skip


def parts_of(person: Person, facts: Facts) -> list[labels.Label]:
    """Which parts this person had in the version, in words: why others have to do the rest."""
    had = {
        "author": person.pk in facts.authors, "quality": person.pk == facts.quality.by,
        "legal": person.pk == facts.legal.by,
    }  # fmt: skip
    return [labels.PARTS[name] for name, is_so in had.items() if is_so]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for somebody at the desk."""

    mine: int
    sent_back: int
    languages_due: int
    taken_back: int
    proposals: int
    concerns: int = 0
    """Published alerts of which something is known that was not when they went out."""


def counts(person: Person, now: datetime) -> Waiting:
    """For the home page; all nothing for who does not work at the desk."""
    if not may(person, "read-alerts"):
        return Waiting(0, 0, 0, 0, 0)
    found = in_work(person)
    last = Step.objects.filter(version=OuterRef("pk")).order_by("-pk").values("act")[:1]
    drafts = [row.version.pk for row in found if row.version.state == State.DRAFT]
    back = Version.objects.filter(pk__in=drafts).annotate(last_act=last).filter(last_act=Act.RETURN).count()
    due = sum(bool(row.missing) for row in rows(person, shown(person, "due", now)[:MOST_IN_WORK]))
    taken = shown(person, "taken-back", now).count() if may(person, "write-alerts") else 0
    waiting = proposals_for(person).filter(state=Proposal.State.OPEN).count() if may(person, "write-alerts") else 0
    reviews = sum(row.version.state != State.DRAFT and row.version.languages_due_at is None for row in found)
    concerns = shown(person, "concerns", now).count() if may(person, "write-alerts") else 0
    return Waiting(reviews, back, due if may(person, "translate-alerts") else 0, taken, waiting, concerns)


def missing_of(row: Row) -> list[str]:
    """Names of the languages that are not there yet."""
    return [labels.language_name(each) for each in LANGUAGES if each in row.missing]
