"""A private PostgreSQL for a benchmark: settings as installed, everything made durable, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30


def programs() -> Path | None:
    """Where the newest server of version 15 or later lies."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    folders = [path.parent for path in found if int(path.parts[-3]) >= 15]
    if folders:
        return folders[-1]
    path = shutil.which("initdb")
    return Path(path).parent if path else None


@contextmanager
def server() -> Iterator[str]:
    """The address of a new server that listens on a socket of its own folder."""
    bin_folder = programs()
    if bin_folder is None:
        raise SystemExit("there is no PostgreSQL 15 or later (Debian and Ubuntu: apt install postgresql)")
    as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="tocsin-pg-") as name:
        folder = Path(name)
        if as_server:
            shutil.chown(folder, "postgres", "postgres")
        made = [*as_server, str(bin_folder / "initdb"), "-D", str(folder / "data"), "-U", "tocsin", "-E", "UTF8",
                "--locale=C", "-A", "trust"]  # fmt: skip
        done = subprocess.run(made, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-500:])
        words = [
            *as_server,
            str(bin_folder / "postgres"),
            "-D",
            str(folder / "data"),
            "-k",
            name,
            "-c",
            "listen_addresses=",
        ]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + START_SECONDS
            while subprocess.run([bin_folder / "pg_isready", "-q", "-h", name], check=False).returncode:
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("PostgreSQL did not start")
                time.sleep(0.2)
            yield f"postgresql://tocsin@/postgres?host={name}"
        finally:
            process.terminate()
            process.wait(30)
