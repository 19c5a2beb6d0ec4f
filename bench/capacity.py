"""What hardware an installation needs, by a simulation that is fed with measured costs and held against a real run.

    python bench/capacity.py [--seconds 20] [--no-check]

Costs are those that bench/results knows: of bench/growth.py the newest run at its largest size, of bench/taxii.py a
program's poll, of bench/spark.py how long a question takes a cluster however little it looks at; and those of a small
run of this very command for the check. For each number of observations and readers the model (bench/_queues.py) plays
the busiest hour with more and more portals and workers until pages, look-ups and deliveries are as quick as they
should be, and says what gives way first, how much of each is used, and how much disk and memory it takes. Where one
look-up would go through too many files for one core, they are dealt out to the cores of a cluster. The check serves a
real installation, asks it as the model is asked, and compares processor time, and waiting times, which mean something
on a quiet machine alone. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, build_opener

BENCH = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCH.parent), str(BENCH), str(BENCH.parent / "script")]

from _queues import Outcome, Stream, simulate  # noqa: E402
from bench_history import history, said_by  # noqa: E402

OBSERVATIONS = (10_000_000, 1_000_000_000, 100_000_000_000)
READERS = (10, 200, 10_000)
TERM_DAYS = 365
"""How long observations are kept: what comes each day is a part of what is held."""
PEAK = 10
"""The busiest hour brings so many times the hour of an even day."""
ROWS_IN_DELIVERY = 20_000
PAGES_AN_HOUR, LOOKUPS_AN_HOUR, POLLS_AN_HOUR = 12, 6, 12
"""Of each reader, in the busiest hour; a program of each second one asks every five minutes."""
ROWS_IN_FILE = 650_000
SPAN_S = 3_600.0
GOALS = {"first_page": 2.0, "lookup": 2.0, "delivery": 900.0}
"""Seconds within which 95 of 100 are done."""
MOST = 512
SPARE = 0.7
"""Nothing is used more than so much, so that one machine may fail and a bad day may come."""
GOAL_TIMES_OFF = 2.0
ASK_S = 0.5
"""What a cluster takes for a question however little there is to look at, where nobody measured it (bench/spark.py)."""
EXECUTOR_GB = 2.0
"""Memory for each core of a cluster, beside what the files take."""


def costs_of(point: dict[str, float]) -> dict[str, float]:
    """Seconds and bytes, from one point of bench/growth.py."""
    rows = point["rows"]
    return {
        "row_s": point["ingest_cpu_s"] / rows, "delivery_s": point["delivery_cpu_ms"] / 1000,
        "join_row_s": point["join_cpu_s"] / rows, "verify_row_s": point["verify_cpu_s"] / rows,
        "lookup_s": point["lookup_page_cpu_ms"] / 1000, "lookup_file_s": point["lookup_ms_per_file"] / 1000,
        "first_page_s": point["first_page_cpu_ms"] / 1000, "page_s": point["deliveries_page_cpu_ms"] / 1000,
        "original_bytes": point["original_bytes_per_row"], "parquet_bytes": point["parquet_bytes_per_row"],
        "index_bytes": point["index_bytes_per_row"], "portal_mb": point["portal_mb"],
        "worker_mb": point["ingest_peak_mb"],
    }  # fmt: skip


def streams_of(cost: dict[str, float], observations: int, readers: int) -> list[Stream]:
    """What comes in the busiest hour."""
    rows_per_s = observations / TERM_DAYS / 86_400 * PEAK
    # The most tables of a world come in larger pieces than the reports of a small one.
    size = max(ROWS_IN_DELIVERY, rows_per_s * 60)
    search = searched_s(cost, observations)
    width = width_of(search)
    lookups = readers * LOOKUPS_AN_HOUR / 3600
    of_row = cost["row_s"] + cost["join_row_s"] + cost["verify_row_s"] / 10
    polls = readers / 2 * POLLS_AN_HOUR / 3600
    return [
        Stream("delivery", rows_per_s / size, cost["delivery_s"] + size * of_row, "workers"),
        Stream("first_page", readers * PAGES_AN_HOUR / 2 / 3600, cost["first_page_s"], "portals"),
        Stream("page", readers * PAGES_AN_HOUR / 2 / 3600, cost["page_s"], "portals"),
        Stream("lookup", lookups, cost["lookup_s"] + search, "portals") if width == 1 else
        Stream("lookup", lookups, search / width, "clusters", cost["lookup_s"] + cost.get("ask_s", ASK_S)),
        Stream("poll", polls, cost.get("poll_s", cost["page_s"]), "portals"),
    ]  # fmt: skip


def searched_s(cost: dict[str, float], observations: int) -> float:
    """Processor seconds of one look-up in all files."""
    return observations / ROWS_IN_FILE * cost["lookup_file_s"]


def width_of(search_s: float) -> int:
    """Over how many cores the files of one look-up are dealt: one, if that takes a quarter of what it may take, or so
    many that each has an eighth of it."""
    return 1 if search_s < GOALS["lookup"] / 4 else -int(-search_s / (GOALS["lookup"] / 8) // 1)


def planned(cost: dict[str, float], observations: int, readers: int) -> dict[str, Any]:
    """The least hardware with which the busiest hour is as quick as it should be."""
    streams = streams_of(cost, observations, readers)
    pools = sorted({each.pool for each in streams} | {"portals", "workers"})
    need = {pool: sum(each.per_s * each.seconds for each in streams if each.pool == pool) for pool in pools}
    servers = {pool: min(MOST, max(1, -int(-load / SPARE // 1))) for pool, load in need.items()}
    while True:
        found = simulate(streams, servers, SPAN_S)
        # What takes too long alone is not helped by more servers.
        slow = {
            each.pool for each in streams
            if each.seconds < GOALS.get(each.name, 1e9) / 2 and found.time(each.name, 0.95) > GOALS.get(each.name, 1e9)
        }  # fmt: skip
        able = {pool for pool in slow if servers[pool] < MOST}
        if not able:
            break
        servers |= {pool: min(MOST, servers[pool] + max(1, servers[pool] // 4)) for pool in able}
    stored = cost["original_bytes"] + cost["parquet_bytes"] + cost["index_bytes"]
    files, width = observations / ROWS_IN_FILE, width_of(searched_s(cost, observations))
    clusters = servers.get("clusters", 0)
    mapped = min(observations * cost["index_bytes"] / 4, files * 2e6) / 1e9
    processes = (servers["portals"] * cost["portal_mb"] + servers["workers"] * cost["worker_mb"]) / 1e3
    return {
        "observations": observations, "readers": readers, "portals": servers["portals"], "workers": servers["workers"],
        "cluster_cores": clusters * width, "cores": servers["portals"] + servers["workers"] + clusters * width,
        "disk_gb": float(f"{observations * stored / 1e9:.3g}"),
        "disk_gb_a_day": float(f"{observations / TERM_DAYS * stored / 1e9:.3g}"),
        "memory_gb": round(processes + 1 + mapped + clusters * width * EXECUTOR_GB, 1),
        "portal_use": round(found.utilisation["portals"], 2), "worker_use": round(found.utilisation["workers"], 2),
        "page_p95_s": round(found.time("first_page", 0.95), 3), "lookup_p50_s": round(found.time("lookup", 0.5), 3),
        "lookup_p95_s": round(found.time("lookup", 0.95), 3), "delivery_p95_s": round(found.time("delivery", 0.95), 1),
        "files": round(files), "bottleneck": bottleneck(need, servers, streams, width), "fits": _fits(found),
    }  # fmt: skip


def _fits(found: Outcome) -> bool:
    return all(found.time(name, 0.95) <= most for name, most in GOALS.items())


WORDS = {"delivery": "reading deliveries", "first_page": "pages", "page": "pages", "lookup": "look-ups",
         "poll": "programs that poll"}  # fmt: skip


def bottleneck(need: dict[str, float], servers: dict[str, int], streams: list[Stream], width: int) -> str:
    """What gives way first: files that one look-up searches where one core is too slow for them; else the work that
    uses most of what is used most."""
    if width > 1:
        return "files that one look-up searches"
    pool = max(need, key=lambda each: need[each] / servers[each])
    load: dict[str, float] = {}
    for each in streams:
        if each.pool == pool:
            load[WORDS[each.name]] = load.get(WORDS[each.name], 0.0) + each.per_s * each.seconds
    return max(load, key=lambda name: load[name])


def measured_growth(rows: int) -> dict[str, float]:
    """A small run of bench/growth.py on this machine, now."""
    line = subprocess.check_output(
        [sys.executable, str(BENCH / "growth.py"), "--sizes", str(rows), "--small", "10", "--lookups", "30",
         "--pages", "15"], text=True,
    )  # fmt: skip
    return dict(json.loads(line.splitlines()[-1])["points"][-1])


class Asker(threading.Thread):
    """Asks one page when its time has come, as somebody who is signed in."""

    def __init__(self, address: str, cookie: str, times: list[float]) -> None:
        super().__init__(daemon=True)
        self.address, self.cookie, self.times = address, cookie, times

    def run(self) -> None:
        opener = build_opener(HTTPCookieProcessor(CookieJar()))
        opener.addheaders = [("Cookie", self.cookie)]
        began = time.perf_counter()
        with opener.open(self.address, timeout=60) as reply:
            reply.read()
        self.times.append(time.perf_counter() - began)


PREPARE = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from tocsin.cli.installation import make
make("Bench")
from django.test import Client
from lookup import Pages
from tocsin.centre.members.models import Organisation
from tocsin.centre.intake import services
pages = Pages()
pages.get("/")
head, *lines = Path(sys.argv[1]).read_bytes().splitlines(keepends=True)
size, centre = int(sys.argv[2]), Organisation.objects.get(is_centre=True)
if sys.argv[3] == "first":
    lines = lines[:10]
for number in range(0, len(lines), size):
    services.receive(organisation=centre, via="command", name=f"{number}.csv",
                     chunks=[head, *lines[number:number + size]], at=datetime.now(UTC))
print("; ".join(f"{name}={morsel.value}" for name, morsel in pages.client.cookies.items()))
"""


def checked(cost: dict[str, float], seconds: int, rows: int) -> dict[str, Any]:
    """A real installation under a small load, against what the model says of the same load."""
    from feed import generated

    deliveries = 8
    rates = {"first_page": 2.0, "page": 3.0}
    with tempfile.TemporaryDirectory(prefix="tocsin-capacity-") as home, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        folder = Path(home) / "in"
        folder.mkdir()
        events, _ = generated(folder, rows)
        environment = {**os.environ, "TOCSIN_HOME": f"{home}/home",
                       "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # fmt: skip
        prepare = [sys.executable, "-c", PREPARE, str(events), str(rows // deliveries)]
        cookie = subprocess.check_output([*prepare, "first"], text=True, env=environment).splitlines()[-1]

        def hand_over() -> None:
            subprocess.run([*prepare, "all"], env=environment, check=True, stdout=subprocess.DEVNULL)

        command = "from tocsin.cli import main; main(prog_name='tocsin')"
        server = subprocess.Popen([sys.executable, "-c", command, "serve", "--port", str(port)], env=environment,
                                  stdout=subprocess.DEVNULL)  # fmt: skip
        try:
            real = _asked(server.pid, f"http://127.0.0.1:{port}", cookie, rates, seconds, hand_over)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    streams = [Stream("first_page", rates["first_page"], cost["first_page_s"], "portals"),
               Stream("page", rates["page"], cost["page_s"], "portals")]  # fmt: skip
    said = simulate(streams, {"portals": 1}, seconds, seed=3)
    predicted = {
        "portal_cpu_s": said.utilisation["portals"] * seconds,
        "worker_cpu_s": deliveries * cost["delivery_s"] + rows * cost["row_s"],
        "first_page_p50_s": said.time("first_page", 0.5), "page_p50_s": said.time("page", 0.5),
    }  # fmt: skip
    off = {
        name: round(max(said / max(real[name], 1e-3), real[name] / max(said, 1e-3)), 2)
        for name, said in predicted.items()
    }
    return {
        "load": round(os.getloadavg()[0], 1),
        "seconds": seconds, "rows": rows, "deliveries": deliveries, "measured": real,
        "predicted": {name: round(value, 3) for name, value in predicted.items()}, "times_off": off,
    }  # fmt: skip


def _asked(
    pid: int, origin: str, cookie: str, rates: dict[str, float], seconds: int, hand_over: Callable[[], None]
) -> dict[str, float]:
    paths = {"first_page": "/", "page": "/deliveries/"}
    _ready(origin, cookie)
    started = _idle(
        pid
    )  # What starting, the first reading and the first round of housekeeping took is not asked about.
    hand_over()
    worked = _idle(pid) - started
    portal, _ = _roles(pid)
    times: dict[str, list[float]] = {name: [] for name in rates}
    before, chance, askers = _spent(portal), random.Random(3), []
    arrivals = sorted((at, name) for name, rate in rates.items() for at in _moments(rate, seconds, chance))
    began = time.perf_counter()
    for at, name in arrivals:
        time.sleep(max(0.0, began + at - time.perf_counter()))
        askers.append(Asker(origin + paths[name], cookie, times[name]))
        askers[-1].start()
    for asker in askers:
        asker.join()
    found = {"portal_cpu_s": round(_spent(portal) - before, 3), "worker_cpu_s": round(worked, 3)}
    return found | {f"{name}_p50_s": round(sorted(own)[len(own) // 2], 4) for name, own in times.items()}


def _idle(pid: int) -> float:
    """Wait until the worker has nothing to do; the processor seconds that it and its reading process took by then."""
    last, quiet = -1.0, 0
    while quiet < 3:
        time.sleep(1)
        _, worker = _roles(pid)
        now = _spent(worker)
        quiet = quiet + 1 if now - last < 0.06 else 0
        last = now
    return last


def _ready(origin: str, cookie: str) -> None:
    """Wait for the first answers, so that nobody measures a start."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            times: list[float] = []
            for path in ("/", "/deliveries/"):
                Asker(origin + path, cookie, times).run()
            if len(times) == 2:
                return
        except OSError:
            time.sleep(0.3)
    raise SystemExit("the portal does not answer")


def _moments(rate: float, seconds: int, chance: random.Random) -> list[float]:
    found, at = [], chance.expovariate(rate)
    while at < seconds:
        found.append(at)
        at += chance.expovariate(rate)
    return found


def _below(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_below(int(child))]
    return found


def _roles(pid: int) -> tuple[list[int], list[int]]:
    """Processes of the portal, and of the worker with its reading process."""
    below = _below(pid)
    said = {each: Path(f"/proc/{each}/cmdline").read_text() for each in below}
    return [each for each in below if "tocsin.site.serving" in said[each]], [
        each for each in below if "crew" in said[each] or "sandbox" in said[each]
    ]


def _spent(pids: list[int]) -> float:
    """Processor seconds of these, and of what they started that ended."""
    found = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found += sum(int(each) for each in fields[11:13]) / os.sysconf("SC_CLK_TCK")
    return found


def newest_costs(runs: list[dict[str, Any]] | None = None) -> dict[str, float] | None:
    """Those that the history knows: of growth the newest run at the largest size, and what others add to it."""
    runs = history() if runs is None else runs
    best: dict[str, float] = {}
    more: dict[str, float] = {}
    for run in runs:
        for told in said_by(run, "growth"):
            point = told["figures"]["points"][-1]
            if point["rows"] >= best.get("rows", 0):
                best = point
        for told in said_by(run, "taxii"):
            sizes = told["figures"]["sizes"]
            more["poll_s"] = sizes[max(sizes, key=int)]["nothing_new"]["cpu_ms"] / 1000
        for told in said_by(run, "spark"):
            more["ask_s"] = told["figures"]["two_workers"]["ask_wall_s"]
    return costs_of(best) | more if best else None


def rounded(cost: dict[str, float]) -> dict[str, float]:
    """As a run keeps them."""
    return {name: float(f"{value:.4g}") for name, value in cost.items()}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seconds", type=int, default=20, help="How long the real installation is asked.")
    asked.add_argument("--rows", type=int, default=50_000, help="How many rows it is handed.")
    asked.add_argument("--no-check", action="store_true")
    told = asked.parse_args()
    facts: dict[str, Any] = {"bench": "capacity"}
    own = None if told.no_check else costs_of(measured_growth(told.rows))
    cost = newest_costs() or own
    if cost is None:
        raise SystemExit("no run in bench/results says what anything costs: run bench/growth.py through script/bench")
    facts["costs"] = rounded(cost)
    facts["plan"] = [planned(cost, observations, readers) for observations in OBSERVATIONS for readers in READERS]
    if own is not None:
        facts["check"] = checked(own, told.seconds, told.rows)
        off = facts["check"]["times_off"]
        facts["worst_times_off"] = max(off[name] for name in off if name.endswith("cpu_s"))
        facts["goals"] = {"worst_times_off": f"< {GOAL_TIMES_OFF}"}
        facts["met"] = {"worst_times_off": facts["worst_times_off"] < GOAL_TIMES_OFF}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
