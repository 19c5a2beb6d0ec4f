"""The benchmarks' history, pages and plots belong together, and the model of capacity is what queueing theory says."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
RESULTS = sorted((BENCH / "results").glob("*.json"))
BENCHES = {path.stem for path in BENCH.glob("[!_]*.py")}


def module(path: str) -> ModuleType:
    """A program of script/ or bench/, without running it."""
    for folder in (str(ROOT / "script"), str(BENCH)):
        if folder not in sys.path:
            sys.path.append(folder)
    name = f"checked_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made  # Dataclasses look their module up.
    spec.loader.exec_module(made)
    return made


def test_pages_and_plots_are_what_the_history_gives() -> None:
    ran = subprocess.run(
        [sys.executable, "script/bench_pages.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_check_notices_another_history(tmp_path: Path) -> None:
    pages = module("script/bench_pages.py")
    before = pages.plots(pages.history())
    run = {"at": "2026-11-01T00:00:00+00:00", "set": "quick", "benches": {"growth": {"figures": {"points": [
        {"rows": 10**9, "raw_rows_per_cpu_s": 5, "rows_per_cpu_s": 3, "ingest_cpu_s": 1.0, "join_cpu_s": 1.0,
         "verify_cpu_s": 1.0, "ingest_peak_mb": 5, "portal_mb": 5},
    ]}}}}  # fmt: skip
    after = pages.plots([*pages.history(), run])
    assert {name for name in before if before[name] != after[name]} == {"throughput.svg", "cost.svg", "memory.svg"}


def test_plots_are_well_formed_and_say_what_they_show() -> None:
    plots = module("script/bench_plots.py")
    drawn = plots.lines("A & B", "across", "up", [
        plots.Line("one <x>", [(10, 5), (1000, 50_000)]), plots.Line("goal", [(1, 300)], is_level=True),
    ])  # fmt: skip
    drawn_bars = plots.bars("Bars", [("what", [("ours", 100.0), ("peer", 0)])], "note")
    for body in (drawn, drawn_bars, plots.stacks("S", "up", [("1 M", [("a", 1.0), ("b", 2.0)])]),
                 plots.lines("nothing", "x", "y", []), plots.stacks("none", "y", [])):  # fmt: skip
        root = ElementTree.fromstring(body)
        assert root.get("role") == "img"
        assert root[0].text
    assert "one &lt;x&gt;: 50 k" in drawn
    assert "peer" not in drawn_bars  # What was not measured has no bar.


def test_sets_and_figures_name_benchmarks_that_are_there() -> None:
    sets = tomllib.loads((BENCH / "sets.toml").read_text(encoding="utf-8"))
    assert set(sets) == {"quick", "full", "peers"}
    assert {name for size in ("quick", "full") for name in sets[size]} <= BENCHES
    figures = tomllib.loads((BENCH / "figures.toml").read_text(encoding="utf-8"))["figure"]
    assert {each["bench"] for each in figures} <= BENCHES
    assert len({each["what"] for each in figures}) == len(figures)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_run_says_what_it_ran_on_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    run = json.loads(text)
    assert set(run) == {"at", "set", "machine", "load", "benches"}
    assert {"cores", "memory_gb", "processor", "python", "libraries"} <= set(run["machine"])
    assert "/home/" not in text
    assert "/tmp/" not in text
    assert all("peak_mb" in told for told in run["benches"].values())
    assert len(text) < 60_000


def test_a_figure_is_that_of_the_newest_run_at_the_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    known = module("script/bench_history.py")
    asked = {"what": "w", "bench": "b", "value": "v.x", "goal": 5, "better": "more", "unit": "", "size": "rows",
             "ours": "v.x", "peer": "v.p", "only": {"kind": "k"}}  # fmt: skip
    monkeypatch.setattr(known, "wanted", lambda: [asked])

    def run(at: str, rows: int, value: float, kind: str = "k") -> dict[str, Any]:
        figures = {"rows": rows, "v": {"x": value, "p": 2}, "kind": kind}
        return {"at": at, "machine": {}, "benches": {"b": {"figures": figures, "peak_mb": 7}}}

    failed = {"at": "2026-05-01", "benches": {"b": {"error": "e", "peak_mb": 1}}}
    runs = [run("2026-01-01", 100, 4), run("2026-02-01", 100, 6), run("2026-03-01", 10, 9),
            run("2026-04-01", 100, 99, "other"), failed]  # fmt: skip
    (figure,) = known.figures(runs)
    assert (figure.value, figure.at, figure.met, figure.ratio, figure.peak_mb) == (6, "2026-02-01", True, 3, 7)
    (nothing,) = known.figures([])
    assert (nothing.value, nothing.met) == (None, None)


def test_a_run_with_an_error_or_too_late_says_so(tmp_path: Path) -> None:
    runner = module("script/bench_table.py")
    good, bad, late = (tmp_path / f"{name}.py" for name in ("good", "bad", "late"))
    good.write_text("x = bytearray(60_000_000)\nimport time; time.sleep(0.4)\nprint('{\"a\": 1}')\n")
    bad.write_text("raise SystemExit('because')\n")
    late.write_text("import time; time.sleep(60)\n")
    found = runner.run(good, [], 30)
    assert found["figures"] == {"a": 1}
    assert 60 < found["peak_mb"] < 200
    assert runner.run(bad, [], 30)["error"] == "because"
    assert runner.run(late, [], 1)["error"] == "more than 1 s"


def test_the_model_waits_as_long_as_theory_says() -> None:
    queues = module("bench/_queues.py")
    # One server, arrivals by chance, service of mean 0.1 s: the formula of Pollaczek and Khinchine.
    rate, mean = 6.0, 0.1
    found = queues.simulate([queues.Stream("page", rate, mean, "portals")], {"portals": 1}, 40_000.0, seed=2)
    second = mean**2 * math.exp(queues.SPREAD**2)
    waits = rate * second / (2 * (1 - rate * mean)) + mean
    assert found.utilisation["portals"] == pytest.approx(rate * mean, rel=0.03)
    assert sum(found.times["page"]) / len(found.times["page"]) == pytest.approx(waits, rel=0.06)


def test_more_hardware_never_waits_longer_and_the_plan_says_what_gives_way() -> None:
    capacity = module("bench/capacity.py")
    point = {"rows": 1e6, "ingest_cpu_s": 10.0, "join_cpu_s": 2.0, "verify_cpu_s": 3.0, "delivery_cpu_ms": 70.0,
             "lookup_page_cpu_ms": 30.0, "lookup_ms_per_file": 0.05, "first_page_cpu_ms": 60.0,
             "deliveries_page_cpu_ms": 15.0, "original_bytes_per_row": 190.0, "parquet_bytes_per_row": 50.0,
             "index_bytes_per_row": 150.0, "portal_mb": 300.0, "ingest_peak_mb": 600.0}  # fmt: skip
    cost = capacity.costs_of(point)
    small, world = (capacity.planned(cost, size, 200) for size in (10**7, 10**11))
    assert (small["fits"], small["portals"], small["workers"]) == (True, 1, 1)
    assert not world["fits"]
    assert world["bottleneck"] == "files that one look-up searches"
    assert capacity.planned(cost, 10**7, 10_000)["portals"] > small["portals"]
    assert small["disk_tb"] == pytest.approx(10**7 * 390 / 1e12, abs=0.01)
