"""What the first view costs on the wire, measured by the browser itself with nothing in its cache.

The application is served whole: the usual server of tests gives static files out by itself, and uncompressed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from playwright.sync_api import Browser
from tests import people, scene
from tests.journeys.conftest import enter

from tocsin.site.wsgi import application

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
FIRST_VIEW_BYTES = 150_000


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[str]:
    """The application as an installation serves it, middleware and all."""
    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


@pytest.mark.parametrize(
    ("login", "language"), [("dana_analyst", "en"), ("khalil_officer", "ar"), ("pia_partner", "fr")]
)
def test_the_first_view_is_light(browser: Browser, origin: str, login: str, language: str) -> None:
    scene.make()
    people.call(login)
    context = browser.new_context()
    enter(context, origin, login, language)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    sizes: list[int] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    wire.send("Network.enable")
    page.goto(f"{origin}/")
    page.wait_for_load_state("networkidle")
    context.close()
    assert len(sizes) >= 5, "the page, its style, its scripts, its fonts and its map"
    print(f"{login}, {language}: {sum(sizes)} bytes in {len(sizes)} requests")
    assert sum(sizes) <= FIRST_VIEW_BYTES
