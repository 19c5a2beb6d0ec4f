"""What is published is looked at again as long as it stands, whenever something that is held changes.

A publication looks at one moment. A victim may be handed over while its files are made or a year later, a source may
take a permission back or lay down a narrower label. Each version knows the last change of batches that it was
looked at for, taken before its scan began, so nothing slips between the scan and the switch. A round reads only what
changed since, once for all versions: whose values stand there is looked at by the whole rule.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake import lake_keys
from tocsin.centre.intake.models import Batch, Change, LakeFile
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Person
from tocsin.core.errors import Conflict, Refused
from tocsin.core.typed import recognise_value
from tocsin.core.words import Kind, Role
from tocsin.handling.leaks import Text
from tocsin.lake.questions.extract import holdings_of
from tocsin.lake.scope import Batches, Snapshot
from tocsin.products.alerts.record import PublicEdition

from . import editions, grounds, guarding, recalls, withdrawing
from .models import Alert, Concern, Ground, Step, Version
from .rules import State
from .selectors import content_of, standing, versions_of

WATCH = "watch-alerts"
"""Kind of the job that looks."""
SUBJECT = "alerts"
WATCHED = (State.POLICE, State.PUBLIC)
AT_A_TIME = 5_000
"""Batches whose files are read in one question."""
PRIORITY = 7
"""Before what partners hand over: somebody may be named to the world."""


def latest_change() -> int:
    """The number of the newest change of batches. What a transaction sees of them is all up to this one."""
    return Change.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def tick(now: datetime) -> None:
    """Put a round into the queue where something changed since the last look."""
    if Version.objects.filter(state__in=WATCHED, watched__lt=latest_change()).exists():
        jobs.enqueue(WATCH, SUBJECT, at=now, priority=PRIORITY)


def run_job(claim: jobs.Claim) -> None:
    """The handler."""
    look(datetime.now(UTC), lambda: jobs.renew(claim, datetime.now(UTC)))
    jobs.finish(claim, datetime.now(UTC))


def look(at: datetime, renew: Callable[[], object] = lambda: None) -> list[Concern]:
    """Look at what is published for all that changed since; gives what the desk is told."""
    latest = latest_change()
    behind = list(Version.objects.filter(state__in=WATCHED, watched__lt=latest).select_related("alert", "delivery"))
    if not behind:
        return []
    since = min(each.watched for each in behind)
    changed = list(
        Batch.objects.filter(changed__gt=since, changed__lte=latest, purged_at=None)
        .order_by("pk").values_list("pk", flat=True)
    )  # fmt: skip
    concerned = _resting_on(behind, changed)
    suffering = _suffering(behind, changed, concerned)
    found, left = [], set[int]()
    for each in behind:
        if each.pk in concerned:
            try:
                found += _looked_at(each, suffering[each.pk], at)
            except Conflict:
                left.add(each.pk)  # Others publish just now: the next round looks again.
            renew()
    Version.objects.filter(pk__in=[each.pk for each in behind if each.pk not in left]).update(watched=latest)
    return found


def _resting_on(versions: Sequence[Version], changed: Sequence[int]) -> set[int]:
    """Those that rest on one of these batches, or whose police edition is one of them."""
    on = Ground.objects.filter(version__in=[each.pk for each in versions])
    of = set(changed)
    found = {version for version, batch in on.values_list("version", "batch") if batch in of}
    sent = set(Batch.objects.filter(pk__in=changed, alert_grounds=None).values_list("delivery", flat=True))
    return found | {each.pk for each in versions if each.delivery_id in sent}


def _suffering(versions: Sequence[Version], changed: Sequence[int], concerned: set[int]) -> Mapping[int, set[str]]:
    """Version → its values of which something that changed says that somebody suffered there. Whose values stand in
    what changed at all is `concerned` as well."""
    holders: dict[str, list[int]] = defaultdict(list)
    for each in versions:
        for value in named_in(each):
            holders[value].append(each.pk)
    found: dict[int, set[str]] = defaultdict(set)
    for first in range(0, len(changed) if holders else 0, AT_A_TIME):
        part = changed[first : first + AT_A_TIME]
        rows = holdings_of(_files_of(part), Batches(part), list(holders))
        for value, role in set(rows.select("value", "role").iter_rows()):
            concerned.update(holders[value])
            if role == Role.VICTIM.value:
                for number in holders[value]:
                    found[number].add(value)
    return found


def _files_of(batches: Sequence[int]) -> Snapshot:
    """The files that hold rows of these batches, and none between the oldest and the newest of them."""
    files = LakeFile.objects.filter(retired_at=None, first_batch__lte=batches[-1], last_batch__gte=batches[0])
    wanted = [
        pk for pk, first, last in files.values_list("pk", "first_batch", "last_batch")
        if bisect_left(batches, first) < bisect_right(batches, last)
    ]  # fmt: skip
    return lake_keys.snapshot_of(LakeFile.objects.filter(pk__in=wanted).order_by("pk"))


# What a version names.


def named_in(version: Version) -> frozenset[str]:
    """Every value that it says: its indicators, and what looks like a value in its words. Worked out once, since what
    was published never changes, and kept sealed."""
    if not version.named:
        version.named = {"public": sorted(_in_words(version)), "signs": sorted(_indicators(version))}
        Version.objects.filter(pk=version.pk).update(named=version.named)
    return frozenset(version.named["public"]) | frozenset(version.named["signs"])


def _indicators(version: Version) -> set[str]:
    return {each.value for each in content_of(version).indicators}


def _in_words(version: Version) -> set[str]:
    """Values in the words of the public edition; none where there is no such edition."""
    if version.state != State.PUBLIC:
        return set()
    edition = editions.published(version.alert)[-1]
    texts = list(guarding.edition_texts(edition, with_signs=False))
    return {value for _kind, value in _candidates(texts)} - _own(edition)


def _candidates(texts: Iterable[Text]) -> list[tuple[Kind, str]]:
    try:
        return guarding.candidates_in(texts)
    except Refused:
        return []  # Never published: it would have been refused.


def _own(edition: PublicEdition) -> frozenset[str]:
    return guarding.own_hosts(edition)


# Looking at one.


def _looked_at(version: Version, suffering: set[str], at: datetime) -> list[Concern]:
    """Do what the rules ask for, and tell the desk what was done and why."""
    version = Version.objects.select_related("alert", "delivery").get(pk=version.pk)
    if version.state not in WATCHED:
        return []
    steps = list(Step.objects.filter(version__alert=version.alert).values_list("pk", flat=True))
    found = []
    if version.state == State.PUBLIC and (why := _from_public(version, suffering, at)):
        found.append((why, _what_was_done(version.alert, steps)))
    elif suffering & named_in(version):
        found.append((Concern.Why.VICTIM, Concern.Done.NOTHING))
    stands = standing(version.alert)
    if stands is not None and _is_police_closed(stands):
        recalls.begin_again(stands, at)
        found.append((Concern.Why.NARROWER, Concern.Done.POLICE_CLOSED))
    return [_told(version, why, done, at) for why, done in found]


def _from_public(version: Version, suffering: set[str], at: datetime) -> str:
    """Take off the public site what may not stand there any more; why, or empty where all of it may."""
    in_words = suffering & set(version.named.get("public", ()))
    grave = {value for value in in_words if not _is_everyday(value)}
    gone = withdrawing.withdrawn_signs(version, at)
    if grave:
        withdrawing.withhold(version, at)
    elif gone:
        withdrawing.from_public(version, at)
    elif not in_words:
        return ""
    is_victim = bool(in_words) or any(each.partition(":")[2] in suffering for each in gone)
    return Concern.Why.VICTIM if is_victim else Concern.Why.AGREEMENT


def _is_everyday(value: str) -> bool:
    """What everybody uses, such as a bank's own page. Whether its name betrays a victim, a person decides: or whoever
    hands over a row could have any alert cancelled that says where the true page is."""
    known = recognise_value(value)
    return known is not None and grounds.is_everyday(*known)


def _what_was_done(alert: Alert, before: Collection[int]) -> str:
    since = Step.objects.filter(version__alert=alert).exclude(pk__in=before)
    acts = set(since.values_list("act", flat=True))
    if withdrawing.WITHHELD in acts:
        return Concern.Done.WITHHELD
    return Concern.Done.NARROWED if withdrawing.NARROWED in acts else Concern.Done.NOTHING


def _is_police_closed(version: Version) -> bool:
    """Its police edition is closed though nothing it rests on was recalled: something was put under another label."""
    if version.delivery is None or not Batch.objects.filter(delivery=version.delivery).exists():
        return False
    if Batch.objects.filter(delivery=version.delivery, hidden_at=None).exists():
        return False
    return not version.grounds.exclude(closed_at=None).exists() and not versions_of(version.alert).filter(
        number__gt=version.number
    ).exists()  # fmt: skip


@transaction.atomic
def _told(version: Version, why: str, done: str, at: datetime) -> Concern:
    made, is_new = Concern.objects.get_or_create(
        alert=version.alert, version=version.number, why=why, done=done, seen_at=None, defaults={"at": at}
    )
    if is_new:
        facts = {"version": version.number, "why": why, "done": done}
        record("system", "alert.concern", f"alert:{version.alert.reference}", facts, at=at)
    return made


@transaction.atomic
def seen(alert: Alert, *, by: Person, at: datetime) -> int:
    """Somebody of the desk has looked at what is told of it."""
    count = Concern.objects.filter(alert=alert, seen_at=None).update(seen_by=by, seen_at=at)
    if count:
        record(by.login, "alert.concern-seen", f"alert:{alert.reference}", {"concerns": count}, at=at)
    return count


def is_known_since(version: Version, edition: PublicEdition, since: int) -> bool:
    """Whether something changed since that says anything of the values of an edition that is about to be published."""
    changed = list(Batch.objects.filter(changed__gt=since).order_by("pk").values_list("pk", flat=True))
    if not changed:
        return False
    values = {value for _kind, value in _candidates(guarding.edition_texts(edition))}
    values |= {each.value for each in edition.signs}
    resting = set(grounds.resting_of(version, edition.sent).deliveries)
    if any(each // 1000 in resting for each in changed):
        return True
    return bool(values) and holdings_of(_files_of(changed), Batches(changed), sorted(values)).height > 0
