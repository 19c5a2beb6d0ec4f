"""The loop answers published files by itself: what it holds, for as long as it knows that it stands."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.centre.alerts import shelf
from tocsin.centre.alerts.answers import Held
from tocsin.site.serving.at_once import AtOnce
from tocsin.site.serving.lanes import Lanes
from tocsin.site.serving.rules import Rules
from tocsin.site.serving.state import State
from tocsin.site.serving.wire import Wire

PAGE = b"<!doctype html><p>" + b"What is happening. " * 100
AT = datetime(2026, 11, 23, tzinfo=UTC)


class Known(shelf.Shelf):
    """A shelf whose database is a number."""

    published = 1
    is_away = False

    def check(self) -> None:
        from django.db import OperationalError

        if self.is_away:
            raise OperationalError("gone")
        begun = shelf.time.monotonic()
        if self._changes != self.published:
            self._held.clear()
            self._written.clear()
            self._changes = self.published
        self._checked_at = begun

    def lay(self, path: str, body: bytes = PAGE, *, is_gone: bool = False) -> None:
        packed = gzip.compress(body, mtime=0)
        self._put(Held("ab" * 32, "text/html; charset=utf-8", AT, path, body, packed, is_gone), self._changes)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    body = f"a thread: {environ['REQUEST_METHOD']} {environ['PATH_INFO']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


Talk = Callable[[bytes, int], Awaitable[list[tuple[int, dict[str, str], bytes]]]]


def with_server(own: Known, talk: Callable[[Talk], Awaitable[None]]) -> None:
    async def run() -> None:
        rules = Rules()
        state = State(Lanes(application, rules), rules)
        state.public = AtOnce(own)
        server = await asyncio.get_running_loop().create_server(lambda: Wire(state), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def say(data: bytes, answers: int) -> list[tuple[int, dict[str, str], bytes]]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            found = [await _read(reader) for _ in range(answers)]
            writer.close()
            return found

        try:
            await talk(say)
        finally:
            server.close()
            state.stop()
            state.lanes.shut()

    own.check()
    # In a thread of its own: a browser of another test of this process has a loop in this one.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: asyncio.run(asyncio.wait_for(run(), 20))).result()


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    headers = {name.lower(): value for name, value in re.findall(r"([\w-]+): (.*)\r\n", head)}
    body = await reader.readexactly(int(headers["content-length"])) if "content-length" in headers else b""
    return int(head.split(" ")[1]), headers, body


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_a_held_page_needs_no_thread() -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own.lay("en/")
        [(status, headers, body)] = await say(get("/alerts/en/?from=somewhere"), 1)
        assert (status, body) == (200, PAGE)
        [(_, packed, body)] = await say(get("/alerts/en/", "Accept-Encoding: gzip"), 1)
        assert (packed["content-encoding"], gzip.decompress(body)) == ("gzip", PAGE)
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
        [(status, again, body)] = await say(get("/alerts/en/", f"If-None-Match: {headers['etag']}"), 1)
        assert (status, body, again["etag"]) == (304, b"", headers["etag"])
        assert own.taken == {"en/": 3}

    with_server(own, talk)


def test_all_else_goes_the_usual_way() -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own.lay("en/")
        usual = [
            get("/alerts/fr/"), get("/alertsen/"), get("/"), get("/alerts/en%2F"), get("/alerts/en/", "Expect: x"),
            get("/alerts/en/", "Connection: close"), get("/alerts/en/").replace(b"GET", b"HEAD"),
            get("/alerts/en/").replace(b"HTTP/1.1", b"HTTP/1.0"),
        ]  # fmt: skip
        for each in usual[:4]:
            [(_, _, body)] = await say(each, 1)
            assert body.startswith(b"a thread: GET"), each
        for each in usual[5:6] + usual[7:]:
            [(_, _, body)] = await say(each, 1)
            assert body == b"a thread: GET /alerts/en/", each

    with_server(own, talk)


def test_one_after_another_on_a_connection() -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own.lay("en/")
        own.lay("gone/", b"<p>cancelled</p>", is_gone=True)
        asked = get("/alerts/en/") + get("/alerts/nothing/") + get("/alerts/gone/") + get("/alerts/en/")
        found = await say(asked * 20, 80)
        assert [each[0] for each in found] == [200, 200, 410, 200] * 20
        assert [each[2] for each in found[:4]] == [PAGE, b"a thread: GET /alerts/nothing/", b"<p>cancelled</p>", PAGE]

    with_server(own, talk)


def test_what_was_published_meanwhile_is_never_told_from_memory() -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own.lay("en/")
        await say(get("/alerts/en/"), 1)
        own.published = 2
        for _ in range(200):
            [(_, _, body)] = await say(get("/alerts/en/"), 1)
            if body != PAGE:
                break
            await asyncio.sleep(0.02)
        assert body == b"a thread: GET /alerts/en/"

    with_server(own, talk)


def test_while_the_database_is_away_nothing_is_told_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own.lay("en/")
        own.is_away = True
        monkeypatch.setattr(shelf, "FRESH_SECONDS", 0.05)
        await asyncio.sleep(0.1)
        [(_, _, body)] = await say(get("/alerts/en/"), 1)
        assert body == b"a thread: GET /alerts/en/"
        own.is_away = False
        own._checked_at = float("-inf")
        await say(get("/alerts/en/"), 1)
        monkeypatch.setattr(shelf, "FRESH_SECONDS", 1.0)
        for _ in range(100):
            [(_, _, body)] = await say(get("/alerts/en/"), 1)
            if body == PAGE:
                break
            await asyncio.sleep(0.02)
        assert body == PAGE

    with_server(own, talk)


def test_the_root_leads_to_the_readers_language() -> None:
    own = Known()

    async def talk(say: Talk) -> None:
        own._languages = ("ar", "en")
        own.lay("")
        [(status, headers, _)] = await say(get("/alerts/", "Accept-Language: ar-EG, en;q=0.5"), 1)
        assert (status, headers["location"], headers["vary"]) == (302, "ar/", "Accept-Language")
        [(status, _, body)] = await say(get("/alerts/", "Accept-Language: ja"), 1)
        assert (status, body) == (200, PAGE)

    with_server(own, talk)
