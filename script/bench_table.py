"""Run the benchmarks in bench/, print what they found as a table and as JSON, and keep it in bench/results.

Each benchmark prints one JSON object on its last line. What runs, how large, and what it needs stands in
bench/sets.toml. The run is kept after each benchmark, so that one that is stopped loses nothing; --resume goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_peers
from bench_history import BENCH, RESULTS, ROOT, Figure, begun, figures, flat, history, keep, machine, shown
from rich.console import Console
from rich.table import Table

LIMIT_SECONDS = int(os.environ.get("TOCSIN_BENCH_SECONDS", "0"))
QUICK_SECONDS, FULL_SECONDS = 300, 7_200
SAMPLED_SECONDS = 0.5
PATH = re.compile(r"(?:/[\w.+-]+){2,}/?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One benchmark of a run: what it is told, and what it needs of the machine."""

    name: str
    arguments: list[str]
    disk_gb: float = 0.0
    memory_gb: float = 0.0
    builds: tuple[str, ...] = ()
    """Folders that it leaves below --kept: where one is there already, it needs no further disk."""


def processes_below(pid: int) -> list[int]:
    """A process and all that it started, children first asked for in each thread."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += processes_below(int(child))
    except OSError:  # It ended meanwhile.
        pass
    return found


def resident_bytes(pid: int) -> int:
    """What a process and those below it hold, pages that they share with each."""
    found = 0
    for each in processes_below(pid):
        try:
            found += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:  # It ended meanwhile.
            continue
    return found


def end(pid: int) -> None:
    """End a process and all below it, those in groups and sessions of their own included."""
    for each in reversed(processes_below(pid)):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def run(path: Path, arguments: list[str], limit_seconds: int, work: Path | None = None) -> dict[str, Any]:
    """The figures of one benchmark with its cost; an `error` when it failed or took too long.

    What it leaves in its folder for temporary data is deleted with it, also when it was ended.
    """
    began = time.perf_counter()
    before = os.times()
    with (
        tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as faults,
        tempfile.TemporaryDirectory(prefix="tocsin-bench-", dir=work, ignore_cleanup_errors=True) as folder,
    ):  # fmt: skip
        Path(folder).chmod(0o755)  # A database's own user goes through it.
        paths = os.pathsep.join((str(ROOT / "src"), str(BENCH)))
        environment = {**os.environ, "PYTHONPATH": paths, "TMPDIR": folder, "POLARS_TEMP_DIR": folder}
        process = subprocess.Popen(
            [sys.executable, str(path), *arguments], stdout=told, stderr=faults, env=environment, start_new_session=True
        )
        most, late = [0], threading.Timer(limit_seconds, lambda: end(process.pid))
        late.start()
        try:
            while process.poll() is None:
                most[0] = max(most[0], resident_bytes(process.pid))
                time.sleep(SAMPLED_SECONDS if time.perf_counter() - began > 5 else 0.05)
        except BaseException:
            end(process.pid)
            process.wait()
            raise
        finally:
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


def chosen(told: argparse.Namespace) -> list[Wanted]:
    """The benchmarks that run, with their arguments."""
    sets = tomllib.loads((BENCH / "sets.toml").read_text(encoding="utf-8"))
    kind = "full" if told.full else "quick"
    size, needs = sets[kind], sets["needs"] if told.full else {}
    names = {path.stem for path in BENCH.glob("[!_]*.py")} | set(size)
    unknown = sorted({*told.names, *told.skip} - names)
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(unknown)}")
    wanted = [each for name in told.names for each in sizes_of(name, size)] or list(size)
    made = []
    for name in wanted:
        arguments = [*size.get(name, [])]
        if told.peers is not None:
            arguments += sets["peers"][kind].get(name, [])
        replaced = {"FOLDER": str(told.peers or ""), "KEPT": str(told.kept)}
        for word, folder in replaced.items():
            arguments = [each.replace(word, folder) if each.startswith(word) else each for each in arguments]
        made.append(Wanted(name, arguments, **{key: tuple(value) if isinstance(value, list) else value
                                               for key, value in needs.get(name, {}).items()}))  # fmt: skip
    left_out = {each for name in told.skip for each in sizes_of(name, size)}
    return [each for each in made if each.name not in left_out]


def sizes_of(name: str, size: dict[str, list[str]]) -> list[str]:
    """Under which names a benchmark stands in a set: its own, and those of other sizes."""
    return [each for each in size if each == name or each.partition("@")[0] == name] or [name]


def room(wanted: list[Wanted], told: argparse.Namespace) -> dict[str, str]:
    """Benchmarks that this machine has no room for, each with why not. Says what the others take."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    told.kept.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(told.kept).free / 1e9
    refused, taken = {}, 0.0
    for each in wanted:
        is_there = bool(each.builds) and all((told.kept / folder).exists() for folder in each.builds)
        disk = 0.0 if is_there else each.disk_gb
        if memory < each.memory_gb:
            refused[each.name] = f"left out: needs {each.memory_gb:g} GB of memory, the machine has {memory:.0f}"
        elif free - taken < disk:
            refused[each.name] = f"left out: needs {disk:g} GB below --kept, {free - taken:.0f} are left"
        else:
            taken += disk if each.builds else 0.0
            if disk:
                print(f"{each.name} takes up to {disk:g} GB of disk.", file=sys.stderr)
    return refused


def tabled(found: list[Figure], benches: dict[str, Any]) -> list[Table]:
    """What was asked for against its goals, and all that the benchmarks said."""
    goals = Table(*("What", "Measured", "Goal", "Met", "Ours", "Peer", "Raw limit", "Ratio", "Peak MB"), title="Goals")
    for each in found:
        met = {True: "yes", False: "NO", None: "–"}[each.met]
        goals.add_row(
            each.what, f"{shown(each.value)} {each.unit}", each.asked, met,
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


def asked_for() -> argparse.Namespace:
    """What the command was told."""
    asked = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    asked.add_argument("names", nargs="*", help="Benchmarks to run; default: all of the set.")
    asked.add_argument("--full", action="store_true", help="The large sizes: hours, on a quiet machine.")
    asked.add_argument("--only", action="append", default=[], metavar="NAME", help="The same as naming it.")
    asked.add_argument("--skip", action="append", default=[], metavar="NAME", help="A benchmark to leave out.")
    asked.add_argument("--resume", action="store_true",
                       help="Go on with the newest run of this set; what has figures is not run again.")  # fmt: skip
    asked.add_argument(
        "--peers", type=Path, metavar="FOLDER", help="Folder of the peers' scripts: they run beside ours."
    )
    asked.add_argument("--prepare", action="store_true", help="Only set the peers up, and say which can be had.")
    asked.add_argument("--kept", type=Path, default=Path.home() / ".cache" / "tocsin-bench", metavar="FOLDER",
                       help="Where large stores stay from one run to the next (default: %(default)s).")  # fmt: skip
    asked.add_argument("--work", type=Path, metavar="FOLDER", help="Where temporary data goes; deleted at the end.")
    asked.add_argument("--json", action="store_true", help="Print the run as JSON alone.")
    asked.add_argument("--no-history", action="store_true", help="Do not keep the run in bench/results.")
    told = asked.parse_args()
    told.names += told.only
    told.kept = told.kept.absolute()
    if told.peers is not None:
        told.peers = told.peers.absolute()
    if told.prepare and told.peers is None:
        asked.error("--prepare needs --peers FOLDER")
    return told


def nameless(found: Any) -> Any:
    """The same without folders of this machine in what went wrong."""
    if not isinstance(found, dict):
        return found
    return {
        name: PATH.sub("…", told) if name in {"error", "note"} and isinstance(told, str) else nameless(told)
        for name, told in found.items()
    }


def begun_run(told: argparse.Namespace) -> dict[str, Any]:
    """A new run, or the newest of its set without what failed in it."""
    kind = "full" if told.full else "quick"
    if told.resume:
        for run_before in reversed(history(RESULTS)):
            if run_before["set"] == kind and run_before["machine"] == machine():
                done = {name: each for name, each in run_before["benches"].items() if "figures" in each}
                return {**run_before, "benches": done}
    return {"at": begun(), "set": kind, "machine": machine(), "load": round(os.getloadavg()[0], 1), "benches": {}}


def main() -> int:
    """The quick set, the full one, or those that are named; 1 when one failed."""
    told = asked_for()
    wanted = chosen(told)
    if told.peers is not None:
        for line in bench_peers.prepared(told.peers):
            print(line, file=sys.stderr)
        if told.prepare:
            return 0
    limit = LIMIT_SECONDS or (FULL_SECONDS if told.full else QUICK_SECONDS)
    made = begun_run(told)
    refused = room(wanted, told)
    for each in wanted:
        if each.name in made["benches"]:
            continue
        if each.name in refused:
            print(f"{each.name}: {refused[each.name]}", file=sys.stderr)
            continue
        print(f"Running {each.name} {' '.join(each.arguments)} …", file=sys.stderr)
        found = run(BENCH / f"{each.name.partition('@')[0]}.py", each.arguments, limit, told.work)
        print(f"  {found['seconds']:,.0f} s" + (f": {found['error']}" if "error" in found else ""), file=sys.stderr)
        # A file of this run names no folder of this machine.
        said = json.dumps(nameless({**found, "load": round(os.getloadavg()[0], 1)}))
        made["benches"][each.name] = json.loads(said.replace(str(told.kept), "KEPT").replace(str(told.peers), "FOLDER"))
        if not told.no_history:
            kept = keep(made)
    if not told.no_history and made["benches"]:
        kept = keep(made)
        print(f"Kept as {kept.relative_to(ROOT)}. Draw the page anew with: script/bench-pages", file=sys.stderr)
    if told.json:
        print(json.dumps(made))
    else:
        console = Console(width=None if sys.stdout.isatty() else 160)
        mine = [each for each in figures([made]) if each.value is not None]
        for table in tabled(mine, made["benches"]):
            console.print(table)
    return int(any("error" in each for each in made["benches"].values()))


if __name__ == "__main__":
    sys.exit(main())
