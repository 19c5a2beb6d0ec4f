"""PostgreSQL as the system of record: bulk rows, claims of jobs, a move, and what partitions would change.

    python bench/postgres.py [--server 'postgresql://tocsin@/postgres?host=/run/postgresql'] [--rows 200000] [--runs 3]
                             [--jobs 400] [--mentions 5000000] [--parts copy,claims,move,partitions]

Prints one JSON line. All of it runs in databases of its own on that server, dropped at the end; without `--server` a
private one is started, with the settings of a new installation of PostgreSQL (everything durable). Costs are CPU
seconds: of this process, and of the server's process of its connection where that is on the same machine (`server`).
Bulk rows are written `--runs` times by each way in turn, and the median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from _postgres import server as private_server

TICKS = os.sysconf("SC_CLK_TCK")
LOOKUPS = 2_000


def spent(pid: int) -> float:
    """CPU seconds of a process on this machine so far; 0 where it is on another."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def cost(work: Callable[[], object], server: int = 0) -> dict[str, float]:
    """What some work costs here and in the server's process."""
    before, there, clock = time.process_time(), spent(server), time.perf_counter()
    work()
    own, far = time.process_time() - before, spent(server) - there
    return {"own": round(own, 3), "server": round(far, 3), "cpu": round(own + far, 3),
            "clock": round(time.perf_counter() - clock, 2)}  # fmt: skip


@contextmanager
def database(server: str) -> Iterator[str]:
    """A new database on the server."""
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as there:
        there.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as there:
            there.execute(f"DROP DATABASE {name} WITH (FORCE)")


def program(part: str, arguments: argparse.Namespace, address: str, home: Path) -> Any:
    """One part in a process of its own, which has its own settings."""
    words = [sys.executable, __file__, "--inner", part, "--rows", str(arguments.rows), "--jobs", str(arguments.jobs),
             "--runs", str(arguments.runs)]  # fmt: skip
    environment = {**os.environ, "TOCSIN_HOME": str(home), "TOCSIN_DATABASE": address}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1])


def copied(count: int, runs: int) -> dict[str, Any]:
    """Mentions of objects: our way, one object of the mapper for each, and bare COPY of the same text."""
    import polars as pl
    from django.db import connection, transaction

    from tocsin.centre import rows
    from tocsin.centre.knowledge.models import Mention

    frame = pl.DataFrame({"key": [secrets.randbits(63) for _ in range(count)], "object": range(count)})
    pid = 0
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        pid = connection.connection.info.backend_pid

    def mapped() -> None:
        with transaction.atomic():
            Mention.objects.bulk_create(Mention(key=key, object_id=thing) for key, thing in frame.rows())

    def bare() -> None:
        statement = "COPY knowledge_mention (key, object_id) FROM STDIN"
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(text)

    ways: dict[str, Callable[[], None]] = {"ours": lambda: rows.insert_frame(Mention, frame), "mapped": mapped}
    if pid:
        ways["row by row"] = lambda: rows.insert(Mention, frame.columns, frame.rows())
        text, ways["bare"] = rows.copy_text(frame), bare
    each: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            with connection.cursor() as cursor:  # Each begins with an empty table.
                cursor.execute("TRUNCATE knowledge_mention" if pid else "DELETE FROM knowledge_mention")
            each[name].append(cost(way, pid))
    found: dict[str, Any] = {
        name: {what: round(statistics.median(one[what] for one in told), 3) for what in told[0]}
        for name, told in each.items()
    }
    for told in found.values():
        told["rows_per_cpu_s"] = round(count / told["cpu"])
    return found


def claimed(count: int) -> dict[str, Any]:
    """Jobs claimed and finished by one worker and by four; the same with a change of batches in each transaction."""
    from django.db import connection, transaction
    from django.utils import timezone

    from tocsin.centre.intake.models import Change
    from tocsin.centre.jobs import services
    from tocsin.centre.jobs.models import Job

    def rounds(is_changing: bool) -> None:
        while (claim := services.claim(str(os.getpid()), ["bench"], timezone.now())) is not None:
            with transaction.atomic():
                if is_changing:
                    Change.next()
                services.finish(claim, timezone.now())

    found = {}
    for is_changing in (False, True):
        for workers in (1, 4):
            Job.objects.all().delete()
            now = timezone.now()
            Job.objects.bulk_create(Job(kind="bench", run_at=now, created_at=now) for _ in range(count))
            connection.close()
            began, children = time.perf_counter(), []
            for _ in range(workers):
                if not (child := os.fork()):
                    rounds(is_changing)
                    os._exit(0)
                children.append(child)
            for child in children:
                os.waitpid(child, 0)
            name = f"{workers} workers{', changing' if is_changing else ''}"
            assert Job.objects.filter(state="done", attempts=1).count() == count
            found[name] = round(count / (time.perf_counter() - began))
    return found


def moved(count: int, address: str) -> dict[str, Any]:
    """An installation with so many mentions and acts is moved: seconds of each step, rows a CPU second."""
    from datetime import UTC, datetime

    import polars as pl
    from django.conf import settings

    from tocsin.centre import rows
    from tocsin.centre.audit.models import Entry
    from tocsin.centre.knowledge.models import Mention
    from tocsin.credentials.log_tree import leaf_hash
    from tocsin.site.databases import database_of
    from tocsin.site.moving import places
    from tocsin.site.moving.work import Move, Step
    from tocsin.site.moving.writing import Target

    frame = pl.DataFrame({"key": [secrets.randbits(63) for _ in range(count)], "object": range(count)})
    rows.insert_frame(Mention, frame)
    at = str(datetime.now(UTC).replace(tzinfo=None))
    facts = [(at, "ines", "lookup", f"value:{number}", '{"rows":1}') for number in range(count // 4)]

    columns = ("at", "actor", "action", "subject", "detail", "leaf")
    rows.insert(Entry, columns, [(*each, leaf_hash(each[3].encode())) for each in facts])
    home, steps = settings.INSTALLATION.home, dict[str, float]()
    last = ["", time.process_time()]

    def told(step: Step) -> None:
        now = time.process_time()
        steps[str(last[0])] = steps.get(str(last[0]), 0.0) + now - float(last[1])
        last[:] = [step.name, now]

    move = Move(
        read=lambda: places.reader("", home), target=Target(database_of(address, home)), to="bench", told=told,
        read_back=lambda: places.reader(address, home), whatever_files=True,
    )  # fmt: skip
    found = cost(lambda: kept_going(move))
    told(Step("", "", 0, 0))
    return {
        **found,
        "steps": {name: round(each, 2) for name, each in steps.items() if name},
        "rows": count + count // 4,
    }


def kept_going(move: Any) -> None:
    """The move; that the log of acts was made up here, and is no log, does not keep it from being measured."""
    from tocsin.site.moving.work import Stopped

    try:
        move.run()
    except Stopped as error:
        if "All rows are there" not in str(error):
            raise


def partitioned(server: str, count: int) -> dict[str, Any]:
    """Mentions whole, and in eight parts by object: writing the newest, and finding by key."""
    found: dict[str, Any] = {"rows": count}
    with database(server) as address, psycopg.connect(address, autocommit=True) as there:
        pid = there.info.backend_pid
        columns = "(key bigint, object_id bigint, PRIMARY KEY (key, object_id))"
        there.execute(f"CREATE TABLE whole {columns}")
        there.execute(f"CREATE TABLE parted {columns} PARTITION BY RANGE (object_id)")
        size = count // 8
        for part in range(9):
            within = f"FROM ({part * size}) TO ({(part + 1) * size})"
            there.execute(f"CREATE TABLE parted_{part} PARTITION OF parted FOR VALUES {within}")
        made = "INSERT INTO {} SELECT hashint8extended(n, 7), n FROM generate_series(0, %s) n"
        newest = "INSERT INTO {} SELECT hashint8extended(n, 7), n FROM generate_series(%s, %s) n"
        for name in ("whole", "parted"):
            there.execute(made.format(name), (count - 1,))
            there.execute(f"VACUUM ANALYZE {name}")
            few = min(size, 200_000) - 1

            def write(name: str = name, few: int = few) -> None:
                there.execute(newest.format(name), (count, count + few))

            def find(name: str = name) -> None:
                for number in range(0, count, count // LOOKUPS):
                    there.execute(
                        f"SELECT object_id FROM {name} WHERE key = hashint8extended(%s, 7)", (number,)
                    ).fetchall()

            found[name] = {"write newest": cost(write, pid), f"{LOOKUPS} look-ups": cost(find, pid)}
            found[name]["bytes"] = there.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE relname LIKE %s", (f"{name}%",)
            ).fetchone()[0].__int__()  # fmt: skip
    return found


def inner(part: str, arguments: argparse.Namespace) -> None:
    from tocsin.cli.installation import make

    address = os.environ["TOCSIN_DATABASE"]
    if part == "move":
        os.environ["TOCSIN_DATABASE"] = "sqlite:"
    make("Bench")
    parts = {"copy": lambda: copied(arguments.rows, arguments.runs), "claims": lambda: claimed(arguments.jobs),
             "move": lambda: moved(arguments.rows, address)}  # fmt: skip
    print(json.dumps(parts[part]()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="A server on which databases may be made; a private one, if not said.")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--mentions", type=int, default=5_000_000)
    parser.add_argument("--parts", default="copy,claims,move,partitions")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inner:
        inner(arguments.inner, arguments)
        return
    with nullcontext(arguments.server) if arguments.server else private_server() as address:
        print(json.dumps(measured(arguments, address)))


def measured(arguments: argparse.Namespace, server: str) -> dict[str, Any]:
    """All parts that were asked for."""
    found: dict[str, Any] = {"bench": "postgres", "rows": arguments.rows}
    for part in arguments.parts.split(","):
        if part == "partitions":
            found[part] = partitioned(server, arguments.mentions)
            continue
        with tempfile.TemporaryDirectory() as folder, database(server) as address:
            found[part] = program(part, arguments, address, Path(folder) / "home")
        if part != "move":
            with tempfile.TemporaryDirectory() as folder:
                found[f"{part}_on_sqlite"] = program(part, arguments, "sqlite:", Path(folder) / "home")
    if "copy" in found:
        found["copy_over_bare"] = round(found["copy"]["ours"]["cpu"] / found["copy"]["bare"]["cpu"], 2)
        found["copy_times_mapper"] = round(found["copy"]["mapped"]["cpu"] / found["copy"]["ours"]["cpu"], 1)
    return found


if __name__ == "__main__":
    main()
