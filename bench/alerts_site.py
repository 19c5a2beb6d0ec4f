"""The public site of many alerts: how long it takes to make and export, and how fast it is served, beside nginx.

    python bench/alerts_site.py [--alerts 5000] [--seconds 5] [--connections 32] [--no-nginx]

A fresh installation gets so many generated alerts in four languages: every page of them and of the site, and stand-ins
of usual size for the other texts of each and for signatures. Exported are all of them: anew, again unchanged, and after
one page changed. wrk then asks for 400 pages in turn, packed, of the portal's own server in one process and of
nginx with as many workers as there are processors, which serves the exported folder by the hints that lie in it. Wall
times on a shared machine say little; beside each rate stands what of a processor a request took. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
EXPORT_GOAL, RATE_GOAL = 60.0, 2_000
PAGES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("alerts", 5_000), ("seconds", 5), ("connections", 32)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--no-nginx", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(Path(folder), asked)))


def measured(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """All of it, one after the other."""
    os.environ |= {"TOCSIN_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
                   "DJANGO_SETTINGS_MODULE": "tocsin.site.settings"}  # fmt: skip
    _run("init")
    import django

    django.setup()
    found: dict[str, Any] = {"bench": "alerts_site", "alerts": asked.alerts, "made": made(asked.alerts)}
    paths = _pages_asked()
    site = folder / "site"
    found["export"] = {"first": exported(site), "unchanged": exported(site)}
    _change(paths[0])
    found["export"]["one_changed"] = exported(site)
    script = _script(folder, paths)
    with portal() as (process, port):
        found["portal"] = asked_by_wrk(process, port, script, asked)
    if not asked.no_nginx and shutil.which("nginx"):
        with nginx(folder, site) as (process, port):
            found["nginx"] = asked_by_wrk(process, port, script, asked)
        found["times_cpu_of_nginx"] = round(
            found["portal"]["cpu_us_each"] / max(found["nginx"]["cpu_us_each"], 0.1), 1)  # fmt: skip
    found["export_goal_s"], found["rate_goal"] = EXPORT_GOAL, RATE_GOAL
    return found


def _run(*words: str) -> str:
    command = [sys.executable, "-c", "from tocsin.cli import main; main(prog_name='tocsin')", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout


# Making it.


def _of_alerts(places: range) -> list[tuple[str, str, str, int, bytes]]:
    """The pages of some alerts, and stand-ins of their other outputs; in a process of its own."""
    import django

    django.setup()
    from tests import alerts_made

    from tocsin.centre.alerts import editions, files
    from tocsin.centre.alerts.public.alert_pages import Published, pages_of
    from tocsin.centre.alerts.public.frame import Frame
    from tocsin.products.alerts import addresses
    from tocsin.reference.reporting import reporting

    frame, found = Frame(editions.issuer(), reporting=reporting()), []
    for place in places:
        edition = alerts_made.edition(place)
        others = list(_stand_ins(edition, addresses))
        pages = pages_of(frame, Published(edition, alerts_made.history(edition), [each[0] for each in others]),
                         alerts_made.NOW)  # fmt: skip
        for page in pages:
            others += [(page.file.path, page.file.media_type, page.file.body)]
            others += [(f"{page.file.path}index.html.sig", "application/octet-stream", os.urandom(64))]
        found += [(path, kind, files.keep(body), len(body), b"") for path, kind, body in others]
    return found


def _stand_ins(edition: Any, addresses: Any) -> Iterator[tuple[str, str, bytes]]:
    number, text = edition.number, f"{edition.texts[0].happening}\n".encode()
    for path, kind, body in [
        (addresses.cap(number, edition.version), "application/cap+xml", b"<alert>" + text * 20 + b"</alert>"),
        (addresses.cap(number), "application/cap+xml", b"<alert>" + text * 20 + b"</alert>"),
        (addresses.stix(number), "application/stix+json", b'{"' + text.replace(b"\n", b" ") * 16 + b'":1}'),
    ]:
        yield path, kind, body
        yield path + addresses.SIGNATURE, "application/octet-stream", os.urandom(64)
    for language in edition.languages:
        for path, kind, body in [
            (addresses.plain(number, language), "text/plain; charset=utf-8", text * 3 + language.encode()),
            (addresses.short(number, language), "text/plain; charset=utf-8", text[:140] + language.encode()),
            (addresses.linked_data(number, language), "application/ld+json", b"{" + text * 4 + b"}"),
        ]:
            yield path, kind, body
            yield path + addresses.SIGNATURE, "application/octet-stream", os.urandom(64)


def made(alerts: int) -> dict[str, Any]:
    """Every file of the site into the store, with its row; then what one further alert changes."""
    from tests import alerts_made

    from tocsin.centre.alerts import editions, files
    from tocsin.centre.alerts.models import PublicFile, PublicState
    from tocsin.centre.alerts.public import site as pages
    from tocsin.centre.alerts.public.entries import entry_of
    from tocsin.centre.alerts.public.frame import Frame
    from tocsin.reference.reporting import reporting

    begun = time.monotonic()
    step = max(1, alerts // 16)
    parts = [range(each, min(each + step, alerts)) for each in range(0, alerts, step)]
    with ProcessPoolExecutor(os.cpu_count() or 2) as pool:
        rows = [row for part in pool.map(_of_alerts, parts) for row in part]
    entries = [entry_of(each) for each in alerts_made.editions(alerts)]
    frame = Frame(editions.issuer(), reporting=reporting())
    cpu = time.process_time()
    shared = list(pages.all_pages(frame, entries, alerts_made.NOW))
    shared_s = time.process_time() - cpu
    digests = files.keep_all(each.body for each in shared)
    rows += [(each.path, each.media_type, digest, len(each.body), b"") for each, digest in zip(shared, digests)]
    PublicFile.objects.bulk_create(
        [PublicFile(path=path, media_type=kind, sha256=digest, size=size, published_at=alerts_made.NOW,
                    language=path.split("/")[0] if re.match(r"(en|fr|es|ar)/", path) else "")
         for path, kind, digest, size, _ in rows], batch_size=500,
    )  # fmt: skip
    PublicState.objects.update_or_create(pk=1, defaults={"changes": 1})
    cpu = time.process_time()
    changed = list(pages.pages_changed(frame, entries, {entries[0].number}, {}, alerts_made.NOW))
    return {
        "files": len(rows), "wall_s": round(time.monotonic() - begun, 1), "shared_files": len(shared),
        "shared_cpu_s": round(shared_s, 2), "one_alert_changes_files": len(changed),
        "one_alert_cpu_s": round(time.process_time() - cpu, 2),
    }  # fmt: skip


def _pages_asked() -> list[str]:
    from tocsin.centre.alerts.models import PublicFile

    found = PublicFile.objects.filter(path__endswith="/").order_by("sha256").values_list("path", flat=True)
    return [each for each in found[: PAGES * 2] if each][:PAGES]


def _change(path: str) -> None:
    from tocsin.centre.alerts import files
    from tocsin.centre.alerts.models import PublicFile, PublicState

    PublicFile.objects.filter(path=path).update(sha256=files.keep(b"<!doctype html><p>changed</p>"))
    PublicState.objects.filter(pk=1).update(changes=2)


def exported(site: Path) -> dict[str, Any]:
    """The command itself, as somebody runs it."""
    begun = time.monotonic()
    children = os.times()
    done = json.loads(_run("alert", "export-site", str(site), "--json"))
    after = os.times()
    cpu = after.children_user + after.children_system - children.children_user - children.children_system
    return {"files": done["files"], "written": done["written"], "megabytes": round(done["size_bytes"] / 1e6),
            "wall_s": round(time.monotonic() - begun, 1), "cpu_s": round(cpu, 1)}  # fmt: skip


# Serving it.


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _script(folder: Path, paths: list[str]) -> Path:
    """What wrk asks for."""
    script = folder / "pages.lua"
    listed = ",\n".join(json.dumps(f"/alerts/{each}") for each in paths)
    script.write_text(
        f"local paths = {{\n{listed}\n}}\nlocal at = 0\nrequest = function()\n  at = at % #paths + 1\n"
        '  return wrk.format("GET", paths[at], {["Accept-Encoding"] = "gzip", ["Connection"] = "keep-alive"})\nend\n'
        'done = function(summary)\n  io.write(string.format("FAULTS %d %d\\n", summary.errors.status,'
        " summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))\nend\n",
        encoding="utf-8",
    )
    return script


@contextmanager
def portal() -> Iterator[tuple[psutil.Process, int]]:
    port = _port()
    process = subprocess.Popen([sys.executable, "-m", "tocsin.site.serving", "127.0.0.1", str(port)], env=os.environ)
    try:
        _wait(port)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def nginx(folder: Path, site: Path) -> Iterator[tuple[psutil.Process, int]]:
    port = _port()
    settings = folder / "nginx.conf"
    (folder / "logs").mkdir(exist_ok=True)
    user = "user root;\n" if os.geteuid() == 0 else ""
    settings.write_text(
        f"{user}daemon off;\nworker_processes auto;\npid {folder}/nginx.pid;\nerror_log {folder}/logs/error.log;\n"
        "events { worker_connections 1024; }\nhttp {\n  access_log off;\n  sendfile on;\n"
        f"  open_file_cache max=10000;\n  include {site}/hints/nginx-http.conf;\n"
        f"  server {{\n    listen 127.0.0.1:{port};\n    include {site}/hints/nginx-server.conf;\n  }}\n}}\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(settings)])
    try:
        _wait(port)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    for _ in range(300):
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("nothing listens")


def _cpu(process: psutil.Process) -> float:
    all_of = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in all_of)


def asked_by_wrk(process: psutil.Process, port: int, script: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Once to warm up, then what counts."""
    command = ["wrk", "-t", "1", "-c", str(asked.connections), "-s", str(script), "--latency"]
    subprocess.run([*command, "-d", "2s", f"http://127.0.0.1:{port}/"], check=True, capture_output=True)
    before = _cpu(process)
    said = subprocess.run(
        [*command, "-d", f"{asked.seconds}s", f"http://127.0.0.1:{port}/"], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    cpu = _cpu(process) - before
    count = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    return {
        "requests_per_s": round(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])),  # type: ignore[index]
        "requests_per_cpu_s": round(count / max(cpu, 0.001)), "cpu_us_each": round(cpu / count * 1e6, 1),
        "p99": re.search(r"99%\s+(\S+)", said)[1], "faults": said.split("FAULTS ")[1].split(),  # type: ignore[index]
        "memory_mb": round(process.memory_info().rss / 1e6),
    }  # fmt: skip


if __name__ == "__main__":
    main()
