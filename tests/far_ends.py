"""The other ends of what is sent to subscribers, on this machine: a mail relay, and servers that are called."""

from __future__ import annotations

import email
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tocsin.transport.mailing import Relay


@dataclass
class Mailbox:
    """A relay that keeps what it takes. `answers`: address → what it says to it instead."""

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    ways_back: dict[str, str] = field(default_factory=dict)
    """Address → where what cannot be delivered to it goes back to."""
    relay: Relay = field(default_factory=lambda: Relay("127.0.0.1"))

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        made = email.message_from_bytes(envelope.content, policy=modern)
        assert isinstance(made, EmailMessage)
        self.ways_back |= dict.fromkeys(envelope.rcpt_tos, str(envelope.mail_from))
        self.mails += [(each, made) for each in envelope.rcpt_tos]
        return "250 taken"

    def of(self, address: str) -> list[EmailMessage]:
        return [mail for to, mail in self.mails if to == address]


class _AnyPort(Controller):
    """Listens where the system lets it."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_relay() -> Iterator[Mailbox]:
    box = Mailbox()
    controller = _AnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        box.relay = Relay("127.0.0.1", controller.port, "none", sender="alerts@tocsin.example", per_minute=100_000)
        yield box
    finally:
        controller.stop()


@dataclass
class Called:
    """A server, and all that it was sent. `answer` says status and body for a request."""

    address: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[str, bytes], tuple[int, bytes]] = lambda path, body: (204, b"")


@contextmanager
def called_server() -> Iterator[Called]:
    found = Called()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, said = found.answer(self.path, body)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{found.address}/elsewhere")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            """Tests say what went wrong themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
