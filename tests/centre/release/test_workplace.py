"""The folder in which packages are made: held while somebody works in it, and gone when nobody does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from tocsin.centre.release import workplace

pytestmark = pytest.mark.any_database
WORKS = """
    import sys, time
    from pathlib import Path
    from types import SimpleNamespace
    from django.conf import settings
    settings.configure(INSTALLATION=SimpleNamespace(store_folder=Path(sys.argv[1])))
    from tocsin.centre.release import workplace
    with workplace.held() as folder:
        (folder / "rows").write_text("plain")
        print(folder, flush=True)
        time.sleep(600)
"""
HAS_HELP = """
    import multiprocessing, os, time
    from concurrent.futures import ProcessPoolExecutor
    from tocsin.lake import side_process
    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context, side_process.begin) as pool:
            print(pool.submit(os.getpid).result(), flush=True)
            time.sleep(600)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    return settings.INSTALLATION.store_folder


def begun(program: str, folder: Path, *words: str) -> tuple[subprocess.Popen[str], str]:
    """A process of this program, and the first line that it says."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(program))
    process = subprocess.Popen([sys.executable, str(path), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_what_a_killed_process_left_goes_and_what_somebody_holds_stays(store: Path, tmp_path: Path) -> None:
    process, said = begun(WORKS, tmp_path, str(store))
    try:
        workplace.sweep_left()
        with workplace.held() as mine:
            workplace.sweep_left()
            assert sorted(store.glob(".packages-*")) == sorted([Path(said), mine])
    finally:
        process.kill()
        process.wait()
    assert (Path(said) / "rows").exists()
    workplace.sweep_left()
    assert not list(store.glob(".packages-*"))


def test_a_folder_that_nobody_came_to_hold_goes_after_an_hour(store: Path) -> None:
    fresh, old = store / ".packages-fresh", store / ".packages-old"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
    long_ago = time.time() - 4_000
    os.utime(old, (long_ago, long_ago))
    workplace.sweep_left()
    assert (fresh.exists(), old.exists()) == (True, False)


def test_processes_that_help_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    process, said = begun(HAS_HELP, tmp_path)
    helper = int(said)
    os.kill(helper, 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while Path(f"/proc/{helper}/stat").exists() and " Z " not in Path(f"/proc/{helper}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
