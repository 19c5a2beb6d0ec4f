"""Going round all subscribers: portion by portion, each a job of its own, so that other work goes between.

What a portion did and that it was done stand in one transaction. Who dies in between tells one portion again; messages
carry the same identifiers then, by which servers, browsers and most mail programs know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from tocsin.centre.jobs import services as jobs
from tocsin.core.errors import Unavailable
from tocsin.products.alerts.notice import Notice, notice_of
from tocsin.transport.mailing import Fate

from . import reading, sending
from .models import Kind, Owed, Round, Subscriber, Telling
from .sending import Outcome
from .services import confirm, forget_unconfirmed, leave, preferences_of

GO = "tell-round"
OWED = "tell-owed"
LOOKED_AT = 500
"""Subscribers that one look at the table takes."""
PORTION = 100
"""Of these, so many are told in one job at most."""
RENEWED_EACH = 10
BACK_OFF = tuple(timedelta(minutes=each) for each in (1, 5, 30, 120, 300, 600, 1440))
"""Standard Webhooks proposes about these."""
SILENT_AFTER = timedelta(days=7)
SILENT_LEAST = 10
REFUSED_MOST = 3
"""Mails in a row that were refused for good: then the address is as gone."""
URGENT = 5
KEPT = timedelta(days=400)
"""How long it is kept to how many an alert was told."""


def tell(claim: jobs.Claim) -> None:
    """Begin to tell of a version: a round for each kind, the older ones of this alert stop."""
    now = datetime.now(UTC)
    notice = notice_of(claim.payload["notice"])
    with transaction.atomic():
        jobs.finish(claim, now)
        facts = {"number": notice.number, "version": notice.version, "message": notice.message.value}
        telling, is_new = Telling.objects.get_or_create(**facts, defaults={"said": claim.payload["notice"], "at": now})
        if not is_new:
            return
        # Nobody is told of what is no more; who was not reached yet hears of the newest alone.
        older = Round.objects.filter(telling__number=notice.number, ended_at=None).exclude(telling=telling)
        Owed.objects.filter(round__telling__number=notice.number).delete()
        older.update(ended_at=now)
        for kind in Kind.values:
            made = Round.objects.create(telling=telling, kind=kind)
            _next(made, notice, now)


def _next(found: Round, notice: Notice, at: datetime, wait: timedelta = timedelta()) -> None:
    priority = URGENT if notice.type.value == "IMMINENT" else 0
    jobs.enqueue(GO, f"round:{found.pk}", {"round": found.pk}, at=at, run_at=at + wait, priority=priority)


def go_round(claim: jobs.Claim) -> None:
    """Tell the next portion, and let the next job do the next."""
    now = datetime.now(UTC)
    found = Round.objects.select_related("telling").filter(pk=claim.payload["round"]).first()
    if found is None or found.ended_at is not None:
        jobs.finish(claim, now)
        return
    if found.kind == Kind.MAIL and settings.INSTALLATION.mail is None:
        _ended(claim, found, now)
        return
    notice = notice_of(found.telling.said)
    looked_at, chosen = _portion(found, notice)
    outcomes, is_whole = _sent(claim, found.kind, notice, chosen, now)
    if not is_whole:
        looked_at = outcomes[-1].subscriber.pk
    with transaction.atomic():
        now = datetime.now(UTC)
        jobs.finish(claim, now)
        note_outcomes(found, outcomes, now)
        if not looked_at:
            Round.objects.filter(pk=found.pk).update(ended_at=now)
            return
        Round.objects.filter(pk=found.pk).update(after=looked_at)
        _next(found, notice, now, _pause(found.kind, len(chosen)))


def _ended(claim: jobs.Claim, found: Round, at: datetime) -> None:
    with transaction.atomic():
        jobs.finish(claim, at)
        Round.objects.filter(pk=found.pk).update(ended_at=at)


def _portion(found: Round, notice: Notice) -> tuple[int, list[Subscriber]]:
    """How far was looked, and who of these wants to be told; 0: nobody is left."""
    waiting = Subscriber.objects.filter(kind=found.kind, state=Subscriber.State.ACTIVE, pk__gt=found.after)
    # Who joined after it was published reads it on the page.
    waiting = waiting.filter(confirmed_at__lte=found.telling.at).order_by("pk")
    last = 0
    chosen: list[Subscriber] = []
    for each in waiting[:LOOKED_AT]:
        if len(chosen) == PORTION:
            break
        last = each.pk
        if preferences_of(each).wants(notice):
            chosen.append(each)
    return last, chosen


def _pause(kind: str, count: int) -> timedelta:
    """So that no more mail goes out in a minute than the relay takes."""
    relay = settings.INSTALLATION.mail
    return timedelta(minutes=count / relay.per_minute) if kind == Kind.MAIL and relay else timedelta()


def _sent(
    claim: jobs.Claim, kind: str, notice: Notice, to: Sequence[Subscriber], at: datetime
) -> tuple[list[Outcome], bool]:  # fmt: skip
    """What became of each, and whether all were tried. Raises Unavailable where not even the first one could be."""
    outcomes: list[Outcome] = []
    try:
        for place, outcome in enumerate(sending.send(kind, notice, to, at), 1):
            outcomes.append(outcome)
            if place % RENEWED_EACH == 0:
                jobs.renew(claim, datetime.now(UTC))
    except Unavailable:
        if not outcomes:
            raise
        return outcomes, False
    return outcomes, True


def note_outcomes(found: Round, outcomes: Sequence[Outcome], at: datetime) -> None:
    """Write down what became of each: who is gone is deleted, who could not be reached is tried again."""
    counted = dict.fromkeys(("told", "failed", "gone"), 0)
    for each in outcomes:
        name = {Fate.TAKEN: "told", Fate.GONE: "gone"}.get(each.fate, "failed")
        counted[name] += 1
        noted(each, at)
        if each.fate is Fate.LATER and Subscriber.objects.filter(pk=each.subscriber.pk).exists():
            due = at + BACK_OFF[0]
            Owed.objects.get_or_create(round=found, subscriber=each.subscriber, defaults={"due_at": due})
    Round.objects.filter(pk=found.pk).update(**{name: F(name) + number for name, number in counted.items()})


def noted(outcome: Outcome, at: datetime) -> None:
    """What an outcome means for the subscriber itself."""
    subscriber = outcome.subscriber
    mine = Subscriber.objects.filter(pk=subscriber.pk)
    if outcome.fate is Fate.TAKEN:
        if subscriber.failures:
            mine.update(failures=0, failing_since=None, last_failure="")
        return
    failures, since = subscriber.failures + 1, subscriber.failing_since or at
    is_refused = outcome.fate is Fate.REFUSED and failures >= REFUSED_MOST
    if outcome.fate is Fate.GONE or is_refused:
        leave(subscriber, why=outcome.why, at=at)
        return
    is_silent = failures >= SILENT_LEAST and at - since >= SILENT_AFTER
    state = Subscriber.State.SILENT if is_silent else subscriber.state
    mine.update(failures=failures, failing_since=since, last_failure=outcome.why[:40], state=state)


def settle_owed(claim: jobs.Claim) -> None:
    """Try those again whose turn it is."""
    now = datetime.now(UTC)
    due = Owed.objects.filter(due_at__lte=now).select_related("round__telling", "subscriber").order_by("due_at", "pk")
    by_round: dict[int, list[Owed]] = {}
    for each in due[:PORTION]:
        by_round.setdefault(each.round_id, []).append(each)
    for owed in by_round.values():
        _settle(claim, owed, now)
    with transaction.atomic():
        now = datetime.now(UTC)
        jobs.finish(claim, now)
        if len(by_round) and Owed.objects.filter(due_at__lte=now).exists():
            jobs.enqueue(OWED, "owed", at=now)


def _settle(claim: jobs.Claim, owed: Sequence[Owed], at: datetime) -> None:
    found = owed[0].round
    notice = notice_of(found.telling.said)
    by_subscriber = {each.subscriber_id: each for each in owed}
    outcomes, _ = _sent(claim, found.kind, notice, [each.subscriber for each in owed], at)
    with transaction.atomic():
        jobs.renew(claim, datetime.now(UTC))
        for each in outcomes:
            mine = by_subscriber[each.subscriber.pk]
            noted(each, at)
            if each.fate is Fate.LATER and mine.attempts < len(BACK_OFF):
                later = at + BACK_OFF[mine.attempts]
                Owed.objects.filter(pk=mine.pk).update(attempts=F("attempts") + 1, due_at=later)
                continue
            Owed.objects.filter(pk=mine.pk).delete()
            if each.fate is Fate.TAKEN:
                Round.objects.filter(pk=found.pk).update(told=F("told") + 1, failed=F("failed") - 1)


def ask(claim: jobs.Claim) -> None:
    """Ask an address whether it wants to be told."""
    now = datetime.now(UTC)
    found = Subscriber.objects.filter(pk=claim.payload["subscriber"]).first()
    if found is None or (found.kind == Kind.MAIL and settings.INSTALLATION.mail is None):
        jobs.finish(claim, now)
        return
    outcome = sending.challenge(found, now) if found.kind == Kind.HOOK else sending.ask_to_confirm(found)
    if outcome.fate is Fate.LATER and not claim.is_last:
        jobs.fail(claim, now, outcome.why)
        return
    with transaction.atomic():
        jobs.finish(claim, now)
        if found.kind == Kind.HOOK and outcome.fate is Fate.TAKEN:
            confirm(found, now)
        elif outcome.fate is not Fate.TAKEN and found.state == Subscriber.State.ASKED:
            found.delete()


def tick(now: datetime) -> None:
    """What the clock sets off: those who are tried again, those who did not answer, old counts."""
    if Owed.objects.filter(due_at__lte=now).exists():
        jobs.enqueue(OWED, "owed", at=now)
    forget_unconfirmed(now)
    Telling.objects.filter(at__lt=now - KEPT).delete()
    reading.forget_old(now)
