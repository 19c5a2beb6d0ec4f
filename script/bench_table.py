"""Run the benchmarks in bench/, print what they found as a table and as JSON, and keep it in bench/results.

Each benchmark prints one JSON object on its last line. What runs, and how large, stands in bench/sets.toml.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

from bench_history import BENCH, ROOT, Figure, begun, figures, flat, keep, machine, shown
from rich.console import Console
from rich.table import Table

LIMIT_SECONDS = int(os.environ.get("TOCSIN_BENCH_SECONDS", "0"))
QUICK_SECONDS, FULL_SECONDS = 300, 7_200
SAMPLED_SECONDS = 0.5


def resident_bytes(pid: int) -> int:
    """What a process and those below it hold, pages that they share with each."""
    found = 0
    try:
        found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += sum(resident_bytes(int(child)) for child in (task / "children").read_text().split())
    except OSError:  # It ended meanwhile.
        pass
    return found


def run(path: Path, arguments: list[str], limit_seconds: int) -> dict[str, Any]:
    """The figures of one benchmark with its cost; an `error` when it failed or took too long."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(BENCH)))}
    began = time.perf_counter()
    before = os.times()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as faults:
        process = subprocess.Popen(
            [sys.executable, str(path), *arguments], stdout=told, stderr=faults, env=environment, start_new_session=True
        )
        most, late = [0], threading.Timer(limit_seconds, lambda: os.killpg(process.pid, 9))
        late.start()
        while process.poll() is None:
            most[0] = max(most[0], resident_bytes(process.pid))
            time.sleep(SAMPLED_SECONDS if time.perf_counter() - began > 5 else 0.05)
        is_late = not late.is_alive()
        late.cancel()
        told.seek(0)
        faults.seek(0)
        lines, said = told.read().strip().splitlines(), faults.read().strip().splitlines()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    cost = {
        "arguments": arguments, "seconds": round(time.perf_counter() - began, 1), "cpu_s": round(cpu, 1),
        "peak_mb": round(most[0] / 1e6),
    }  # fmt: skip
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = None
    if not isinstance(found, dict):
        why = f"more than {limit_seconds} s" if is_late else (said or ["no output"])[-1]
        return {**cost, "error": why[:300]}
    return {**cost, "figures": found}


def chosen(told: argparse.Namespace) -> dict[str, list[str]]:
    """The benchmarks that run, with their arguments."""
    sets = tomllib.loads((BENCH / "sets.toml").read_text(encoding="utf-8"))
    names = {path.stem for path in BENCH.glob("[!_]*.py")}
    unknown = sorted(set(told.names) - names)
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(unknown)}")
    size = sets["full" if told.full else "quick"]
    wanted = told.names or [name for name in size if name in names]
    made = {}
    for name in wanted:
        arguments = [*size.get(name, [])]
        if told.peers is not None:
            arguments += sets["peers"].get(name, [])
        replaced = {"FOLDER": str(told.peers or ""), "KEPT": str(told.kept)}
        for word, folder in replaced.items():
            arguments = [each.replace(word, folder) if each.startswith(word) else each for each in arguments]
        made[name] = arguments
    return made


def tabled(found: list[Figure], benches: dict[str, Any]) -> list[Table]:
    """What was asked for against its goals, and all that the benchmarks said."""
    goals = Table(*("What", "Measured", "Goal", "Met", "Ours", "Peer", "Raw limit", "Ratio", "Peak MB"), title="Goals")
    for each in found:
        met = {True: "yes", False: "NO", None: "not measured"}[each.met]
        sign = ">" if each.better == "more" else "<"
        goals.add_row(
            each.what, f"{shown(each.value)} {each.unit}", f"{sign} {shown(each.goal)} {each.unit}", met,
            *(shown(one) for one in (each.ours, each.peer, each.raw, each.ratio, each.peak_mb)),
        )  # fmt: skip
    everything = Table("Benchmark", "Figure", "Value", title="All figures")
    for name, told in benches.items():
        figures_of = flat(told.get("figures", {"error": told.get("error")}))
        figures_of |= {name: told[name] for name in ("seconds", "cpu_s", "peak_mb")}
        for place, (figure, value) in enumerate(figures_of.items()):
            text = shown(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
            everything.add_row(name if place == 0 else "", figure, text[:80])
        everything.add_section()
    return [everything, goals]


def main() -> int:
    """The quick set, the full one, or those that are named; 1 when one failed."""
    asked = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    asked.add_argument("names", nargs="*", help="Benchmarks to run; default: all of the set.")
    asked.add_argument("--full", action="store_true", help="The large sizes: hours, on a quiet machine.")
    asked.add_argument("--peers", type=Path, help="Folder of the peers' scripts: they run beside ours.")
    asked.add_argument("--kept", type=Path, default=Path.home() / ".cache" / "tocsin-bench",
                       help="Where large lakes stay from one run to the next (default: %(default)s).")  # fmt: skip
    asked.add_argument("--json", action="store_true", help="Print the run as JSON alone.")
    asked.add_argument("--no-history", action="store_true", help="Do not keep the run in bench/results.")
    told = asked.parse_args()
    wanted = chosen(told)
    limit = LIMIT_SECONDS or (FULL_SECONDS if told.full else QUICK_SECONDS)
    made: dict[str, Any] = {"at": begun(), "set": "full" if told.full else "quick", "machine": machine()}
    made["load"] = round(os.getloadavg()[0], 1)
    made["benches"] = {}
    for name, arguments in wanted.items():
        print(f"Running {name} {' '.join(arguments)} …", file=sys.stderr)
        made["benches"][name] = run(BENCH / f"{name}.py", arguments, limit)
    # A file of this run names no folder of this machine.
    kept = json.loads(json.dumps(made).replace(str(told.kept), "KEPT").replace(str(told.peers), "FOLDER"))
    if not told.no_history:
        print(f"Kept as {keep(kept).relative_to(ROOT)}. Draw the page anew with: script/bench-pages", file=sys.stderr)
    if told.json:
        print(json.dumps(kept))
    else:
        console = Console(width=None if sys.stdout.isatty() else 160)
        mine = [each for each in figures([kept]) if each.value is not None]
        for table in tabled(mine, kept["benches"]):
            console.print(table)
    return int(any("error" in each for each in made["benches"].values()))


if __name__ == "__main__":
    sys.exit(main())
