"""The demonstration is moved from SQLite, a folder and one process to PostgreSQL, a bucket and a cluster of Spark.

Every page, download, answer and package stays what it was. People of five kinds walk through both and are shown the
same, line by line; so are their programs. Packages that are made anew are the same, and every question of the lake is
answered by the machines of the cluster.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests import object_store, spark_cluster
from tests.faults.installation import Installation
from tests.faults.movable import Server, step, told
from tests.faults.test_lost_database import NEEDS_SERVER

pytestmark = [pytest.mark.django_db, NEEDS_SERVER, pytest.mark.slow, pytest.mark.timeout(1200)]
PEOPLE = ("ines", "bureau-fr", "samir", "admin", "polar-ops")
"""An analyst with the victim desk, a bureau's officer, an auditor, an administrator, a partner's analyst."""
ENGINE = re.compile(r"SQLite [\d.]+|PostgreSQL [\d.]+( \([^)<]*\))?")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.drop()


def shown(line: str, installation: Installation) -> list[str]:
    """What somebody is shown, in lines, without where the installation lies and which database it names."""
    return ENGINE.sub("DATABASE", line.replace(str(installation.home), "HOME")).replace("><", ">\n<").split("\n")


def walk(installation: Installation, at: datetime) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.faults.walk", at.isoformat(), *PEOPLE]
    return subprocess.Popen(
        words, env=installation.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[spark_cluster.Cluster | None]:
    """None where there is no Spark: tests of its own say so."""
    if spark_cluster.missing():
        yield None
        return
    made = spark_cluster.Cluster(tmp_path / "cluster")
    yield made
    made.stop()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> object_store.Store | None:
    """None where there is no object store: tests of its own say so."""
    return None if object_store.missing() else request.getfixturevalue("object_server")


def carry(installation: Installation, store: object_store.Store) -> None:
    """Its observations, into a bucket."""
    settings = installation.home / "tocsin.toml"
    settings.write_text(f'lake = "{store.address("moved")}"\n' + settings.read_text())
    (installation.home / "keys" / "lake-access").write_text("\n".join(object_store.KEYS))
    told(installation, "lake", "carry")


def spread(installation: Installation, cluster: spark_cluster.Cluster) -> None:
    """From now on the cluster is asked, for whatever little there is."""
    settings = installation.home / "tocsin.toml"
    lines = [f'engine = "{cluster.address}"', "engine_least_megabytes = 0", f'engine_key = "{cluster.key}"']
    options_lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in cluster.options().items()]
    settings.write_text("\n".join([*lines, settings.read_text(), "[engine_options]", *options_lines]) + "\n")


def jobs_of(cluster: spark_cluster.Cluster) -> int:
    """How many the cluster has begun."""
    return sum(
        path.read_bytes().count(b"SparkListenerJobStart") for path in cluster.events.rglob("*") if path.is_file()
    )


def test_all_stays_equal(
    tmp_path: Path, server: Server, cluster: spark_cluster.Cluster | None, store: object_store.Store | None
) -> None:
    before = Installation(tmp_path / "before")
    told(before, "demo", "--no-serve", "--observations", "2000")
    after = before.copy(tmp_path / "after")
    told(after, "move", server.database())
    if store is not None:
        carry(after, store)
    if cluster is not None:
        spread(after, cluster)
    # That it was moved and carried are acts of their own: the one that stayed gets them, too.
    acts = "3" if store is None else "5"
    moved = json.loads(f"[{','.join(told(after, 'audit', 'search', '--limit', acts, '--json').splitlines())}]")
    for each in reversed(moved):
        note = json.dumps([each[name] for name in ("at", "actor", "action", "subject", "detail")])
        step(before, "note", note)
    at = datetime.now(UTC).replace(microsecond=0)
    found: list[dict[str, Any]] = []
    for walking in [walk(before, at), walk(after, at)]:
        said, _ = walking.communicate(timeout=1000)
        assert walking.returncode == 0
        found.append(json.loads(said))
    was, is_now = found
    assert list(is_now) == list(was)
    assert len(was) > 350
    packed = {name: said[0] for name, said in was.items() if name.startswith("package of ")}
    assert sum(rows > 0 for rows in packed.values()) > 2, packed
    statuses = {said[0] for name, said in was.items() if name not in packed}
    assert statuses <= {200, 302, 403, 404, 405, 422}, statuses
    differ = {
        address: list(difflib.unified_diff(one, other, lineterm="", n=0))[2:12]
        for address, said in was.items()
        if (one := shown("\n".join(map(str, said)), before))
        != (other := shown("\n".join(map(str, is_now[address])), after))
    }
    assert differ == {}
    if store is not None:
        assert not list((after.home / "store" / "observations").rglob("*.parquet"))
    if cluster is not None:
        assert jobs_of(cluster) > 5, "it was the cluster that was asked"
    verified = [json.loads(told(each, "lake", "verify", "--json")) for each in (before, after)]
    assert verified[0] == verified[1]
