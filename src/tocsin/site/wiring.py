"""What hangs on what: the handlers of jobs and the keepers of a delivery's contents, in one visible place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from tocsin.centre.alerts import police, publishing, recalls, renewing, telling, upkeep, watching
from tocsin.centre.analysis import services as analysis
from tocsin.centre.analysis import standing
from tocsin.centre.circulars import services as circulars
from tocsin.centre.clock import services as clock
from tocsin.centre.intake import batch_rows, feeds, lake, pending, process, verification
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.process import Reader
from tocsin.centre.jobs.worker import Handler
from tocsin.centre.knowledge import sealing
from tocsin.centre.knowledge import services as knowledge
from tocsin.centre.members import browsers, emergency
from tocsin.centre.partners import services as partners
from tocsin.centre.permissions import services as permissions
from tocsin.centre.reach import chasing
from tocsin.centre.recall import corrections, remaking, reslicing
from tocsin.centre.recall import services as recall
from tocsin.centre.redaction import services as redaction
from tocsin.centre.release import ahead, orders, workplace
from tocsin.centre.release import services as release
from tocsin.centre.retention import ending, purging
from tocsin.centre.rights import sealed
from tocsin.centre.subscribers import bouncing, bureaus, rounds
from tocsin.centre.subscribers import services as subscribers
from tocsin.core.machine_faults import fault_of

from . import act_log

log = logging.getLogger(__name__)

KEEPERS: tuple[intake.Keeper, ...] = (
    knowledge.keep_objects,
    knowledge.keep_documents,
    analysis.keep_proposals,
    analysis.keep_conflicts,
    batch_rows.settle,  # What follows is short: from here on others wait.
    knowledge.keep_copies,
    redaction.follow_origin,
    recall.hide_with_report,
    orders.release_under_orders,
    corrections.release_corrected,
    corrections.compare_later,
    circulars.send_on,
    police.arrived,
)
OF_PARTS = (knowledge.keep_objects, analysis.keep_conflicts, batch_rows.settle, knowledge.keep_copies)
"""Of these, those that take the parts of several deliveries as they are."""

CONCERNED: dict[intake.Keeper, intake.Concerned] = {
    recall.hide_with_report: recall.reported,
    orders.release_under_orders: orders.ordered,
    corrections.release_corrected: corrections.correcting,
    corrections.compare_later: corrections.with_namesakes,
}
"""What keepers that take one delivery after the other ask first of all that were read together."""


def handlers(on_rows: Callable[[int, int], None] | None = None) -> dict[str, Handler]:
    """Kind of job → what does it. Each worker has its own."""
    return {
        intake.READ: Reader(KEEPERS, on_rows, OF_PARTS, CONCERNED),
        standing.CHECK: standing.check,
        analysis.RECAST: analysis.recast_decided,
        analysis.RESLICE: reslicing.reslice,
        feeds.FETCH: feeds.fetch_feed,
        release.MAKE: release.run_job,
        ahead.RENDER: ahead.Ahead(),
        recall.CORRECT: corrections.send_corrected,
        corrections.COMPARE: corrections.compare_versions,
        remaking.REMAKE: remaking.remake_package,
        lake.HOUSEKEEPING: lake.keep_house,
        verification.VERIFY: verification.run_job,
        upkeep.KEEP: upkeep.run_job,
        watching.WATCH: watching.run_job,
        ending.ROUND: purging.keep_terms,
        act_log.VERIFY: act_log.verify,
        partners.COMPUTE: partners.run_job,
        sealing.SEAL: sealing.run,
        telling.TELL: rounds.tell,
        telling.TELL_BUREAUS: bureaus.tell,
        rounds.GO: rounds.go_round,
        rounds.OWED: rounds.settle_owed,
        subscribers.ASK: rounds.ask,
        bouncing.READ: bouncing.run_job,
    }


def begin() -> None:
    """What a worker does once before it asks for work; without a database it is done at the first tick."""
    try:
        process.sweep_ended()
        workplace.sweep_left()
    except Exception as error:
        if fault_of(error) is None:
            raise
        log.warning("nothing was cleared up: %s", error)


def tick(now: datetime) -> None:
    """What the clock sets off: feeds that are due, housekeeping, tables nobody came back to, terms, the log of acts."""
    pending.sweep(now.timestamp())  # Files carry moments of the machine's clock.
    process.sweep_ended()
    workplace.sweep_left()
    now = clock.note(now)
    feeds.tick(now)
    lake.tick(now)
    verification.tick(now)
    browsers.sweep(now)
    emergency.sweep(now)
    permissions.tick(now)
    recall.tick(now)
    recalls.tick(now)
    watching.tick(now)
    publishing.tick(now)
    renewing.tick(now)
    upkeep.tick(now)
    chasing.tick(now)
    partners.tick(now)
    ahead.tick(now)
    sealing.tick(now)
    ending.tick(now)
    sealed.tick(now)
    rounds.tick(now)
    bouncing.tick(now)
    act_log.tick(now)


def close(handlers: dict[str, Handler]) -> None:
    """End what the handlers keep running."""
    for handler in handlers.values():
        if isinstance(handler, Reader):
            handler.stop()
