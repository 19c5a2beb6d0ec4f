"""What waits for somebody and how things stand: small reads across topics for the home pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tocsin.centre.alerts import waiting as alerts
from tocsin.centre.analysis.models import CountryConflict, Proposal
from tocsin.centre.analysis.standing import hits_of
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.intake.holding import queue_for
from tocsin.centre.intake.models import Batch, FeedState
from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.ledger.models import Kind
from tocsin.centre.members import agreements, applications, people, second_look
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions.selectors import answerable_by, asked_by
from tocsin.centre.reach import board, received
from tocsin.centre.recall import relabelling, remaking
from tocsin.centre.recall.selectors import notices_for, overdue_for
from tocsin.centre.recall.undoing import undos_for
from tocsin.centre.release import orders
from tocsin.centre.release.desk import deliveries_of, late_among, urgent_among, waiting_for
from tocsin.centre.retention import reviewing
from tocsin.centre.retention.models import Review
from tocsin.centre.retention.selectors import to_look_at
from tocsin.reference.retention import retention

from . import act_log


@dataclass(frozen=True, slots=True)
class Task:
    """Work that waits: how much, and the page where it is done."""

    count: int
    icon: str
    label: str | Promise
    url_name: str
    query: str = ""


def tasks_for(person: Person, now: datetime) -> list[Task]:
    """What the person could do next; nothing that they may not do."""
    tasks = []
    batches = visible_batches(viewer_of(person), now)
    if may(person, "review"):
        proposals = Proposal.objects.filter(in_seen(batches), state="open").count()
        conflicts = CountryConflict.objects.filter(in_seen(batches), state="open").count()
        tasks += [
            Task(proposals, "file-text", _("Indicators found in reports, to decide"), "review"),
            Task(conflicts, "map-pin", _("Country claims that differ, to decide"), "review"),
        ]
    return [
        *_of_the_log(person), *tasks, *_of_the_desk(person, now), *_of_alerts(person, now),
        *_of_ones_own(person, now, batches),
    ]  # fmt: skip


def _of_alerts(person: Person, now: datetime) -> list[Task]:
    """What waits at the desk of alerts for this person; nothing for who does not work there."""
    if not may(person, "read-alerts"):
        return []
    found = alerts.counts(person, now)
    return [
        Task(found.concerns, "alert-triangle", _("Published alerts of which something new is known"), "alert-desk",
             "?show=concerns"),
        Task(found.taken_back, "rotate", _("Alerts that rest on something that was taken back"), "alert-desk",
             "?show=taken-back"),
        Task(found.languages_due, "clock", _("Alerts whose other languages are due within 24 hours"), "alert-desk",
             "?show=due"),
        Task(found.mine, "bell-ringing", _("Alerts that wait for you"), "alert-desk"),
        Task(found.sent_back, "arrow-left", _("Alerts of yours that were sent back"), "alert-desk", "?show=drafts"),
        Task(found.proposals, "inbox", _("Proposals for alerts that wait for an answer"), "alert-proposals-desk",
             "?show=open"),
    ]  # fmt: skip


def _of_the_log(person: Person) -> list[Task]:
    """The alarm of the daily verification, for all who may look at the log (W25)."""
    if not may(person, "read-audit"):
        return []
    faults = act_log.faults_found()
    return [Task(faults, "alert-triangle", _("Faults found in the log of acts: it is not what was signed"), "acts")]


def _of_the_desk(person: Person, now: datetime) -> list[Task]:
    """What the Centre decides, lets go and follows."""
    tasks = []
    if may(person, "decide-legal"):
        waiting = queue_for(person).count()
        tasks.append(Task(waiting, "scale", _("Deliveries held for a legal decision"), "holds"))
    if may(person, "release"):
        asked = relabelling.waiting_for(person).count()
        tasks.append(Task(asked, "users", _("Changes of handling that wait for a second person"), "recalls"))
    if may(person, "approve-emergency"):
        label = _("Accounts that wait for a second person to open them")
        tasks.append(Task(second_look.waiting().count(), "users", label, "emergencies"))
        label = _("Providers of sign-in that wait for a second person")
        tasks.append(Task(second_look.waiting_providers().count(), "key", label, "emergencies"))
    if may(person, "read-releases"):
        found = deliveries_of(waiting_for(person, now))
        tasks.append(Task(found.count(), "shield-check", _("Deliveries that wait for their release"), "release-desk"))
        label = _("Urgent deliveries that nobody took up yet: they are due within 30 minutes")
        tasks.append(Task(urgent_among(found).count(), "bell-ringing", label, "release-desk"))
        label = _("Deliveries that nobody took up within four hours, or 30 minutes where they are urgent")
        tasks.append(Task(late_among(found, now).count(), "clock", label, "release-desk", "?order=oldest"))
    if may(person, "chase"):
        late = board.overdue_counts(person, now)
        label = _("Releases that somebody has not acknowledged in time")
        tasks.append(Task(late[Kind.RELEASE], "clock", label, "follow-up", "?state=overdue"))
        label = _("Country packages that were not acknowledged in time")
        tasks.append(Task(late[Kind.PACKAGE], "clock", label, "follow-up", "?kind=package&state=overdue"))
    if may(person, "recall") and person.organisation.is_centre:
        late_ones = overdue_for(person, now).count()
        tasks.append(
            Task(late_ones, "clock", _("Recalls that somebody has not answered in time"), "recalls", "?state=overdue")
        )
    if may(person, "respond") and not person.organisation.is_centre:
        wanted = received.waiting_count(person, now)
        tasks.append(Task(wanted, "mail", _("Received, and waiting for your acknowledgement"), "received-list"))
        wanted = received.asked_count(person, now)
        tasks.append(Task(wanted, "help", _("Received: say what came of it"), "received-list", "?state=asked"))
    if may(person, "sign-orders"):
        unsigned = orders.half_signed(now).exclude(first_by=person).count()
        tasks.append(Task(unsigned, "file-text", _("Standing orders that wait for a second signature"), "orders"))
    if may(person, "answer-permissions"):
        asked = answerable_by(person).filter(state="asked").count()
        tasks.append(Task(asked, "help", _("Permissions that wait for your answer"), "permissions-asked"))
    if may(person, "ask-source") and person.organisation.is_centre:
        asked = asked_by(person, now).filter(state="with-centre").count()
        label = _("Requests of bureaus to pass on to a source")
        tasks.append(Task(asked, "message-report", label, "permissions", "?state=with-centre"))
    return tasks


def _of_ones_own(person: Person, now: datetime, batches: QuerySet[Batch]) -> list[Task]:
    """What one's own organisation has to do about what it gave, got and agreed on."""
    tasks = []
    if may(person, "deliver"):
        held = deliveries_for(person).filter(state="quarantined").count()
        tasks.append(Task(held, "shield-lock", _("Deliveries in quarantine"), "deliveries", "?state=quarantined"))
    if may(person, "deliver-for-others"):
        stuck = deliveries_for(person).filter(state="quarantined").exclude(urgent_at=None).count()
        label = _("Urgent deliveries that could not be read")
        tasks.append(Task(stuck, "bell-ringing", label, "deliveries", "?state=urgent"))
    if may(person, "edit-organisations"):
        ending = len(agreements.ending(now))
        label = _("Partners whose agreement or vetting ends within 60 days, or lapsed")
        tasks.append(Task(ending, "clock", label, "organisations", "?show=ending"))
        label = _("Applications of would-be partners")
        tasks.append(Task(applications.waiting().count(), "inbox", label, "organisations", "?show=applied"))
    if may(person, "read-own-agreement"):
        own = len(agreements.ending(now, person.organisation))
        label = _("Your agreement ends within 60 days, or waits for the Centre")
        tasks.append(Task(own, "clock", label, "own-agreement"))
    if may(person, "manage-people"):
        waiting = len(people.waiting_for(person, now))
        tasks.append(Task(waiting, "users", _("People whose access you should confirm or end"), "people", "?show=due"))
    if may(person, "read"):
        asked = notices_for(person).filter(state="informed").count()
        tasks.append(Task(asked, "rotate", _("Recalls that wait for your answer"), "recalls"))
        undos = undos_for(person).filter(state="open").count()
        tasks.append(Task(undos, "history", _("What you did on a wrong word, to undo"), "recalls"))
    if may(person, "package") and person.organisation.is_centre:
        reopened = remaking.waiting().count()
        tasks.append(Task(reopened, "package", _("Country packages that a recall reopened, to make anew"), "recalls"))
    if may(person, "review-terms"):
        soon = retention().reminders[1]
        ending = reviewing.due_for(person, now, soon).count()
        label = _("Deliveries whose term ends within 30 days")
        tasks.append(Task(ending, "clock", label, "terms", f"?days={soon.days}"))
        extensions = Review.objects.filter(
            state="asked", delivery__organisation=person.organisation, delivery__ends_at__gt=now
        )
        tasks.append(Task(extensions.count(), "hourglass", _("Terms that the Centre asks you to extend"), "terms"))
        label = _("Purges in which people's data were blanked in your texts")
        tasks.append(Task(to_look_at(person).count(), "eye", label, "purges"))
    if may(person, "watch"):
        hits = hits_of(person, batches).filter(seen_at=None).count()
        tasks.append(Task(hits, "bell-ringing", _("Answers to your standing queries"), "watches"))
    return tasks


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """Feeds that are switched on, and those of them that are in trouble."""

    enabled: int
    failing: tuple[FeedState, ...]
    last_at: datetime | None


def feed_health(now: datetime) -> FeedHealth:
    """A feed is in trouble when its last runs failed, or when nothing came for two days past its time."""
    states = list(FeedState.objects.filter(enabled=True))
    late = now - timedelta(days=2)
    failing = tuple(state for state in states if state.failures or (state.next_at is not None and state.next_at < late))
    return FeedHealth(len(states), failing, max((state.ok_at for state in states if state.ok_at), default=None))


def delivery_sums(person: Person, since_at: datetime | None) -> dict[str, int]:
    """What became of deliveries: numbers of files, rows, repeats and refused records."""
    found = deliveries_for(person)
    if since_at is not None:
        found = found.filter(received_at__gte=since_at)
    sums = found.aggregate(
        deliveries=Count("pk"), rows=Sum("rows"), repeats=Sum("repeats"), rejections=Sum("rejections"),
        quarantined=Count("pk", filter=Q(state="quarantined")),
    )  # fmt: skip
    return {name: value or 0 for name, value in sums.items()}
