"""Delimited feed: parse, validate, deduplicate, network and country, durable store.

    python bench/feed.py [--rows 1000000] [--peers FOLDER] [--peer library,redis] [--shadowserver]

Prints one JSON line. `raw` is the same work in bare columns (Polars, numpy): no validation, provenance, handling,
index or catalogue. `ours` is the product's whole road: receive, claim, sandboxed reading, Parquet with its index,
commit. CPU seconds are user + system of all processes. Without `--peers` or `--events` both sides get rows made here:
other bytes than the peer's, of the same columns, a fifth of them exact repeats.

`shadowserver` is the same rows again as a report of type event4_sinkhole_http (37 quoted columns, recognised by
content); goal: at least half of the plain rows per CPU-second. The peer (IntelMQ, as its bots called one after the
other in one process, and as deployed with Redis between them) is measured in the same run where `--peers` and `--peer`
are given, on rows of its own generator as ours are, after all of its processes have started. It gets fewer of them
(`--peer-rows`): what a row costs it does not change with their number.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _ingest import apart, only_tables

HERE = Path(__file__).resolve().parent
COLUMNS = {
    "first_at": "timestamp",
    "value": "src_ip",
    "port": "src_port",
    "hostname": "src_hostname",
    "peer": "dst_ip",
    "peer_port": "dst_port",
    "protocol": "protocol",
    "malware": "family",
    "severity": "severity",
    "url": "http_url",
}
GOALS = {"library": 75, "redis": 400}
"""Times the peer's events per CPU-second."""
SHADOWSERVER_GOAL = 0.5
EMPTY = ("src_naics", "device_vendor", "device_type", "device_model", "dst_hostname", "dst_naics", "tag", "application")


def measured(arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    """CPU and wall seconds of a child and its children, and what it printed as JSON."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    facts = json.loads(done.stdout.splitlines()[-1])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu - facts.pop("setup_cpu_s", 0), "wall_s": time.perf_counter() - started, **facts}


def own_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def raw(events: Path, prefixes: Path, out: Path) -> None:
    """The same columnar work without our rules, on the same tables as the peer."""
    import numpy as np
    import polars as pl

    table = pl.read_csv(prefixes, has_header=False, new_columns=["network", "asn", "cc"])

    def number(column: str) -> pl.Expr:
        parts = pl.col(column).str.split_exact(".", 3)
        return sum(parts.struct.field(f"field_{i}").cast(pl.UInt32) * (1 << (24 - 8 * i)) for i in range(4))

    first = table.select(pl.col("network").str.split("/").list.first().alias("a"))
    starts = first.select(number("a")).to_series().to_numpy()
    setup = own_cpu()
    frame = pl.read_csv(events, infer_schema=False).unique(maintain_order=True)
    for side in ("src", "dst"):
        at = np.searchsorted(starts, frame.select(number(f"{side}_ip")).to_series().to_numpy(), "right") - 1
        frame = frame.with_columns(table[at].rename(lambda name, side=side: f"{side}_{name}"))
    frame.write_parquet(out)
    print(json.dumps({"left": frame.height, "setup_cpu_s": setup}))


def as_shadowserver(events: Path, out: Path) -> Path:
    """The same rows as a report of type event4_sinkhole_http, quoted as its sender quotes."""
    import polars as pl

    places = [
        pl.lit(value).alias(f"{side}_{name}")
        for side in ("src", "dst")
        for name, value in (("asn", "64500"), ("geo", "FR"), ("region", "ILE-DE-FRANCE"), ("city", "PARIS"))
    ]
    report = pl.read_csv(events, infer_schema=False).select(
        "timestamp", "protocol", "src_ip", "src_port", *places[:4], "src_hostname",
        *(pl.lit("").alias(name) for name in EMPTY),
        pl.lit("Communications, Service Provider, and Hosting Service").alias("src_sector"),
        "severity", "dst_ip", "dst_port", *places[4:], pl.lit("").alias("dst_sector"),
        pl.lit("EXERCISE").alias("public_source"), pl.col("family").alias("infection"), "family",
        pl.lit("1").alias("version"), pl.lit("").alias("event_id"), "http_url", pl.lit("").alias("http_host"),
        "http_agent", pl.lit("").alias("forwarded_by"), pl.lit("").alias("http_referer"),
    )  # fmt: skip
    report.write_csv(out, quote_style="always")
    return out


def installed(prefixes: Path) -> Any:
    """A fresh installation with the peer's address tables; returns the profile of its events."""
    from tocsin.cli.installation import make

    make("Bench")
    from django.conf import settings

    from tocsin.core.profiles import Profile

    settings.INSTALLATION = dataclasses.replace(settings.INSTALLATION, upload_limit_bytes=1 << 40)

    table = settings.INSTALLATION.home / "prefixes.csv"
    table.symlink_to(prefixes)
    only_tables(settings.INSTALLATION.home, table)
    defaults = {"kind": "ipv4", "type": "infected-system", "peer_role": "SINKHOLE"}
    return Profile(name="events", format="delimited", columns=COLUMNS, defaults=defaults)


def ours(events: Path, prefixes: Path) -> None:
    """The product's road in a fresh installation whose address tables are the peer's."""
    from datetime import UTC, datetime

    profile = installed(prefixes)
    if events.name.startswith("event4_"):
        profile = None  # This kind of report is recognised.
    from django.conf import settings
    from django.db.models import Sum

    from tocsin.centre.intake.models import Delivery, LakeFile, Tally
    from tocsin.centre.intake.services import receive
    from tocsin.centre.intake.store import read_chunks
    from tocsin.centre.jobs.worker import run_one
    from tocsin.centre.members.models import Organisation
    from tocsin.site import wiring

    handlers = wiring.handlers()
    warm = Path(settings.INSTALLATION.home) / f"{events.stem}-warm.csv"
    with events.open() as stream:
        warm.write_text("".join(next(stream) for _ in range(200)))
    centre = Organisation.objects.get(is_centre=True)

    def hand_over(path: Path) -> Delivery:
        chunks, now = read_chunks(path), datetime.now(UTC)
        return receive(organisation=centre, via="command", name=path.name, chunks=chunks, at=now, profile=profile)

    hand_over(warm)
    while run_one("bench", handlers):
        pass
    reader = handlers["read-delivery"]
    child = reader.sandbox._process.pid  # type: ignore[attr-defined]
    setup, setup_child = own_cpu(), _cpu_of(child)
    started = time.perf_counter()
    delivery = hand_over(events)
    while run_one("bench", handlers):
        pass
    wall = time.perf_counter() - started
    delivery.refresh_from_db()
    peak = max(_peak_mb(child), _peak_mb(os.getpid()))
    cpu = own_cpu() - setup + _cpu_of(child) - setup_child
    wiring.close(handlers)
    stored = sum(LakeFile.objects.values_list("size_bytes", flat=True))
    placed = Tally.objects.filter(batch__delivery=delivery).exclude(country="").aggregate(rows=Sum("rows"))["rows"]
    print(
        json.dumps(
            {
                "left": delivery.rows + delivery.rejections,
                "accepted": delivery.rows,
                "rejected": delivery.rejections,
                "placed": placed or 0,
                "repeats": delivery.repeats,
                "inner_cpu_s": cpu,
                "inner_wall_s": wall,
                "peak_mb": peak,
                "stored_bytes": stored,
            }
        )
    )


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def made(peers: Path, kind: str, rows: int) -> Path:
    """The peer's own generated input."""
    line = subprocess.check_output([sys.executable, peers / "gen.py", kind, str(rows)], text=True, env=apart())
    return Path(line.split()[0])


def generated(folder: Path, rows: int) -> tuple[Path, Path]:
    """Rows and a table of networks of the same columns as the peer's, for a run without its scripts."""
    import numpy as np
    import polars as pl

    chance = np.random.default_rng(20260101)
    prefixes, events = folder / "prefixes.csv", folder / "events.csv"
    # Addresses that are not public are refused, and there are not enough for documentation: 11.0.0.0/8 stands in.
    networks = [f"11.{number // 256}.{number % 256}" for number in range(512)]
    countries = ("FR", "MA", "BR", "JP", "KE", "CA", "SN", "PE")
    owners = [f"{net}.0/24,{64496 + at % 16},{countries[at % 8]}" for at, net in enumerate(networks)]
    prefixes.write_text("\n".join(owners) + "\n")

    def addresses() -> pl.Series:
        nets = pl.Series(networks).gather(chance.integers(0, len(networks), rows))
        return nets + "." + pl.Series(chance.integers(1, 255, rows)).cast(pl.String)

    def numbers(most: int) -> pl.Series:
        return pl.Series(chance.integers(0, most, rows))

    drawn = pl.DataFrame({
        "second": numbers(86_400 * 28), "src_ip": addresses(), "src_port": numbers(64_000) + 1024,
        "host": numbers(250_000), "dst_ip": addresses(),
        "dst_port": pl.Series([80, 443, 8080]).gather(chance.integers(0, 3, rows)),
        "family": numbers(40), "url": numbers(1 << 40), "page": numbers(1000), "bot": numbers(50),
    })  # fmt: skip
    frame = drawn.select(
        (pl.datetime(2026, 1, 1) + pl.duration(seconds="second")).dt.strftime("%Y-%m-%d %H:%M:%S").alias("timestamp"),
        "src_ip", "src_port", pl.format("host-{}.example", "host").alias("src_hostname"), "dst_ip", "dst_port",
        pl.lit("tcp").alias("protocol"), pl.format("family-{}", "family").alias("family"),
        pl.lit("low").alias("severity"),
        pl.format("http://d{}.example/{}.php", "url", "page").alias("http_url"),
        pl.format("Mozilla/5.0 (Windows NT 10.0; Win64; x64) bot/{}", "bot").alias("http_agent"),
        pl.format("PC-{}", "host").alias("machine_name"),
    )  # fmt: skip
    fresh = frame.head(rows - rows // 5)
    pl.concat([fresh, fresh.sample(rows // 5, seed=7)]).write_csv(events)
    return events, prefixes


def in_turn(inputs: dict[str, Path], prefixes: Path, count: int) -> dict[str, list[dict[str, float]]]:
    """All ways, one after the other, so that a machine that changes its speed changes each."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in inputs}
    for _ in range(count):
        for name, events in inputs.items():
            with tempfile.TemporaryDirectory() as home:
                files = ["--events", str(events), "--prefixes", str(prefixes)]
                arguments = [sys.executable, __file__, "--child", "raw" if name == "raw" else "ours", *files]
                runs[name].append(measured(arguments, {**os.environ, "TOCSIN_HOME": home}))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="Folder of the peers' scripts (generator and IntelMQ).")
    parser.add_argument("--peer", default="", help="library, redis, or both with a comma.")
    parser.add_argument("--peer-rows", type=int, default=20_000)
    parser.add_argument("--shadowserver", action="store_true", help="The same rows once more as such a report.")
    parser.add_argument("--events", type=Path)
    parser.add_argument("--prefixes", type=Path)
    parser.add_argument("--child", choices=("raw", "ours"))
    told = parser.parse_args()
    if told.child == "raw":
        with tempfile.TemporaryDirectory() as folder:
            raw(told.events, told.prefixes, Path(folder) / "raw.parquet")
        return
    if told.child == "ours":
        ours(told.events, told.prefixes)
        return
    with tempfile.TemporaryDirectory() as folder:
        if told.peers:
            events, prefixes = made(told.peers, "events", told.rows), made(told.peers, "prefixes", 1_000_000)
        elif told.events and told.prefixes:
            events, prefixes = told.events, told.prefixes
        else:
            events, prefixes = generated(Path(folder), told.rows)
        inputs = {"raw": events, "ours": events}
        if told.shadowserver:
            inputs["shadowserver"] = as_shadowserver(events, Path(folder) / "event4_sinkhole_http.csv")
        runs = in_turn(inputs, prefixes, told.runs)
    print(json.dumps(facts_of(told, runs)))


def facts_of(told: argparse.Namespace, runs: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """The medians, the ratios, and whether each goal is met."""
    raw_cpu = statistics.median(run["cpu_s"] for run in runs["raw"])
    our_cpu = statistics.median(run["inner_cpu_s"] for run in runs["ours"])
    last = runs["ours"][-1]
    facts: dict[str, object] = {
        "bench": "feed",
        "rows": told.rows,
        "left_ours": last["left"],
        "left_raw": runs["raw"][-1]["left"],
        "rejected": last["rejected"],
        "placed": round(last["placed"] / max(last["accepted"], 1), 3),
        "raw_rows_per_cpu_s": round(told.rows / raw_cpu),
        "ours_rows_per_cpu_s": round(told.rows / our_cpu),
        "ours_over_raw_cpu": round(our_cpu / raw_cpu, 2),
        "ours_rows_per_s": round(told.rows / statistics.median(run["inner_wall_s"] for run in runs["ours"])),
        "peak_mb": last["peak_mb"],
        "stored_bytes_per_row": round(last["stored_bytes"] / max(last["accepted"], 1)),
    }
    met = {"same_left": last["left"] == runs["raw"][-1]["left"], "memory": last["peak_mb"] < 1536}
    if told.shadowserver:
        cpu = statistics.median(run["inner_cpu_s"] for run in runs["shadowserver"])
        facts |= {
            "shadowserver_rows_per_cpu_s": round(told.rows / cpu),
            "shadowserver_over_plain": round(our_cpu / cpu, 2),
            "shadowserver_left": runs["shadowserver"][-1]["left"],
            "shadowserver_peak_mb": runs["shadowserver"][-1]["peak_mb"],
        }
        met["shadowserver"] = our_cpu / cpu >= SHADOWSERVER_GOAL
    for peer in filter(None, told.peer.split(",")):
        said = peer_said(told.peers, peer, told.peer_rows)
        facts[f"intelmq_{peer}"] = said
        if "rows_per_cpu_s" in said:
            said["times"] = round(told.rows / our_cpu / said["rows_per_cpu_s"], 1)
            met[f"times_{peer}"] = said["times"] >= GOALS[peer]
    return {**facts, "met": met}


def peer_said(peers: Path, peer: str, rows: int) -> dict[str, Any]:
    """Events per CPU-second of IntelMQ on its own generator's bytes; a note where it cannot be had."""
    done = subprocess.run(
        [sys.executable, peers / "bench_intelmq.py", peer, str(rows)],
        capture_output=True,
        text=True,
        check=False,
        env=apart(),
    )
    if done.returncode:
        return {"note": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    facts = json.loads(done.stdout.splitlines()[-1])
    if not facts.get("complete", True):
        return {"note": f"only {facts['events_out']} of {facts['unique']} events came through"}
    peak = facts["peak_mb"]
    return {
        "rows": rows, "rows_per_cpu_s": round(facts.get("chain_events_per_cpu_s") or facts["events_per_cpu_s"]),
        "peak_mb": sum(peak.values()) + facts["redis_peak_mb"] if isinstance(peak, dict) else peak,
    }  # fmt: skip


if __name__ == "__main__":
    main()
