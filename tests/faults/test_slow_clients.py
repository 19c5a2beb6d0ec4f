"""The real portal under clients that mean no good, or are many: other people's pages answer, memory stays flat."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from tests.faults.history import House

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="runs on its own SQLite database")
pytestmark = [NO_SERVER, pytest.mark.slow]
LATEST = 60.0
CONNECTIONS = 10_000
LIMIT_BYTES = 24 << 20
UPLOADS = 30


@dataclass(frozen=True, slots=True)
class Portal:
    """A running portal, and the key of a partner."""

    house: House
    home: Path
    keys: list[str]

    def line(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.house.port), timeout=LATEST)

    def asks(self, path: str = "/sign-in/") -> int:
        """The status of a page, for somebody who has nothing to do with all this."""
        return httpx.get(f"{self.house.address}{path}", timeout=LATEST).status_code

    def head(self, path: str, *further: str, key: int | None = 0) -> bytes:
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{self.house.port}", *further]
        lines += [] if key is None else [f"Authorization: Bearer {self.keys[key]}"]
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def resident_bytes(self) -> int:
        assert self.house.process is not None
        inner = psutil.Process(self.house.process.pid).children()
        return max(int(each.memory_info().rss) for each in inner if "tocsin.site.serving" in each.cmdline())

    @property
    def incoming(self) -> list[str]:
        folder = self.home / "store" / "incoming"
        return [path.name for path in folder.glob("*")] if folder.exists() else []


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    home = tmp_path_factory.mktemp("slow") / "home"
    house = House(home)
    try:
        partners = house.ask("make")
        settings = home / "tocsin.toml"
        settings.write_text(f"upload_limit_bytes = {LIMIT_BYTES}\n{settings.read_text()}")
        house.start()
        yield Portal(house, home, [each["key"] for each in partners.values()])
    finally:
        if house.process is not None:
            house.kill()


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process holds the other ends of all connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < CONNECTIONS + 500:
        pytest.skip("this process may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 500, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_pages_answer_beside_ten_thousand_connections(portal: Portal, many_files: None) -> None:
    """Most say nothing; two hundred send half a form, two hundred half a delivery, two hundred half a head."""
    form = portal.head("/sign-in/", f"Cookie: csrftoken={'a' * 32}", "Content-Length: 900", key=None) + b"login="
    delivery = portal.head("/api/v1/deliveries", "Content-Length: 900000") + b"ip\n"
    with contextlib.ExitStack() as opened:
        lines = [opened.enter_context(portal.line()) for _ in range(CONNECTIONS)]
        for place, half in ((0, form), (200, delivery), (400, form[:40])):
            for line in lines[place : place + 200]:
                line.sendall(half)
        assert [portal.asks() for _ in range(10)] == [200] * 10
        assert portal.asks("/health") == 200
    assert portal.resident_bytes < 500 << 20


def _status(line: socket.socket) -> tuple[int, bytes]:
    heard = b""
    with contextlib.suppress(ConnectionError):
        while more := line.recv(65_536):
            heard += more
    return (int(heard[9:12]) if heard else 0), heard


@pytest.mark.parametrize("door", ["api", "page", "page of a stranger"])
def test_five_gigabytes_are_refused_by_their_length(door: str, portal: Portal) -> None:
    path = "/api/v1/deliveries" if door == "api" else "/sign-in/" if "stranger" in door else "/upload/"
    kind = "Content-Type: multipart/form-data; boundary=b"
    head = portal.head(path, f"Content-Length: {5 << 30}", kind, f"Cookie: csrftoken={'a' * 32}")
    with portal.line() as line:
        line.sendall(head)
        assert _status(line)[0] == 413


@pytest.mark.parametrize("door", ["/api/v1/deliveries", "/taxii2/partner-0/collections/inbox/objects/"])
def test_a_body_without_a_length_is_refused_when_it_is_too_much(door: str, portal: Portal) -> None:
    before, kind = portal.resident_bytes, "application/taxii+json;version=2.1"
    head = portal.head(door, "Transfer-Encoding: chunked", f"Content-Type: {kind}", f"Accept: {kind}")
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with portal.line() as line:
        line.sendall(head)
        found: list[int] = []
        reader = threading.Thread(target=lambda: found.append(_status(line)[0]))
        reader.start()
        with contextlib.suppress(OSError):
            for _ in range(5 << 14):  # 5 GB, if nobody objected.
                line.sendall(piece)
        reader.join(LATEST)
    assert found == [413]
    assert portal.incoming == []
    assert portal.resident_bytes - before < (64 << 20) + (LIMIT_BYTES if "taxii" in door else 0) * 3


def test_many_large_uploads_at_once_are_kept_or_told_to_come_again(portal: Portal) -> None:
    """Of one organisation, so many at once as it may; memory does not grow with what comes in."""
    before, told = portal.resident_bytes, Counter[int]()
    together = threading.Barrier(UPLOADS)

    def one(number: int) -> None:
        head = portal.head("/api/v1/deliveries?name=a.csv", f"Content-Length: {20 << 20}", "Connection: close", key=1)
        together.wait(LATEST)
        with portal.line() as line, contextlib.suppress(OSError):
            line.sendall(head + f"timestamp,ip\nupload {number}".encode().ljust(1 << 16))
            for _ in range((20 << 20) // (1 << 16) - 1):
                line.sendall(b" " * (1 << 16))
            status, heard = _status(line)
            told[status] += 1
            assert status != 429 or b"Retry-After: " in heard

    threads = [threading.Thread(target=one, args=(number,)) for number in range(UPLOADS)]
    for each in threads:
        each.start()
    assert portal.asks() == 200
    for each in threads:
        each.join(2 * LATEST)
    # Who is refused while it still sends may see its connection end before it sees why.
    assert told[202] >= 16
    assert set(told) <= {202, 429, 0}
    assert portal.resident_bytes - before < 200 << 20


def test_no_upload_that_was_cut_leaves_anything(portal: Portal) -> None:
    for _ in range(5):
        with portal.line() as line:
            line.sendall(portal.head("/api/v1/deliveries", "Content-Length: 9000000", key=2) + b"a" * 3_000_000)
    assert portal.asks() == 200
    shown = subprocess.run(["ls", str(portal.home / "store" / "incoming")], capture_output=True, text=True, check=False)
    for _ in range(50):
        if not portal.incoming:
            break
        portal.asks("/health")
    assert portal.incoming == [], shown.stdout
