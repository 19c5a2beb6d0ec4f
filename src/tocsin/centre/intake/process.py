"""The job that reads a delivery: hands it to the sandbox, watches it, commits what came of it."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from tocsin.centre.jobs import services as jobs
from tocsin.centre.questions import Question
from tocsin.core.errors import Conflict, Unavailable
from tocsin.core.machine_faults import fault_of
from tocsin.lake.keys import Writer

from . import data_types, holding, originals, profiles, services, spreading
from .lake_keys import all_keys, engine
from .models import Delivery
from .reader_process import FailedError, KilledError, Sandbox
from .store import delivery_path

log = logging.getLogger(__name__)
PROCESSOR_SECONDS_BASE = 300
PROCESSOR_SECONDS_PER_MEGABYTE = 4
GRACE_SECONDS = 2.0
"""For a reading that is nearly over when its worker is told to stop."""
MOST_TOGETHER = 24
"""So many deliveries are read together: beyond that, what each costs by itself is nearly all."""
ORIGINAL = "original"
"""Name of the opened copy in the work folder, which goes with it."""


_DELIVERY = Question(lambda number: Delivery.objects.select_related("organisation").filter(pk=number), -1)


def order_of(delivery: Delivery, work: Path) -> tuple[dict[str, Any], float]:
    """What the reading process is told to read a delivery into a folder, and how much time it has."""
    return _order(delivery, work, all_keys().writer(), profiles.remembered(delivery.organisation))


def _order(
    delivery: Delivery, work: Path, seal: Writer | None, remembered: Mapping[str, Any]
) -> tuple[dict[str, Any], float]:
    told = {
        "delivery": delivery.pk,
        "path": str(originals.plain_copy(delivery_path(services.store_folder(), delivery.sha256), work / ORIGINAL)),
        "name": delivery.name,
        "received_at": delivery.received_at.isoformat(),
        "profile": delivery.profile,
        "work": str(work),
        "seal": seal.told() if seal else None,
        "remembered": remembered,
        "reference": str(settings.INSTALLATION.home / "reference"),
    }
    return told, PROCESSOR_SECONDS_BASE + PROCESSOR_SECONDS_PER_MEGABYTE * delivery.size_bytes / 1e6


class Reader:
    """The handler of READ jobs: one sandbox, kept between deliveries."""

    most_cost_together = 12 << 20

    def __init__(
        self, keepers: Sequence[services.Keeper], on_rows: Callable[[int, int], None] | None = None,
        of_parts: Sequence[services.Keeper] = (), concerned: Mapping[services.Keeper, services.Concerned] | None = None,
    ) -> None:  # fmt: skip
        self.sandbox = Sandbox()
        self.keepers = keepers
        self.of_parts = of_parts
        """Of the keepers, those that take parts of several deliveries as they are; none: each is read alone."""
        self.concerned = concerned or {}
        """What some of the others ask of several deliveries at once."""
        self.most_together = MOST_TOGETHER if of_parts else 1
        self.on_rows = on_rows
        """Called with (delivery, rows so far), for progress bars."""
        self.told = threading.Event()
        """Whether the worker is to stop: then a reading that is not over soon is given back."""

    def __call__(self, claim: jobs.Claim) -> None:
        delivery = _DELIVERY(claim.payload["delivery"])[0]
        if delivery.state != Delivery.State.RECEIVED:
            jobs.finish(claim, datetime.now(UTC))
            return
        _sweep(delivery)
        work = services.store_folder() / "work" / f"{delivery.pk}-{claim.attempt}"
        try:
            work.mkdir(parents=True)
            self._read(delivery, claim, work)
        except OSError as error:
            raise Unavailable(f"the store: {error}") from error
        except (Conflict, Unavailable, jobs.GivenBack):
            raise
        except Exception as error:
            if not claim.is_last or fault_of(error) is not None:
                raise
            log.exception("delivery %s cannot be committed", delivery.pk)
            services.quarantine(delivery, "reader-failed", f"{type(error).__name__}: {error}", claim, datetime.now(UTC))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def together(self, claims: Sequence[jobs.Claim]) -> None:
        """Read small deliveries in one go. Whatever is odd about one of them leaves it, or all of them, to be read
        alone: nothing of the neighbours is harmed by it."""
        found = Delivery.objects.select_related("organisation").in_bulk([claim.payload["delivery"] for claim in claims])
        waiting = [(found[claim.payload["delivery"]], claim) for claim in claims]
        day = waiting[0][0].received_at.date()
        left = [(delivery, claim) for delivery, claim in waiting
                if delivery.state == Delivery.State.RECEIVED and delivery.received_at.date() == day]  # fmt: skip
        jobs.part([claim for delivery, claim in waiting if (delivery, claim) not in left], datetime.now(UTC))
        folders = services.store_folder() / "work"
        works = [folders / f"{delivery.pk}-{claim.attempt}" for delivery, claim in left]
        try:
            for (delivery, _), work in zip(left, works, strict=True):
                _sweep(delivery)
                work.mkdir(parents=True)
            if left:
                self._read_together(left, works)
        except OSError as error:
            raise Unavailable(f"the store: {error}") from error
        finally:
            for work in works:
                shutil.rmtree(work, ignore_errors=True)

    def _read_together(self, left: Sequence[tuple[Delivery, jobs.Claim]], works: Sequence[Path]) -> None:
        seal = all_keys().writer()
        # Maps are remembered for tables, and a table is read alone.
        orders = [_order(delivery, work, seal, {}) for (delivery, _), work in zip(left, works, strict=True)]
        claims = [claim for _, claim in left]
        told = {"reference": orders[0][0]["reference"], "together": [each for each, _ in orders]}
        try:
            outcome = self.sandbox.read(
                told, sum(seconds for _, seconds in orders), self._renewing(claims[0], beside=claims[1:])
            )
        except (KilledError, FailedError) as error:
            log.error("deliveries %s: %s", ", ".join(str(delivery.pk) for delivery, _ in left), error)
            jobs.part(claims, datetime.now(UTC))
            return
        share = {"cpu_seconds": outcome["cpu_seconds"] / len(left)}
        read = [(delivery, made | share, work, claim)
                for (delivery, claim), made, work in zip(left, outcome["members"], works, strict=True)
                if made]  # fmt: skip
        now = datetime.now(UTC)
        if any(holding.question_of(delivery, made) or data_types.not_agreed(delivery, made, work)
               for delivery, made, work, _ in read):  # fmt: skip
            read = []  # Their rows lie in one file: what is not wanted of one of them cannot be left out of it.
        mine = {claim.job for *_, claim in read}
        jobs.part([claim for claim in claims if claim.job not in mine], now)
        if read:
            shared = services.Shared(outcome["joint"], works[0], self.of_parts, self.concerned)
            several = [(delivery, made, work) for delivery, made, work, _ in read]
            services.commit_together(several, shared, [claim for *_, claim in read], now, self.keepers)

    def give_up(self, claim: jobs.Claim, why: str) -> None:
        """Set the delivery aside that ended one worker after another: a person may have it read again."""
        delivery = Delivery.objects.get(pk=claim.payload["delivery"])
        if delivery.state != Delivery.State.RECEIVED:
            jobs.finish(claim, datetime.now(UTC))
            return
        _sweep(delivery)
        services.quarantine(delivery, "reader-failed", why, claim, datetime.now(UTC))

    def _read(self, delivery: Delivery, claim: jobs.Claim, work: Path) -> None:
        told, seconds = order_of(delivery, work)
        on_progress = self._renewing(claim, delivery)
        try:
            outcome = self._spread(delivery, claim, told, on_progress)
            if outcome is None:
                outcome = self.sandbox.read(told, seconds, on_progress)
        except KilledError as error:
            log.error("delivery %s: %s", delivery.pk, error)
            # Once may be an accident of the machine; twice is the file's fault.
            if claim.attempt < 2:
                raise Unavailable(str(error)) from error
            services.quarantine(delivery, "reader-killed", str(error), claim, datetime.now(UTC))
            return
        except FailedError as error:
            services.quarantine(delivery, "reader-failed", str(error), claim, datetime.now(UTC))
            return
        question = holding.question_of(delivery, outcome)
        if question is not None:
            holding.hold(delivery, *question, outcome, claim, datetime.now(UTC))
            return
        services.commit(delivery, outcome, work, claim, datetime.now(UTC), self.keepers)

    def _renewing(
        self, claim: jobs.Claim, delivery: Delivery | None = None, beside: Sequence[jobs.Claim] = ()
    ) -> Callable[[int], None]:
        """Keeps leases while rows are read, and gives a reading back that is not over soon after the word to stop."""
        told_at: list[float] = []

        def on_progress(rows: int) -> None:
            if self.told.is_set():
                told_at.append(time.monotonic())
                if told_at[-1] - told_at[0] >= GRACE_SECONDS:
                    raise jobs.GivenBack
            jobs.renew(claim, datetime.now(UTC), done=rows, beside=beside)
            if self.on_rows is not None and delivery is not None:
                self.on_rows(delivery.pk, rows)

        return on_progress

    def _spread(
        self, delivery: Delivery, claim: jobs.Claim, told: dict[str, Any], on_progress: Callable[[int], None]
    ) -> dict[str, Any] | None:
        """What a cluster makes of a large delivery. What failed there is read here the next time: a cluster does not
        tell whose fault it was, the sandbox does."""
        cluster = engine()
        if not cluster.is_spread or delivery.size_bytes < spreading.LEAST_BYTES or claim.attempt > 1:
            return None
        return spreading.read_spread(told, self.sandbox, cluster, on_progress)

    def stop(self) -> None:
        """End the reading process."""
        self.sandbox.stop()


def _sweep(delivery: Delivery) -> None:
    """Remove what attempts left that were killed, or that lost their lease: it may be plain."""
    for left in (services.store_folder() / "work").glob(f"{delivery.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_ended() -> None:
    """Remove what was left by workers killed after their commit, before they cleared up: no reading comes by again.

    Folders are listed before jobs are asked, so that whoever begins meanwhile is known to be at work.
    """
    found = {path: path.name.rpartition("-") for path in (services.store_folder() / "work").glob("*-*")}
    left = {path: (int(delivery), int(attempt)) for path, (delivery, _, attempt) in found.items()
            if delivery.isdecimal() and attempt.isdecimal()}  # fmt: skip
    if not left:
        return
    at_work = jobs.running(services.READ)
    for path, (delivery, attempt) in left.items():
        if (f"delivery:{delivery}", attempt) not in at_work:
            shutil.rmtree(path, ignore_errors=True)
