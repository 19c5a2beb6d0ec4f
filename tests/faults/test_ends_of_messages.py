"""Where a request ends: the real server, and the real proxy before it with the configuration that we ship, agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.doors.test_client_certificates import made

from tocsin.cli.serve import PORTAL

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "deploy" / "nginx.conf"
HEAD = b"POST /sign-in/ HTTP/1.1\r\nHost: tocsin.example\r\n"
HIDDEN = b"GET /health HTTP/1.1\r\nHost: tocsin.example\r\n\r\n"
LATEST = 30.0
CONTRADICTIONS = {
    "length and coding": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 6\r\nContent-Length: 7\r\n\r\nabcdef",
    "a list of lengths": b"Content-Length: 6, 6\r\n\r\nabcdef",
    "a length with a sign": b"Content-Length: +6\r\n\r\nabcdef",
    "a coding that is none": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding that is not the last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
}


@dataclass(frozen=True, slots=True)
class Servers:
    """The portal as `tocsin serve` starts it, and the proxy of deploy/ before it."""

    portal: int
    proxy: int | None
    folder: Path

    def sent(self, to_proxy: bool, raw: bytes) -> list[int]:
        """The status of each answer on one connection, until the server closes it or has nothing more to say."""
        line: socket.socket = socket.create_connection(("127.0.0.1", self._port(to_proxy)), timeout=LATEST)
        if to_proxy:
            context = ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))
            context.check_hostname = False
            line = context.wrap_socket(line)
        with line:
            line.sendall(raw)
            line.settimeout(LATEST)
            heard = b""
            while heard.count(b'"status": "ok"') < raw.count(HIDDEN) and (more := line.recv(65536)):
                heard += more
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", heard)]

    def _port(self, to_proxy: bool) -> int:
        port = self.proxy if to_proxy else self.portal
        if port is None:
            pytest.skip("nginx is not on this machine")
        return port


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    (folder / "tocsin.toml").write_text('allowed_hosts = ["tocsin.example"]\nsecret = "of this test"\n')
    portal, proxy = _free_port(), _free_port()
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    settings = {**os.environ, "TOCSIN_HOME": str(folder), "TOCSIN_DATABASE": "", "PYTHONPATH": str(ROOT / "src")}
    settings.pop("DJANGO_SETTINGS_MODULE", None)
    command = [*PORTAL, "127.0.0.1", str(portal)]
    with (folder / "told").open("wb") as told:
        running = [subprocess.Popen(command, env=settings, stdout=told, stderr=told)]
        if program:
            running.append(_start_proxy(program, folder, portal, proxy))
        try:
            for port in (portal, proxy) if program else (portal,):
                _wait_for(port)
            yield Servers(portal, proxy if program else None, folder)
        finally:
            for each in running:
                each.terminate()
            for each in running:
                each.wait(20)


def _start_proxy(program: str, folder: Path, portal: int, port: int) -> subprocess.Popen[bytes]:
    """nginx with our file, its places and ports alone changed."""
    made_for = made("tocsin.example", is_ca=True)
    (folder / "fullchain.pem").write_text(made_for.pem)
    made_for.write(folder / "key.pem")
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl;"), ("listen [::]:443 ssl http2;", ""),
        ("listen 80;", f"listen 127.0.0.1:{_free_port()};"), ("listen [::]:80;", ""),
        ("/etc/ssl/tocsin/", f"{folder}/"), ("/var/log/nginx/", f"{folder}/"),
        ("127.0.0.1:8000", f"127.0.0.1:{portal}"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors emerg;\nevents {{}}\nhttp {{\n{temporary}{text}}}\n"
    )
    return subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "start")])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize("to_proxy", [False, True], ids=["portal", "proxy"])
@pytest.mark.parametrize("said", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_says_two_things_is_refused_and_what_hides_behind_is_not_read(
    said: bytes, to_proxy: bool, servers: Servers
) -> None:
    """4.2.1: one refusal, then the connection ends; the request behind it is nobody's."""
    assert servers.sent(to_proxy, HEAD + said + HIDDEN) in ([400], [501])


@pytest.mark.parametrize("to_proxy", [False, True], ids=["portal", "proxy"])
def test_what_is_said_once_leaves_the_next_request_in_place(to_proxy: bool, servers: Servers) -> None:
    assert servers.sent(to_proxy, HEAD + b"Content-Length: 6\r\n\r\nabcdef" + HIDDEN) == [403, 200]


def test_no_log_holds_what_was_looked_up(servers: Servers) -> None:
    """14.2.1: what stands in the address behind the question mark is in no line of the proxy nor of the portal."""
    asked = b"GET /no-such-page/?q=victim.example HTTP/1.1\r\nHost: tocsin.example\r\n"
    asked += b"Referer: https://tocsin.example/lookup/?q=victim.example\r\n\r\n"
    for to_proxy in (True, False):
        assert servers.sent(to_proxy, asked + HIDDEN) == [404, 200]
    log = servers.folder / "tocsin.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert ["/no-such-page/", 404] in [[line["path"], line["status"]] for line in lines]
    told = [json.loads(line) for line in (servers.folder / "told").read_text().splitlines()]
    assert any(line["kind"] == "absent" for line in told)
    for file in ("tocsin.log", "tocsin-error.log", "errors", "start", "told"):
        path = servers.folder / file
        assert not path.exists() or "victim" not in path.read_text()
