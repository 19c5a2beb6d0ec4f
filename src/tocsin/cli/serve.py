"""`tocsin serve` and `tocsin work`."""

from __future__ import annotations

import subprocess
import sys
import threading

import click

from . import setup


@click.command()
@click.option("--until-idle", is_flag=True, help="Stop when nothing is left that is due.")
def work(until_idle: bool) -> None:
    """Do waiting work: read deliveries, make packages, fetch feeds."""
    setup()
    import signal

    from tocsin.centre.jobs.worker import work as run
    from tocsin.site import wiring

    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    handlers = wiring.handlers()
    try:
        run(handlers, told, until_idle=until_idle)
    finally:
        wiring.close(handlers)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Processes that do waiting work beside the portal.")
def serve(host: str, port: int, workers: int) -> None:
    """Serve the portal and do waiting work, until stopped."""
    setup()
    click.echo(f"The portal is at http://{host}:{port}/  (stop with Ctrl+C)")
    run_server(host, port, workers)


def run_server(host: str, port: int, workers: int) -> None:
    """The portal in the foreground with its workers beside it."""
    from tocsin.site import crew

    hands = crew.start(workers) if workers else []
    try:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "granian",
                "--interface",
                "wsgi",
                "--host",
                host,
                "--port",
                str(port),
                "--workers",
                "1",
                "--blocking-threads",
                "8",
                "--no-ws",
                "--log-level",
                "warning",
                "tocsin.site.wsgi:application",
            ],
            check=False,
        )
    except KeyboardInterrupt:
        pass
    finally:
        crew.stop(hands)
