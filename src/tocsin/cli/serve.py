"""`tocsin serve` and `tocsin work`."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from tocsin.core.later import put_off
from tocsin.core.machine_faults import said_by

from . import setup

LOOK_SECONDS = 0.2
MINUTES = "%Y-%m-%d %H:%M"
STOPPED = (
    "Nothing is served and nothing was changed: what was recalled since a backup could not be kept away without its "
    "keys. Put the file back and start again; if it is lost for good, see: tocsin seal give-up --help"
)
TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The last one is what a terminal says when it is closed."""
PORTAL = (sys.executable, "-m", "tocsin.site.serving")
MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_ARENA_MAX": "4",
}  # fmt: skip
"""Answers of half a megabyte are made one after the other: to give their room back to the system and to fetch it again,
emptied, costs a quarter of what a page for programs does. How much is kept is bounded by the few arenas."""


@click.command()
@click.option("--until-idle", is_flag=True, help="Stop when nothing is left that is due.")
@click.option("--spare", is_flag=True, help="Take nothing long: stay free for what is short and what is urgent.")
def work(until_idle: bool, spare: bool) -> None:
    """Do waiting work: read deliveries, make packages, fetch feeds."""
    put_off()
    setup()
    _require_current()
    _recall_again()
    from tocsin.centre.jobs.worker import work as run
    from tocsin.site import crew, wiring

    told = threading.Event()
    for number in TO_STOP:
        signal.signal(number, lambda *_: told.set())
    handlers = wiring.handlers()
    waiting: list[str] = []
    try:
        waiting = run(
            handlers, told, until_idle=until_idle, tick=wiring.tick, is_spare=spare, is_process=True,
            rest=lambda: crew.begin_anew(lambda: wiring.close(handlers)),
        )  # fmt: skip
    finally:
        wiring.close(handlers)
    if waiting:
        why = " ".join(dict.fromkeys(waiting))
        raise click.ClickException(f"Work is left that waits, in {len(waiting)} pieces, and is tried again. {why}")
    if until_idle and not told.is_set():
        _say_what_is_tried_again(datetime.now(UTC))


def _say_what_is_tried_again(now: datetime) -> None:
    """Nothing is due; what was tried in vain before waits for its time."""
    from tocsin.centre.jobs.models import Job

    again = Job.objects.filter(state=Job.State.WAITING, run_at__gt=now).exclude(error="").order_by("run_at", "pk")
    first = again.first()
    if first is not None:
        count, begins, why = again.count(), first.run_at.astimezone(UTC), said_by(Exception(first.error))
        click.echo(f"Work waits that was tried in vain, in {count} pieces: {first.kind}: {why}", err=True)
        click.echo(f"It is tried again from {begins:%H:%M:%S} UTC on.", err=True)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    help="Processes that do waiting work beside the portal; of several, one takes nothing long.",
)
@click.option(
    "--drain-seconds",
    default=8.0,
    show_default=True,
    type=click.FloatRange(0, 40),
    help="After the word to stop, for requests that are under way. A second word ends all at once.",
)
def serve(host: str, port: int, workers: int, drain_seconds: float) -> None:
    """Serve the portal and do waiting work, until stopped."""
    setup()
    _require_current()
    _recall_again()
    click.echo(f"The portal is at http://{host}:{port}/  (stop with Ctrl+C)")
    run_server(host, port, workers, drain_seconds)


def run_server(host: str, port: int, workers: int, drain_seconds: float = 8) -> None:
    """Become the process that watches over the portal and its workers: it is there for months and needs no Django."""
    from django.conf import settings

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    sys.stdout.flush()
    told = [host, str(port), str(workers), str(settings.INSTALLATION.workers_file), str(drain_seconds)]
    os.execve(sys.executable, [sys.executable, "-m", "tocsin.cli.serve", *told], environment)  # noqa: S606


def _recall_again() -> None:
    """What was recalled or purged after a restored backup was made is gone again before anybody is served.

    That takes every key of the installation: without one, nothing is served.
    """
    from django.conf import settings

    from tocsin.centre.recall import relabelling
    from tocsin.centre.recall.services import replay
    from tocsin.centre.retention.purging import replay as end_again
    from tocsin.credentials.content_keys import KeyMissing
    from tocsin.site import lake_bucket, own_keys, store_mark

    now = datetime.now(UTC)
    try:
        store_mark.require(now)
        lake_bucket.require(now)
    except store_mark.Foreign as error:
        raise click.ClickException(str(error)) from error
    try:
        own_keys.require(settings.INSTALLATION.organisation, now)
        _look_at_the_clock(now)
        recalled, ended = replay(now) + relabelling.replay(now), end_again(now)
    except KeyMissing as error:
        raise click.ClickException(f"{error}\n{STOPPED}") from error
    if recalled:
        click.echo(f"{recalled} recalls were made again: this database is older than they are.")
    if ended:
        click.echo(f"{ended} deliveries were ended or purged again: this database is older than that.")


def _look_at_the_clock(now: datetime) -> None:
    """Say at once where the machine's clock is not what the installation knows of the time."""
    from tocsin.centre.clock import services as clock
    from tocsin.centre.clock.rules import Reading

    clock.note(now)
    stands = clock.standing(now)
    if stands.reading is not Reading.AGREES and stands.latest_at is not None:
        word = "ahead of" if stands.reading is Reading.AHEAD else "behind"
        click.echo(
            f"This machine's clock says {now:{MINUTES}} UTC, {word} what is known ({stands.latest_at:{MINUTES}}). What "
            "ends is judged by the later of both; nothing is ended for good by a clock in doubt. Set the clock right, "
            "or say that it is right: tocsin clock confirm",
            err=True,
        )


def _require_current() -> None:
    """Say at once what every page would fail at: a database of an older version."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise click.ClickException(
            "The database was made by an older version. Bring it up to date with: tocsin init (after a back-up)"
        )


def watch(host: str, port: int, workers: int, told_in: Path, drain_seconds: float) -> None:
    """The portal in the foreground with its workers beside it, until it is told to stop or ends by itself."""
    from tocsin.site import crew, occupancy

    if is_taken(host, port):
        # Linux would deal requests out to both servers by turns.
        raise click.ClickException(f"Another program listens at {host}:{port}.")
    try:
        occupancy.serve_alone(told_in.parent)
    except occupancy.Occupied as error:
        raise click.ClickException(
            "This installation is served already, by another tocsin serve on this machine. For more hands: tocsin work"
        ) from error
    told: list[int] = []
    for number in TO_STOP:
        signal.signal(number, lambda number, _: told.append(number))
    hands = crew.start(workers, told_in)
    portal = subprocess.Popen([*PORTAL, host, str(port), str(drain_seconds)], env=MEMORY | os.environ)
    while portal.poll() is None and not told:
        time.sleep(LOOK_SECONDS)
        hands.look(time.monotonic())
    ended = portal.returncode
    hands.stop(portal, is_hurried=lambda: len(told) > 1)
    if ended:
        raise click.ClickException(f"The portal ended by itself with status {ended}.")


def is_taken(host: str, port: int) -> bool:
    """Whether a program listens there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


if __name__ == "__main__":
    try:
        watch(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
