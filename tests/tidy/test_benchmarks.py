"""The benchmarks' history, pages and plots belong together, and the model of capacity is what queueing theory says."""

from __future__ import annotations

import importlib.util
import json
import math
import re
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
    run = {"at": "2026-11-01T00:00:00+00:00", "set": "quick", "benches": {"growth": {"figures": {
        "rows": 10**9, "points": [
        {"rows": 10**9, "raw_rows_per_cpu_s": 5, "rows_per_cpu_s": 3, "ingest_cpu_s": 1.0, "join_cpu_s": 1.0,
         "verify_cpu_s": 1.0, "ingest_peak_mb": 5, "portal_mb": 5},
    ]}}}}  # fmt: skip
    after = pages.plots([*pages.history(), run])
    assert {name for name in before if before[name] != after[name]} == {"throughput.svg", "cost.svg", "memory.svg"}
    lookup = {"rows": 10**8, "lookup_p99_ms": 77.25, "lookup_p50_ms": 5.0, "resident_mb": 3}
    other = {"at": "2026-11-02T00:00:00+00:00", "benches": {"lookup@100000000": {"figures": lookup}}}
    assert "77.2 ms" in pages.table(pages.figures([other]))
    sizes = {"10": {"again": {"p99_ms": 61.5, "cpu_ms": 4.25}, "post_to_store": {"objects_per_cpu_s": 7},
                    "server_peak_mb": 8}}  # fmt: skip
    told = {"at": "2026-11-03T00:00:00+00:00", "benches": {"taxii": {"figures": {"sizes": sizes}}}}
    assert "61.5 ms, 4.25 ms" in pages.taxii([told])
    assert pages.plots([told])["taxii.svg"] != before["taxii.svg"]


def test_pages_hold_no_figure_that_nobody_measured() -> None:
    """What people wrote on the page explains; every figure of a measurement is drawn."""
    pages = module("script/bench_pages.py")
    text = pages.GENERATED.sub("", (ROOT / "docs" / "performance.md").read_text(encoding="utf-8"))
    units = r"\d[\d.,]* (×|x|ms|s|MB|GB|%|times|CPU|rows|objects a|seconds)\b|\d[\d.,]* ?[×%]"
    assert [found[0] for found in re.finditer(units, text)] == []


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
    assert set(sets) == {"quick", "full", "needs", "peers"}
    runs = {name for size in ("quick", "full") for name in sets[size]}
    assert {name.partition("@")[0] for name in runs} <= BENCHES
    assert set(sets["needs"]) <= set(sets["full"])
    for size, more in sets["peers"].items():
        assert set(more) <= set(sets[size])
    figures = tomllib.loads((BENCH / "figures.toml").read_text(encoding="utf-8"))["figure"]
    assert {each["bench"] for each in figures} <= {name.partition("@")[0] for name in sets["full"]}
    assert len({each["what"] for each in figures}) == len(figures)


def test_every_work_of_the_goals_is_measured_by_the_full_set() -> None:
    figures = tomllib.loads((BENCH / "figures.toml").read_text(encoding="utf-8"))["figure"]
    goals = {(each["bench"], each["value"], each.get("goal")) for each in figures}
    assert goals >= {
        ("feed", "intelmq_redis.times", 400), ("feed", "intelmq_library.times", 75), ("feed", "ours_over_raw_cpu", 2.5),
        ("stix", "times_python_stix2", 12), ("taxii", "at_10000.post_times", 40), ("taxii", "at_10000.get_times", 100),
        ("taxii", "at_100000.get_times", 100), ("taxii", "nginx_over_us", 10), ("taxii", "page_p99_ms", 50),
        ("taxii", "cost_over_smallest", 1.5), ("lookup", "lookup_p99_ms", 50), ("lookup", "lookup_p99_ms", 100),
        ("shared_values", "rows_per_cpu_s", 1_000_000), ("packages", "ours_wall_s", 600),
        ("packages", "peak_mb", 4_000),
        ("world", "peak_ingest_mb", 1_536), ("spark", "speed_up", 1.6), ("idle", "resident_mb", 300),
    }  # fmt: skip


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_run_says_what_it_ran_on_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    run = json.loads(text)
    assert all("/" not in str(word) or str(word).startswith(("KEPT", "FOLDER"))
               for told in run["benches"].values() for word in told["arguments"])  # fmt: skip
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
    asked["least"] = 101
    (small,) = known.figures(runs)
    assert (small.value, small.met, small.is_small) == (6, None, True)
    (nothing,) = known.figures([])
    assert (nothing.value, nothing.met) == (None, None)


def test_a_run_with_an_error_or_too_late_says_so(tmp_path: Path) -> None:
    runner = module("script/bench_table.py")
    good, bad, late, messy = (tmp_path / f"{name}.py" for name in ("good", "bad", "late", "messy"))
    good.write_text("x = bytearray(60_000_000)\nimport time; time.sleep(0.4)\nprint('{\"a\": 1}')\n")
    bad.write_text("raise SystemExit('because')\n")
    late.write_text("import time; time.sleep(60)\n")
    found = runner.run(good, [], 30)
    assert found["figures"] == {"a": 1}
    assert 60 < found["peak_mb"] < 200
    assert runner.run(bad, [], 30)["error"] == "because"
    assert runner.run(late, [], 1)["error"] == "more than 1 s"

    # What one leaves behind is deleted, also when it was ended; so is what it started in a session of its own.
    work = tmp_path / "work"
    work.mkdir()
    messy.write_text(
        "import subprocess, sys, tempfile, time\nopen(tempfile.mkdtemp() + '/left', 'w')\n"
        f"process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(process.pid))\ntime.sleep(60)\n"
    )
    assert runner.run(messy, [], 1, work)["error"] == "more than 1 s"
    assert list(work.iterdir()) == []
    assert not runner.resident_bytes(int((tmp_path / "pid").read_text()))


def test_a_stopped_run_keeps_what_it_has_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner, asked = module("script/bench_table.py"), list[str]()
    bench, results = tmp_path / "bench", tmp_path / "results"
    bench.mkdir()
    (bench / "sets.toml").write_text(
        "[quick]\none = []\ntwo = []\nthree = []\n[full]\n[needs]\n[peers.quick]\n[peers.full]\n"
    )
    for name in ("one", "two", "three"):
        (bench / f"{name}.py").write_text("")

    def ran(path: Path, arguments: list[str], limit: int, work: Path | None) -> dict[str, Any]:
        asked.append(path.stem)
        if path.stem == "three" and len(asked) == 3:
            raise KeyboardInterrupt
        cost = {"arguments": arguments, "seconds": 1.0, "cpu_s": 1.0, "peak_mb": 1}
        return {**cost, "error": "e"} if asked == ["one", "two"] else {**cost, "figures": {"n": len(asked)}}

    for name, value in {"BENCH": bench, "RESULTS": results, "ROOT": tmp_path, "run": ran,
                        "figures": lambda runs: [], "keep": lambda run: keep(run, results)}.items():  # fmt: skip
        monkeypatch.setattr(runner, name, value)
    keep = module("script/bench_history.py").keep
    monkeypatch.setattr(sys, "argv", ["bench", "--kept", str(tmp_path / "kept")])
    with pytest.raises(KeyboardInterrupt):
        runner.main()
    (path,) = results.iterdir()
    assert set(json.loads(path.read_text())["benches"]) == {"one", "two"}
    monkeypatch.setattr(sys, "argv", ["bench", "--kept", str(tmp_path / "kept"), "--resume", "--json"])
    assert runner.main() == 0
    assert asked == ["one", "two", "three", "two", "three"]  # What failed and what was not reached; nothing twice.
    (path,) = results.iterdir()
    assert {name: each["figures"]["n"] for name, each in json.loads(path.read_text())["benches"].items()} == {
        "one": 1, "two": 4, "three": 5,
    }  # fmt: skip


def test_what_went_wrong_names_no_folder_of_the_machine() -> None:
    runner = module("script/bench_table.py")
    found = {"error": "no file '/tmp/x-1/a.csv' here", "figures": {"peer": {"note": "see /var/cache/b"}, "n": 1}}
    assert runner.nameless(found) == {"error": "no file '…' here", "figures": {"peer": {"note": "see …"}, "n": 1}}


def test_what_has_no_room_is_left_out_with_a_word(tmp_path: Path) -> None:
    runner = module("script/bench_table.py")
    told = runner.argparse.Namespace(kept=tmp_path / "kept")
    wanted = [
        runner.Wanted("small", []), runner.Wanted("wide", [], disk_gb=1e9),
        runner.Wanted("tall", [], memory_gb=1e6), runner.Wanted("made", [], disk_gb=1e9, builds=("there",)),
    ]  # fmt: skip
    (tmp_path / "kept" / "there").mkdir(parents=True)
    refused = runner.room(wanted, told)
    assert set(refused) == {"wide", "tall"}
    assert "GB below --kept" in refused["wide"]
    assert "GB of memory" in refused["tall"]


def test_peers_that_cannot_be_had_are_named_and_others_set_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = module("script/bench_peers.py")
    monkeypatch.setenv("PEERS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    with pytest.raises(SystemExit, match="holds no scripts"):
        list(peers.prepared(tmp_path))
    (tmp_path / "common.py").write_text("")
    (tmp_path / "good.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('.')")
    (tmp_path / "bad.py").write_text("raise SystemExit('no registry is reached')")
    monkeypatch.setattr(peers, "PEERS", {"Good": ("good.py",), "Bad": ("bad.py", "9"), "Gone": ("gone.py",)})
    for words in ("set up in", "ready"):
        good, bad, gone = peers.prepared(tmp_path)
        assert words in good
        assert "no registry is reached" in bad
        assert "left out" in gone
    assert (tmp_path / "ran").read_text() == "."


def test_the_model_waits_as_long_as_theory_says() -> None:
    queues = module("bench/_queues.py")
    # One server, arrivals by chance, service of mean 0.1 s: the formula of Pollaczek and Khinchine.
    rate, mean = 6.0, 0.1
    found = queues.simulate([queues.Stream("page", rate, mean, "portals")], {"portals": 1}, 40_000.0, seed=2)
    second = mean**2 * math.exp(queues.SPREAD**2)
    waits = rate * second / (2 * (1 - rate * mean)) + mean
    assert found.utilisation["portals"] == pytest.approx(rate * mean, rel=0.03)
    assert sum(found.times["page"]) / len(found.times["page"]) == pytest.approx(waits, rel=0.06)


POINT = {"rows": 1e6, "ingest_cpu_s": 10.0, "join_cpu_s": 2.0, "verify_cpu_s": 3.0, "delivery_cpu_ms": 70.0,
         "lookup_page_cpu_ms": 30.0, "lookup_ms_per_file": 0.05, "first_page_cpu_ms": 60.0,
         "deliveries_page_cpu_ms": 15.0, "original_bytes_per_row": 190.0, "parquet_bytes_per_row": 50.0,
         "index_bytes_per_row": 150.0, "portal_mb": 300.0, "ingest_peak_mb": 600.0}  # fmt: skip


def test_the_plan_says_what_is_needed_and_what_gives_way_at_each_size() -> None:
    capacity = module("bench/capacity.py")
    cost = capacity.costs_of(POINT)
    plan = {(size, readers): capacity.planned(cost, size, readers)
            for size in capacity.OBSERVATIONS for readers in (10, 200)}  # fmt: skip
    assert all(each["fits"] for each in plan.values())  # There is hardware for each of them.
    small, world = plan[10**7, 200], plan[10**11, 200]
    assert (small["portals"], small["workers"], small["cluster_cores"]) == (1, 1, 0)
    assert world["bottleneck"] == "files that one look-up searches"
    # Each core of the cluster has an eighth of what a look-up may take; without one it takes longer than allowed.
    search = capacity.searched_s(cost, 10**11)
    assert search > capacity.GOALS["lookup"]
    assert world["cluster_cores"] % capacity.width_of(search) == 0
    assert search / capacity.width_of(search) <= capacity.GOALS["lookup"] / 8
    assert capacity.planned(cost, 10**7, 10_000)["portals"] > small["portals"]
    assert small["disk_gb"] == pytest.approx(10**7 * 390 / 1e9, rel=0.01)
    assert plan[10**9, 200]["worker_use"] < world["worker_use"]
    slow = capacity.planned(cost | {"row_s": cost["row_s"] * 40}, 10**11, 10)
    assert slow["workers"] > world["workers"]


def test_the_plan_is_fed_with_the_newest_costs_of_the_history() -> None:
    capacity = module("bench/capacity.py")

    def run(at: str, **benches: dict[str, Any]) -> dict[str, Any]:
        return {"at": at, "benches": {name: {"figures": figures} for name, figures in benches.items()}}

    def growth(rows: float, ingest: float) -> dict[str, Any]:
        return {"points": [POINT | {"rows": 10.0}, POINT | {"rows": rows, "ingest_cpu_s": ingest}]}

    runs = [run("1", growth=growth(1e6, 9.0)), run("2", growth=growth(1e6, 12.0)), run("3", growth=growth(1e5, 7.0)),
            run("4", taxii={"sizes": {"9": {"nothing_new": {"cpu_ms": 1.0}}, "10": {"nothing_new": {"cpu_ms": 4.0}}}}),
            run("5", spark={"two_workers": {"ask_wall_s": 0.4}})]  # fmt: skip
    found = capacity.newest_costs(runs)
    assert found["row_s"] == pytest.approx(12e-6)
    assert (found["poll_s"], found["ask_s"]) == (0.004, 0.4)
    polls = {each.name: each.seconds for each in capacity.streams_of(found, 10**7, 200)}
    assert polls["poll"] == 0.004
    assert capacity.newest_costs([]) is None
    # The plan on the page is that of the newest costs: run `script/bench capacity` after what it is fed with.
    known = module("script/bench_history.py").history()
    planned = [
        told["figures"]["costs"] for run in known for told in [run["benches"].get("capacity", {})] if "figures" in told
    ]
    assert planned[-1] == capacity.rounded(capacity.newest_costs(known))
