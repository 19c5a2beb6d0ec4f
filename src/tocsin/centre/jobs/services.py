"""Putting work into the queue, claiming it, and saying how it went.

A claim is one conditional update: of two workers, one gets the row. The lease bounds how long a dead worker can
hold it; `attempt` tells an old claim from a new one, so that who lost the lease cannot commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet

from tocsin.centre.clock.services import known_at
from tocsin.centre.questions import Act, Question
from tocsin.core.errors import Conflict

from .models import Job
from .shares import HOUSE, pass_on, turn_of

LEASE = timedelta(seconds=60)
DEATHS_ALLOWED = 5
"""How many workers a piece of work may take with it before nobody else is sent."""
PATIENCE = timedelta(minutes=10)
"""After waiting for so long a piece of work may go before what is more pressing."""
BACK_OFF = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
)


TOGETHER = "together"
"""Stands in the payload of work that may be done together with what is beside it in the queue."""


class GivenBack(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """A handler was told to stop and left its work undone: it is for another worker, at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds, in this attempt."""

    job: int
    kind: str
    subject: str
    payload: Mapping[str, Any]
    worker: str
    attempt: int
    attempts_allowed: int = 5
    deaths: int = 0

    @property
    def is_last(self) -> bool:
        """Whether a failure of this attempt is the end of it."""
        return self.attempt >= self.attempts_allowed

    @property
    def is_deadly(self) -> bool:
        """Whether it took so many workers with it that it is to be given up, not tried."""
        return self.deaths >= DEATHS_ALLOWED


def enqueue(
    kind: str,
    subject: str = "",
    payload: Mapping[str, Any] | None = None,
    *,
    at: datetime,
    run_at: datetime | None = None,
    priority: int = 0,
    owner: int = HOUSE,
    cost: int = 0,
) -> Job | None:
    """Add work. With a subject there is never more than one open job of a kind for it: then None comes back.

    What is done for an organisation, its `owner`, waits for nobody else's work of that priority (`shares`).
    """
    at = known_at(at)
    try:
        with transaction.atomic():
            return Job.objects.create(
                kind=kind,
                subject=subject,
                payload=dict(payload or {}),
                run_at=run_at or at,
                created_at=at,
                priority=priority,
                owner=owner,
                cost=cost,
                turn=turn_of(owner, priority, cost),
            )
    except IntegrityError:
        return None


def bring_forward(subject: str, priority: int) -> None:
    """Let what waits about this subject be done before what is less pressing."""
    for job in Job.objects.filter(subject=subject, state=Job.State.WAITING, priority__lt=priority):
        turn = turn_of(job.owner, priority, job.cost)
        Job.objects.filter(pk=job.pk, state=Job.State.WAITING).update(priority=priority, turn=turn)


def enqueue_every(interval: timedelta, kind: str, subject: str, *, at: datetime) -> Job | None:
    """Add work that recurs: None while one is open, or when the last was added less than an interval ago."""
    at = known_at(at)
    if Job.objects.filter(kind=kind, subject=subject, created_at__gt=at - interval).exists():
        return None
    return enqueue(kind, subject, at=at)


def forget(before: datetime) -> int:
    """Remove what was done before that moment; failures stay until somebody has looked. Returns how many went."""
    gone, _ = Job.objects.filter(state=Job.State.DONE, finished_at__lt=before).delete()
    return gone


def claim(
    worker: str, kinds: Sequence[str], now: datetime, *, most_cost: int | None = None, is_patient: bool = False
) -> Claim | None:
    """Take the next piece of work that is due, or one whose worker died; None when there is none.

    Who is to stay free for short work names the `most_cost` that it takes. Who `is_patient` takes what has waited long,
    whatever its priority: asked so now and then, everything has its turn in the end.
    """
    if not kinds:
        return None
    now = known_at(now)
    left, waiting = _searches(tuple(kinds), most_cost)
    with transaction.atomic():
        # Two searches: the order of what waits is that of an index, and what was left by a dead worker is little.
        job = left.first(now)
        if job is None and is_patient:
            job = _in_turn(_longest(_waiting(kinds, most_cost, now), now)).first()
        elif job is None:
            job = waiting.first(now)
        if job is None:
            return None
        is_passed = job.owner != HOUSE and job.state == Job.State.WAITING
        job.deaths += job.state == Job.State.RUNNING
        job.attempts += 1
        _TAKEN(job.pk, worker, now + LEASE, job.attempts, job.deaths)
    if is_passed:
        pass_on(job.priority, job.turn)
    return Claim(job.pk, job.kind, job.subject, job.payload, worker, job.attempts, job.attempts_allowed, job.deaths)


def claim_beside(first: Claim, kinds: Sequence[str], now: datetime, *, most: int, most_cost: int) -> list[Claim]:
    """What may be done together with a claim: the work that stands next in the queue, in its order, up to the first
    that is of another kind, was tried before or is too much. So nobody gets ahead of anybody by it."""
    if most < 2 or first.attempt > 1 or first.deaths or not first.payload.get(TOGETHER):
        return []
    now = known_at(now)
    with transaction.atomic():
        found: list[Job] = []
        left = most_cost
        for job in _nearest(tuple(kinds), most - 1)(now):
            left -= job.cost
            if job.kind != first.kind or job.attempts or job.deaths or left < 0 or not job.payload.get(TOGETHER):
                break
            found.append(job)
        if found:
            Job.objects.filter(pk__in=[job.pk for job in found]).update(
                state=Job.State.RUNNING, worker=first.worker, lease_until=now + LEASE, attempts=F("attempts") + 1
            )
    if found:
        pass_on(found[-1].priority, found[-1].turn)
    return [Claim(job.pk, job.kind, job.subject, job.payload, first.worker, 1, job.attempts_allowed) for job in found]


def _waiting(kinds: Sequence[str], most_cost: int | None, now: datetime) -> QuerySet[Job]:
    found = Job.objects.filter(kind__in=kinds, state=Job.State.WAITING, run_at__lte=now)
    return found if most_cost is None else found.filter(cost__lte=most_cost)


def _left(kinds: Sequence[str], most_cost: int | None, now: datetime) -> QuerySet[Job]:
    """What a dead worker left."""
    found = Job.objects.filter(kind__in=kinds, state=Job.State.RUNNING, lease_until__lt=now)
    return found if most_cost is None else found.filter(cost__lte=most_cost)


def _in_turn(found: QuerySet[Job]) -> QuerySet[Job]:
    """In the order of the queue, without what another worker is about to take."""
    found = found.order_by("-priority", "turn", "run_at", "pk")
    return found.select_for_update(skip_locked=True) if connection.features.has_select_for_update_skip_locked else found


_SOMETIME = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def _searches(kinds: tuple[str, ...], most_cost: int | None) -> tuple[Question[Job], Question[Job]]:
    """For the first that was left, and for the first that waits: a worker asks for the same kinds all its life."""
    return (
        Question(lambda now: _in_turn(_left(kinds, most_cost, now))[:1], _SOMETIME),
        Question(lambda now: _in_turn(_waiting(kinds, most_cost, now))[:1], _SOMETIME),
    )


@cache
def _nearest(kinds: tuple[str, ...], most: int) -> Question[Job]:
    """For so many that wait."""
    return Question(lambda now: _in_turn(_waiting(kinds, None, now))[:most], _SOMETIME)


_TAKEN = Act(
    lambda job, worker, until, attempts, deaths: (
        Job.objects.filter(pk=job),
        {"state": Job.State.RUNNING, "worker": worker, "lease_until": until, "attempts": attempts, "deaths": deaths},
    ),
    -1, "worker", _SOMETIME, 29, 31,
)  # fmt: skip


def _longest(waiting: QuerySet[Job], now: datetime) -> QuerySet[Job]:
    """Of what waits, that of the priority that has waited longest, if that is long; else all."""
    oldest = waiting.filter(run_at__lt=now - PATIENCE).order_by("run_at").values_list("priority", flat=True).first()
    return waiting if oldest is None else waiting.filter(priority=oldest)


def running(kind: str) -> set[tuple[str, int]]:
    """Subject and attempt of each job of a kind that a worker has."""
    return set(Job.objects.filter(kind=kind, state=Job.State.RUNNING).values_list("subject", "attempts"))


def _held(claim: Claim, *beside: Claim) -> QuerySet[Job]:
    """The rows of claims of one worker, all in the same attempt, as far as it holds them."""
    numbers = [claim.job, *(each.job for each in beside)]
    return Job.objects.filter(pk__in=numbers, worker=claim.worker, attempts=claim.attempt, state=Job.State.RUNNING)


def _own(job: int, worker: str, attempt: int) -> QuerySet[Job]:
    return Job.objects.filter(pk=job, worker=worker, attempts=attempt, state=Job.State.RUNNING)


_RENEWED = Act(
    lambda job, worker, attempt, until, done, total: (
        _own(job, worker, attempt), {"lease_until": until, "done_units": done, "total_units": total}
    ),
    -1, "worker", 29, _SOMETIME, 31, 37,
)  # fmt: skip
_FINISHED = Act(
    lambda job, worker, attempt, now: (
        _own(job, worker, attempt),
        {"state": Job.State.DONE, "finished_at": now, "lease_until": None, "error": ""},
    ),
    -1, "worker", 29, _SOMETIME,
)  # fmt: skip


def renew(claim: Claim, now: datetime, *, done: int = 0, total: int = 0, beside: Sequence[Claim] = ()) -> None:
    """Keep the lease, and say how far it is; and the leases of what is done beside it. Raises Conflict when another
    worker has one of them by now."""
    until = known_at(now) + LEASE
    if beside:
        kept = _held(claim, *beside).update(lease_until=until, done_units=done, total_units=total)
    else:
        kept = _RENEWED(claim.job, claim.worker, claim.attempt, until, done, total)
    if kept <= len(beside):
        raise Conflict("the lease was lost")


def finish(claim: Claim, now: datetime, *, beside: Sequence[Claim] = ()) -> None:
    """Mark as done, with what was done beside it, inside the transaction of the work itself. Raises Conflict when a
    lease was lost."""
    if beside:
        done = _held(claim, *beside).update(state=Job.State.DONE, finished_at=now, lease_until=None, error="")
    else:
        done = _FINISHED(claim.job, claim.worker, claim.attempt, now)
    if done <= len(beside):
        raise Conflict("the lease was lost")


def part(claims: Sequence[Claim], now: datetime) -> None:
    """Give back at once and uncounted what cannot be done together: each is for whoever does it alone."""
    for claim in claims:
        alone = {name: said for name, said in claim.payload.items() if name != TOGETHER}
        _held(claim).update(
            state=Job.State.WAITING, lease_until=None, run_at=known_at(now), attempts=F("attempts") - 1, payload=alone
        )


def fail(claim: Claim, now: datetime, error: str, *, permanent: bool = False, forever: bool = False) -> bool:
    """Give it back for another try, later each time; True when it is given up: never, where `forever` is said."""
    given_up = permanent or (claim.is_last and not forever)
    wait = BACK_OFF[min(claim.attempt, len(BACK_OFF)) - 1]
    _held(claim).update(
        state=Job.State.FAILED if given_up else Job.State.WAITING,
        error=error[:2000],
        lease_until=None,
        run_at=known_at(now) + wait,
        finished_at=now if given_up else None,
    )
    return given_up


def excuse(claim: Claim, now: datetime, why: str) -> None:
    """Its worker lives, though it could not speak: give the work back if nobody took it, or take back the death."""
    fail(claim, now, why, forever=True)
    taken = Job.objects.filter(pk=claim.job, attempts__gt=claim.attempt, deaths__gt=0)
    taken.update(deaths=F("deaths") - 1)


def release(claim: Claim, now: datetime) -> None:
    """Give it back at once and uncounted, when a worker is told to stop."""
    _held(claim).update(state=Job.State.WAITING, lease_until=None, run_at=known_at(now), attempts=F("attempts") - 1)


def waits_above(priority: int, now: datetime) -> bool:
    """Whether something more urgent is due: what can be left undone makes room for it."""
    return Job.objects.filter(state=Job.State.WAITING, priority__gt=priority, run_at__lte=now).exists()


def waiting_count(kinds: Sequence[str] = ()) -> int:
    """Pieces of work that wait or run."""
    jobs = Job.objects.filter(state__in=[Job.State.WAITING, Job.State.RUNNING])
    return (jobs.filter(kind__in=kinds) if kinds else jobs).count()
