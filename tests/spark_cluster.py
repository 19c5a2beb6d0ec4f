"""A real Spark for tests: a master and workers of this machine, each a program of its own, from the PySpark package.

PySpark lies in the folder that `TOCSIN_TEST_SPARK` names, in `.scale` beside the sources (script/setup --scale), or
among the installed packages; Java 17 or later comes from the distribution.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 90
INSTALL_SECONDS = 480
# Programs that live for a minute need no best machine code.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss512k"


def missing() -> str:
    """Why there is no Spark here; empty where there is one. Waits for one that is being installed (script/test)."""
    ready = os.environ.get("TOCSIN_TEST_SPARK_READY")
    until = time.monotonic() + INSTALL_SECONDS
    while ready and not Path(ready).exists() and time.monotonic() < until:
        time.sleep(0.5)
    for folder in (os.environ.get("TOCSIN_TEST_SPARK"), str(ROOT / ".scale")):
        if folder and Path(folder, "pyspark").is_dir() and folder not in sys.path:
            sys.path.append(folder)
    if importlib.util.find_spec("pyspark") is None:
        return "there is no PySpark (script/setup --scale)"
    return "" if java() else "there is no Java 17 or later (Debian and Ubuntu: apt install openjdk-17-jre-headless)"


def java() -> str:
    """The program; empty where there is none that is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = (str(Path(home, "bin/java")) if home else None) or shutil.which("java")
    if not found or not Path(found).exists():
        return ""
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return found if version and int(version[1]) >= 17 else ""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


class Cluster:
    """A master and its workers. Whatever they write lies in `folder`."""

    def __init__(self, folder: Path, workers: int = 2, *, cores: int = 1) -> None:
        self.folder = folder
        self.address = f"spark://127.0.0.1:{free_port()}"
        self.events = folder / "events"
        self.events.mkdir(parents=True)
        self.key = folder / "keys" / "engine-key"
        self._cores = cores
        self._master = self._begun("master", "deploy.master.Master", "--host", "127.0.0.1", "--port",
                                   self.address.rpartition(":")[2], "--webui-port", "0")  # fmt: skip
        self.workers = [self.add_worker() for _ in range(workers)]
        self._wait_for(workers)

    def add_worker(self) -> subprocess.Popen[bytes]:
        number = len(getattr(self, "workers", ()))
        return self._begun(f"worker-{number}-{time.monotonic_ns()}", "deploy.worker.Worker", "--host", "127.0.0.1",
                           "--cores", str(self._cores), "--memory", "1g", "--webui-port", "0",
                           "--work-dir", str(self.folder / "work"), self.address)  # fmt: skip

    def options(self) -> dict[str, str]:
        """How a session of this cluster is begun."""
        return {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "512m",
            "spark.executor.memory": "512m",
            "spark.driver.extraJavaOptions": QUICK_JAVA,
            "spark.executor.extraJavaOptions": QUICK_JAVA,
            "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self.events.as_uri(),
            "spark.eventLog.compress": "false",  # Tests look into it.
        }

    def stop(self) -> None:
        for process in (*self.workers, self._master):
            process.terminate()
        for process in (*self.workers, self._master):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def connect(self) -> Iterator[str]:
        """A server of Spark Connect whose work this cluster does; its address."""
        port = free_port()
        options = self.options() | {
            "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port),
            "spark.cores.max": "1", "spark.ui.enabled": "false",
        }  # fmt: skip
        told = ["--master", self.address, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        for name, value in options.items():
            told += ["--conf", f"{name}={value}"]
        server = self._begun("connect", "deploy.SparkSubmit", *told, "spark-internal", memory="512m")
        try:
            _wait_for_port(port)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()

    def kill_one(self) -> subprocess.Popen[bytes]:
        """End a worker and whatever it started, at once and without a word; another may be added."""
        worker = self.workers.pop(0)
        below = descendants(worker.pid)
        for pid in (worker.pid, *below):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        worker.wait()
        return worker

    def _begun(self, name: str, kind: str, *told: str, memory: str = "256m") -> subprocess.Popen[bytes]:
        import pyspark

        home = str(Path(pyspark.__file__).parent)
        environment = os.environ | {
            "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": memory,
            "PYSPARK_PYTHON": sys.executable, "SPARK_DAEMON_JAVA_OPTS": QUICK_JAVA,
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("wb") as log:
            program = [f"{home}/bin/spark-class", f"org.apache.spark.{kind}", *told]
            return subprocess.Popen(program, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def _wait_for(self, workers: int) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if (self.folder / "master.log").read_text(errors="replace").count("Registering worker") >= workers:
                return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "master.log").read_text(errors="replace")[-2_000:])


def _wait_for_port(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"nobody listens at {port}")


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
