"""Handing mail to the relay: one connection for many, and for each address what the relay said.

The relay signs (DKIM), queues and delivers; this end knows whether it took a message, and whether it is worth another
try.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from tocsin.core.errors import Unavailable

SECURITY = ("starttls", "tls", "none")
TIMEOUT_SECONDS = 20.0
WITHOUT_ADDRESS = frozenset({550, 551, 553, 554})
"""Answers to a recipient that mean: not here, and not later (RFC 5321, 4.2.3)."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed in, as the settings name it."""

    host: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password_file: str = ""
    sender: str = ""
    """The address that mail comes from, and that bounces go to."""
    per_minute: int = 600
    returns: str = ""
    """Where mail comes back to that nobody could deliver: each with a mark of its own behind a plus sign."""
    returns_folder: str = ""
    """A Maildir that it is put into."""


class Fate(StrEnum):
    """What became of a message."""

    TAKEN = "taken"
    LATER = "later"
    GONE = "gone"
    """Nobody has this address."""
    REFUSED = "refused"
    """This message is not taken, now or later."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the relay answered."""

    fate: Fate
    code: int = 0
    text: str = ""


class Post:
    """A connection to the relay. Raises Unavailable where it does not answer or does not let us in."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Post:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None:
            self._close(self._server)

    def hand_in(self, message: EmailMessage, to: str, back_to: str = "") -> Said:
        """Hand in one message for one address; undelivered, it comes back to the sender, or to `back_to`."""
        for is_last in (False, True):  # A relay that waited too long for the next one hangs up.
            server = self._connected()
            try:
                server.send_message(message, from_addr=back_to or self._relay.sender, to_addrs=[to])
            except smtplib.SMTPRecipientsRefused as error:
                code, text = next(iter(error.recipients.values()))
                return _said(code, text)
            except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
                return _said(error.smtp_code, error.smtp_error, is_about_address=False)
            except (smtplib.SMTPException, OSError) as error:
                self._close(server)
                if is_last or isinstance(error, smtplib.SMTPNotSupportedError):
                    raise Unavailable(f"the mail relay does not answer: {type(error).__name__}", 60) from error
            else:
                return Said(Fate.TAKEN, 250)
        raise AssertionError("unreachable")

    def _connected(self) -> smtplib.SMTP:
        if self._server is None:
            relay = self._relay
            try:
                self._server = _opened(relay)
            except (smtplib.SMTPException, OSError) as error:
                what = f"the mail relay {relay.host}:{relay.port} cannot be used: {type(error).__name__}"
                raise Unavailable(what, 60) from error
        return self._server

    def _close(self, server: smtplib.SMTP) -> None:
        self._server = None
        try:
            server.quit()
        except (smtplib.SMTPException, OSError):
            server.close()


def _opened(relay: Relay) -> smtplib.SMTP:
    known = ssl.create_default_context()
    if relay.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=TIMEOUT_SECONDS, context=known)
    else:
        server = smtplib.SMTP(relay.host, relay.port, timeout=TIMEOUT_SECONDS)
        if relay.security == "starttls":
            server.starttls(context=known)
    if relay.user:
        server.login(relay.user, Path(relay.password_file).read_text(encoding="utf-8").strip())
    return server


def _said(code: int, text: bytes | str, *, is_about_address: bool = True) -> Said:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    if code < 500:
        return Said(Fate.LATER, code, words[:200])
    # 5.7.x is about us (policy, spam): the address may be good.
    is_gone = is_about_address and code in WITHOUT_ADDRESS and not words.startswith("5.7.")
    return Said(Fate.GONE if is_gone else Fate.REFUSED, code, words[:200])
