"""A line of two gigabytes goes the whole road, through the sandbox, and ends with a reason and in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli.acceptance_run import Process

SIZE_BYTES = 2 << 30
MOST_BYTES = 1_500 << 20


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_line_of_two_gigabytes_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    block = b"bad.example," * (1 << 20)
    with path.open("wb") as file:
        while file.tell() < SIZE_BYTES:
            file.write(block)
    work = tmp_path / "work"
    work.mkdir()
    process = Process("2026-11-22T00:00:00+00:00")
    try:
        found = process.measure(path, path.name, work, 600.0)
    finally:
        process.stop()
        path.unlink()
    assert found.fault == ""
    assert found.rows == 0
    assert found.rejected >= 1
    assert (found.state, bool(found.reason)) == ("quarantined", True)
    assert found.peak_bytes < MOST_BYTES
