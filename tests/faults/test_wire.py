"""The portal's own server, a small application behind it: what is whole came whole, slow clients hold nobody up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
LATEST = 30.0
HOST = b"Host: tocsin.example\r\n"
Start = Callable[..., "Server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its port."""

    process: subprocess.Popen[bytes]
    port: int

    def line(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=LATEST, source_address=(source, 0))

    def heard(self, line: socket.socket) -> bytes:
        """All that comes until the server closes the connection."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while more := line.recv(65_536):
                found += more
        return found

    def asked(self, raw: bytes) -> bytes:
        """The answers to some bytes, on a connection that the client will send no more on."""
        with self.line() as line:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            return self.heard(line)

    @property
    def resident_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _started(home: Path, **rules: float) -> Iterator[Server]:
    port = _free_port()
    words = [f"{name}={number}" for name, number in rules.items()]
    environment = {**os.environ, "TOCSIN_HOME": str(home), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "tests.faults.small_portal", str(port), *words]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + LATEST
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with _started(tmp_path_factory.mktemp("wire")) as started:
        yield started


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that loses patience soon, and has few threads."""
    few = {"page_threads": 2, "body_threads": 2, "stream_threads": 1}
    soon = {"head_seconds": 1.5, "idle_seconds": 2.0, "window_seconds": 1.0, "linger_seconds": 1.0}
    with _started(tmp_path_factory.mktemp("strict"), **few, **soon) as started:
        yield started


def _bodies(answers: bytes) -> list[dict[str, object]]:
    return [json.loads(found) for found in re.findall(rb"\{.*?\}", answers)]


def _request(path: str, body: bytes | None = None, coding: str = "length") -> bytes:
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n".encode() + HOST
    if body is None:
        return head + b"\r\n"
    if coding == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    half = len(body) // 2
    chunks = [chunk for chunk in (body[:half], body[half:]) if chunk]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


SIZE = st.one_of(st.none(), st.integers(0, 40), st.sampled_from([65_536, 65_537, 300_000]))
REQUEST = st.tuples(SIZE, st.sampled_from(["length", "chunked"]))


@settings(max_examples=60)
@given(asked=st.lists(REQUEST, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 2_000), max_size=6))
def test_however_the_bytes_come_each_request_is_answered_once_and_in_order(
    server: Server, asked: list[tuple[int | None, str]], cuts: list[int]
) -> None:
    """Requests one behind the other on one connection, cut anywhere: heads, bodies and what follows never mix."""
    bodies = [None if size is None else bytes([number]) * size for number, (size, _) in enumerate(asked)]
    raw = b"".join(_request(f"/{number}", body, asked[number][1]) for number, body in enumerate(bodies))
    with server.line() as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = 0
        for cut in sorted(cuts):
            line.sendall(raw[start : start + cut])
            start += cut
        line.sendall(raw[start:])
        line.shutdown(socket.SHUT_WR)
        told = _bodies(server.heard(line))
    expected = [(f"/{number}", hashlib.sha256(body or b"").hexdigest()) for number, body in enumerate(bodies)]
    assert [(each["path"], each["digest"]) for each in told] == expected


def _cut(line: socket.socket) -> None:
    """Reset: what a machine that lost its power looks like afterwards."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "half",
    [
        b"Content-Length: 100000\r\n\r\n" + b"a" * 70_000,
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n50\r\n01234",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nnonsense\r\n\r\n",
    ],
)
def test_a_body_that_breaks_off_is_never_taken_for_whole(
    half: bytes, is_reset: bool, server: Server, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    with server.line() as line:
        line.sendall(b"POST /cut HTTP/1.1\r\n" + HOST + f"X-Told: {told}\r\n".encode() + half)
        if is_reset:
            _until(Path(f"{told}.begun").exists)  # A reset takes along what the server has not read yet.
            _cut(line)
    _until(lambda: told.exists() and told.read_text() != "")
    assert told.read_text() in {"the client left", "what the client sent is no body"}


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LATEST
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # No host.
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET ftp://tocsin.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT tocsin.example:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\n" + b"Host: tocsin.example\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rC: d\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A b: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1e3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n01234", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * (1 << 20) + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * (1 << 20), 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 secret things to say", 400),  # TLS, where there is none.
    ],
)
def test_what_is_no_request_is_refused_once(raw: bytes, status: int, server: Server) -> None:
    with server.line() as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(raw)
        answers = re.findall(rb"HTTP/1\.1 (\d{3}) ", server.heard(line))
    assert answers == [str(status).encode()]


def test_names_with_underscores_bytes_of_headers_and_whole_addresses(server: Server) -> None:
    said = b"X_Said: forged\r\nX-Said: \xc3\xa9\r\nX-Said: b\r\n"
    [told] = _bodies(server.asked(b"GET http://other.example/%C3%A9?a=%20 HTTP/1.1\r\n" + HOST + said + b"\r\n"))
    assert (told["path"], told["query"], told["host"]) == ("/Ã©", "a=%20", "other.example")
    assert told["header"] == "Ã©,b"


def test_no_other_protocol_is_spoken_on_a_connection(server: Server) -> None:
    """Who asks for another, such as h2c or WebSocket, is answered in this one; what follows is a request or refused."""
    for name in (b"h2c", b"websocket"):
        asked = b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: " + name + b"\r\n\r\n"
        with server.line() as line:
            line.sendall(asked + b"\x81\x05hello")
            assert re.findall(rb"HTTP/1\.1 (\d{3}) ", server.heard(line)) == [b"200", b"400"]


def test_a_second_head_that_comes_too_slowly_is_given_up_as_a_first_one_is(strict: Server) -> None:
    with strict.line() as line:
        line.sendall(_request("/a") + b"GET /b HTT")
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", strict.heard(line)) == [b"200", b"408"]


def test_head_and_expectations(server: Server) -> None:
    answer = server.asked(b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n" + b"HEAD /pieces/5 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"{" not in answer
    assert b"xxxx" not in answer
    with server.line() as line:
        line.sendall(b"POST /a HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
        assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"a" * 100_000)
        line.shutdown(socket.SHUT_WR)
        assert _bodies(server.heard(line))[0]["size"] == 100_000
    with server.line() as line:  # What nobody wants is not asked for.
        line.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n")
        assert server.heard(line).startswith(b"HTTP/1.1 200 ")


def test_an_answer_before_the_end_of_the_body_reaches_who_goes_on_sending(server: Server) -> None:
    """As for a body of 5 GB that is refused by its length: the answer comes, and the connection ends."""
    with server.line() as line:
        line.sendall(b"POST /unread HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (5 << 30))
        heard: list[bytes] = []
        reader = threading.Thread(target=lambda: heard.append(server.heard(line)))
        reader.start()
        with contextlib.suppress(OSError):
            for _ in range(200):
                line.sendall(b"a" * 65_536)
        reader.join(LATEST)
    assert heard
    assert heard[0].startswith(b"HTTP/1.1 200 OK")


def test_slow_clients_of_every_kind_are_given_up_and_hold_nobody_up(strict: Server, tmp_path: Path) -> None:
    """Forty of each kind against two threads: heads and bodies a byte at a time, and answers that nobody takes."""
    kinds = {
        "head": b"GET / HTT",
        "small": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 50\r\n\r\n",
        "large": b"POST / HTTP/1.1\r\n" + HOST + b"X-Told: /dev/null\r\nContent-Length: 90000000\r\n\r\n",
        "chunked": b"POST / HTTP/1.1\r\n" + HOST + b"X-Told: /dev/null\r\nTransfer-Encoding: chunked\r\n\r\n",
        "taker": b"GET /pieces/4000?%b HTTP/1.1\r\n" % str(tmp_path / "made").encode() + HOST + b"\r\n",
        "idle": b"GET /idle HTTP/1.1\r\n" + HOST + b"\r\n",
    }
    lines = {kind: [strict.line() for _ in range(40)] for kind in kinds}
    for kind, opened in lines.items():
        for each in opened:
            each.sendall(kinds[kind])
    ended = threading.Event()

    def dribble() -> None:
        while not ended.wait(0.4):
            for kind in ("head", "small", "large"):
                for each in lines[kind]:
                    with contextlib.suppress(OSError):
                        each.send(b"a")

    slow = threading.Thread(target=dribble)
    slow.start()
    try:
        for _ in range(10):  # Somebody else is served all the while.
            connection = HTTPConnection("127.0.0.1", strict.port, timeout=LATEST)
            connection.request("GET", "/page")
            assert connection.getresponse().status == 200
            connection.close()
        answers = {kind: [strict.heard(each) for each in lines[kind]] for kind in ("head", "small", "large", "chunked")}
    finally:
        ended.set()
        slow.join()
    for kind, heard in answers.items():
        assert {each[9:12] for each in heard} <= {b"408", b"503", b""}, kind
        assert any(each[9:12] == b"408" for each in heard), kind
    # Of 250 MB for each of forty who take nothing, no more was made than lies in buffers.
    assert (tmp_path / "made").stat().st_size < 40 * 400
    _until((tmp_path / "made.closed").exists)
    assert strict.resident_bytes < 300 << 20
    assert all(strict.heard(each).startswith(b"HTTP/1.1 200 ") for each in lines["idle"])
    for each in (each for opened in lines.values() for each in opened):
        each.close()


def test_of_too_many_connections_those_go_that_ask_for_nothing(tmp_path: Path) -> None:
    with _started(tmp_path, connections=100) as server:
        opened = [server.line() for _ in range(300)]
        for _ in range(3):
            assert b"/page" in server.asked(_request("/page"))
        for each in opened:
            each.close()


def test_what_is_under_way_ends_before_the_server_and_what_is_not_whole_is_refused(tmp_path: Path) -> None:
    with _started(tmp_path, drain_seconds=5) as server:
        computing, sending, coming = server.line(), server.line(), server.line()
        computing.sendall(_request("/wait?2.5"))
        whole = _request("/sent", b"a" * 200_000)
        sending.sendall(whole[:100_000])
        coming.sendall(b"POST /never HTTP/1.1\r\n" + HOST + b"Content-Length: 200000\r\n\r\nabc")
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        _until(lambda: not _listens(server))
        sending.sendall(whole[100_000:])
        assert _bodies(server.heard(sending))[0]["size"] == 200_000
        assert b"/wait" in server.heard(computing)
        refused = server.heard(coming)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in refused
        assert server.process.wait(LATEST) == 0
        for each in (computing, sending, coming):
            each.close()


def _listens(server: Server) -> bool:
    try:
        server.line().close()
    except ConnectionError:
        return False
    return True


def test_a_second_word_ends_it_at_once(tmp_path: Path) -> None:
    with _started(tmp_path, drain_seconds=60) as server, server.line() as line:
        line.sendall(_request("/wait?50"))
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(LATEST) == 1
