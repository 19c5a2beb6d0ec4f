"""Run the benchmarks in bench/ and print what they found as a table. Each prints one JSON object on its last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parents[1] / "bench"
LIMIT_SECONDS = int(os.environ.get("TOCSIN_BENCH_SECONDS", "900"))


def flat(found: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested figures under names with dots."""
    figures: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            figures |= flat(value, f"{before}{name}.")
        else:
            figures[before + name] = value
    return figures


def run(path: Path) -> dict[str, Any]:
    """The figures of one benchmark; an `error` when it failed or took too long."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "src")}
    try:
        done = subprocess.run(
            [sys.executable, str(path)], capture_output=True, text=True, timeout=LIMIT_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {LIMIT_SECONDS} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return dict(json.loads(lines[-1]))


def shown(value: object) -> str:
    """A figure as people read it."""
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def main() -> int:
    """All, or those whose names are given; 1 when one failed."""
    wanted = set(sys.argv[1:])
    paths = [path for path in sorted(FOLDER.glob("[!_]*.py")) if not wanted or path.stem in wanted]
    if not paths or wanted - {path.stem for path in paths}:
        print(f"no benchmark is called {', '.join(sorted(wanted)) or 'anything: bench/ is empty'}", file=sys.stderr)
        return 1
    table = Table("Benchmark", "Figure", "Value")
    failed = False
    for path in paths:
        print(f"Running {path.stem} …", file=sys.stderr)
        started = time.perf_counter()
        figures = flat(run(path))
        failed |= "error" in figures
        figures["seconds_in_all"] = round(time.perf_counter() - started, 1)
        for place, (name, value) in enumerate(figures.items()):
            table.add_row(path.stem if place == 0 else "", name, shown(value))
        table.add_section()
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
