"""TAXII as it goes over the wire: the real server, started for real, asked byte by byte, and killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest
from taxii2client.v21 import Server
from tests import builders
from tests.faults.installation import Installation

TOCSIN = (sys.executable, "-c", "from tocsin.cli import main; main(prog_name='tocsin')")
START_SECONDS = 60
NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="runs on its own SQLite database")
pytestmark = [NO_SERVER, pytest.mark.slow]
INBOX = "/taxii2/ncb-fr/collections/inbox/objects/"
KIND = b"application/taxii+json;version=2.1"
ERROR = re.compile(
    rb"HTTP/1\.[01] (\d\d\d).*?content-type: " + re.escape(KIND) + rb"\r\n.*?\"http_status\":\"(\d\d\d)\"", re.S | re.I
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("wire") / "home")
    _tocsin(made, "init")
    _tocsin(made, "person", "create", "fleur", "--organisation", "ncb-fr", "--role", "officer", "--name", "Fleur")
    return made


@pytest.fixture(scope="module")
def secret(installation: Installation) -> str:
    said = _tocsin(installation, "person", "key", "fleur", "--scope", "deliver", "--scope", "taxii", "--scope", "read")
    found = re.search(r"toc_[\w-]+", said)
    assert found
    return found[0]


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _tocsin(installation: Installation, *words: str) -> str:
    ran = subprocess.run(
        [*TOCSIN, *words], env=installation.environment, check=True, capture_output=True, text=True, timeout=120
    )
    return ran.stdout


@contextmanager
def serving(installation: Installation, port: int) -> Iterator[None]:
    """The portal, until it is killed without a word."""
    process = subprocess.Popen(
        [*TOCSIN, "serve", "--port", str(port), "--workers", "1"], env=installation.environment,
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_on_the_wire_and_after_a_kill(installation: Installation, secret: str, port: int) -> None:
    def said(raw: bytes) -> bytes:
        """What comes back until the server closes, or says nothing more."""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(raw)
            connection.settimeout(5)
            found = b""
            while not found.endswith(b"}") and (piece := connection.recv(1 << 16)):
                found += piece
            return found

    def head(method: str, path: str, *lines: str) -> bytes:
        first = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {secret}", *lines]
        return "\r\n".join([*first, "", ""]).encode()

    def refused(raw: bytes, status: int) -> bool:
        found = ERROR.search(said(raw))
        return found is not None and found[1] == found[2] == str(status).encode()

    address = f"http://127.0.0.1:{port}/taxii2/"
    kind, pieces = f"Content-Type: {KIND.decode()}", "Transfer-Encoding: chunked"
    body = json.dumps({"objects": [builders.indicator(1)]}).encode()
    in_two = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    with serving(installation, port):
        assert b" 202 " in said(head("POST", INBOX, kind, pieces) + in_two)
        assert refused(head("POST", INBOX, kind), 422), "without length or pieces there is no body"
        assert refused(head("POST", INBOX, kind, "Content-Length: 99999999999") + b"{", 413)
        assert refused(head("POST", INBOX, kind, "Content-Length: 60000") + b"[" * 60_000, 422)
        assert refused(head("POST", INBOX, kind, pieces, "Content-Encoding: gzip") + in_two, 415)
        assert refused(head("GET", "/taxii2"), 404)
        assert refused(head("GET", "/taxii2/%ff%fe/"), 404)
        assert refused(head("DELETE", f"{INBOX}x/"), 403)
        both = said(head("HEAD", "/taxii2/ncb-fr/") + head("GET", "/taxii2/ncb-fr/"))
        assert both.count(b"HTTP/1.1 200 OK") == 2, "no body lies between the two"
        assert both.count(b'"max_content_length"') == 1
        with Server(address, user="fleur", password=secret) as server:
            inbox = next(each for each in server.default.collections if each.can_write)
            envelopes = [{"objects": [builders.indicator(number)]} for number in range(10, 14)]
            posted = {inbox.add_objects(each, wait_for_completion=False).id for each in envelopes}
    installation.let_leases_run_out()  # Of the worker that was killed.
    with serving(installation, port), Server(address, user="fleur", password=secret) as server:
        until, left = time.monotonic() + START_SECONDS, set(posted)
        while left and time.monotonic() < until:
            found = {each: server.default.get_status(each) for each in left}
            assert all(each.total_count == 1 for each in found.values()), "what was acknowledged is there"
            left = {name for name, each in found.items() if each.status == "pending"}
            time.sleep(0.5)
        assert not left, "a worker took up again what the killed one had begun"
        assert all(server.default.get_status(each).success_count == 1 for each in posted)
