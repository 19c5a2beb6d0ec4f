"""Fetching against a real server: conditional, bounded, patient, and never led astray."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tocsin.transport import fetching
from tocsin.transport.asking import ask
from tocsin.transport.fetching import FetchError, FetchLimits, fetch

QUICK = FetchLimits(size_bytes=10_000, connect_seconds=30, read_seconds=30, total_seconds=60, back_off_seconds=0.01)
IMPATIENT = replace(QUICK, read_seconds=0.3)
"""For who does not answer at all: others may be late on a busy machine."""


REDIRECTS = {"/moved": "/list.csv", "/round": "/round", "/away": "file:///etc/passwd", "/garbled": "http://[::1/x"}


@dataclass
class Served:
    """The server's address, and what it was asked."""

    address: str = ""
    sends_to: dict[str, str] = field(default_factory=lambda: dict(REDIRECTS))
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_said: object) -> None:
            """Quiet."""

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            served.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            count = sum(path == self.path for path, _ in served.asked)
            match self.path:
                case "/list.csv":
                    if self.headers.get("If-None-Match") == '"one"':
                        self.answer(304, ETag='"one"')
                    else:
                        self.answer(200, b"ip\n9.9.9.9\n", ETag='"one"', Last_Modified="Fri, 20 Nov 2026 10:00:00 GMT")
                case "/wavers":
                    self.answer(*((503, b"") if count < 3 else (200, b"at last")))
                case "/broken":
                    self.answer(500)
                case "/absent":
                    self.answer(404)
                case path if path in served.sends_to:
                    self.answer(302, Location=served.sends_to[path])
                case "/odd":
                    self.answer(503, Retry_After="²")
                case "/huge":
                    self.answer(200, b"x" * 20_000)
                case "/liar":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b"x" * 20_000)
                case "/bomb":
                    self.answer(200, gzip.compress(b"x" * 1_000_000), Content_Encoding="gzip")
                case "/silent":
                    time.sleep(0.8)
                case _:
                    self.answer(410)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield served
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def get(server: Served, path: str, target: Path, **said: str) -> object:
    limits = IMPATIENT if path == "/silent" else QUICK
    return fetch(server.address + path, target, limits=limits, sleep=lambda _seconds: None, **said)


def test_what_is_new_comes_with_its_marks_and_what_is_not_does_not(server: Served, tmp_path: Path) -> None:
    got = fetch(server.address + "/list.csv", tmp_path / "f", limits=QUICK)
    assert got.path is not None
    assert got.path.read_bytes() == b"ip\n9.9.9.9\n"
    assert (got.etag, got.last_modified, got.size_bytes) == ('"one"', "Fri, 20 Nov 2026 10:00:00 GMT", 11)
    again = fetch(
        server.address + "/list.csv", tmp_path / "g", etag=got.etag, last_modified=got.last_modified, limits=QUICK
    )
    assert again.path is None
    assert not (tmp_path / "g").exists()
    assert server.asked[-1][1]["if-modified-since"] == got.last_modified


def test_a_wavering_server_is_asked_again(server: Served, tmp_path: Path) -> None:
    waits: list[float] = []
    got = fetch(server.address + "/wavers", tmp_path / "f", limits=QUICK, sleep=waits.append)
    assert got.path is not None
    assert got.path.read_bytes() == b"at last"
    assert len(waits) == 2
    assert waits[1] > waits[0] / 3


@pytest.fixture
def with_tls(server: Served, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with a certificate that nobody vouches for: its address, and the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    shown, kept = tmp_path / "shown.pem", tmp_path / "kept.pem"
    shown.write_bytes(certificate.public_bytes(Encoding.PEM))
    kept.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_said: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, kept)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{httpd.server_address[1]}", shown
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(
    with_tls: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, certificate = with_tls
    with pytest.raises(FetchError, match="unreachable"):
        fetch(address, tmp_path / "f", limits=QUICK, sleep=lambda _seconds: None)
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(address, may_lie_inside=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert ask(address, may_lie_inside=True).body == b"{}"
    assert fetch(address, tmp_path / "f", limits=QUICK).size_bytes == 2


def test_a_redirect_is_followed(server: Served, tmp_path: Path) -> None:
    get(server, "/moved", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"ip\n9.9.9.9\n"


@pytest.mark.parametrize(
    ("path", "code", "tries"),
    [
        ("/broken", "status", 3),
        ("/absent", "status", 1),
        ("/round", "redirects", 6),
        ("/away", "not-allowed", 1),
        ("/garbled", "unreachable", 3),
        ("/huge", "too-large", 1),
        ("/liar", "too-large", 1),
        ("/bomb", "too-large", 1),
        ("/silent", "timeout", 3),
    ],
)
def test_what_does_not_work_is_said_and_leaves_nothing(
    server: Served, tmp_path: Path, path: str, code: str, tries: int
) -> None:
    with pytest.raises(FetchError) as caught:
        get(server, path, tmp_path / "f")
    assert caught.value.code == code
    assert len(server.asked) == tries
    assert not (tmp_path / "f").exists()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(FetchError) as caught:
        fetch("http://127.0.0.1:9/x", tmp_path / "f", limits=QUICK, sleep=lambda _seconds: None)
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize("address", ["ftp://example.org/x", "file:///etc/passwd", "https:///x", "gopher://x"])
def test_only_the_web_is_fetched(address: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(address, tmp_path / "f", limits=QUICK)
    assert caught.value.code == "not-allowed"


@pytest.mark.parametrize("there", [
    "http://127.0.0.1/x", "http://2130706433/x", "http://127.1/x", "http://0x7f000001/x", "http://localhost./x",
    "http://[::ffff:127.0.0.1]/x", "http://[64:ff9b::7f00:1]/x", "http://[2002:7f00:1::]/x", "http://[fd00::1]/x",
    "http://169.254.169.254/latest", "http://printer.local/x",
])  # fmt: skip
def test_a_server_outside_sends_us_to_nothing_inside(there: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetching.require_allowed(there, "http://feeds.example/list.csv")
    assert caught.value.code == "not-allowed"


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"]], ids=["inner", "rebound"])
def test_a_name_does_not_hide_where_it_leads(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", "example")
    known, port = socket.getaddrinfo, server.address.rpartition(":")[2]
    lies = iter(answers)

    def resolve(host: str, *more: object, **said: object) -> object:
        wanted = {"feeds.example": "127.0.0.1"}.get(host) or next(lies, "127.0.0.1")
        return known(wanted, *more, **said)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    server.sends_to["/out"] = f"http://inside.example:{port}/list.csv"
    with pytest.raises(FetchError) as caught:
        fetch(f"http://feeds.example:{port}/out", tmp_path / "f", limits=QUICK, sleep=lambda _seconds: None)
    assert caught.value.code == "not-allowed"
    assert not (tmp_path / "f").exists()


def test_odd_digits_in_a_header_are_no_number(server: Served, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        get(server, "/odd", tmp_path / "f")
    assert caught.value.code == "status"
