"""How quick pages stay beside slow clients and a flood of deliveries, and how soon an urgent delivery is read in it.

    python bench/doors.py [--pages 200] [--slow 1000] [--flood 8] [--seconds 15]

Starts the real portal with two workers on a fresh installation. Somebody asks for a page again and again: alone, beside
clients that hold connections with half a form, half a delivery or half a head each, and beside partners that hand over
by API and TAXII as fast as they can. Then an ordinary and an urgent delivery of another partner are handed over behind
what the flood left, and the time until each was read is taken. Wall times on a shared machine say little: what counts
are the ratios to the same page alone, and the time of the processor for each page. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.history import TAXII, House, content_of

SLOW_GOAL, FLOOD_GOAL, URGENT_GOAL = 2.0, 10.0, 30.0
"""Median of a page beside slow clients and beside a flood, against it alone; seconds until what is urgent was read."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("pages", 200), ("slow", 1_000), ("flood", 8), ("seconds", 15)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "home")
        try:
            print(json.dumps(measured(house, asked)))
        finally:
            if house.process is not None:
                house.kill()


def measured(house: House, asked: argparse.Namespace) -> dict[str, Any]:
    """All of it, one after the other."""
    partners = house.ask("make")
    house.start()
    process = _portal_of(house)
    pages(house, 20)  # What is made at the first request is made.
    found: dict[str, Any] = {"bench": "doors", "alone": timed(house, process, asked.pages)}
    with contextlib.ExitStack() as opened:
        for number in range(asked.slow):
            line = opened.enter_context(socket.create_connection(("127.0.0.1", house.port)))
            line.sendall(_half(house, number, next(iter(partners.values()))["key"]))
        found["beside slow"] = timed(house, process, asked.pages)
    end, taken = threading.Event(), Counter[int]()
    sources = list(partners.items())[:2]
    floods = [threading.Thread(target=flood, args=(house, *sources[n % 2], n, end, taken)) for n in range(asked.flood)]
    for each in floods:
        each.start()
    time.sleep(asked.seconds / 3)
    found["beside flood"] = timed(house, process, asked.pages)
    time.sleep(asked.seconds / 3)
    found["waited behind"] = house.ask("still")["open"]
    found |= read_after(house, *list(partners.items())[2])
    end.set()
    for each in floods:
        each.join()
    found["answers to the flood"] = dict(taken)
    found["resident_mb"] = process.memory_info().rss >> 20
    median = found["alone"]["p50_ms"]
    found["ratios"] = {name: round(found[name]["p50_ms"] / median, 2) for name in ("beside slow", "beside flood")}
    last = found["alone"]["p99_ms"]
    found["p99_ratios"] = {name: round(found[name]["p99_ms"] / last, 2) for name in ("beside slow", "beside flood")}
    found |= {"slow": asked.slow, "slow_p99_over_alone": found["p99_ratios"]["beside slow"]}
    within = found["ratios"]["beside slow"] <= SLOW_GOAL and found["ratios"]["beside flood"] <= FLOOD_GOAL
    found["is_met"] = within and found["urgent_seconds"] <= URGENT_GOAL
    return found


def _portal_of(house: House) -> psutil.Process:
    assert house.process is not None
    return next(
        each for each in psutil.Process(house.process.pid).children() if "tocsin.site.serving" in each.cmdline()
    )


def pages(house: House, number: int) -> list[float]:
    """Seconds of each of so many pages, on a connection of its own as a new reader has it.

    By the plain client of the standard library: what httpx makes for each connection takes longer than the page.
    """
    found = []
    for _ in range(number):
        began = time.perf_counter()
        line = HTTPConnection("127.0.0.1", house.port, timeout=120)
        line.request("GET", "/sign-in/")
        answer = line.getresponse()
        assert answer.status == 200
        answer.read()
        line.close()
        found.append(time.perf_counter() - began)
    return found


def timed(house: House, process: psutil.Process, number: int) -> dict[str, float]:
    """What pages took, and what they cost; beside a flood the cost is that of the flood as well."""
    before = process.cpu_times()
    seconds = sorted(pages(house, number))
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return {
        "p50_ms": round(statistics.median(seconds) * 1000, 2), "p99_ms": round(seconds[int(number * 0.99)] * 1000, 2),
        "portal_cpu_ms_for_each": round(spent / number * 1000, 2),
    }  # fmt: skip


def _half(house: House, number: int, key: str) -> bytes:
    host = f"Host: 127.0.0.1:{house.port}\r\n"
    cookie = f"Cookie: csrftoken={'a' * 32}\r\n"
    halves = (
        f"POST /sign-in/ HTTP/1.1\r\n{host}{cookie}Content-Length: 900\r\n\r\nlogin=",
        f"POST /api/v1/deliveries HTTP/1.1\r\n{host}Authorization: Bearer {key}\r\nContent-Length: 900000\r\n\r\nip\n",
        f"GET /sign-in/ HTTP/1.1\r\n{host}X-Half: ",
    )
    return halves[number % len(halves)].encode()


def flood(
    house: House, source: str, who: dict[str, str], number: int, end: threading.Event, taken: Counter[int]
) -> None:
    """One after the other, each of a hundred rows, by API or TAXII."""
    headers = {"Authorization": f"Bearer {who['key']}"}
    each = number * 1_000_000
    with httpx.Client(base_url=house.address, timeout=120) as client:
        while not end.is_set():
            each += 1
            if number % 4 == 3:
                kinds = {"Accept": TAXII, "Content-Type": TAXII}
                path, content = f"/taxii2/{source}/collections/inbox/objects/", content_of("taxii", source, each, 100)
                answer = client.post(path, content=content, headers={**headers, **kinds})
            else:
                content = content_of("api", source, each, 100)
                answer = client.post("/api/v1/deliveries?name=list.csv", content=content, headers=headers)
            taken[answer.status_code] += 1


def read_after(house: House, source: str, who: dict[str, str]) -> dict[str, float]:
    """Seconds from the receipt to the end of reading, of an ordinary delivery and of an urgent one of somebody else."""
    headers, found = {"Authorization": f"Bearer {who['key']}"}, {}
    for number, kind in enumerate(("ordinary", "urgent")):
        query = "?name=list.csv" + ("&urgent=now" if kind == "urgent" else "")
        content = content_of("api", source, number, 100)
        address = f"{house.address}/api/v1/deliveries"
        receipt = httpx.post(address + query, content=content, headers=headers, timeout=120).json()["receipt"]
        began = time.perf_counter()
        while httpx.get(f"{address}/{receipt}", headers=headers, timeout=120).json()["state"] == "received":
            time.sleep(0.05)
        found[f"{kind}_seconds"] = round(time.perf_counter() - began, 2)
    return found


if __name__ == "__main__":
    main()
