"""TAXII at 10 thousand to 10 million objects: pages, filters and envelopes, beside OpenTAXII and nginx in the same run.

    python bench/taxii.py [--objects 10000 100000] [--delivery 500] [--pages 200] [--posts 20] [--port 8721]
                          [--peers ../shared/peers]

One installation grows from size to size, in deliveries of so many indicators each, all released by their label. They
are written through the product's own functions (batches with their moments, blocks, mentions, copies), without the
receipt and the reading of each, which would take hours. Then it is served by the real server and read by a program
with a key over one kept connection, page after page of 1,000: before a worker has rendered them, and again; from
anywhere by date; filtered by type, version and id; a part by country. Envelopes of 1,000 new indicators are posted, and
a worker reads them into the store. CPU seconds are those of the server's processes, or of the worker's; the log of
acts, the ledger and the gate are in them. Limits for one key are lifted for it.

With `--peers`, OpenTAXII runs the same load in the same run. nginx, where there is one, serves the bytes of one page of
1,000 from a file: the raw limit. Prints one JSON object.
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
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
MEDIA = "application/taxii+json;version=2.1"
PAGE = 1_000
PART_EVERY = 20
OPENTAXII = {10_000: 5_500, 100_000: 540}
"""Objects per CPU second that the issue names, where the peer does not run."""
OPENTAXII_POST = 480
GOALS = {"get_times_opentaxii": 100.0, "post_times_opentaxii": 40.0, "page_p99_ms": 50.0, "nginx_over_us": 10.0}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--objects", type=int, nargs="+", default=[10_000, 100_000])
    asked.add_argument("--delivery", type=int, default=500)
    asked.add_argument("--pages", type=int, default=200)
    asked.add_argument("--posts", type=int, default=20)
    asked.add_argument("--port", type=int, default=8721)
    asked.add_argument("--home", type=Path, help="where the installation is made; a temporary folder, if not said")
    asked.add_argument("--peers", type=Path)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        home = told.home or Path(folder) / "home"
        os.environ["TOCSIN_HOME"] = str(home)
        print(json.dumps(measured(told, home)))


def measured(told: argparse.Namespace, home: Path) -> dict[str, Any]:
    """All figures."""
    from tocsin.cli.installation import make

    make("Bench")
    limits = "".join(
        f"{who}_{kind} = 0\n" for who in ("person", "key") for kind in ("lookups", "downloads", "requests")
    )
    with (home / "tocsin.toml").open("a") as settings:
        settings.write(f"\n[limits]\n{limits}")
    secrets = people()
    facts: dict[str, Any] = {"bench": "taxii", "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    facts |= {"delivery": told.delivery, "sizes": {}}
    stored = 0
    for size in sorted(told.objects):
        began, used = time.perf_counter(), time.process_time()
        build(stored, size, told.delivery)
        stored = size
        made = {"build_seconds": round(time.perf_counter() - began), "build_cpu_s": round(time.process_time() - used)}
        facts["sizes"][str(size)] = made | served(told, home, secrets, size)
    last = facts["sizes"][str(stored)]
    facts |= {"nginx": nginx(home)} | peers(told.peers, min(told.objects))
    facts |= judged(facts, last)
    return facts


def judged(facts: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """The goals, and whether each is met: at the smallest size against the peer, at the largest for the rest."""
    first_size = min(map(int, facts["sizes"]))
    first = facts["sizes"][str(first_size)]
    peer = facts.get("opentaxii", {})
    get = peer.get("get_objects_per_cpu_s") or OPENTAXII.get(first_size, OPENTAXII[10_000])
    post = peer.get("post_objects_per_cpu_s") or OPENTAXII_POST
    found: dict[str, Any] = {
        "get_times_opentaxii": round(first["again"]["objects_per_cpu_s"] / get, 1),
        # The peer's answer comes when objects can be read; ours when the envelope is durable, before a worker reads it.
        "post_times_opentaxii": round(last["post_to_store"]["objects_per_cpu_s"] / post, 1),
        "receipt_times_opentaxii": round(last["post"]["objects_per_cpu_s"] / post, 1),
        "page_p99_ms": max(each["p99_ms"] for each in last.values() if isinstance(each, dict) and "p99_ms" in each),
        "cpu_a_page_over_smallest": round(last["again"]["cpu_ms"] / first["again"]["cpu_ms"], 2),
    }
    if facts["nginx"]:
        found["nginx_over_us"] = round(last["again"]["cpu_ms"] / facts["nginx"]["cpu_ms"], 1)
    found["goal"] = "get >= 100 x and post >= 40 x OpenTAXII; any page p99 < 50 ms; nginx at most 10 x"
    met = {name: found[name] >= most if "times" in name else found[name] < most
           for name, most in GOALS.items() if name in found}  # fmt: skip
    return found | {"met": met}


def people() -> dict[str, str]:
    """A source, a reader, and the key of each."""
    from tests import builders

    from tocsin.centre.members.services import add_key

    now = datetime.now(UTC)
    cast = {"source": (builders.organisation("source"), "analyst"), "reader": (builders.bureau("FR"), "officer")}
    return {
        login: add_key(
            person=builders.person(login, at, role), name="bench", scopes=("deliver", "taxii", "read"),
            expires_at=now + timedelta(days=90), by="bench", at=now,
        )[1]
        for login, (at, role) in cast.items()
    }  # fmt: skip


def indicators(first: int, count: int) -> list[dict[str, Any]]:
    """As feeds have them."""
    made, chance = [], random.Random(first)
    for number in range(first, first + count):
        at = f"2026-{chance.randrange(1, 12):02d}-{chance.randrange(1, 29):02d}T10:00:00.{number % 1000:03d}Z"
        drawn = uuid.UUID(int=chance.getrandbits(128), version=4)
        made.append({
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{drawn}",
            "created": at, "modified": at, "name": f"family-{chance.randrange(200):03d} infrastructure",
            "description": "Address that infected machines asked for orders.",
            "indicator_types": ["malicious-activity"],
            "pattern": f"[domain-name:value = 'h{number:x}.example']", "pattern_type": "stix",
            "valid_from": at, "confidence": chance.randrange(101), "labels": [f"family-{chance.randrange(200):03d}"],
        })  # fmt: skip
    return made


def build(have: int, until: int, size: int) -> None:
    """Deliveries of one batch each, twenty in a transaction; one object of each delivery is of a rare type."""
    from django.db import transaction
    from tests import builders

    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.centre.members.models import Organisation
    from tocsin.core.words import Tlp

    source = Organisation.objects.get(slug="source")
    under = builders.handling(Tlp.AMBER, retention_months=60)
    terms = terms_row(source.pk, under, BY_LABEL)
    now = datetime.now(UTC)
    for start in range(have, until, 20 * size):
        firsts = range(start, min(until, start + 20 * size), size)
        with transaction.atomic():
            deliveries = Delivery.objects.bulk_create(
                Delivery(
                    organisation=source, receipt=f"bench-{first}", via="taxii", name="envelope.json", state="parsed",
                    sha256=f"{first:064x}", size_bytes=1, received_at=now, format="stix", ends_at=builders.LATER,
                    objects_count=min(size, until - first),
                )
                for first in firsts
            )  # fmt: skip
            Batch.objects.bulk_create(
                Batch(
                    pk=each.pk * BATCHES_IN_DELIVERY, delivery=each, organisation=source, handling_set=under,
                    terms=terms, received_at=now, objects_count=each.objects_count, expires_at=builders.LATER,
                )
                for each in deliveries
            )  # fmt: skip
            for first, each in zip(firsts, deliveries, strict=True):
                keep(each, indicators(first, each.objects_count))
                if first // size % PART_EVERY == 0:  # A part by country that is a small part of the whole.
                    batch = Batch.objects.get(delivery=each)
                    builders.tallies(batch, [(now.date(), "FR", "phishing", "ATTACKER_INFRA", 1)])


def keep(delivery: Any, bodies: list[dict[str, Any]]) -> None:
    """The objects of a delivery, as `knowledge.services.keep_objects` inserts them."""
    import polars as pl

    from tocsin.centre import rows
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.knowledge.models import Block, Mention, Object
    from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, note_copies, note_types
    from tocsin.core.reading import LINK_COLUMNS
    from tocsin.lake.objects import blocks_of, mentions_of

    bodies[-1] |= {"type": "campaign", "id": bodies[-1]["id"].replace("indicator--", "campaign--")}
    first, count = delivery.pk * OBJECTS_IN_DELIVERY, len(bodies)
    frame = pl.DataFrame(
        {
            "standard": ["stix-2.1"] * count, "type": [each["type"] for each in bodies], "revoked": [False] * count,
            "object_id": [each["id"] for each in bodies], "version": [each["modified"] for each in bodies],
            "name": [each["name"] for each in bodies], "labels": [each["labels"][0] for each in bodies],
            "pattern": [each["pattern"] for each in bodies], "valid_from": [each["valid_from"] for each in bodies],
            "valid_until": [""] * count, "position": range(count), "raw": [orjson.dumps(each) for each in bodies],
        }
    )  # fmt: skip
    links = pl.DataFrame(schema=LINK_COLUMNS)
    note_copies(first, frame)
    note_types(first, frame)
    things = frame.select("standard", "type", "object_id", "version", "name", "revoked").with_columns(
        id=pl.Series(range(first, first + count)), delivery=pl.lit(delivery.pk),
        batch=pl.lit(delivery.pk * BATCHES_IN_DELIVERY),
    )  # fmt: skip
    rows.insert_frame(Object, things)
    rows.insert_frame(Block, blocks_of(frame, links).with_columns(pl.col("first") + first))
    rows.insert_frame(Mention, mentions_of(frame, links).select("key", object=pl.col("thing") + first))


class Reader:
    """A program on one kept connection, and the processes whose time it is."""

    def __init__(self, port: int, secret: str, process: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self.headers = {"Accept": MEDIA, "Authorization": f"Bearer {secret}", "Content-Type": MEDIA}
        self.process = process

    def get(self, path: str, **query: str) -> tuple[http.client.HTTPMessage, bytes]:
        return self._asked("GET", f"{path}?{urlencode(query)}")

    def post(self, path: str, body: bytes) -> bytes:
        return self._asked("POST", path, body)[1]

    def _asked(self, method: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPMessage, bytes]:
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status in {200, 202}, (answer.status, content[:500])
        return answer.headers, content

    def timed(self, count: int, work: Callable[[int], int]) -> dict[str, Any]:
        """Time of each of so many, and objects for each CPU second."""
        times, objects, used = [], 0, cpu_of(self.process)
        for number in range(count):
            began = time.perf_counter()
            objects += (got := work(number))
            times.append((time.perf_counter() - began) * 1e3)
            if not got:
                break
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
            place["next"] = page.get("next", "")
            dates.append(said["X-TAXII-Date-Added-Last"])
            return len(page["objects"]) if page.get("more") else 0

        def by_date(_: int) -> int:
            return got(reader.get(released, limit=str(PAGE), added_after=chance.choice(dates))[1])

        def alike(**said: str) -> Callable[[int], int]:
            return lambda _: got(reader.get(released, limit=str(PAGE), added_after=chance.choice(dates), **said)[1])

        pages = min(told.pages, size // PAGE)
        found: dict[str, Any] = {"first_answer_ms": first_answer(lambda: reader.get(released, limit="1"))}
        dates.append("2026-01-01T00:00:00Z")
        found["not_rendered_yet"] = reader.timed(min(100, pages), by_next)
        some = [sealed(each) for each in drawn_ids(pages, chance)]
        found["by_id_not_rendered_yet"] = reader.timed(
            pages, lambda each: got(reader.get(f"{released}{some[each]}/")[1])
        )
        found["ahead"] = ahead()
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
        part = released.replace("released", "country-fr")
        found["part_first_answer_ms"] = first_answer(lambda: reader.get(part, limit="1"))
        found["part"] = reader.timed(pages, lambda _: got(
            reader.get(part, limit=str(PAGE), added_after=chance.choice(dates))[1]))  # fmt: skip
        found["manifest"] = reader.timed(pages, lambda _: got(
            reader.get(manifest, limit=str(PAGE), added_after=chance.choice(dates))[1]))  # fmt: skip
        found["polls_with_nothing_new"] = reader.timed(pages, lambda _: 1 + got(
            reader.get(released, added_after="2100-01-01T00:00:00Z")[1]))  # fmt: skip
        found["post"] = posted(Reader(told.port, secrets["source"], process), told.posts, size)
        found["server_peak_mb"] = peak_mb(process)
    found["post_to_store"] = to_store(told.posts, found["post"]["cpu_ms"])
    return found


def to_store(posts: int, cpu_ms: float) -> dict[str, Any]:
    """What a worker does with what was posted, each envelope in so much time of the server's."""
    used = cpu_of(os.getpid())
    subprocess.run([*tocsin(), "work", "--until-idle"], check=True, stdout=subprocess.DEVNULL)
    cpu = cpu_of(os.getpid()) - used
    return {
        "worker_cpu_s": round(cpu, 2), "objects_per_cpu_s": round(posts * PAGE / (cpu + posts * cpu_ms / 1e3)),
    }  # fmt: skip


def first_answer(work: Callable[[], object]) -> int:
    """Milliseconds of what is made once."""
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1e3)


def ahead() -> dict[str, Any]:
    """What a worker renders, so that nobody waits for it."""
    from django.db import connection

    from tocsin.centre.release.ahead import rendered_since

    connection.close()
    used = time.process_time()
    objects = sum(rendered_since(0, datetime.now(UTC)))
    spent = time.process_time() - used
    return {"objects": objects, "worker_cpu_s": round(spent, 2), "objects_per_cpu_s": round(objects / max(spent, 0.01))}


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


def posted(source: Reader, count: int, salt: int) -> dict[str, Any]:
    """Envelopes of 1,000 new indicators."""
    bodies = [
        orjson.dumps({"objects": indicators((salt + 7) * 1_000_000 + each * PAGE, PAGE)}) for each in range(count)
    ]
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
    """CPU seconds of a process and of all below it, those that ended included."""
    ticks = 0
    for each in processes(parent):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12]) + (int(fields[13]) + int(fields[14]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mb(parent: int) -> int:
    peaks = [
        int(line.split()[1])
        for each in processes(parent)
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks) // 1024


def nginx(home: Path) -> dict[str, Any]:
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
    (home / "page.json").chmod(0o644)
    process = subprocess.Popen([program, "-c", str(home / "nginx.conf"), "-g", "user root;"])
    try:
        time.sleep(1)
        reader = Reader(port, "none", process.pid)
        objects = got((home / "page.json").read_bytes())
        return reader.timed(5_000, lambda _: len(reader.get("/page.json")[1]) and objects)
    finally:
        process.terminate()
        process.wait(10)


def peers(folder: Path | None, size: int) -> dict[str, Any]:
    """OpenTAXII under the same load."""
    if folder is None:
        return {}
    run = [sys.executable, str(folder / "bench_taxii.py"), "opentaxii-sqlite", str(size)]
    said = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    line = json.loads(said.strip().splitlines()[-1])
    return {
        "opentaxii": {
            "get_objects_per_cpu_s": line.get("pages_plain_http", {}).get("objects_per_cpu_s"),
            "post_objects_per_cpu_s": line.get("post_1000", {}).get("objects_per_cpu_s"), "all": line,
        }
    }  # fmt: skip


if __name__ == "__main__":
    main()
