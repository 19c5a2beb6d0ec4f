"""Letting something go: one person proposes, another releases. Every act is recorded in its transaction.

Each raises Refused(rule) with a word of `rules.Refusal`, or Conflict when somebody else was there first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, BatchSet, Delivery, Terms
from tocsin.centre.intake.terms import audience_row, set_audience
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import abilities_of, side_of
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import day_of
from tocsin.centre.permissions.selectors import grants_for, in_force_of
from tocsin.centre.permissions.services import note_use
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.redaction.services import look_for_leaks
from tocsin.core.errors import Conflict, Refused
from tocsin.handling import HandlingSet

from . import rules
from .models import Release
from .preview import is_for_anybody, is_wider
from .rules import Actor, Case, Refusal

LONGEST_REASON = 400


def actor_of(person: Person, *, is_proved: bool = False) -> Actor:
    """The person as the rules see it. Somebody suspended can do nothing."""
    organisation = person.organisation
    is_active = person.is_active and organisation.is_active
    abilities = abilities_of(side_of(organisation), person.roles) if is_active else frozenset()
    employer = person.employer.slug if person.employer else ""
    return Actor(person.login, organisation.slug, employer, abilities, is_proved)


def case_of(delivery: Delivery, proposer: Person | None = None) -> Case:
    """The delivery as the rules see it."""
    source = delivery.organisation
    return Case(
        source=source.slug, source_is_centre=source.is_centre,
        submitter=delivery.person.login if delivery.person else "", proposer=proposer.login if proposer else "",
    )  # fmt: skip


def waiting_batches() -> BatchSet:
    """What was read, is not hidden, and was not released to anybody."""
    found: BatchSet = Batch.objects.alive(timezone.now()).filter(
        terms__audience=audience_row(None), hidden_at=None, delivery__state=Delivery.State.PARSED
    )
    return found


def bureaus() -> set[str]:
    """Slugs of the Centre's clients."""
    return set(Organisation.objects.filter(is_bureau=True).values_list("slug", flat=True))


def sets_of(batches: Iterable[Batch]) -> dict[str, HandlingSet]:
    """The handling sets of these batches by digest."""
    return {each.handling_set.digest: HandlingSet.from_json(each.handling_set.body) for each in batches}


def refusal_of(
    sets: Sequence[HandlingSet], source: Organisation, entries: Sequence[str], clients: Collection[str], at: datetime,
    grants: rules.Permitted = rules.NOTHING,
) -> Refusal | None:  # fmt: skip
    """Why what is under these sets cannot go to these, whoever acts; `grants` are what the source permitted."""
    if refused := rules.refusal_of_content(sets, grants):
        return refused
    reaches = False
    for each in sets:
        own = grants.get(each.digest, ())
        audience = rules.audience_under(each, entries, clients, own)
        if audience is None:
            return Refusal.ASK_SOURCE
        permitted = rules.permitted_to(audience, own)
        if is_wider(each, source, audience, at, permitted):
            return Refusal.WIDER
        reaches = reaches or is_for_anybody(each, source, audience, at, permitted)
    return None if reaches else Refusal.NOBODY


def widened_batches(delivery: Delivery, entries: Sequence[str], grants: rules.Permitted) -> BatchSet:
    """Of what was released already: the parts whose source permitted it to all of these, and they do not have it."""
    digests = [
        digest for digest, each in grants.items() if entries and set(entries) <= rules.entries_of(each)
    ]  # fmt: skip
    out: BatchSet = Batch.objects.filter(
        delivery=delivery, handling_set__digest__in=digests, hidden_at=None, delivery__state=Delivery.State.PARSED
    )
    out = out.exclude(terms__audience=audience_row(None))
    have = {
        terms.pk for terms in Terms.objects.filter(pk__in=out.values("terms")).select_related("permitted")
        if set(entries) <= set(terms.permitted.names)
    }  # fmt: skip
    return out.exclude(terms__in=have)


def propose(
    delivery: Delivery, batches: QuerySet[Batch], *, audience: Sequence[str], reason: str, by: Person, at: datetime
) -> Release:
    """Ask that these waiting batches of the delivery go to these (empty: to whomever the label lets have them)."""
    _refuse_leaks(delivery, lambda: rules.refusal_of_proposer(actor_of(by), case_of(delivery)), by, at)
    return _proposed(delivery, batches, audience, reason, by, at)


def _refuse_leaks(delivery: Delivery, refusal: Callable[[], Refusal | None], by: Person, at: datetime) -> None:
    """A redacted version is looked through once more before it goes: its origin may hold what it did not hold then.

    Before the transaction, so that the log keeps that it was stopped; and only for who may take the step at all.
    """
    redaction = Redaction.objects.filter(delivery=delivery).select_related("of__organisation", "delivery").first()
    if redaction is not None:
        _refuse(refusal())
        look_for_leaks(redaction, by=by, at=at)


@transaction.atomic
def _proposed(
    delivery: Delivery, batches: QuerySet[Batch], audience: Sequence[str], reason: str, by: Person, at: datetime
) -> Release:
    delivery = _locked(delivery)
    _refuse(rules.refusal_of_proposer(actor_of(by), case_of(delivery)))
    entries, grants = sorted(set(audience)), grants_for(delivery, day_of(at))
    may_go = _may_go(delivery, entries, grants)
    chosen = list(batches.filter(pk__in=may_go).select_related("handling_set").order_by("pk"))
    sets = sets_of(chosen)
    _refuse(refusal_of(list(sets.values()), delivery.organisation, entries, bureaus(), at, grants))
    try:
        with transaction.atomic():
            release = Release.objects.create(
                delivery=delivery, sets=sorted(sets), audience=entries, state=Release.State.PROPOSED, proposed_by=by,
                proposed_at=at, reason=reason.strip()[:LONGEST_REASON], created_at=at,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("a release of this delivery is proposed already") from None
    release.batches.set(chosen)
    facts = {"delivery": delivery.pk, "batches": [each.pk for each in chosen], "audience": entries}
    record(by.login, "release.proposed", f"release:{release.pk}", facts, at=at)
    return release


def release(proposed: Release, *, by: Person, is_proved: bool, at: datetime) -> Release:
    """Let go what another person proposed."""
    case = case_of(proposed.delivery, proposed.proposed_by)
    _refuse_leaks(proposed.delivery, lambda: rules.refusal_of_releaser(actor_of(by, is_proved=is_proved), case), by, at)
    return _released(proposed, by, is_proved, at)


@transaction.atomic
def _released(proposed: Release, by: Person, is_proved: bool, at: datetime) -> Release:
    delivery = _locked(proposed.delivery)
    found = _taken(proposed, Release.State.RELEASED, released_by=by, released_at=at)
    _refuse(rules.refusal_of_releaser(actor_of(by, is_proved=is_proved), case_of(delivery, found.proposed_by)))
    batches = found.batches.select_related("handling_set")
    grants = grants_for(delivery, day_of(at))
    may_go = _may_go(delivery, found.audience, grants)
    chosen = list(batches)
    if not chosen or any(each.pk not in may_go for each in chosen):
        raise Refused(Refusal.NOTHING_WAITS)
    sets = sets_of(chosen)
    if sorted(sets) != found.sets:
        raise Refused(Refusal.RELABELLED)
    clients = bureaus()
    _refuse(refusal_of(list(sets.values()), delivery.organisation, found.audience, clients, at, grants))
    let_go(found, chosen, clients, at)
    record(by.login, "release.released", f"release:{found.pk}", _facts(found, chosen), at=at)
    return found


def let_go(released: Release, batches: Sequence[Batch], clients: Collection[str], at: datetime) -> None:
    """Change the terms of the batches; whoever waits for a value in them hears of it.

    What was released before keeps its audience, and goes beside it to those whom the source permitted.
    """
    today = day_of(at)
    for digest, handling in sets_of(batches).items():
        permissions = in_force_of(released.delivery, digest, today)
        grants = [each.grant for each in permissions]
        entries = rules.audience_under(handling, released.audience, clients, grants)
        if entries is None:
            raise Refused(Refusal.ASK_SOURCE)
        some = [each for each in batches if each.handling_set.digest == digest]
        permitted = rules.permitted_to(entries, grants)
        _note_uses(permissions, some, set(permitted), handling, sets_of(batches).values(), at)
        these = [each.pk for each in some]
        held = Terms.objects.filter(pk__in=Batch.objects.filter(pk__in=these).values("terms"))
        for terms in list(held.select_related("audience", "permitted")):
            alike: BatchSet = Batch.objects.filter(pk__in=these, terms=terms)
            before = terms.audience.entries
            audience = entries if before is None else sorted({*before, *entries}) if before else []
            set_audience(alike, audience, [*permitted, *terms.permitted.names])
    if any(each.rows for each in batches):
        payload = {"delivery": released.delivery_id}
        jobs.enqueue("standing-queries", f"delivery:{released.delivery_id}", payload, at=at)


def _note_uses(
    permissions: Sequence[Permission], batches: Sequence[Batch], permitted: set[str], handling: HandlingSet,
    together: Iterable[HandlingSet], at: datetime,
) -> None:  # fmt: skip
    """Keep which permissions this release rests on: those that name its recipients, and those without whose purposes
    the parts would have none in common."""
    note_use([each for each in permissions if each.grant.entries & permitted], batches, purpose=False, at=at)
    if not rules.common_purposes(together):
        wider = [each for each in permissions if each.grant.purposes - set(handling.purposes)]
        note_use(wider, batches, purpose=True, at=at)


@transaction.atomic
def refuse(proposed: Release, *, reason: str, by: Person, at: datetime) -> Release:
    """Say no to a proposal: what it is about goes on waiting. The proposer withdraws instead."""
    _locked(proposed.delivery)
    if not reason.strip():
        raise Refused(Refusal.NO_REASON)
    found = _closed(proposed, Release.State.REFUSED, reason, by, at)
    actor = actor_of(by, is_proved=True)  # It lets nothing go.
    _refuse(rules.refusal_of_releaser(actor, case_of(found.delivery, found.proposed_by)))
    record(by.login, "release.refused", f"release:{found.pk}", {"reason": found.closing_reason}, at=at)
    return found


@transaction.atomic
def withdraw(proposed: Release, *, reason: str, by: Person, at: datetime) -> Release:
    """Take one's own proposal back."""
    _locked(proposed.delivery)
    found = _closed(proposed, Release.State.WITHDRAWN, reason, by, at)
    if found.proposed_by_id != by.pk:
        raise Refused(Refusal.NOT_ALLOWED)
    record(by.login, "release.withdrawn", f"release:{found.pk}", {"reason": found.closing_reason}, at=at)
    return found


def _closed(proposed: Release, state: Release.State, reason: str, by: Person, at: datetime) -> Release:
    text = reason.strip()[:LONGEST_REASON]
    return _taken(proposed, state, closed_by=by, closed_at=at, closing_reason=text)


def _taken(proposed: Release, state: Release.State, **said: object) -> Release:
    """The proposal in its next state. Of two who take it at once, one gets Conflict, on any database."""
    still = Release.objects.filter(pk=proposed.pk, state=Release.State.PROPOSED)
    found = still.select_related("delivery__organisation", "delivery__person", "proposed_by").first()
    if found is None:
        raise Conflict("somebody else decided on this meanwhile")
    if found.proposed_by == said.get("released_by"):
        raise Refused(Refusal.SAME_PERSON)  # The table itself would refuse it.
    if not still.update(state=state, **said):
        raise Conflict("somebody else decided on this meanwhile")
    found.state = state
    for name, value in said.items():
        setattr(found, name, value)
    return found


def _locked(delivery: Delivery) -> Delivery:
    """The delivery, held until the end of the transaction: who decides on it does so one after the other."""
    return Delivery.objects.select_for_update(of=("self",)).select_related("organisation", "person").get(pk=delivery.pk)


def _may_go(delivery: Delivery, entries: Sequence[str], grants: rules.Permitted) -> set[int]:
    """What waits, and of what went out already that which the source permitted to these beside."""
    waiting = waiting_batches().filter(delivery=delivery)
    widened = widened_batches(delivery, entries, grants)
    return {*waiting.values_list("pk", flat=True), *widened.values_list("pk", flat=True)}


def _facts(released: Release, batches: Sequence[Batch]) -> dict[str, object]:
    return {
        "number": released.number, "delivery": released.delivery_id, "batches": [each.pk for each in batches],
        "audience": released.audience, "proposed_by": released.proposed_by.login if released.proposed_by else "",
    }  # fmt: skip


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)
