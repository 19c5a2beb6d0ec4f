"""Every question on a real cluster, in this process and by plain loops: the same answers, also when machines die."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from tests import builders, object_store, spark_cluster
from tests.engines import in_sql, on_machines
from tests.engines.test_contributions import plainly
from tests.engines.test_lookup import blanked, is_about, sees, sees_peer
from tests.engines.test_shares import reference
from tests.faults.house import handed_over, rejections_of, rows_of, work
from tests.faults.house import table as delivered

from tocsin.centre.intake import lake as intake_lake
from tocsin.centre.intake import process, services, spreading
from tocsin.centre.intake.models import Delivery, LakeFile, Tally
from tocsin.centre.intake.process import Reader
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Unavailable
from tocsin.core.observations import SCHEMA
from tocsin.lake import buckets, compaction, files, index, orders
from tocsin.lake.engine import EMBEDDED, Engine
from tocsin.lake.keys import Keys, prefix_in
from tocsin.lake.questions import shared_values
from tocsin.lake.questions.contributions import BATCHES, contributions
from tocsin.lake.questions.extract import rows_under, values_under
from tocsin.lake.questions.lookup import Asked, Sight, asked_for, lookup
from tocsin.lake.questions.networks import networks
from tocsin.lake.questions.recent import Place, recent
from tocsin.lake.questions.shares import spread_shares
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.lake.spark import Least, Spark
from tocsin.site import wiring

pytestmark = [
    pytest.mark.spark,
    pytest.mark.timeout(900),
    # PySpark talks to its own Java program by sockets that it leaves to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]  # fmt: skip
COUNTRIES = ("FR", "BR", "JO", "KE")
SECRET = bytes(range(100, 132))
KEYS = Keys(((7, SECRET),))
BATCH_NUMBERS = range(1, 13)
EVERYTHING = Least(bytes_read=0, files_searched=0)
SCOPES = {
    "some batches": Scope(Batches({3, 7, 8})),
    "own victims": Scope(Batches(BATCH_NUMBERS), victim_countries=frozenset({"FR"})),
    "own batch": Scope(Batches(BATCH_NUMBERS), own_batches=Batches({9})),
    "victim desk": Scope(Batches(BATCH_NUMBERS), all_victims=True),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark_cluster.Cluster]:
    if why_not := spark_cluster.missing():
        pytest.skip(f"on a cluster: {why_not}")
    made = spark_cluster.Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def spark(cluster: spark_cluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    copies = {f"spark.executorEnv.{buckets.COPIES_VARIABLE}": str(tmp_path_factory.mktemp("copies"))}
    engine = Spark(cluster.address, cluster.key, cluster.options() | copies, least=EVERYTHING)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Path, ...], list[dict[str, Any]]]:
    """Three sealed files and one in the clear, of rows that need not lie in the file of their batch."""
    folder = tmp_path_factory.mktemp("lake")
    table = in_sql.world(11, COUNTRIES, max(BATCH_NUMBERS), 2_400)
    paths = []
    for number in range(4):
        part = table.filter(pl.col("position") % 4 == number)
        paths.append(folder / f"{number}.parquet")
        files.write(part, paths[-1], KEYS.writer() if number else None)
    return tuple(paths), table.to_dicts()


@pytest.fixture(params=["in this process", "on a cluster"])
def snapshot(request: pytest.FixtureRequest, lake: tuple[tuple[Path, ...], list[dict[str, Any]]]) -> Snapshot:
    engine: Engine = request.getfixturevalue("spark") if request.param == "on a cluster" else EMBEDDED
    return Snapshot(lake[0], KEYS, engine)


@pytest.fixture
def table(lake: tuple[tuple[Path, ...], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return lake[1]


def test_networks(snapshot: Snapshot, table: list[dict[str, Any]]) -> None:
    scope, since = SCOPES["own victims"], datetime(2026, 11, 12, tzinfo=UTC)
    expected: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in table:
        if row["country"] == "FR" and sees(scope, row) and row["last_at"] >= since:
            expected[row["asn"] or 0].append(row)
    found = networks(snapshot, scope, country="FR", since=since, most=50)
    assert {each.asn: (each.rows, each.values) for each in found} == {
        asn: (len(listed), len({(row["network"], row["value"]) for row in listed})) for asn, listed in expected.items()
    }
    for each in found:
        inside = Counter(row["network"] for row in expected[each.asn] if row["network"])
        assert {one.text: one.rows for one in each.networks}.items() <= inside.items()
        for one in each.networks:
            seen = [(row["last_at"], row["value"]) for row in expected[each.asn] if row["network"] == one.text]
            assert one.newest == max(seen)[1]


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_look_ups(snapshot: Snapshot, table: list[dict[str, Any]], scope: Scope) -> None:
    first = table[0]
    values = [("network", "10.0.0.0/22"), ("ipv4", "198.51.100.7"), (first["kind"], first["value"])]
    for kind, value in values[: None if scope is SCOPES["own victims"] else 1]:
        expected = [row for row in table if sees(scope, row) and is_about(blanked(scope, row), kind, value)]
        found = lookup(snapshot, Sight(scope), asked_for(kind, value), most_rows=25)
        assert (found.total, found.sightings) == (len(expected), sum(row["count"] for row in expected))
        assert found.by_batch == Counter(row["batch"] for row in expected)
        assert found.by_role == Counter(row["role"] for row in expected)
        newest = sorted((row["last_at"] for row in expected), reverse=True)[:25]
        assert [row["last_at"] for row in found.rows.to_dicts()] == newest
        assert all(row["peer"] is None or sees_peer(scope, row) for row in found.rows.to_dicts())
    named = [row for row in table if sees(scope, row) and row["malware"] == "Mirai"]
    assert lookup(snapshot, Sight(scope), Asked(names=("mirai",))).total == len(named) > 0


def test_the_newest_rows_page_by_page(snapshot: Snapshot, table: list[dict[str, Any]]) -> None:
    scope = SCOPES["own victims"]
    expected = sorted(((row["batch"], row["position"]) for row in table if sees(scope, row)), reverse=True)
    got: list[tuple[int, int]] = []
    before: Place | None = None
    for _ in range(3):
        page = recent(snapshot, scope, before=before, limit=300)
        got += page.rows.select("batch", "position").rows()
        before = page.after
    assert got == expected[:900]


def test_rows_and_values_of_a_few_batches(snapshot: Snapshot, table: list[dict[str, Any]]) -> None:
    scope, batches = SCOPES["own victims"], Batches({2, 5})
    expected = [row for row in table if row["batch"] in batches and sees(scope, row)]
    found = rows_under(snapshot, scope, batches, len(expected))
    assert found is not None
    assert found["position"].sort().to_list() == sorted(row["position"] for row in expected)
    assert rows_under(snapshot, scope, batches, len(expected) - 1) is None
    values = {(row["batch"], row["value"]) for row in table if row["batch"] in batches}
    values |= {(row["batch"], row["peer"]) for row in table if row["batch"] in batches and row["peer"]}
    assert set(values_under(snapshot, batches).select("batch", "value").iter_rows()) == values


def test_what_sources_contribute(snapshot: Snapshot, table: list[dict[str, Any]], tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    batches = [(number % 4, number * 3, number % 5 > 0) for number in range(max(BATCH_NUMBERS) + 1)]
    told = pl.DataFrame(
        [(number, source, now - timedelta(days=days), shown) for number, (source, days, shown) in enumerate(batches)],
        schema=BATCHES, orient="row",
    )  # fmt: skip
    found = contributions(snapshot, told, spans=(30, 365), now=now, work=tmp_path)
    # Whatever was observed after it came has no delay, as if no time of its own were stated.
    plain = []
    for row in table:
        hours = (now - timedelta(days=batches[row["batch"]][1]) - row["first_at"]) / timedelta(hours=1)
        plain.append((row["batch"], row["value"], max(hours, 0), row["warnings"]))
    assert found == plainly(plain, batches)


@pytest.mark.parametrize("engine", ["in this process", "on a cluster"])
def test_packages(
    engine: str, lake: tuple[tuple[Path, ...], list[dict[str, Any]]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    used: Engine = request.getfixturevalue("spark") if engine == "on a cluster" else EMBEDDED
    scopes = {
        code: Scope(Batches([each for each in BATCH_NUMBERS if each % (place + 2)]), victim_countries=frozenset({code}))
        for place, code in enumerate(COUNTRIES)
    }
    shares = spread_shares(Snapshot(lake[0], KEYS, used), scopes, COUNTRIES, tmp_path / "shares")
    for code, share in shares.items():
        made = pl.read_parquet(share.write_parquet(tmp_path / f"{code}.parquet"))
        assert made.to_dicts() == reference(lake[1], code, scopes[code])
        assert made.height


def test_every_question_in_sql_and_of_a_bucket(
    spark: Spark, lake: tuple[tuple[Path, ...], list[dict[str, Any]]], object_server: object_store.Store,
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The machines of the cluster have none of its files, and copies of indexes in a folder of their own."""
    monkeypatch.setattr(shared_values, "PAIRS_IN_PART", 1_000)
    stands = tmp_path / "far"
    buckets.mount(buckets.Mount(stands, object_server.at("spark"), "observations"))
    request.addfinalizer(buckets.mount)
    for path in lake[0]:
        for each in (path, *index.beside(path)):
            shutil.copy(each, tmp_path / each.name)
            buckets.keep(tmp_path / each.name, stands / each.name)
    paths = tuple(stands / path.name for path in lake[0])
    snapshot = Snapshot(paths, KEYS, spark)
    world = in_sql.World(pl.DataFrame(lake[1], schema=SCHEMA), datetime(2026, 11, 22, tzinfo=UTC))
    in_sql.agree(snapshot, world, SCOPES["own victims"], tmp_path / "one")
    bureaus = {code: Scope(Batches(BATCH_NUMBERS), victim_countries=frozenset({code})) for code in COUNTRIES[:2]}
    in_sql.agree_without_scope(snapshot, world, bureaus, tmp_path / "all")
    assert not list(stands.rglob("*.parquet")), "rows were read where they lie"
    (joined,) = spark.make(partial(compaction.join, keys=KEYS), [compaction.Joining(paths, tmp_path, "a-")])
    assert joined is not None
    assert joined.rows == len(lake[1])


@pytest.mark.parametrize("engine", ["in this process", "on a cluster"])
def test_small_files_become_one(
    engine: str, lake: tuple[tuple[Path, ...], list[dict[str, Any]]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    used: Engine = request.getfixturevalue("spark") if engine == "on a cluster" else EMBEDDED
    joinings = [compaction.Joining(lake[0][:3], tmp_path, "a-"), compaction.Joining(lake[0][3:], tmp_path, "b-")]
    written = list(used.make(partial(compaction.join, keys=KEYS), joinings))
    assert sum(each.rows for each in written if each) == len(lake[1])
    for each, joining in zip(written, joinings, strict=True):
        assert each is not None
        assert each.path.name.startswith(joining.prefix)
        assert prefix_in(each.path) is not None
        assert index.opened(each.path, KEYS) is not None
        assert files.file_digest(each.path) == each.digest
        kinds = files.read(each.path, KEYS).select("kind", "ipv4", "value")
        assert kinds.equals(kinds.sort("kind", "ipv4", "value", nulls_last=True))
    held = pl.concat([files.whole(files.read(each.path, KEYS)) for each in written if each])
    assert sorted(held.rows(), key=str) == sorted((tuple(row.values()) for row in lake[1]), key=str)


def test_what_fails_there_is_said_without_what_it_was_about(spark: Spark) -> None:
    with pytest.raises(Unavailable) as told:
        list(spark.make(on_machines.fails_about, ["the name of somebody"]))
    assert "ValueError in item 0, at on_machines.py" in str(told.value)
    assert "somebody" not in str(told.value)


def test_who_waits_may_have_it_ended(spark: Spark, tmp_path: Path) -> None:
    def enough() -> None:
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(spark.make(on_machines.waits, [tmp_path], alive=enough))
    assert list(spark.make(on_machines.doubled, [1, 2, 3])) == [2, 4, 6], "the cluster is free again"


def test_a_session_that_was_lost_is_followed_by_another(spark: Spark) -> None:
    """Its Java program is killed, as by a machine that is short of memory."""
    from pyspark import SparkContext

    assert list(spark.make(on_machines.doubled, [1])) == [2]
    program = SparkContext._gateway.proc
    for pid in (*spark_cluster.descendants(program.pid), program.pid):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(Unavailable):
        list(spark.make(on_machines.doubled, [1]))
    assert list(spark.make(on_machines.doubled, [1, 5])) == [2, 10]


def test_a_worker_with_another_key_answers_nothing(
    cluster: spark_cluster.Cluster, spark: Spark, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = bytes(32)
    monkeypatch.setattr(orders, "made_key", lambda path: others)
    with pytest.raises(Unavailable, match="another key of the engine"):
        list(spark.make(on_machines.doubled, [1]))


def test_nothing_of_it_is_in_what_the_cluster_keeps(
    cluster: spark_cluster.Cluster, spark: Spark, lake: tuple[tuple[Path, ...], list[dict[str, Any]]]
) -> None:
    scope = SCOPES["own victims"]
    row = next(row for row in lake[1] if sees(scope, row) and row["kind"] == "url")
    found = lookup(Snapshot(lake[0], KEYS, spark), Sight(scope), asked_for("url", row["value"]))
    assert found.total
    kept = [path for path in cluster.folder.rglob("*") if path.is_file() and path != cluster.key]
    assert [path for path in kept if path.is_relative_to(cluster.events)], "what happens is logged here"
    key = orders.key_in(cluster.key)
    shapes = [
        object_store.KEYS[1].encode(),
        SECRET,
        key,
        *(shape for each in (SECRET, key) for shape in (each.hex().encode(), repr(each).encode())),
    ]
    for path in kept:
        held = path.read_bytes()
        assert row["value"].encode() not in held, path
        assert not any(shape in held for shape in shapes), path


@pytest.fixture
def on_the_cluster(spark: Spark, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose settings name the cluster, for deliveries of any size."""
    monkeypatch.setattr(process, "engine", lambda: spark)
    monkeypatch.setattr(intake_lake, "engine", lambda: spark)
    monkeypatch.setattr(spreading, "LEAST_BYTES", 0)
    monkeypatch.setattr(spreading, "BLOCK_BYTES", 100_000)


TALLY = ("day", "country", "type", "role", "rows", "sightings")


def facts_of(delivery: Delivery) -> dict[str, object]:
    """Whatever is counted of a delivery."""
    tallies = Tally.objects.filter(batch__delivery=delivery).values_list(*TALLY)
    counted = {name: getattr(delivery, name) for name in ("rows", "repeats", "rejections", "conflicts", "countries")}
    return {
        **counted,
        "tallies": sorted(tallies, key=str),
        "batches": delivery.batches.count(),
        "state": delivery.state,
    }


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_killed_in_the_middle_of_a_delivery(
    cluster: spark_cluster.Cluster, on_the_cluster: None, object_server: object_store.Store,
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is read comes to lie in a bucket, and is joined from there."""
    buckets.mount(
        buckets.Mount(services.store_folder() / "observations", object_server.at("spark-killed"), "observations")
    )
    request.addfinalizer(buckets.mount)
    reader = Reader(wiring.KEEPERS)
    handlers = {services.READ: reader}
    content = delivered(45_000)
    with monkeypatch.context() as here:
        here.setattr(process, "engine", lambda: EMBEDDED)
        expected = handed_over(content, handlers, "read here", source=builders.organisation("heron"))
    killed: list[int] = []

    def kill() -> None:
        work = services.store_folder() / "work"
        until = time.monotonic() + 120
        while time.monotonic() < until and len(list(work.glob("*/rows-*.arrow"))) < 1:
            time.sleep(0.02)
        killed.append(cluster.kill_one().pid)

    killer = threading.Thread(target=kill)
    killer.start()
    found = handed_over(content, handlers, "read there", source=builders.organisation("egret"))
    killer.join()
    reader.stop()
    assert killed
    assert facts_of(found) == facts_of(expected)
    assert facts_of(found)["state"] == "parsed"
    registered = LakeFile.objects.filter(path__contains=f"/{found.pk}-")
    assert registered.count() > 3, "it was read in parts, and not here after all"
    assert sum(registered.values_list("rows", flat=True)) == found.rows
    columns = ["position", "value", "count", "country", "port", "malware", "first_at"]
    assert rows_of(found).select(columns).equals(rows_of(expected).select(columns)), "each once, and nothing twice"
    assert rejections_of(found) == rejections_of(expected)
    assert list((services.store_folder() / "work").glob(f"{found.pk}-*")) == []
    cluster.workers.append(cluster.add_worker())
    before = rows_of(found)
    assert intake_lake.compact(datetime.now(UTC)) > 3, "the next round of the house is done there, too"
    assert LakeFile.objects.filter(retired_at=None).count() == 1
    LakeFile.objects.exclude(retired_at=None).delete()
    assert rows_of(found).equals(before)


@pytest.mark.django_db(transaction=True)
def test_what_fails_there_is_read_here_the_next_time(on_the_cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*told: object) -> None:
        raise Unavailable("the engine of the lake: nobody answers")

    monkeypatch.setattr(spreading, "read_spread", lost)
    reader = Reader(wiring.KEEPERS)
    delivery = handed_over(delivered(100), {services.READ: reader}, "lost")
    assert delivery.state == "received"
    Job.objects.filter(state=Job.State.WAITING).update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
    work({services.READ: reader})
    reader.stop()
    delivery.refresh_from_db()
    assert delivery.state == "parsed"
    assert delivery.rows


ASK = """
import sys
from pathlib import Path
from tocsin.lake.spark import Least, Spark
from tests.engines import on_machines
engine = Spark(sys.argv[1], Path(sys.argv[2]), dict(each.split("=", 1) for each in sys.argv[3:]), least=Least(0, 0))
assert list(engine.make(on_machines.doubled, [1, 2, 3])) == [2, 4, 6]
print(on_machines.told_of_networks(engine, Path(sys.argv[2]).parent).decode())
engine.stop()
"""


def _asked(address: str, cluster: spark_cluster.Cluster, **more: str) -> Any:
    """What a program of its own is told: one that speaks with one kind of session only."""
    options = [f"{name}={value}" for name, value in (cluster.options() | more).items()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    program = [sys.executable, "-c", ASK, address, str(cluster.key), *options]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return orjson.loads(done.stdout.splitlines()[-1])


def test_other_ways_to_a_cluster(cluster: spark_cluster.Cluster, spark: Spark, tmp_path: Path) -> None:
    """One that is begun with the program, and a server of Spark Connect, to which no Java here speaks."""
    spark.stop()  # It has all processors of the cluster, which the server needs now.
    expected = orjson.loads(on_machines.told_of_networks(EMBEDDED, tmp_path))
    assert _asked("local-cluster[2,1,512]", cluster) == expected
    with cluster.connect() as address:
        assert _asked(address, cluster) == expected
