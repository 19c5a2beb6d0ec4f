"""Getting a file over HTTP: conditional, bounded in size, time and redirects, straight to disk."""

from __future__ import annotations

import ipaddress
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from tocsin import __version__

if TYPE_CHECKING:
    import httpx  # It brings a command line with it: every start would pay for what few do.

AGENT = f"tocsin/{__version__}"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
CHUNK_BYTES = 256 << 10
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for those of IPv4 (RFC 6052)."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may cost."""

    size_bytes: int = 1 << 30
    connect_seconds: float = 10
    read_seconds: float = 30
    """Longest silence of the server."""
    total_seconds: float = 900
    redirects: int = 5
    attempts: int = 3
    back_off_seconds: float = 2
    """Before the second attempt; doubles with each, with jitter."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. `path` is None when the server says that nothing changed."""

    path: Path | None
    etag: str = ""
    last_modified: str = ""
    size_bytes: int = 0


@dataclass
class FetchError(Exception):
    """It did not work. `code` is one of unreachable, timeout, status, too-large, redirects, not-allowed."""

    code: str
    detail: str = ""
    is_worth_a_retry: bool = field(default=False, compare=False)
    wait_seconds: float = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


def fetch(
    address: str,
    target: Path,
    *,
    etag: str = "",
    last_modified: str = "",
    limits: FetchLimits | None = None,
    on_bytes: Callable[[int], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Write what the address gives to `target`, unless it is as before. Raises FetchError; then nothing is left."""
    import httpx

    bounds = limits or FetchLimits()
    conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    headers = {"User-Agent": AGENT, **{name: value for name, value in conditions.items() if value}}
    timeout = httpx.Timeout(bounds.read_seconds, connect=bounds.connect_seconds)
    until = time.monotonic() + bounds.total_seconds
    with httpx.Client(timeout=timeout, headers=headers, follow_redirects=False) as client:
        for attempt in range(1, bounds.attempts + 1):
            try:
                return _one_try(client, address, target, bounds, until, on_bytes)
            except FetchError as error:
                target.unlink(missing_ok=True)
                if not error.is_worth_a_retry or attempt == bounds.attempts:
                    raise
                # Jitter keeps many installations from coming back at the same moment.
                wait = bounds.back_off_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                sleep(max(wait, error.wait_seconds))
    raise AssertionError("unreachable")


def _one_try(
    client: httpx.Client,
    address: str,
    target: Path,
    bounds: FetchLimits,
    until: float,
    on_bytes: Callable[[int], None] | None,
) -> Fetched:
    import httpx

    here = address
    try:
        for _ in range(bounds.redirects + 1):
            require_allowed(here, address)
            with client.stream("GET", here) as response:
                _require_reached(response, address)
                if response.status_code in REDIRECTS and response.headers.get("location"):
                    here = urljoin(here, response.headers["location"])
                    continue
                return _take(response, target, bounds, until, on_bytes)
    except httpx.TimeoutException as error:
        raise FetchError("timeout", type(error).__name__, True) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError("unreachable", f"{type(error).__name__}: {error}"[:200], True) from error
    raise FetchError("redirects", here[:200])


def _take(
    response: httpx.Response,
    target: Path,
    bounds: FetchLimits,
    until: float,
    on_bytes: Callable[[int], None] | None,
) -> Fetched:
    status = response.status_code
    etag, last_modified = response.headers.get("etag", "")[:300], response.headers.get("last-modified", "")[:80]
    if status == HTTPStatus.NOT_MODIFIED:
        return Fetched(None, etag, last_modified)
    if status != HTTPStatus.OK:
        wait = response.headers.get("retry-after", "")
        seconds = min(float(wait), 60.0) if wait.isdecimal() else 0.0
        raise FetchError("status", str(status), status in WORTH_A_RETRY, seconds)
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > bounds.size_bytes:
        raise FetchError("too-large", stated)
    size_bytes = 0
    with target.open("wb") as file:
        for chunk in response.iter_bytes(CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > bounds.size_bytes:  # A server may say less than it sends, or pack a bomb.
                raise FetchError("too-large", str(size_bytes))
            if time.monotonic() > until:
                raise FetchError("timeout", "in all")
            file.write(chunk)
            if on_bytes is not None:
                on_bytes(size_bytes)
    return Fetched(target, etag, last_modified, size_bytes)


def require_allowed(address: str, first: str) -> None:
    """Only the web, never down from https to http, and never from outside into one's own network.

    The feed's own host is trusted wherever it lies, since who runs the installation named it. Raises FetchError.
    """
    parts, asked = urlsplit(address), urlsplit(first)
    host = host_of(parts)
    if parts.scheme not in {"http", "https"} or not host:
        raise FetchError("not-allowed", address[:200])
    if asked.scheme == "https" and parts.scheme == "http":
        raise FetchError("not-allowed", address[:200])
    if host != host_of(asked) and not is_inner(host_of(asked)) and leads_inside(host):
        raise FetchError("not-allowed", address[:200])


def _require_reached(response: httpx.Response, first: str) -> None:
    """The same of the address that was reached in the end: a name may lead elsewhere when it is asked again."""
    parts, asked = urlsplit(str(response.url)), urlsplit(first)
    if host_of(parts) == host_of(asked) or is_inner(host_of(asked)):
        return
    if _reached_inside(response):
        raise FetchError("not-allowed", str(response.url)[:200])


def _reached_inside(response: httpx.Response) -> bool:
    """Whether the answer came from an inner address. Behind a proxy it is not known: that one decides."""
    reached = response.extensions["network_stream"].get_extra_info("server_addr")
    return reached is not None and goes_directly(str(response.url)) and is_inner(reached[0])


def goes_directly(address: str) -> bool:
    """Whether no proxy stands between."""
    parts = urlsplit(address)
    return not {parts.scheme, "all"} & set(getproxies()) or bool(proxy_bypass(host_of(parts)))


def host_of(parts: SplitResult) -> str:
    """The name of the host, without the dot that may end it."""
    return (parts.hostname or "").rstrip(".")


def leads_inside(host: str) -> bool:
    """Whether the name, or a number in one of the many ways to write it, stands for an inner address."""
    if is_inner(host):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # Nobody is reached, unless a proxy knows more.
    return any(is_inner(str(address[0])) for *_, address in found)


def is_inner(host: str) -> bool:
    """Whether a name or an address is one of one's own network or machine, as far as it says so itself."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or _translated(address) or address
    return not address.is_global or address.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in TRANSLATED else None
