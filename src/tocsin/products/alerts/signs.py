"""Technical signs as people may read them: named, and written so that no program opens them."""

from __future__ import annotations

import re

from tocsin.core.words import HASH_KINDS, Kind

from .words import Words

_NAMED = {Kind.NETWORK, Kind.ASN, Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.FILENAME, Kind.WALLET, Kind.PHONE,
          Kind.IBAN, Kind.CVE, Kind.ACCOUNT, Kind.IPV4, Kind.IPV6}  # fmt: skip
_HASHES = {*HASH_KINDS, Kind.SSDEEP, Kind.TLSH} - {Kind.JA3, Kind.JARM}
_URL = re.compile(r"(?i)^([a-z][a-z0-9+.-]*)(://)([^/?#]*)(.*)$", re.DOTALL)


def defanged(value: str, kind: Kind) -> str:
    """The value so that neither a click nor a program that looks for addresses opens it; others come as they are."""
    match kind:
        case Kind.URL:
            parts = _URL.match(value)
            if parts is None:
                return value.replace(".", "[.]")
            scheme = re.sub(r"(?i)^http", "hxxp", parts[1]) if parts[1][:4].lower() == "http" else f"{parts[1]}[:]"
            return f"{scheme}{parts[2] if scheme[-1] != ']' else '//'}{_dots(parts[3])}{parts[4]}"
        case Kind.DOMAIN | Kind.IPV4 | Kind.EMAIL:
            return _dots(value)
        case Kind.IPV6:
            return value.replace(":", "[:]", 1)
        case Kind.NETWORK:
            return value.replace(":", "[:]", 1) if ":" in value else _dots(value)
        case _:
            return value


def kind_name(kind: Kind, say: Words) -> str:
    """What such a value is called, in plain words."""
    if kind in _HASHES:
        return say("kind.hash")
    return say(f"kind.{kind.value}") if kind in _NAMED else say("kind.other")


def _dots(text: str) -> str:
    return text.replace(".", "[.]").replace("@", "[@]")
