"""The history of the benchmarks: one small file a run in bench/results, and what of it a figure is about."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
RESULTS = BENCH / "results"
LIBRARIES = ("django", "polars", "pyarrow", "duckdb", "numpy", "pyspark", "psycopg")


def machine() -> dict[str, object]:
    """What the benchmarks ran on, without naming the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = platform.freedesktop_os_release() if hasattr(platform, "freedesktop_os_release") else {}
    return {
        "cores": len(os.sched_getaffinity(0)), "memory_gb": round(memory / 1e9, 1),
        "processor": processor or platform.machine(), "system": system.get("PRETTY_NAME", platform.system()),
        "kernel": platform.release().split("-")[0], "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "libraries": dict(_versions()),
    }  # fmt: skip


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def flat(found: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested figures under names with dots."""
    figures: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            figures |= flat(value, f"{before}{name}.")
        else:
            figures[before + name] = value
    return figures


def keep(run: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write a run beside the others. Its name is its moment."""
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromisoformat(run["at"])
    path = folder / f"{moment:%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps(run, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def history(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All runs, the oldest first."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def begun() -> str:
    """The moment of a run."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what it is about, and what a run said of it."""

    what: str
    bench: str
    value: float | None
    unit: str
    goal: float | None
    """None: it is said as it is, nothing was asked for."""
    better: str
    ours: float | None
    peer: float | None
    raw: float | None
    per: str
    size: int | None
    of: str
    """What the size counts."""
    least: int
    """The size that the goal is meant for: less says nothing about it."""
    peak_mb: float | None
    at: str
    machine: dict[str, Any]

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where nothing was measured or asked for."""
        if self.value is None or self.goal is None:
            return None
        if self.is_small:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    @property
    def is_small(self) -> bool:
        """Whether it was measured at a size about which nothing was asked."""
        return self.value is not None and (self.size or 0) < self.least

    @property
    def asked(self) -> str:
        """The goal in words."""
        return "–" if self.goal is None else f"{'≥' if self.better == 'more' else '≤'} {shown(self.goal)} {self.unit}"

    @property
    def ratio(self) -> float | None:
        """How often the peer's figure goes into ours."""
        return self.ours / self.peer if self.ours and self.peer else None


def wanted() -> list[dict[str, Any]]:
    """What bench/figures.toml asks for."""
    return list(tomllib.loads((BENCH / "figures.toml").read_text(encoding="utf-8"))["figure"])


def figures(runs: list[dict[str, Any]]) -> list[Figure]:
    """Each figure as the newest run at the largest size says it; without a value where no run says anything."""
    return [_figure(asked, runs) for asked in wanted()]


def said_by(run: dict[str, Any], bench: str) -> Iterator[dict[str, Any]]:
    """What a benchmark said in a run; it may stand there at several sizes, as `name@size`."""
    for name, told in run["benches"].items():
        if name.partition("@")[0] == bench and "figures" in told:
            yield told


def _figure(asked: dict[str, Any], runs: list[dict[str, Any]]) -> Figure:
    best: tuple[tuple[float, int], dict[str, Any], dict[str, Any], dict[str, Any]] | None = None
    for place, run in enumerate(runs):
        for found in said_by(run, asked["bench"]):
            facts = flat(found["figures"])
            is_other = any(facts.get(name) != said for name, said in asked.get("only", {}).items())
            if facts.get(asked["value"]) is None or is_other:
                continue
            order = (float(facts.get(asked.get("size", ""), 0) or 0), place)
            if best is None or order >= best[0]:
                best = (order, facts, found, run)
    facts, found, run = ({}, {}, {}) if best is None else best[1:]

    def number(name: str) -> float | None:
        said = facts.get(asked.get(name, ""))
        return said if isinstance(said, int | float) and not isinstance(said, bool) else None

    return Figure(
        what=asked["what"], bench=asked["bench"], value=number("value"), unit=asked["unit"], goal=asked.get("goal"),
        better=asked.get("better", "more"), ours=number("ours"), peer=number("peer"), raw=number("raw"),
        per=asked.get("per", ""),
        size=None if (size := number("size")) is None else int(size), of=asked.get("size", ""),
        least=asked.get("least", 0),
        peak_mb=number("peak") if "peak" in asked else found.get("peak_mb"),
        at=run.get("at", "")[:10], machine=run.get("machine", {}),
    )  # fmt: skip


def shown(value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
