"""The portal with its workers, started for real: a signal to the first process ends them all, even a busy one."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.faults.installation import Installation

from tocsin.site import crew, occupancy, state

TOCSIN = (sys.executable, "-c", "from tocsin.cli import main; main(prog_name='tocsin')")
START_SECONDS = 60
STOP_SECONDS = 20
NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="runs on its own SQLite database")
pytestmark = [NO_SERVER, pytest.mark.slow]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("stopped") / "home")
    subprocess.run([*TOCSIN, "init"], env=made.environment, check=True, capture_output=True, timeout=120)
    return made


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def served(
    installation: Installation, port: int, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[bytes]]:
    """`tocsin serve`, leader of its own group, from the first answer on; what it says is in `said`."""
    drain = str(getattr(request, "param", 8))
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [*TOCSIN, "serve", "--port", str(port), "--workers", "2", "--drain-seconds", drain],
            env=installation.environment, start_new_session=True, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(port):
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < until
            time.sleep(0.2)
        yield process
    finally:
        if _group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 400
    except OSError:
        return False
    finally:
        connection.close()


def _group(leader: int) -> list[str]:
    """Command lines of the living processes of a group; those that only wait to be reaped are gone."""
    shown = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    columns = [line.split(maxsplit=2) for line in shown.splitlines()]
    return [args for group, state, args in columns if int(group) == leader and not state.startswith("Z")]


def _half_sent(port: int) -> socket.socket:
    """A request whose body never comes in full."""
    waiting = socket.create_connection(("127.0.0.1", port), timeout=1)
    lines = ("POST /sign-in/ HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Cookie: csrftoken={'a' * 32}",
             "Content-Type: application/x-www-form-urlencoded", "Content-Length: 100000", "", "name=")  # fmt: skip
    waiting.sendall("\r\n".join(lines).encode())
    with pytest.raises(TimeoutError):
        waiting.recv(1)
    return waiting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_first_process_ends_all(
    number: signal.Signals, served: subprocess.Popen[bytes], port: int, tmp_path: Path
) -> None:
    # The command, two workers and the portal.
    assert len(_group(served.pid)) >= 4
    with _half_sent(port):
        if number is signal.SIGHUP:  # A terminal that is closed tells the whole group.
            os.killpg(served.pid, number)
        else:
            served.send_signal(number)
        until = time.monotonic() + STOP_SECONDS
        while (left := _group(served.pid)) and time.monotonic() < until:
            served.poll()
            time.sleep(0.1)
    assert left == []
    assert served.wait() == 0
    # Nothing but where the portal is: a start that warns of itself teaches people to overlook warnings.
    said = (tmp_path / "said").read_text().splitlines()
    assert said[0] == f"The portal is at http://127.0.0.1:{port}/  (stop with Ctrl+C)"
    # What was cut off half-way is told as any other refusal is.
    assert [(line["kind"], line["status"]) for line in map(json.loads, said[1:])] == [("busy", 503)]


def _workers(leader: int) -> set[int]:
    """Process numbers of the living workers of a group."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat=,args="], capture_output=True, text=True, check=True)
    columns = [line.split(maxsplit=3) for line in shown.stdout.splitlines()]
    return {
        int(number)
        for number, group, state, args in columns
        if int(group) == leader and "tocsin.site.crew" in args and not state.startswith("Z")
    }


def test_a_killed_worker_is_replaced_and_told_of(
    served: subprocess.Popen[bytes], installation: Installation, tmp_path: Path
) -> None:
    before = _workers(served.pid)
    assert len(before) == 2
    told = Path(installation.environment["TOCSIN_HOME"]) / "workers.json"
    assert state.workers(told) == state.Workers(wanted=2, running=2, replaced=0, left_at=None, status=0)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    until = time.monotonic() + STOP_SECONDS
    while len(after := _workers(served.pid) - {killed}) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert len(after) == 2
    seen = state.workers(told)
    assert seen is not None
    assert (seen.running, seen.replaced, seen.signal) == (2, 1, "SIGKILL")
    assert f"worker {killed} ended by itself (status -9); another in 1 s" in (tmp_path / "said").read_text()
    served.send_signal(signal.SIGTERM)
    assert served.wait(timeout=STOP_SECONDS) == 0
    assert not told.exists()


def test_nothing_goes_on_where_the_first_process_was_killed(served: subprocess.Popen[bytes]) -> None:
    """Or the next start would find its port taken, by a portal that nobody can stop."""
    os.kill(served.pid, signal.SIGKILL)
    served.wait()
    until = time.monotonic() + 2 * STOP_SECONDS
    while (left := _group(served.pid)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


@pytest.mark.parametrize("served", [40], indirect=True)
def test_a_second_word_ends_all_at_once(served: subprocess.Popen[bytes], port: int) -> None:
    with _half_sent(port):
        os.killpg(served.pid, signal.SIGINT)  # As Ctrl+C does.
        time.sleep(0.5)
        served.send_signal(signal.SIGTERM)
        assert served.wait(STOP_SECONDS) == 0  # Not the forty seconds that what is half sent would get.
    assert _group(served.pid) == []


def test_places_are_filled_later_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_start", lambda *_: subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
    hands = crew.Crew(tmp_path / "workers.json", [crew._Place()])
    now, waits = 0.0, []
    for _ in range(7):
        hands.look(now)
        worker = hands.places[0].worker
        assert worker is not None
        worker.wait()
        hands.look(now)
        waits.append(hands.places[0].again - now)
        hands.look(now + waits[-1] - 0.1)
        assert hands.places[0].worker is None
        now += waits[-1]
    assert waits == [1, 2, 5, 15, 60, 60, 60]
    assert hands.last_end["status"] == 3


def _refused(installation: Installation, *arguments: str) -> str:
    """What a start says that must fail; nothing of it may be left."""
    process = subprocess.Popen(
        [*TOCSIN, "serve", *arguments], env=installation.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 1, said
        assert _group(process.pid) == []
        return said
    finally:
        if _group(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_portal_that_cannot_start_says_so_and_leaves_no_worker(installation: Installation, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert f"Another program listens at 127.0.0.1:{port}." in _refused(installation, "--port", str(port))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other_port = str(free.getsockname()[1])
    with (Path(installation.environment["TOCSIN_HOME"]) / occupancy.SERVING).open("w") as served:
        fcntl.flock(served, fcntl.LOCK_EX)
        assert "This installation is served already" in _refused(installation, "--port", other_port)
    # An address that is not this machine's.
    assert "The portal ended by itself" in _refused(installation, "--host", "192.0.2.1", "--port", str(port))
