"""Draw the plots of docs/images/bench and the generated parts of docs/performance.md and the capacity guide.

All of it comes from the history in bench/results. With --check nothing is written: it ends with 1 where a page or a
plot is not what the history gives. What stands between `<!-- generated: NAME -->` and `<!-- end -->` is generated, all
else on these pages is written by people.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from bench_history import RESULTS, ROOT, Figure, figures, history, said_by, shown
from bench_plots import Line, bars, lines, stacks

IMAGES = ROOT / "docs" / "images" / "bench"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "guides" / "operator" / "capacity.md")
GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
GOAL_MB = 1_536
LATEST = 12
"""Runs whose machine is described."""


KINDS = {
    "again": "pages one after the other", "at_the_end_first": "newest pages, never asked for",
    "by_date": "from any moment", "by_type": "of one type", "by_rare_type": "of a rare type",
    "every_version": "every version", "manifest": "manifest", "by_id": "one object", "nothing_new": "nothing new",
    "rendering": "never asked for", "post": "envelope of 1,000, receipt",
}  # fmt: skip
"""Kinds of TAXII answers, as the page names them."""


def newest(runs: list[dict[str, Any]], bench: str, **having: object) -> dict[str, Any]:
    """What the newest run of a benchmark said, of those that said this; empty where none did."""
    for run in reversed(runs):
        for told in said_by(run, bench):
            if all(told["figures"].get(name) == value for name, value in having.items()):
                return dict(told["figures"])
    return {}


def largest(runs: list[dict[str, Any]], bench: str, size: str) -> dict[str, Any]:
    """What was said at the largest size, by the newest run at it."""
    best: dict[str, Any] = {}
    for run in runs:
        for told in said_by(run, bench):
            if told["figures"].get(size, 0) >= best.get(size, 0):
                best = told["figures"]
    return best


def worlds(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest run of bench/world.py at each size, the smallest first."""
    found = {told["figures"]["rows"]: told["figures"] for run in runs for told in said_by(run, "world")}
    return [found[rows] for rows in sorted(found)]


def plots(runs: list[dict[str, Any]]) -> dict[str, str]:
    """Name of each file → what stands in it."""
    points: list[dict[str, float]] = largest(runs, "growth", "rows").get("points", [])
    wide = worlds(runs)
    beside = [
        Line(f"IntelMQ, {words}", [(1.0, said["rows_per_cpu_s"])], is_level=True)
        for how, words in (("redis", "with Redis"), ("library", "its bots alone"))
        for said in [fed_beside(runs, f"intelmq_{how}")] if "rows_per_cpu_s" in said
    ]  # fmt: skip
    million = [(each, each["rows"] / 1e6) for each in points]
    taxii = taxii_sizes(runs)
    return {
        "throughput.svg": lines("Rows taken in, per CPU-second", "rows of a delivery", "rows per CPU-second", [
            Line("bare columns", [(each["rows"], each["raw_rows_per_cpu_s"]) for each in points]),
            Line("the whole road, 12 columns", [(each["rows"], each["rows_per_cpu_s"]) for each in points]),
            Line("the whole road, 8 columns", [(each["rows"], each["rows_per_cpu_s"]) for each in wide]), *beside,
        ]),
        "cost.svg": stacks("What a million observations cost", "CPU-seconds", [
            (f"{each['rows'] / 1e6:g} M", [
                ("receipt and reading", each["ingest_cpu_s"] / size), ("joining files", each["join_cpu_s"] / size),
                ("verifying once", each["verify_cpu_s"] / size),
            ])
            for each, size in million
        ]),
        "memory.svg": lines("Memory of all processes, by size", "rows of a delivery", "MB", [
            Line("taking in, 12 columns", [(each["rows"], each["ingest_peak_mb"]) for each in points]),
            Line("taking in, 8 columns", [(each["rows"], each["peak_ingest_mb"]) for each in wide]),
            Line("answering", [(each["rows"], each["portal_mb"]) for each in points]),
            Line("goal of taking in", [(1.0, GOAL_MB)], is_level=True),
        ]),
        "taxii.svg": lines("TAXII: 99 of 100 answers come within", "objects stored", "ms", [
            *(Line(words, [(size, each[name]["p99_ms"]) for size, each in taxii if name in each])
              for name, words in KINDS.items() if name != "post"),
            Line("goal", [(1.0, 50.0)], is_level=True),
        ]),
        "peers.svg": bars("Beside the peers and the raw limit", [
            (each.what, [("ours", each.ours or 0), ("peer", each.peer or 0), ("raw limit", each.raw or 0)])
            for each in figures(runs) if each.peer and "per CPU-second" in each.per
        ], "Units per CPU-second, the higher the better; one axis, logarithmic."),
        "capacity.svg": capacity_plot(runs),
    }  # fmt: skip


def fed_beside(runs: list[dict[str, Any]], peer: str) -> dict[str, Any]:
    """What the newest run of the feed said of this peer."""
    feeds = [told["figures"] for run in reversed(runs) for told in said_by(run, "feed")]
    return next((each[peer] for each in feeds if peer in each), {})


def taxii_sizes(runs: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """What the newest run at each size said, the smallest first."""
    found = {int(size): said for run in runs for told in said_by(run, "taxii")
             for size, said in told["figures"].get("sizes", {}).items()}  # fmt: skip
    return sorted(found.items())


def taxii(runs: list[dict[str, Any]]) -> str:
    """p99 and processor time of each kind of answer, by size."""
    sizes = taxii_sizes(runs)
    if not sizes:
        return "Nothing was measured yet.\n"
    out = ["| answer | " + " | ".join(f"{size:,} objects" for size, _ in sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    for name, words in KINDS.items():
        cells = [f"{shown(each[name]['p99_ms'])} ms, {shown(each[name]['cpu_ms'])} ms" if name in each else "–"
                 for _, each in sizes]  # fmt: skip
        out.append(f"| {words} | " + " | ".join(cells) + " |")
    stored = " | ".join(f"{each['post_to_store']['objects_per_cpu_s']:,} a CPU-second" for _, each in sizes)
    out.append(f"| objects of envelopes, until in the store | {stored} |")
    out.append("| memory of the server | " + " | ".join(f"{each['server_peak_mb']:,} MB" for _, each in sizes) + " |")
    return "\n".join([*out, ""])


def capacity_plot(runs: list[dict[str, Any]]) -> str:
    """Cores by observations, a line for each number of readers."""
    plan = newest(runs, "capacity").get("plan", [])
    readers = sorted({each["readers"] for each in plan})
    return lines("Cores by observations held", "observations held", "cores", [
        Line(f"{count:,} readers", [(each["observations"], each["cores"]) for each in plan if each["readers"] == count])
        for count in readers
    ])  # fmt: skip


def table(found: list[Figure]) -> str:
    """The figures against their goals."""
    out = ["| what | goal | measured | met | ours | peer | raw limit | ratio to peer | peak memory | size, day |",
           "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for each in found:
        met = {True: "yes", False: "**no**", None: "–" if each.value is not None else "not yet"}[each.met]
        met = "at a larger size" if each.is_small else met
        size = f"{each.size:,} {each.of}, " if each.size is not None else ""
        value = "–" if each.value is None else f"{shown(each.value)} {each.unit}"
        ratio = "–" if each.ratio is None else f"{shown(each.ratio)} ×"
        memory = "–" if each.peak_mb is None else f"{each.peak_mb:,.0f} MB"
        out.append(
            f"| {each.what} | {each.asked} | {value} | {met} | {shown(each.ours)} | "
            f"{shown(each.peer)} | {shown(each.raw)} | {ratio} | {memory} | {size}{each.at or '–'} |"
        )
    units = "\n".join(f"- {each.what}: {each.per}." for each in found if each.per)
    return "\n".join([*out, "", "What ours, peer and raw limit count:", "", units, ""])


def machines(runs: list[dict[str, Any]]) -> str:
    """What the runs were made on."""
    out = ["| run | set | machine | load before |", "|---|---|---|---|"]
    for run in runs[-LATEST:]:
        made = run["machine"]
        libraries = ", ".join(f"{name} {version}" for name, version in made["libraries"].items())
        about = (f"{made['cores']} cores, {made['memory_gb']} GB, {made['processor']}, {made['system']}, "
                 f"Python {made['python']}, SQLite {made['sqlite']}, {libraries}")  # fmt: skip
        out.append(f"| {run['at'][:16].replace('T', ' ')} | {run['set']} | {about} | {run.get('load', '–')} |")
    return "\n".join([*out, ""])


def plan(runs: list[dict[str, Any]]) -> str:
    """The table of the capacity guide."""
    found = newest(runs, "capacity")
    out = [
        "| observations held | readers | portals | workers | cores of a cluster | cores in all | memory | disk | "
        "more disk a day | portals used | workers used | a page, 95 of 100 | a look-up, 95 of 100 | "
        "a delivery, 95 of 100 | gives way first |",
        "|---" * 15 + "|",
    ]
    for each in found.get("plan", []):
        fits = each["bottleneck"] if each["fits"] else f"**{each['bottleneck']}: does not fit**"
        out.append(
            f"| {each['observations']:,} | {each['readers']:,} | {each['portals']} | {each['workers']} | "
            f"{each['cluster_cores'] or '–'} | {each['cores']} | {each['memory_gb']:,.0f} GB | "
            f"{room(each['disk_gb'])} | {room(each['disk_gb_a_day'])} | "
            f"{each['portal_use']:.0%} | {each['worker_use']:.0%} | "
            f"{shown(each['page_p95_s'])} s | {shown(each['lookup_p95_s'])} s | {shown(each['delivery_p95_s'])} s | "
            f"{fits} |"
        )
    return "\n".join([*out, ""])


def room(gigabytes: float) -> str:
    """Disk as people buy it."""
    if gigabytes < 1:
        return f"{gigabytes * 1000:,.0f} MB"
    return f"{gigabytes:,.0f} GB" if gigabytes < 10_000 else f"{gigabytes / 1000:,.0f} TB"


def check(runs: list[dict[str, Any]]) -> str:
    """The model against a real run, and the costs it is fed with."""
    found = newest(runs, "capacity")
    checked = found.get("check")
    if not checked:
        return "The model was not held against a real run yet.\n"
    out = ["| | measured | predicted | times off |", "|---|---|---|---|"]
    names = {"portal_cpu_s": "processor time of the portal, s", "worker_cpu_s": "processor time of the worker, s",
             "first_page_p50_s": "first page, median, s", "page_p50_s": "list of deliveries, median, s"}  # fmt: skip
    for name, words in names.items():
        out.append(f"| {words} | {shown(checked['measured'][name])} | {shown(checked['predicted'][name])} | "
                   f"{checked['times_off'][name]} |")  # fmt: skip
    cost = found["costs"]
    said = (
        f"A row costs {cost['row_s'] * 1e6:.1f} µs of processor time to take in, {cost['join_row_s'] * 1e6:.1f} µs to "
        f"join and {cost['verify_row_s'] * 1e6:.1f} µs to verify; a delivery {cost['delivery_s'] * 1000:.0f} ms "
        f"however small; a first page {cost['first_page_s'] * 1000:.0f} ms, a list {cost['page_s'] * 1000:.0f} ms, a "
        f"look-up {cost['lookup_s'] * 1000:.0f} ms and {cost['lookup_file_s'] * 1000:.3f} ms for each file"
        + (f", a program's poll {cost['poll_s'] * 1000:.1f} ms" if "poll_s" in cost else "")
        + (f", a question to a cluster {cost['ask_s']:.2g} s at the least" if "ask_s" in cost else "")
        + ". A row is "
        f"{cost['original_bytes']:.0f} bytes as delivered, {cost['parquet_bytes']:.0f} in Parquet and "
        f"{cost['index_bytes']:.0f} of index."
    )
    load = f"{checked['rows']:,} rows in {checked['deliveries']} deliveries; pages for {checked['seconds']} s"
    return "\n".join([said, "", *out, "", f"{load}, on a machine with a load of {checked['load']}.", ""])


def written(text: str, runs: list[dict[str, Any]]) -> str:
    """A page with its generated parts as the history gives them."""
    parts = {"table": lambda: table(figures(runs)), "machines": lambda: machines(runs),
             "taxii": lambda: taxii(runs), "plan": lambda: plan(runs),
             "check": lambda: check(runs)}  # fmt: skip
    return GENERATED.sub(lambda found: found[1] + "\n" + parts[found[2]]() + "\n" + found[3], text)


def main() -> int:
    """Write, or with --check only compare."""
    runs = history(RESULTS)
    made = {IMAGES / name: body for name, body in plots(runs).items()}
    made |= {path: written(path.read_text(encoding="utf-8"), runs) for path in PAGES}
    if "--check" in sys.argv:
        stale = [path for path, body in made.items() if not path.exists() or path.read_text(encoding="utf-8") != body]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what bench/results gives: run script/bench-pages", file=sys.stderr)
        return int(bool(stale))
    IMAGES.mkdir(parents=True, exist_ok=True)
    for path, body in made.items():
        Path(path).write_text(body, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
