"""Outlook's .msg: properties of a message as streams of a compound file (Microsoft's MS-OXMSG)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.reading import Sample

OLE_BEGINNING = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
STREAM_MARK = "__substg1.0_".encode("utf-16-le")
PROPERTIES_MARK = "__properties_version1.0".encode("utf-16-le")
ATTACHMENTS = 2_000

SUBJECT, BODY, MARKUP, TRANSPORT_HEADER = "0037", "1000", "1013", "007D"
SENDER_NAME, SENDER_ADDRESS, SENDER_INTERNET_ADDRESS = "0C1A", "0C1F", "5D01"
ATTACHED_DATA, LONG_FILE_NAME, FILE_NAME = "3701", "3707", "3704"


@dataclass(slots=True)
class OutlookMessage:
    """What of a message is used here."""

    subject: str = ""
    sender: str = ""
    transport_header: str = ""
    text: str = ""
    markup: str = ""
    attachments: list[tuple[str, bytes]] = field(default_factory=list)


def looks_like_outlook(sample: Sample) -> bool:
    """Whether the directory of the compound file, if it lies in the sample, names a message's streams."""
    return STREAM_MARK in sample.head or PROPERTIES_MARK in sample.head or sample.name.lower().endswith(".msg")


def outlook_message(data: bytes) -> OutlookMessage:
    """Read a .msg; raises InputError("document-damaged") where the compound file cannot be read."""
    import olefile

    try:
        with olefile.OleFileIO(BytesIO(data)) as container:
            return _message(container)
    except InputError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # Damaged directories lead the library to raise many things.
        raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error


def _message(container: Any) -> OutlookMessage:
    paths = [path for path in container.listdir(streams=True, storages=False) if isinstance(path, list)]
    own = {path[0].upper(): path for path in paths if len(path) == 1}
    if not any(name.startswith("__SUBSTG1.0_") for name in own):
        raise InputError("unknown-format")
    found = OutlookMessage(
        subject=_text(container, own, SUBJECT),
        transport_header=_text(container, own, TRANSPORT_HEADER),
        text=_text(container, own, BODY),
        markup=_text(container, own, MARKUP) or _bytes(container, own, MARKUP).decode("utf-8", "replace"),
    )
    address = _text(container, own, SENDER_INTERNET_ADDRESS) or _text(container, own, SENDER_ADDRESS)
    found.sender = " ".join(
        part for part in (_text(container, own, SENDER_NAME), f"<{address}>" if address else "") if part
    )
    folders: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        if len(path) == 2 and path[0].lower().startswith("__attach_version1.0_"):
            folders.setdefault(path[0], {})[path[1].upper()] = path
    for folder in list(folders.values())[:ATTACHMENTS]:
        content = _bytes(container, folder, ATTACHED_DATA)
        name = _text(container, folder, LONG_FILE_NAME) or _text(container, folder, FILE_NAME)
        if content:
            found.attachments.append((re.sub(r"[\x00-\x1f]", "", name)[:255], content))
    return found


def _text(container: Any, streams: dict[str, list[str]], number: str) -> str:
    """A text property: UTF-16 (type 001F) or in the sender's code page (type 001E)."""
    wide = streams.get(f"__SUBSTG1.0_{number}001F")
    if wide is not None:
        return str(container.openstream(wide).read().decode("utf-16-le", "replace")).replace("\0", "")
    narrow = streams.get(f"__SUBSTG1.0_{number}001E")
    if narrow is None:
        return ""
    content: bytes = container.openstream(narrow).read()
    try:
        return content.decode("utf-8").replace("\0", "")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace").replace("\0", "")


def _bytes(container: Any, streams: dict[str, list[str]], number: str) -> bytes:
    path = streams.get(f"__SUBSTG1.0_{number}0102")
    return bytes(container.openstream(path).read()) if path is not None else b""
