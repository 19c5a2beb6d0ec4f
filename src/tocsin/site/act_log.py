"""The installation's log of acts: where it lives, who signs for it, and the job that verifies it every day."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from tocsin.centre.audit import tree
from tocsin.centre.audit.selectors import found, oldest_unsigned_at
from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.credentials import load_or_make

log = logging.getLogger(__name__)
VERIFY = "audit.verify"
VERIFIED = "log.verified"
SUBJECT = "log:acts"
VERIFY_EVERY = timedelta(days=1)
VERIFY_EVERY_LATE = timedelta(hours=1)
LATE_AFTER = timedelta(minutes=15)
"""Where an entry waits longer than this for a checkpoint, no worker keeps the log, or it is not what was signed."""
FAULTS_TOLD = 5


def log_of_acts() -> tree.Log:
    """The log of this installation, with the key that signs for it."""
    made: Any = settings.INSTALLATION
    key = load_or_make(made.keys_folder, made.organisation)
    return tree.Log(made.store_folder, key, Path(made.second_place) if made.second_place else None)


def faults_found() -> int:
    """How many faults the last verification found."""
    last = found(action=VERIFIED).first()
    return int(orjson.loads(last.detail)["faults"]) if last else 0


def tick(now: datetime) -> None:
    """What the clock sets off: a checkpoint every minute, a verification of the whole every day."""
    tree.tick(log_of_acts(), now)
    # What does not continue the last checkpoint is not signed: then nobody waits a day to hear what is wrong.
    oldest = oldest_unsigned_at()
    is_late = oldest is not None and oldest < now - LATE_AFTER
    jobs.enqueue_every(VERIFY_EVERY_LATE if is_late else VERIFY_EVERY, VERIFY, SUBJECT, at=now)


def verify(claim: jobs.Claim) -> None:
    """The handler: hash every entry again. The result is an act itself, so that it stays in the log."""
    verdict = tree.verify(log_of_acts(), lambda done: jobs.renew(claim, datetime.now(UTC), done=done))
    for fault in verdict.faults[:FAULTS_TOLD]:
        log.critical("The log of acts is not what was signed: %s", fault)
    facts = {
        "entries": verdict.entries,
        "checkpoints": verdict.checkpoints,
        "witnessed": verdict.witnessed,
        "faults": len(verdict.faults),
        "first_faults": verdict.faults[:FAULTS_TOLD],
    }
    at = datetime.now(UTC)
    with transaction.atomic():
        record("system", VERIFIED, SUBJECT, facts, at=at)
        jobs.finish(claim, at)
