"""Plays a history of writes at a portal whose processes are killed at random, and checks that it kept its word.

`python -m tests.faults.history SECONDS [SEED]` plays a longer one than the suite does. Clients hand over by page, API
and TAXII, call things urgent, and try again as clients do that lost the answer. `faults_of` says what the portal broke:
each acknowledged write must be there exactly once in the end (row, bytes, rows of the lake, acts), and none that was
not acknowledged more than once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

ROOT = Path(__file__).resolve().parents[2]
TAXII = "application/taxii+json;version=2.1"
LATEST = 60.0
PAUSE_SECONDS = 0.3
LEAST_BLOWS = 3
LEAST_WRITES = 5
"""Acknowledged ones. Both however slow the machine is."""
DOORS = ("api", "api", "taxii", "page")


@dataclass
class Write:
    """What a client handed over, and what it was told."""

    source: str
    door: str
    key: str
    content: bytes
    rows: int
    receipts: set[str] = field(default_factory=set)
    is_called_urgent: bool = False
    """Whether that was acknowledged."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def faults_of(history: Sequence[Write], told: dict[str, Any]) -> list[str]:
    """What of a history the portal did not keep, in words; nothing: it kept all of it."""
    faults = [f"a job is left over: {each}" for each in told["jobs"]]
    faults += [f"a reading left a folder: {each}" for each in told["left in work"]]
    of_receipt = {each["receipt"]: each for each in told["deliveries"]}
    firsts: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in told["deliveries"]:
        if each["state"] != "duplicate":
            firsts.setdefault((each["source"], each["sha256"]), []).append(each)
    sent = {(each.source, each.sha256): each for each in history}
    for known, found in firsts.items():
        if known not in sent:
            faults.append(f"{known}: nobody sent this")
        elif len(found) > 1:
            faults.append(f"{known}: {len(found)} deliveries of the same bytes")
        else:
            faults += [f"{known}: {each}" for each in _faults_of_one(sent[known], found[0])]
    for each in told["deliveries"]:
        if each["state"] == "duplicate":
            first = of_receipt.get(each["first"])
            if first is None or first["sha256"] != each["sha256"] or each["acts"] != ["delivery.duplicate"]:
                faults.append(f"{each['receipt']}: not a duplicate of what it says, or {each['acts']}")
    for write in history:
        for receipt in write.receipts:
            if receipt not in of_receipt:
                faults.append(f"{receipt}: acknowledged and lost")
            elif of_receipt[receipt]["sha256"] != write.sha256 or of_receipt[receipt]["source"] != write.source:
                faults.append(f"{receipt}: another's bytes")
        if write.receipts and len(firsts.get((write.source, write.sha256), ())) != 1:
            faults.append(f"{write.source} {write.key}: acknowledged, and not there once")
        if write.door == "api" and len(write.receipts) > 1:
            faults.append(f"{write.source} {write.key}: one key, {len(write.receipts)} receipts")
    return faults


def _faults_of_one(write: Write, found: dict[str, Any]) -> Iterator[str]:
    if found["state"] != "parsed":
        yield f"its state is {found['state']}"
    if not found["is_kept"]:
        yield "its bytes are not in the store"
    if not found["rows"] == found["in_lake"] == write.rows:
        yield f"{write.rows} rows were sent, {found['rows']} are counted, {found['in_lake']} are in the lake"
    acts = Counter(found["acts"])
    for act in ("delivery.received", "delivery.parsed"):
        if acts[act] != 1:
            yield f"{acts[act]} times {act} in the log"
    if acts["delivery.called-urgent"] != int(found["is_urgent"]) or (write.is_called_urgent and not found["is_urgent"]):
        yield f"called urgent {acts['delivery.called-urgent']} times in the log"


def content_of(door: str, source: str, number: int, rows: int) -> bytes:
    """Something of so many rows that nobody else hands over."""
    salt = int(hashlib.sha256(f"{source} {door} {number}".encode()).hexdigest()[:6], 16)
    values = [f"h{salt:x}-{row}.phish.example" for row in range(rows)]
    if door != "taxii":
        return ("timestamp,domain\n" + "".join(f"2026-11-01T00:00:00Z,{value}\n" for value in values)).encode()
    moment = "2026-11-01T00:00:00.000Z"
    return json.dumps({
        "objects": [
            {"type": "indicator", "spec_version": "2.1", "created": moment,
             "id": f"indicator--00000000-0000-4000-8000-{salt:06x}{row:06x}", "modified": moment,
             "valid_from": moment, "pattern_type": "stix",
             "pattern": f"[domain-name:value = '{value}']"}
            for row, value in enumerate(values)
        ]
    }).encode()  # fmt: skip


class Client(threading.Thread):
    """One program or person that hands over one thing after the other, and tries again until it has a receipt."""

    def __init__(
        self, address: str, source: str, who: dict[str, str], door: str, end: threading.Event, seed: int
    ) -> None:
        super().__init__(daemon=True)
        self.address, self.source, self.who, self.door, self.end = address, source, who, door, end
        self.dice = random.Random(seed)
        self.writes: list[Write] = []
        self._http = httpx.Client(base_url=address, timeout=20)

    def run(self) -> None:
        number = 0
        while not self.end.is_set():
            rows = self.dice.choice([1, 3, 20, 400])
            content = content_of(self.door, self.source, number, rows)
            self.writes.append(Write(self.source, self.door, str(number), content, rows))
            self._hand_over(self.writes[-1])
            number += 1

    def _hand_over(self, write: Write) -> None:
        while not self.end.is_set():
            try:
                receipt = self._sent(write)
                if receipt:
                    write.receipts.add(receipt)
                if receipt and self.dice.random() < 0.2 and self.door == "api":
                    self._call_urgent(write, receipt)
                # Now and then the answer is lost on its way, and the client sends it all again.
                if receipt and self.dice.random() > 0.2:
                    return
            except httpx.HTTPError:
                self._http.close()
                self._http = httpx.Client(base_url=self.address, timeout=20, cookies=self._http.cookies)
            self.end.wait(PAUSE_SECONDS * self.dice.random())

    def _sent(self, write: Write) -> str:
        key = {"Authorization": f"Bearer {self.who['key']}"}
        if self.door == "api":
            headers = {**key, "Idempotency-Key": write.key, "Tocsin-Name": "list.csv"}
            answer = self._http.post("/api/v1/deliveries", content=write.content, headers=headers)
            return str(answer.json()["receipt"]) if answer.status_code == 202 else ""
        if self.door == "taxii":
            headers = {**key, "Accept": TAXII, "Content-Type": TAXII}
            path = f"/taxii2/{self.source}/collections/inbox/objects/"
            answer = self._http.post(path, content=write.content, headers=headers)
            # A status is named by the receipt, written as a UUID.
            said = UUID(answer.json()["id"]).bytes if answer.status_code == 202 else b""
            return urlsafe_b64encode(said).rstrip(b"=").decode()
        return self._sent_by_page(write)

    def _sent_by_page(self, write: Write) -> str:
        page = self._http.get("/upload/", follow_redirects=True)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        if token is None:
            return ""
        said = {"csrfmiddlewaretoken": token[1]}
        if "/sign-in/" in str(page.url):
            self._http.post("/sign-in/", data={**said, "login": self.who["login"], "password": self.who["password"]})
            return ""
        answer = self._http.post(
            "/upload/", data={**said, "organisation": self.source, "marking": "TLP:AMBER"},
            files={"files": ("list.csv", write.content, "text/csv")}, headers={"Accept": "application/json"},
        )  # fmt: skip
        if answer.status_code != 200 or not (results := answer.json().get("results")):
            return ""
        return str(results[0]["url"]).rstrip("/").rpartition("/")[2]

    def _call_urgent(self, write: Write, receipt: str) -> None:
        headers = {"Authorization": f"Bearer {self.who['key']}"}
        path = f"/api/v1/deliveries/{receipt}/urgent"
        answer = self._http.post(path, json={"reason": "a list that is used now"}, headers=headers)
        write.is_called_urgent = write.is_called_urgent or answer.status_code == 200


class House:
    """An installation with its processes, which may be killed."""

    def __init__(self, home: Path, database: str = "", **further: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "DJANGO_"))}
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self.environment = {**kept, "TOCSIN_HOME": str(home), "TOCSIN_DATABASE": database, "PYTHONPATH": paths}
        self.environment |= further
        self.said = home.parent / "said"
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, word: str) -> Any:
        command = [sys.executable, "-m", "tests.faults.history_house", word]
        ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=180, check=False)
        assert ran.returncode == 0, ran.stderr[-3000:]
        return json.loads(ran.stdout.splitlines()[-1])

    def start(self) -> None:
        program = "from tocsin.cli import main; main(prog_name='tocsin')"
        command = [sys.executable, "-c", program, "serve", "--port", str(self.port), "--workers", "2"]
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                command, env=self.environment, start_new_session=True, stdout=said, stderr=said
            )
        until = time.monotonic() + LATEST
        while not self._answers():
            assert self.process.poll() is None, self.said.read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """kill -9 for all of it."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_one(self, what: str) -> bool:
        """kill -9 for one of its processes: the portal, or a worker."""
        assert self.process is not None
        shown = subprocess.run(
            ["ps", "-A", "-o", "pid=,pgid=,args="], capture_output=True, text=True, check=True
        ).stdout
        lines = [line.split(maxsplit=2) for line in shown.splitlines()]
        found = [int(pid) for pid, group, args in lines if int(group) == self.process.pid and what in args]
        with contextlib.suppress(ProcessLookupError):
            for pid in found[:1]:
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def stop(self) -> int:
        """The word to stop, and how it ended."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LATEST)

    def finish(self, how: str = "finish") -> None:
        """Wait until all was read; `wait`: by the workers alone, with their leases and pauses."""
        assert self.ask(how) == {"open": 0}, self.said.read_text()[-3000:]


def _is_enough(clients: Sequence[Client]) -> bool:
    """Whether each door has acknowledged something, and all of them enough."""
    doors = [write.door for each in clients for write in each.writes.copy() if write.receipts]
    return set(doors) == set(DOORS) and len(doors) >= LEAST_WRITES


def play(house: House, seconds: float, seed: int) -> tuple[list[Write], dict[str, Any], Counter[str]]:
    """What was written, what became of it, and what was done to the portal meanwhile."""
    dice, blows = random.Random(seed), Counter[str]()
    partners = house.ask("make")
    house.start()
    end = threading.Event()
    clients = [
        Client(house.address, source, who, DOORS[number % len(DOORS)], end, seed + number)
        for number, (source, who) in enumerate([*partners.items(), *partners.items()])
    ]
    for each in clients[:-2]:
        each.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until or sum(blows.values()) < LEAST_BLOWS:
        time.sleep(dice.uniform(1, 3))
        blow = dice.choice(["all", "portal", "worker", "worker", "stop"])
        blows[blow] += 1
        if blow == "worker":
            house.kill_one("tocsin.site.crew")
            continue
        if blow == "all":
            house.kill()
        elif blow == "portal":
            house.kill_one("tocsin.site.serving")
            assert house.process is not None
            house.process.wait(LATEST)
        else:
            assert house.stop() == 0
        house.start()
    # Where clients come to nothing between two blows, they come to something now.
    latest = time.monotonic() + 2 * LATEST
    while not _is_enough(clients) and time.monotonic() < latest:
        time.sleep(0.1)
    end.set()
    for each in clients[:-2]:
        each.join(LATEST)
    house.finish()
    assert house.stop() == 0
    return [write for each in clients for write in each.writes], house.ask("tell"), blows


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder) / "home", os.environ.get("TOCSIN_DATABASE", ""))
        try:
            history, told, blows = play(house, seconds, seed)
        finally:
            if house.process is not None:
                house.kill()
        faults = faults_of(history, told)
    acknowledged = sum(bool(each.receipts) for each in history)
    doors = Counter(each.door for each in history if each.receipts)
    print(json.dumps({"seed": seed, "written": len(history), "acknowledged": acknowledged, "by door": doors,
                      "blows": blows, "faults": faults}, indent=1))  # fmt: skip
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
