"""A PostgreSQL server of a test's own, on a machine of its own: another network, reached over TLS, killed and cut off.

The machine is a network namespace; its only cable leads here. Needs root, `ip` and the server's programs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

UP_SECONDS = 60
PASSWORD = "exercise-of-the-cable"


def programs() -> Path | None:
    """Where the newest server's programs lie."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def may_make_networks() -> bool:
    """Whether this process may make a network namespace, and a cable into it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"tocsin-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


def _addresses() -> tuple[str, str]:
    """This end and the far one of a cable that nobody has: another run may have one, or have been killed with one."""
    laid = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    begin = os.getpid() % CABLES
    for number in (*range(begin, CABLES), *range(begin)):
        here = f"198.51.100.{4 * number + 1}"
        if f" {here}/" not in laid:
            return here, f"198.51.100.{4 * number + 2}"
    raise AssertionError("every cable is taken: ip -o -4 addr")


CABLES = 64
"""Networks of four addresses in 198.51.100.0/24."""


class FarServer:
    """The server; `address` is what an installation is told."""

    def __init__(self) -> None:
        self.here, self.there = _addresses()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-far-"))
        self.name = f"tocsin-{os.getpid()}"
        self.near, self.far = f"tn{os.getpid()}", f"tf{os.getpid()}"
        self.bin = programs() or Path("/nowhere")
        self.authority = self.folder / "root.pem"
        self.address = f"postgresql://tocsin:{PASSWORD}@{self.there}/tocsin?sslrootcert={self.authority}"

    def make(self) -> None:
        """Lay the cable, make the cluster and start it."""
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self.near, "type", "veth", "peer", "name", self.far)
        self._ip("link", "set", self.far, "netns", self.name)
        self._ip("addr", "add", f"{self.here}/30", "dev", self.near)
        self._ip("link", "set", self.near, "up")
        for words in (("link", "set", "lo", "up"), ("link", "set", self.far, "up")):
            self._ip("-n", self.name, *words)
        self.mend()
        self.folder.chmod(0o755)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        shutil.chown(data, "postgres")
        (self.folder / "password").write_text(PASSWORD)
        self._as_server(
            str(self.bin / "initdb"), "-D", str(data), "-U", "tocsin", "-E", "UTF8", "--locale=C", "-A",
            "scram-sha-256",
            f"--pwfile={self.folder / 'password'}",
        )  # fmt: skip
        self._sign()
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"hostssl all all {self.here}/32 scram-sha-256\n")
        self.start()
        with psycopg.connect(self.address.replace("/tocsin?", "/postgres?"), sslmode="verify-full") as server:
            server.autocommit = True
            server.execute("CREATE DATABASE tocsin")

    def _sign(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "far")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(self.there))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        body = made.public_bytes(serialization.Encoding.PEM)
        self.authority.write_bytes(body)
        plain = serialization.NoEncryption()
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        for path, content in (
            (self.folder / "data" / "server.crt", body),
            (self.folder / "data" / "server.key", secret),
        ):
            path.write_bytes(content)
            path.chmod(0o600)
            shutil.chown(path, "postgres")

    def start(self) -> None:
        """Start the server, and wait until it takes connections. What a crash left is mended by it."""
        options = f"-c listen_addresses={self.there} -c ssl=on -c unix_socket_directories='' -c max_connections=40"
        self._as_server(
            str(self.bin / "pg_ctl"), "-D", str(self.folder / "data"), "-l", str(self.folder / "data" / "said"), "-o",
            options, "-t", str(UP_SECONDS), "start", within=True,
        )  # fmt: skip

    def kill(self) -> None:
        """kill -9 of the first process and of every other."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        others = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False)
        for number in (first, *map(int, others.stdout.split())):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        until = time.monotonic() + UP_SECONDS
        while Path(f"/proc/{first}").exists() and time.monotonic() < until:
            time.sleep(0.05)

    def cut(self) -> None:
        """Nobody answers any more, and nobody says so: what is sent is lost."""
        found = subprocess.run(
            ["ip", "-n", self.name, "-o", "link", "show", self.far], capture_output=True, text=True, check=True
        ).stdout.split()
        where = found[found.index("link/ether") + 1]
        self._ip("neigh", "replace", self.there, "lladdr", where, "dev", self.near, "nud", "permanent")
        self._ip("-n", self.name, "addr", "flush", "dev", self.far)

    def mend(self) -> None:
        """The far end has its address again."""
        self._ip("-n", self.name, "addr", "replace", f"{self.there}/30", "dev", self.far)
        self._ip("neigh", "flush", "dev", self.near)

    def remove(self) -> None:
        """Leave nothing behind."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.kill()
        subprocess.run(["ip", "link", "del", self.near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_server(self, *words: str, within: bool = False) -> None:
        place = ["ip", "netns", "exec", self.name] if within else []
        done = subprocess.run(
            [*place, "runuser", "-u", "postgres", "--", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            cwd=self.folder, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    @staticmethod
    def _ip(*words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
