"""The database's server is killed, and cut off without a word, while partners hand over and workers read.

A history of what was acknowledged is kept by who sent it: afterwards each is there once, and all of it was read.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.faults import far_server
from tests.faults.far_server import FarServer
from tests.faults.installation import Installation

TOCSIN = (sys.executable, "-c", "from tocsin.cli import main; main(prog_name='tocsin')")
HANG_SECONDS = 60
"""Nothing here takes as long; who waits for longer would wait for ever."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,  # In the pass on PostgreSQL, though it asks a server of its own.
    pytest.mark.skipif(
        not os.environ.get("TOCSIN_TEST_DATABASE"), reason="there is no server to lose: in the pass on PostgreSQL"
    ),
    pytest.mark.skipif(
        far_server.programs() is None or not far_server.may_make_networks(),
        reason="no network namespace may be made here, or there is no PostgreSQL: the cable cannot be cut",
    ),
]


class Partner(threading.Thread):
    """Somebody who hands over one small table after the other, and keeps what was acknowledged."""

    def __init__(self, port: int, key: str, first: int) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.first = port, key, first
        self.stop, self.acknowledged, self.refused = threading.Event(), dict[str, str](), list[int]()

    def run(self) -> None:
        number = self.first
        while not self.stop.is_set():
            content = f"ip,seen\n8.8.{number // 200}.{number % 200 + 1},2026-11-20\n".encode()
            status, body = asked(
                self.port, "POST", f"/api/v1/deliveries?filename=n{number}.csv", content,
                {"Authorization": f"Bearer {self.key}", "Idempotency-Key": str(number), "Content-Type": "text/csv"},
            )  # fmt: skip
            if status in {200, 201, 202}:
                self.acknowledged[str(number)] = json.loads(body)["receipt"]
                number += 1
            else:  # The same again under the same key, until it is acknowledged.
                self.refused.append(status)
            self.stop.wait(0.05)


def asked(
    port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """The status and the body of an answer; 0 where there was none."""
    connection = HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[FarServer]:
    made = FarServer()
    try:
        made.make()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def installation(server: FarServer, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("far") / "home")
    made.home.mkdir()
    (made.home / "tocsin.toml").write_text(f'database = "{server.address}"\nsecret = "{"s" * 43}"\n')
    subprocess.run([*TOCSIN, "init"], env=made.environment, check=True, capture_output=True, timeout=120)
    return made


def step(installation: Installation, word: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.test_far_server", word], env=installation.environment,
        capture_output=True, text=True, timeout=3 * HANG_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture
def port(installation: Installation, tmp_path: Path) -> Iterator[int]:
    """The portal with a worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [*TOCSIN, "serve", "--port", str(number)], env=installation.environment, start_new_session=True,
            stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until = time.monotonic() + HANG_SECONDS
        while asked(number, "GET", "/sign-in/")[0] != 200:
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < until
            time.sleep(0.2)
        yield number
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("how", ["killed", "cut off"])
def test_nothing_acknowledged_is_lost(how: str, server: FarServer, installation: Installation, port: int) -> None:
    before = len(step(installation, "tell")["deliveries"])
    partner = Partner(port, step(installation, "key"), first=before)
    partner.start()
    wait_for(lambda: len(partner.acknowledged) >= 5)
    (server.kill if how == "killed" else server.cut)()
    known = len(partner.acknowledged)
    status, body = asked(port, "GET", "/sign-in/")
    assert status == 503
    assert b"cannot reach its database" in body
    assert asked(port, "GET", "/health")[0] == 503
    wait_for(lambda: 503 in partner.refused)
    status, body = asked(port, "GET", "/taxii2/", headers={"Authorization": f"Bearer {partner.key}"})
    assert (status, json.loads(body)["http_status"]) == (503, "503")
    (server.start if how == "killed" else server.mend)()
    wait_for(lambda: len(partner.acknowledged) >= known + 5)
    partner.stop.set()
    partner.join(HANG_SECONDS)
    assert set(partner.refused) <= {503}
    told = step(installation, "tell")
    assert told["open"] == 0
    receipts = [receipt for receipt, _ in told["deliveries"]]
    assert len(receipts) == len(set(receipts)) == before + len(partner.acknowledged)
    assert set(partner.acknowledged.values()) <= set(receipts)
    assert {state for _, state in told["deliveries"]} == {"parsed"}
    assert told["rows"] == len(receipts)
    assert told["received"] == sorted(receipts)
    assert told["faults"] == []
    assert asked(port, "GET", "/sign-in/")[0] == 200


def wait_for(is_so: Any) -> None:
    until = time.monotonic() + 2 * HANG_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def _key() -> str:
    from django.utils import timezone
    from tests import builders

    from tocsin.centre.members.models import Person
    from tocsin.centre.members.services import add_key

    who = Person.objects.filter(login="pia").first() or builders.person(
        "pia", builders.organisation("kestrel"), "analyst"
    )
    return str(
        add_key(
            person=who,
            name="k",
            scopes=["deliver", "read", "taxii"],
            by=who.login,
            at=timezone.now(),
            expires_at=timezone.now() + timedelta(days=9),
        )[1]
    )


def _tell() -> dict[str, Any]:
    """What there is when all was read."""
    from tocsin.centre.audit import tree
    from tocsin.centre.audit.models import Entry
    from tocsin.centre.intake.models import Delivery, LakeFile
    from tocsin.centre.jobs.models import Job
    from tocsin.site.act_log import log_of_acts

    reading = Job.objects.filter(state__in=["waiting", "running"], kind="read-delivery")
    until = time.monotonic() + 2 * HANG_SECONDS
    while reading.exists() and time.monotonic() < until:
        time.sleep(0.1)
    received = Entry.objects.filter(action="delivery.received").values_list("subject", flat=True)
    names = dict(Delivery.objects.values_list("pk", "receipt"))
    return {
        "deliveries": list(Delivery.objects.values_list("receipt", "state")),
        "open": reading.count(),
        "rows": sum(LakeFile.objects.filter(retired_at=None).values_list("rows", flat=True)),
        "received": sorted(names[int(subject.partition(":")[2])] for subject in received),
        "faults": tree.verify(log_of_acts()).faults,
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django

    django.setup()
    print(json.dumps({"key": _key, "tell": _tell}[sys.argv[1]]()))
