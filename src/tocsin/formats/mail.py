"""E-mail: .eml and Outlook .msg. Headers, bodies and link targets give proposals, attachments are handed on."""

from __future__ import annotations

import contextlib
import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Format, Heading, Item, Proposal, Sample, Source
from tocsin.core.words import Kind

from ._documents import READ_LIMIT_BYTES, TEXT_CHARACTERS, completed
from ._extraction import propose
from ._markup import page_of
from ._outlook import OLE_BEGINNING, looks_like_outlook, outlook_message

SENDER_HEADERS = ("From", "Sender", "Reply-To", "Return-Path", "X-Sender", "Disposition-Notification-To", "Errors-To")
ADDRESS_HEADERS = ("X-Originating-IP", "X-Sender-IP", "X-Source-IP", "X-Originating-Client-IP", "X-Remote-IP")
OTHER_HEADERS = ("Received", "Message-ID", "X-Mailer", "User-Agent", "List-Unsubscribe", "Subject", "Date")
SENDER_SCORE, ADDRESS_SCORE, RELAY_CAP = 0.75, 0.8, 0.45
RECIPIENT = re.compile(r"\b(?:for|by)\s+<?[^\s;<>]{1,320}>?", re.IGNORECASE)
"""In a Received line: for whom a mail was, and which server took it. Both belong to the victim's side."""

PARTS = 2_000


@dataclass(slots=True)
class Letter:
    """A mail taken apart: header lines of interest, texts by part number, attachments."""

    subject: str = ""
    sender: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    attachments: list[tuple[int, str, bytes]] = field(default_factory=list)


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Page 1 is the header, the pages after are the text parts by their number; then the attachments.

    Recipients are victims: their addresses in To, Cc and Received are not proposed.
    """
    data = source.read_all(READ_LIMIT_BYTES)
    letter = outlook_letter(data) if data.startswith(OLE_BEGINNING) else internet_letter(data)
    text = "\n".join(text for _, text in letter.texts)[:TEXT_CHARACTERS]
    yield completed(Heading(title=letter.subject, producer=letter.sender[:300], text=text))
    seen: set[tuple[str, str]] = set()
    for proposal in _proposals(letter):
        if (proposal.kind, proposal.value) not in seen:
            seen.add((proposal.kind, proposal.value))
            yield proposal
    for number, name, content in letter.attachments:
        yield Enclosed(Source(name or f"part-{number}", content=content), number)


def _proposals(letter: Letter) -> Iterator[Proposal]:
    yield from _header_proposals(letter.headers)
    for number, text in letter.texts:
        yield from propose(text, number)


def _header_proposals(headers: list[tuple[str, str]]) -> Iterator[Proposal]:
    """What the header names, scored by which line named it."""
    offset = 0
    for name, value in headers:
        line = f"{name}: {value}"
        for found in propose(line, 1):
            score = found.score
            if name in SENDER_HEADERS and found.kind == Kind.EMAIL:
                score = max(score, SENDER_SCORE)
            elif name in ADDRESS_HEADERS and found.kind in {Kind.IPV4, Kind.IPV6}:
                score = max(score, ADDRESS_SCORE) if score > 0.2 else score
            elif name in {"Received", "Message-ID"}:
                score = min(score, RELAY_CAP)
            yield replace(found, offset=offset + found.offset, score=score)
        offset += len(line) + 1


# Internet mail.


def internet_letter(data: bytes) -> Letter:
    """Take apart what a mail server or a reader saved; nothing that is broken in it raises."""
    try:
        message = email.message_from_bytes(data.lstrip(b"\xef\xbb\xbf\r\n"), policy=email.policy.default)
    except RecursionError as error:
        raise InputError("too-deep") from error
    letter = Letter(subject=_header(message, "Subject"), sender=_header(message, "From"))
    letter.headers = _interesting(message)
    try:
        _take_parts(message, letter)
    except RecursionError as error:
        raise InputError("too-deep") from error
    return letter


def _interesting(message: Message) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name in SENDER_HEADERS + ADDRESS_HEADERS + OTHER_HEADERS:
        for value in _header_values(message, name):
            if name == "Received":
                value = RECIPIENT.sub(lambda match: " " * len(match[0]), value)
            found.append((name, value))
    return found


def _header(message: Message, name: str) -> str:
    return next(iter(_header_values(message, name)), "")


def _header_values(message: Message, name: str) -> list[str]:
    """Decoded values of a header; the raw text where the library's parser stumbles over them."""
    raw = [value for key, value in message.raw_items() if key.lower() == name.lower()]
    values: list[str] = []
    for value in raw[:200]:
        text = str(value)
        # The parser of structured headers raises many things on spam: the raw text stands then.
        with contextlib.suppress(Exception):
            text = str(message.policy.header_fetch_parse(name, text))
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        values.append(" ".join(text.split())[:8000])
    return values


def _take_parts(message: Message, letter: Letter) -> None:
    number = 1
    for part in _walk(message):
        if part.is_multipart() and part.get_content_type() != "message/rfc822":
            continue
        number += 1
        if number > PARTS:
            break
        _take_part(part, number, letter)


def _walk(message: Message) -> Iterator[Message]:
    """Parts in order, without recursion; a mail inside the mail is one part."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        payload = part.get_payload() if part.get_content_type() != "message/rfc822" else None
        if isinstance(payload, list):
            waiting += [inner for inner in reversed(payload) if isinstance(inner, Message)]


def _take_part(part: Message, number: int, letter: Letter) -> None:
    kind = part.get_content_type()
    name = _file_name(part)
    if kind == "message/rfc822":
        payload = part.get_payload()
        inner = payload[0] if isinstance(payload, list) and payload else None
        if isinstance(inner, Message):
            letter.attachments.append((number, name or "forwarded.eml", _as_bytes(inner)))
        return
    content = _content(part)
    if kind in {"text/plain", "text/html"} and part.get_content_disposition() != "attachment":
        text = _decoded(part, content)
        if kind == "text/html":
            page = page_of(text)
            text = "\n".join([page.text, *page.links])
        letter.texts.append((number, text))
    elif content:
        letter.attachments.append((number, name, content))


def _file_name(part: Message) -> str:
    try:
        return str(part.get_filename() or "")[:255]
    except Exception:  # Broken RFC 2231 parameters raise many things.
        return ""


def _as_bytes(message: Message) -> bytes:
    try:
        return message.as_bytes(policy=email.policy.compat32)
    except Exception:  # A broken inner mail may not be written again: its text still can be read.
        return str(message.get_payload()).encode("utf-8", "replace")


def _content(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except Exception:  # Broken transfer encodings.
        content = str(part.get_payload()).encode("utf-8", "surrogateescape")
    return content if isinstance(content, bytes) else b""


def _decoded(part: Message, content: bytes) -> str:
    """Text of a part: UTF-8 where it holds, whatever the part says, since the opener may have re-coded it."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    stated = part.get_content_charset() or "cp1252"
    try:
        return content.decode(stated, errors="replace")
    except (LookupError, ValueError):
        return content.decode("cp1252", errors="replace")


# Outlook.


def outlook_letter(data: bytes) -> Letter:
    """Take apart an Outlook file; its transport header is read like that of internet mail."""
    found = outlook_message(data)
    letter = Letter(subject=found.subject, sender=found.sender)
    if found.transport_header:
        message = email.message_from_string(found.transport_header, policy=email.policy.default)
        letter.headers = _interesting(message)
    if not letter.headers:
        letter.headers = [("From", found.sender), ("Subject", found.subject)]
    if found.text:
        letter.texts.append((2, found.text))
    if found.markup:
        page = page_of(found.markup)
        letter.texts.append((3, "\n".join([page.text, *page.links])))
    letter.attachments = [(number, name, content) for number, (name, content) in enumerate(found.attachments, start=4)]
    return letter


HEADER_LINE = re.compile(rb"^(?P<name>[A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?", re.MULTILINE)
MAIL_HEADERS = frozenset(
    b"from to cc subject date received return-path message-id mime-version delivered-to reply-to content-type "
    b"x-originating-ip dkim-signature authentication-results x-received sender x-mailer".split()
)


def recognise(sample: Sample) -> int:
    if sample.head.startswith(OLE_BEGINNING):
        return 90 if looks_like_outlook(sample) else 0
    head = re.split(rb"\r?\n\r?\n", sample.head.lstrip(b"\xef\xbb\xbf\r\n")[: 64 << 10], maxsplit=1)[0]
    lines = head.split(b"\n", 8)[:8]
    if not all(HEADER_LINE.match(line) or line[:1] in b" \t" or line.startswith(b"From ") for line in lines):
        return 0
    names = {found["name"].lower() for found in HEADER_LINE.finditer(head)} & MAIL_HEADERS
    if len(names) >= 4 or {b"received", b"message-id"} <= names:
        return 93
    return 75 if len(names) >= 3 and names & {b"from", b"received", b"mime-version"} else 0


FORMAT = Format(
    name="mail",
    title="E-mail (.eml, Outlook .msg)",
    recognise=recognise,
    read=read,
    media_types=("message/rfc822", "application/vnd.ms-outlook"),
    extensions=(".eml", ".msg"),
    text=False,
)
