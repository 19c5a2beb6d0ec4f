"""The table `[mail]` of the settings: the relay that mail is handed to."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.transport.mailing import SECURITY, Relay

TEXTS = ("host", "security", "user", "password_file", "from", "returns", "returns_folder")
NUMBERS = ("port", "per_minute")
LONGEST_RETURNS = 20
"""What stands before the @ has 64 characters (RFC 5321), of which a mark takes up to 44."""
USUAL_PORT = {"starttls": 587, "tls": 465, "none": 25}


def relay_of(said: object, folder: Path) -> Relay | None:
    """What the settings say; None where they say nothing. Raises InputError for what is misspelt or missing."""
    if said is None:
        return None
    if not isinstance(said, dict):
        raise _wrong("", f"{said}, not a table")
    for name, value in said.items():
        if name not in TEXTS + NUMBERS:
            raise _wrong(f".{name}", f"unknown; there are {', '.join(TEXTS + NUMBERS)}")
        if name in TEXTS and not isinstance(value, str):
            raise _wrong(f".{name}", f"{value}, not a text")
        if name in NUMBERS and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise _wrong(f".{name}", f"{value}, not a whole number from 1 on")
    for name in ("host", "from"):
        if not str(said.get(name, "")).strip():
            raise _wrong(f".{name}", "missing")
    for name in ("from", "returns"):
        address = said.get(name, "")
        if address and ("@" not in address or address.split() != [address]):
            raise _wrong(f".{name}", f"{address}, not an address")
    if len(said.get("returns", "").rpartition("@")[0]) > LONGEST_RETURNS:
        raise _wrong(".returns", f"longer than {LONGEST_RETURNS} characters before the @")
    if said.get("returns_folder") and not said.get("returns"):
        raise _wrong(".returns", "missing beside a returns_folder")
    returned = os.path.expandvars(said.get("returns_folder", ""))
    security = said.get("security", "starttls")
    if security not in SECURITY:
        raise _wrong(".security", f"{security}, not {' or '.join(SECURITY)}")
    file = os.path.expandvars(said.get("password_file", ""))
    if said.get("user") and not file:
        raise _wrong(".password_file", "missing beside a user")
    if said.get("user") and security == "none":
        raise _wrong(".security", "a password goes over an encrypted connection alone")
    return Relay(
        host=said["host"], port=said.get("port", USUAL_PORT[security]), security=security, user=said.get("user", ""),
        password_file=str(folder / file) if file else "", sender=said["from"], per_minute=said.get("per_minute", 600),
        returns=said.get("returns", ""), returns_folder=str(folder / returned) if returned else "",
    )  # fmt: skip


def _wrong(name: str, excerpt: str) -> InputError:
    return InputError("not-a-setting", position="tocsin.toml", field=f"mail{name}", excerpt=excerpt)
