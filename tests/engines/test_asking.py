"""Asking another server: what it may cost, and where it never goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tocsin.transport import asking
from tocsin.transport.fetching import FetchError


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server of this machine, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/away" else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"x" * (asking.SIZE_BYTES + 1 if self.path == "/large" else 3))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(f"{self.path} {body} {self.headers['Authorization']}")
            self.send_response(401)
            self.end_headers()

        def log_message(self, *said: object) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", asked
    listening.shutdown()
    listening.server_close()


def test_gets_and_sends_forms_and_follows_nowhere(server: tuple[str, list[str]]) -> None:
    origin, asked = server
    assert asking.ask(f"{origin}/here", may_lie_inside=True) == asking.Answer(200, b"xxx")
    assert asking.ask(f"{origin}/away", may_lie_inside=True).status == 302
    said = {"Authorization": "Bearer b"}
    assert asking.ask(f"{origin}/form", form={"a": "1 2"}, headers=said, may_lie_inside=True).status == 401
    assert asked == ["/here", "/away", "/form a=1+2 Bearer b"]


def test_takes_no_more_than_its_limit(server: tuple[str, list[str]]) -> None:
    with pytest.raises(FetchError, match="too-large"):
        asking.ask(f"{server[0]}/large", may_lie_inside=True)


def test_says_when_nobody_answers() -> None:
    with pytest.raises(FetchError, match="unreachable"):
        asking.ask("http://127.0.0.1:9/", may_lie_inside=True)


@pytest.mark.parametrize("address", [
    "http://idp.example/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://10.1.2.3/",
    "https://2130706433/", "https://169.254.169.254/latest", "https://idp.internal/", "https://user@idp.example/",
    "https://idp.example/#part", "ftp://idp.example/", "file:///etc/passwd", "https://", "https://[", "",
])  # fmt: skip
def test_goes_only_outside_and_over_https(address: str) -> None:
    with pytest.raises(FetchError) as why:
        asking.require_askable(address, may_lie_inside=False)
    assert why.value.code == "not-allowed"


@pytest.mark.parametrize("address", ["http://idp.example/", "http://user:word@127.0.0.1/", "ftp://127.0.0.1/"])
def test_where_inner_addresses_are_allowed_others_are_not_open(address: str) -> None:
    with pytest.raises(FetchError):
        asking.require_askable(address, may_lie_inside=True)


def test_a_name_that_leads_inside_at_the_second_look_is_told_nothing(
    server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name stood for an outer address when it was checked (DNS rebinding)."""
    monkeypatch.setattr(asking, "require_askable", lambda address, *, may_lie_inside: None)
    with pytest.raises(FetchError) as why:
        asking.ask(f"{server[0]}/token", form={"client_secret": "hidden"})
    assert why.value.code == "not-allowed"
    assert server[1] == []
