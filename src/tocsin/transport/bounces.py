"""What a mail that came back says: whether somebody was not reached, for good or for now (RFC 3464, RFC 3463).

It comes from anywhere, so nothing of it is believed but a few short fields, and no parser of MIME opens it: its head,
the parts of one level, and in these the report. Whose mail it was, the address says that it came back to.
"""

from __future__ import annotations

import binascii
import quopri
import re
from dataclasses import dataclass

LARGEST = 256 * 1024
"""Bytes that are looked at: the report stands before the mail that it is about."""
_MOST_PARTS = 20
_MOST_GROUPS = 50
_LONGEST_FIELD = 4_000
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([245])\d\d(?![\d.])")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_TO = ("to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "apparently-to")
"""Where those who take mail in say for whom it came."""
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_ANSWERS = ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "x-vacation")
_QMAIL = "hi. this is the"
_NOT_THE_ADDRESS = (".7.", ".6.", ".3.4", ".2.3")
"""About the mail or about us (policy, content, size): the address may be good."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back. `status` is empty where it is no report that somebody was not reached."""

    to: tuple[str, ...] = ()
    """Addresses that it may have come back to."""
    status: str = ""
    is_for_good: bool = False
    """Nobody has this address, now or later."""


def read(raw: bytes) -> Returned:
    """Reads what came back; whatever it is, this ends soon and raises nothing."""
    text = raw[:LARGEST].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if text.startswith("From "):  # A mailbox file's first line.
        text = text.partition("\n")[2]
    head, _, body = text.partition("\n\n")
    fields = _fields(head)
    to = tuple(dict.fromkeys(each for name in _TO for said in fields.get(name, ()) for each in _ADDRESS.findall(said)))
    status = _status(fields, body)
    is_for_good = status.startswith("5") and not status[1:].startswith(_NOT_THE_ADDRESS)
    return Returned(to[:_MOST_PARTS], status, is_for_good)


def _fields(block: str) -> dict[str, list[str]]:
    """Fields of a head by their names, each with its further lines."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in block.split("\n"):
        if line[:1] in {" ", "\t"}:
            if last is not None and len(last[-1]) < _LONGEST_FIELD:
                last[-1] += " " + line.strip()[:_LONGEST_FIELD]
            continue
        name, colon, value = line.partition(":")
        last = found.setdefault(name.strip().lower(), []) if colon else None
        if last is not None:
            last.append(value.strip()[:_LONGEST_FIELD])
    return found


def _first(fields: dict[str, list[str]], name: str) -> str:
    return next(iter(fields.get(name, ())), "")


def _status(fields: dict[str, list[str]], body: str) -> str:
    kind = _first(fields, "content-type")
    if kind.lower().startswith("multipart/report"):
        boundary = _BOUNDARY.search(kind)
        return _in_report(body, boundary[1] or boundary[2]) if boundary else ""
    path = _first(fields, "return-path")
    if path and path != "<>":
        return ""  # Somebody wrote it: who cannot deliver writes from nowhere (RFC 5321, 4.5.5).
    said = body[:20_000]
    if "x-failed-recipients" in fields:
        return _anywhere(said) or "5.0.0"
    if any(name in fields for name in _ANSWERS) or _first(fields, "auto-submitted").lower().startswith("auto-replied"):
        return ""
    return _anywhere(said) if said.lstrip().lower().startswith(_QMAIL) else ""


def _in_report(body: str, boundary: str) -> str:
    for part in f"\n{body}".split(f"\n--{boundary}")[1 : _MOST_PARTS + 1]:
        head, _, said = part.lstrip(" \t").removeprefix("\n").partition("\n\n")
        fields = _fields(head)
        if _first(fields, "content-type").lower().partition(";")[0].strip() in _REPORTS:
            return _of_recipients(_decoded(said, _first(fields, "content-transfer-encoding").lower()))
    return ""


def _decoded(said: str, encoding: str) -> str:
    try:
        if encoding == "base64":
            return binascii.a2b_base64(said.encode("ascii", "ignore")).decode("utf-8", "replace").replace("\r\n", "\n")
        if encoding == "quoted-printable":
            return quopri.decodestring(said.encode()).decode("utf-8", "replace").replace("\r\n", "\n")
    except binascii.Error:
        return ""
    return said


def _of_recipients(said: str) -> str:
    """The status of the first that was not reached: what comes back to one address is about one."""
    later = ""
    for group in re.split(r"\n[ \t]*\n", said)[:_MOST_GROUPS]:
        fields = _fields(group)
        action = _first(fields, "action").lower().split(" ")[0]
        if action not in {"failed", "delayed"}:
            continue
        status, reply = _STATUS.search(_first(fields, "status")), _first(fields, "diagnostic-code")
        found = status[0] if status else _anywhere(reply)
        if not found:
            code = _REPLY.search(reply)
            found = f"{code[1]}.0.0" if code else "5.0.0"
        if action == "failed" and found[0] != "2":
            return _sharper(found, reply)
        later = later or f"4{found[1:]}"
    return later


def _sharper(status: str, reply: str) -> str:
    """What the far end itself answered, where the report says no more than that it failed."""
    said = _STATUS.search(reply)
    return said[0] if said and status.endswith(".0.0") and said[1] == status[0] else status


def _anywhere(text: str) -> str:
    found = next((each for each in _STATUS.finditer(text) if each[1] != "2"), None)
    return found[0] if found else ""
