"""TAXII at 10 thousand to 10 million objects: pages, filters and envelopes, beside OpenTAXII and nginx in the same run.

    python bench/taxii.py [--objects 10000 100000] [--delivery 500] [--pages 200] [--posts 20] [--port 8721]
                          [--homes FOLDER] [--peers FOLDER] [--peer-sizes 10000 100000]

Each size has an installation of its own, in deliveries of so many indicators each, all released by their label. They
are written through the product's own functions (batches with their moments, blocks, mentions, copies), without the
receipt and the reading of each, which would take hours. With `--homes` they stay and the next run finds them. Then
each is served by the real server and read by a program with a key over one kept connection, page after page of 1,000:
before a worker has rendered them, and again; from anywhere by date; filtered by type, version and id. Envelopes
of 1,000 new indicators are posted, and a worker that has read one before reads them into the store. CPU seconds are
those of the server's processes, or of the worker's, never the client's; times are from the request to the last byte.
The log of acts, the ledger and the gate are in them. Limits for one key are lifted for it.

With `--peers`, OpenTAXII runs in the same run at `--peer-sizes`, with its public collection (it asks nobody who he is).
nginx, where there is one, serves the bytes of one page of 1,000 from a file to the same client: the raw limit. Prints
one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from _ingest import apart
from _objects import build, indicators, people

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
MEDIA = "application/taxii+json;version=2.1"
PAGE = 1_000
SECONDS_TO_READ = 300
NOT_PAGES = ("post", "rendering", "nothing_new")
"""Of what is timed: what is no page, and pages that nobody asked for before."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--objects", type=int, nargs="+", default=[10_000, 100_000])
    asked.add_argument("--delivery", type=int, default=500)
    asked.add_argument("--pages", type=int, default=200)
    asked.add_argument("--posts", type=int, default=20)
    asked.add_argument("--port", type=int, default=8721)
    asked.add_argument("--homes", type=Path, help="where installations stay; a temporary folder, if not said")
    asked.add_argument("--build", action="store_true", help="only make the installations, for another run to measure")
    asked.add_argument("--peers", type=Path)
    asked.add_argument("--peer-sizes", type=int, nargs="+", default=[10_000])
    asked.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.child:
        print(json.dumps(measured(told, Path(os.environ["TOCSIN_HOME"]))))
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        facts: dict[str, Any] = {"bench": "taxii", "objects": max(told.objects), "delivery": told.delivery, "sizes": {}}
        for size in sorted(told.objects):
            facts["sizes"][str(size)] = child(told, (told.homes or Path(folder)) / f"taxii-{size}", size)
            if told.homes is None and size != max(told.objects):
                shutil.rmtree(Path(folder) / f"taxii-{size}")
        if told.build:
            print(json.dumps(facts))
            return
        facts["nginx"] = nginx(Path(folder), (told.homes or Path(folder)) / f"taxii-{max(told.objects)}")
        facts["opentaxii"] = {str(size): peer(told.peers, size) for size in told.peer_sizes} if told.peers else {}
        print(json.dumps(facts | judged(facts)))


def child(told: argparse.Namespace, home: Path, size: int) -> dict[str, Any]:
    """One size, in a process of its own."""
    home.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, __file__, "--child", str(size)]
    for name in ("delivery", "pages", "posts", "port"):
        words += [f"--{name}", str(getattr(told, name))]
    words += ["--build"] * told.build
    done = subprocess.run(
        words, env={**os.environ, "TOCSIN_HOME": str(home)}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{size:,} objects: status {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measured(told: argparse.Namespace, home: Path) -> dict[str, Any]:
    """All figures at one size."""
    is_new = not (home / "tocsin.sqlite3").exists()
    from tocsin.cli.installation import make

    make("Bench")
    began, used = time.perf_counter(), time.process_time()
    if is_new:
        limits = "".join(
            f"{who}_{kind} = 0\n" for who in ("person", "key") for kind in ("lookups", "downloads", "requests")
        )
        with (home / "tocsin.toml").open("a") as settings:
            settings.write(f"\n[limits]\n{limits}")
        (home / "keys.json").write_text(json.dumps(people()))
    build(already(told.delivery), told.child, told.delivery)  # One that was stopped goes on.
    made = {"build_seconds": round(time.perf_counter() - began), "build_cpu_s": round(time.process_time() - used)}
    if told.build:
        return made
    forget_renderings()
    return made | served(told, home, json.loads((home / "keys.json").read_text()), told.child)


def already(size: int) -> int:
    """How many objects were built before."""
    from tocsin.centre.intake.models import Delivery

    return Delivery.objects.filter(receipt__startswith="bench-").count() * size


def forget_renderings() -> None:
    """What an earlier run had rendered."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM knowledge_rendering")
    connection.close()


def judged(facts: dict[str, Any]) -> dict[str, Any]:
    """What the table shows: against the peer at each of its sizes, and how cost and time grow."""
    sizes: dict[str, dict[str, Any]] = facts["sizes"]
    first, last = (sizes[str(pick(map(int, sizes)))] for pick in (min, max))
    found: dict[str, Any] = {
        "cost_over_smallest": round(last["again"]["cpu_ms"] / first["again"]["cpu_ms"], 2),
        "page_p99_ms": max(each["p99_ms"] for name, each in last.items() if is_page(name, each)),
        "rendering_p99_ms": last["rendering"]["p99_ms"],
    }
    for size, theirs in facts["opentaxii"].items():
        if size not in sizes or "get_objects_per_cpu_s" not in theirs:
            continue
        mine, get, post = sizes[size], theirs["get_objects_per_cpu_s"], theirs["post_objects_per_cpu_s"]
        found[f"at_{size}"] = {
            "get_times": round(mine["again"]["objects_per_cpu_s"] / get, 1),
            # The peer's answer comes when objects can be read; ours when the envelope is durable, before it is read.
            "post_times": round(mine["post_to_store"]["objects_per_cpu_s"] / post, 1),
            "receipt_times": round(mine["post"]["objects_per_cpu_s"] / post, 1),
        }
    if facts["nginx"]:
        found["nginx_over_us"] = round(last["again"]["cpu_ms"] / facts["nginx"]["cpu_ms"], 1)
    return found


def is_page(name: str, each: object) -> bool:
    """Whether this is the time of pages that were rendered before."""
    return isinstance(each, dict) and "p99_ms" in each and not name.startswith(NOT_PAGES)


class Reader:
    """A program on one kept connection, and the processes whose time it is."""

    def __init__(self, port: int, secret: str, process: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.headers = {"Accept": MEDIA, "Authorization": f"Bearer {secret}", "Content-Type": MEDIA}
        self.process = process
        self.took_ms = 0.0

    def get(self, path: str, **query: str) -> tuple[http.client.HTTPMessage, bytes]:
        return self._asked("GET", f"{path}?{urlencode(query)}")

    def post(self, path: str, body: bytes) -> bytes:
        return self._asked("POST", path, body)[1]

    def _asked(self, method: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPMessage, bytes]:
        began = time.perf_counter()
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        self.took_ms = (time.perf_counter() - began) * 1e3
        assert answer.status in {200, 202}, (answer.status, content[:500])
        return answer.headers, content

    def timed(self, count: int, work: Callable[[int], int]) -> dict[str, Any]:
        """Time of each of so many, and objects for each CPU second."""
        times, objects, used = [], 0, cpu_of(self.process)
        for number in range(count):
            objects += work(number)
            times.append(self.took_ms)  # What the client makes of the answer is its own affair.
        cpu = cpu_of(self.process) - used
        times.sort()
        return {
            "requests": len(times), "objects": objects, "p50_ms": round(times[len(times) // 2], 2),
            "p99_ms": round(times[min(len(times) - 1, len(times) * 99 // 100)], 2), "most_ms": round(times[-1], 2),
            "cpu_ms": round(cpu / len(times) * 1e3, 3), "objects_per_cpu_s": round(objects / max(cpu, 0.01)),
        }  # fmt: skip


def served(told: argparse.Namespace, home: Path, secrets: dict[str, str], size: int) -> dict[str, Any]:
    """What it costs at this size."""
    released = "/taxii2/ncb-fr/collections/released/objects/"
    chance = random.Random(size)
    with portal(told.port) as process:
        reader = Reader(told.port, secrets["reader"], process)
        dates: list[str] = []
        place = {"next": ""}

        def by_next(_: int) -> int:
            said, body = reader.get(released, limit=str(PAGE), **({"next": place["next"]} if place["next"] else {}))
            (home / "page.json").write_bytes(body)
            page = orjson.loads(body)
            place["next"] = page.get("next", "")  # After the last page comes the first.
            dates.append(said["X-TAXII-Date-Added-Last"])
            return len(page["objects"])

        def by_date(_: int) -> int:
            return got(reader.get(released, limit=str(PAGE), added_after=chance.choice(dates))[1])

        def alike(**said: str) -> Callable[[int], int]:
            return lambda _: got(reader.get(released, limit=str(PAGE), added_after=chance.choice(dates), **said)[1])

        pages, fresh = told.pages, min(told.pages, size // PAGE)
        began = time.perf_counter()
        reader.get(released, limit="1")
        found: dict[str, Any] = {"first_answer_ms": round((time.perf_counter() - began) * 1e3)}
        dates.append("2026-01-01T00:00:00Z")
        found["rendering"] = reader.timed(fresh, by_next)
        found["ahead"] = ahead(pages * PAGE)
        place["next"] = ""
        found["again"] = reader.timed(pages, by_next)
        newest = ends(size)
        dates += newest
        found["at_the_end_first"] = reader.timed(50, lambda each: got(
            reader.get(released, limit=str(PAGE), added_after=newest[each % len(newest)])[1]))  # fmt: skip
        found["by_date"] = reader.timed(pages, by_date)
        found["by_type"] = reader.timed(pages, alike(**{"match[type]": "indicator"}))
        found["by_rare_type"] = reader.timed(30, alike(**{"match[type]": "campaign"}))
        found["every_version"] = reader.timed(pages, alike(**{"match[version]": "all"}))
        some = [sealed(each) for each in drawn_ids(pages, chance)]
        found["by_id"] = reader.timed(pages, lambda each: got(reader.get(f"{released}{some[each]}/")[1]))
        manifest = released.replace("objects", "manifest")
        found["manifest"] = reader.timed(pages, lambda _: got(
            reader.get(manifest, limit=str(PAGE), added_after=chance.choice(dates))[1]))  # fmt: skip
        found["nothing_new"] = reader.timed(pages, lambda _: got(
            reader.get(released, added_after="2100-01-01T00:00:00Z")[1]))  # fmt: skip
        found |= taken_in(Reader(told.port, secrets["source"], process), told.posts)
        found["server_peak_mb"] = peak_mb(process)
    return found


def ahead(most: int) -> dict[str, Any]:
    """What a worker renders of the first so many objects, so that nobody waits for it."""
    from django.db import connection

    from tocsin.centre.release.ahead import rendered_since

    connection.close()
    used, objects = time.process_time(), 0
    for made, _ in rendered_since(0, datetime.now(UTC)):
        objects += made
        if objects >= most:
            break
    spent = time.process_time() - used
    return {"objects": objects, "worker_cpu_s": round(spent, 2), "objects_per_cpu_s": round(objects / max(spent, 0.01))}


def taken_in(source: Reader, count: int) -> dict[str, Any]:
    """Envelopes at the receipt, and until a worker that stands ready has them in the store."""
    posted(source, 1)
    worker = subprocess.Popen([*tocsin(), "work"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        all_read()
        used = cpu_of(worker.pid)
        found = {"post": posted(source, count)}
        all_read()
        cpu = cpu_of(worker.pid) - used
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    whole = cpu + count * found["post"]["cpu_ms"] / 1e3
    found["post_to_store"] = {"worker_cpu_s": round(cpu, 2), "objects_per_cpu_s": round(count * PAGE / whole)}
    return found


def all_read() -> None:
    """Wait until nothing that was posted waits."""
    from django.db import connection

    from tocsin.centre.intake.models import Delivery

    until = time.monotonic() + SECONDS_TO_READ
    posted_here = Delivery.objects.exclude(receipt__startswith="bench-")
    while waiting := set(posted_here.exclude(state="parsed").values_list("state", flat=True)):
        if waiting != {"received"} or time.monotonic() > until:
            raise SystemExit(f"what was posted was not read: {sorted(waiting)}")
        time.sleep(0.2)
    connection.close()


def got(body: bytes) -> int:
    """How many objects there are in an answer."""
    return len(orjson.loads(body).get("objects", ()))


def ends(size: int) -> list[str]:
    """Moments near the end of what is open."""
    from django.db import connection

    from tocsin.centre.intake.models import Batch

    connection.close()
    made = Batch.objects.filter(delivery__receipt__startswith="bench-")
    last = made.order_by("-moved_at").values_list("moved_at", flat=True)[:20]
    return [f"{each:%Y-%m-%dT%H:%M:%S.%fZ}" for each in last][5:]


def drawn_ids(count: int, chance: random.Random) -> list[str]:
    """Identifiers of objects of any place."""
    from tocsin.centre.intake.models import Delivery
    from tocsin.centre.knowledge.models import OBJECTS_IN_DELIVERY, Object

    made = Delivery.objects.filter(receipt__startswith="bench-")
    first, last = (made.order_by(order).values_list("pk", flat=True)[0] for order in ("pk", "-pk"))
    found: list[str] = []
    while len(found) < count:
        number = chance.randrange(first, last + 1) * OBJECTS_IN_DELIVERY + chance.randrange(100)
        made_here = Object.objects.filter(pk=number, delivery__receipt__startswith="bench-")
        found += made_here.values_list("object_id", flat=True)
    return found


def sealed(identifier: str) -> str:
    """As readers know it: the source is not named."""
    from tocsin.centre.release.given import identifiers

    return identifiers().sealed(identifier)


def posted(source: Reader, count: int) -> dict[str, Any]:
    """Envelopes of 1,000 new indicators."""
    salt = time.time_ns() // 1_000
    bodies = [orjson.dumps({"objects": indicators(salt + each * PAGE, PAGE)}) for each in range(count)]
    path = "/taxii2/source/collections/inbox/objects/"

    def work(number: int) -> int:
        assert orjson.loads(source.post(path, bodies[number]))["status"]
        return PAGE

    return source.timed(count, work)


def tocsin() -> list[str]:
    return [sys.executable, "-c", 'from tocsin.cli import main; main(prog_name="tocsin")']


@contextmanager
def portal(port: int) -> Iterator[int]:
    """The real server; workers are left out, so that its time is its own."""
    process = subprocess.Popen([*tocsin(), "serve", "--port", str(port), "--workers", "0"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
                break
            except OSError:
                time.sleep(0.2)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def processes(parent: int) -> list[int]:
    found = [parent]
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes(int(child))
    return found


def cpu_of(parent: int) -> float:
    """CPU seconds of a process and of all below it: by the scheduler's clock, and in ticks for those that ended."""
    used = 0.0
    for each in processes(parent):
        used += time.clock_gettime(~each << 3 | 2)  # As clock_getcpuclockid(3) has it for the process of a number.
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return used


def peak_mb(parent: int) -> int:
    peaks = [
        int(line.split()[1])
        for each in processes(parent)
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return sum(peaks) // 1024


def nginx(home: Path, installation: Path) -> dict[str, Any]:
    """The raw limit: the bytes of one page from a file."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        return {}
    port = 18_721
    (home / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.log; events {{}}\n"
        f"http {{ access_log off; sendfile on; types {{ }} default_type '{MEDIA}'; "
        f"server {{ listen 127.0.0.1:{port}; root {home}; keepalive_requests 100000; }} }}\n"
    )
    shutil.copy(installation / "page.json", home / "page.json")
    process = subprocess.Popen([program, "-c", str(home / "nginx.conf"), "-g", "user root;"])
    try:
        time.sleep(1)
        reader = Reader(port, "none", process.pid)
        objects = got((home / "page.json").read_bytes())
        return reader.timed(5_000, lambda _: len(reader.get("/page.json")[1]) and objects)
    finally:
        process.terminate()
        process.wait(10)


def peer(folder: Path, size: int) -> dict[str, Any]:
    """OpenTAXII under the same load; a note where it cannot be had."""
    run = [sys.executable, str(folder / "bench_taxii.py"), "opentaxii-sqlite", str(size)]
    done = subprocess.run(run, check=False, capture_output=True, text=True, env=apart())
    if done.returncode:
        return {"note": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    line = json.loads(done.stdout.strip().splitlines()[-1])
    walked = line.get("pages_plain_http", {})
    return {
        "get_objects_per_cpu_s": walked.get("objects_per_cpu_s"), "p99_ms": walked.get("p99_ms"),
        "post_objects_per_cpu_s": line["post_1000"]["objects_per_cpu_s"], "peak_mb": line.get("peak_mb"),
    }  # fmt: skip


if __name__ == "__main__":
    main()
