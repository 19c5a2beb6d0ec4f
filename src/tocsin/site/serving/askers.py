"""Whose request it is, as far as that is known before Django is asked: it decides in which line a request stands."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings

from tocsin.centre.refusals import ASKER

LOOPBACK = frozenset({"127.0.0.1", "::1"})
KNOWN_MOST = 20_000


def is_from_proxy(said: Mapping[str, Any]) -> bool:
    """Whether the proxy on this machine hands it on: where people come over https, and only there."""
    return settings.INSTALLATION.public_origin.startswith("https:") and said.get("REMOTE_ADDR") in LOOPBACK


def forwarded_address(said: Mapping[str, Any]) -> str:
    """From where the proxy says that it came; empty where that is no address."""
    client = str(said.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    try:
        return str(ip_address(client))
    except ValueError:
        return ""


class Askers:
    """Those whose word at the door, a key or a session, was good when it was said last.

    Everybody else is known by the address alone: words that are made up get nobody a second line.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, said: Mapping[str, Any]) -> str:
        """In whose line a request stands."""
        word = _word(said)
        with self._lock:
            known = self._known.get(word) if word else None
        return known or f"address:{_network(said)}"

    def learn(self, said: Mapping[str, Any]) -> None:
        """From a request that was answered: whose word it was, or that it opened nothing."""
        word, name = _word(said), said.get(ASKER)
        if not word:
            return
        with self._lock:
            self._known.pop(word, None)
            if name:
                self._known[word] = str(name)
            if len(self._known) > KNOWN_MOST:
                self._known.popitem(last=False)


def _word(said: Mapping[str, Any]) -> bytes:
    """A digest of what proves who asks: what is kept opens nothing."""
    word = str(said.get("HTTP_AUTHORIZATION", ""))
    if not word and settings.SESSION_COOKIE_NAME in (cookies := str(said.get("HTTP_COOKIE", ""))):
        try:
            found = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
        except CookieError:
            return b""
        word = found.value if found else ""
    return hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=16).digest() if word else b""


def _network(said: Mapping[str, Any]) -> str:
    """The address; of IPv6 the network, of which one client has as many addresses as it likes."""
    address = (is_from_proxy(said) and forwarded_address(said)) or str(said.get("REMOTE_ADDR", ""))
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(found) >> 64 << 64)) if isinstance(found, IPv6Address) else address
