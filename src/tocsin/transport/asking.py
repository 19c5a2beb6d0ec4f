"""Asking another server one short question over HTTPS: bounded in size and time, no redirects, nothing on disk.

Whoever names the server is trusted less than whoever runs the installation: its address must lie outside one's own
network unless the installation's settings say that it may lie inside.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .fetching import AGENT, FetchError, goes_directly, host_of, is_inner, leads_inside

if TYPE_CHECKING:
    import httpx

SIZE_BYTES = 1 << 20
CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes


def ask(
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    may_lie_inside: bool = False,
) -> Answer:
    """Get the address, or send it a form or bytes. Raises FetchError."""
    import httpx

    require_askable(address, may_lie_inside=may_lie_inside)
    until = time.monotonic() + TOTAL_SECONDS
    said = {"User-Agent": AGENT, "Accept": "application/json", **(headers or {})}
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)

    def require_outside(event: str, facts: dict[str, Any]) -> None:
        # A name may lead elsewhere when it is asked again. Nothing, a secret least of all, is sent before this.
        if event == "connection.connect_tcp.complete" and goes_directly(address):
            reached = facts["return_value"].get_extra_info("server_addr")
            if reached is not None and is_inner(reached[0]):
                raise FetchError("not-allowed", address[:200])

    watch = {} if may_lie_inside else {"trace": require_outside}
    method = "GET" if form is None and content is None else "POST"
    try:
        with (
            httpx.Client(timeout=timeout, headers=said, follow_redirects=False) as client,
            client.stream(method, address, data=form, content=content, extensions=watch) as response,
        ):
            return Answer(response.status_code, _body(response, until))
    except httpx.TimeoutException as error:
        raise FetchError("timeout", type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError("unreachable", f"{type(error).__name__}: {error}"[:200]) from error


def require_askable(address: str, *, may_lie_inside: bool) -> None:
    """Only https, and only outside; inside, where that is allowed, also http. Raises FetchError."""
    try:
        parts = urlsplit(address)
        host = host_of(parts)
    except ValueError as error:
        raise FetchError("not-allowed", address[:200]) from error
    if not host or parts.username or parts.password or parts.fragment:
        raise FetchError("not-allowed", address[:200])
    if parts.scheme == "https":
        is_allowed = may_lie_inside or not leads_inside(host)
    else:  # Nobody reads along on the way there.
        is_allowed = parts.scheme == "http" and may_lie_inside and leads_inside(host)
    if not is_allowed:
        raise FetchError("not-allowed", address[:200])


def _body(response: httpx.Response, until: float) -> bytes:
    parts, size_bytes = [], 0
    for chunk in response.iter_bytes():
        size_bytes += len(chunk)
        if size_bytes > SIZE_BYTES:
            raise FetchError("too-large", str(size_bytes))
        if time.monotonic() > until:
            raise FetchError("timeout", "in all")
        parts.append(chunk)
    return b"".join(parts)
