"""What an installation at rest holds in memory: the portal, a worker and who watches over them.

    python bench/idle.py [--rest SECONDS]

Makes an installation, serves it, has a delivery read and pages opened by somebody who signs in, waits until the worker
rests, and adds up what each process holds: `resident_mb` counts shared pages with each process, `own_mb` once. SQLite
and the lake are inside these processes. `busy_mb` is right after the delivery. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

GOAL_MB = 300
STEADY_SAMPLES = 8
WORK_MB = 100
"""Less than reading one delivery takes."""
PASSWORD = "not-a-secret-of-anybody"
TSV = "first_at\tip\n" + "".join(f"2026-11-01T00:00:{n:02}Z\t192.0.2.{n}\n" for n in range(50))
MAKE = f"""
from datetime import UTC, datetime
from tocsin.cli.installation import make
make("Bench")
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.services import add_person
from tocsin.centre.intake import services
centre = Organisation.objects.get(is_centre=True)
now = datetime.now(UTC)
add_person(
    login="bench", name="Bench", organisation=centre, roles=["analyst"], password={PASSWORD!r}, by="bench", at=now
)
services.receive(organisation=centre, via="command", name="a.tsv", chunks=[{TSV!r}.encode()], at=now)
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rest", type=int, default=150, help="How long to wait for the worker to rest, at most.")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-idle-") as home, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = {**os.environ, "TOCSIN_HOME": home, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", MAKE], env=environment, check=True, stdout=subprocess.DEVNULL)
        command = "from tocsin.cli import main; main(prog_name='tocsin')"
        server = subprocess.Popen(
            [sys.executable, "-c", command, "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            facts: dict[str, Any] = dict(measured(server.pid, f"http://127.0.0.1:{port}", told.rest))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    goals = {"resident_mb": f"< {GOAL_MB}"}
    print(
        json.dumps({"bench": "idle", **facts, "goals": goals, "met": {"resident_mb": facts["resident_mb"] < GOAL_MB}})
    )


def measured(pid: int, origin: str, rest: int) -> dict[str, float]:
    """Before and after the worker rests."""
    until = time.monotonic() + rest
    while not answers(origin) and time.monotonic() < until:
        time.sleep(0.5)
    started = sum(resident for resident, _ in held(pid).values())
    opened = visit(origin)
    samples: list[tuple[float, float, int]] = []
    while time.monotonic() < until:
        found = held(pid)
        resident, own = (round(sum(each[place] for each in found.values()), 1) for place in (0, 1))
        samples.append((resident, own, len(found)))
        busy = max(each[0] for each in samples)
        last = [each[0] for each in samples[-STEADY_SAMPLES:]]
        if len(last) == STEADY_SAMPLES and max(last) - min(last) < 3 and max(last) < busy - WORK_MB:
            break  # It worked, gave back what that took, and has started anew.
        time.sleep(1)
    resident, own, processes = samples[-1]
    return {"started_mb": round(started, 1), "busy_mb": busy, "resident_mb": resident, "own_mb": own,
            "processes": processes, "pages_opened": opened}  # fmt: skip


def answers(origin: str) -> bool:
    try:
        with urllib.request.urlopen(f"{origin}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def visit(origin: str) -> int:
    """Sign in and open some pages; how many came."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(f"{origin}/sign-in/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    form = {"csrfmiddlewaretoken": token[1], "login": "bench", "username": "bench", "password": PASSWORD}
    request = urllib.request.Request(f"{origin}/sign-in/", urllib.parse.urlencode(form).encode())
    request.add_header("Referer", f"{origin}/sign-in/")
    browser.open(request)
    found = [browser.open(f"{origin}{path}") for path in ("/", "/deliveries/", "/countries/")]
    return sum(reply.status == 200 and "sign-in" not in reply.url for reply in found)


def held(pid: int) -> dict[int, tuple[float, float]]:
    """Process → megabytes resident, and those with shared pages divided among who shares them."""
    found: dict[int, tuple[float, float]] = {}
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        said = {line.split(":")[0]: int(line.split()[1]) / 1000 * 1.024 for line in lines[1:]}
        found[pid] = (said["Rss"], said["Pss"])
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found |= held(int(child))
    except (OSError, KeyError):  # It ended meanwhile.
        pass
    return found


if __name__ == "__main__":
    main()
