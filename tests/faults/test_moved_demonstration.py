"""The demonstration is moved from SQLite to PostgreSQL: every page, download, answer and package stays what it was.

People of five kinds walk through both and are shown the same, line by line; so are their programs.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.faults.installation import Installation
from tests.faults.movable import Server, step, told
from tests.faults.test_lost_database import NEEDS_SERVER

pytestmark = [pytest.mark.django_db, NEEDS_SERVER, pytest.mark.slow, pytest.mark.timeout(1200)]
PEOPLE = ("ines", "bureau-fr", "samir", "admin", "polar-ops")
"""An analyst with the victim desk, a bureau's officer, an auditor, an administrator, a partner's analyst."""
ENGINE = re.compile(r"SQLite [\d.]+|PostgreSQL [\d.]+( \([^)<]*\))?")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.drop()


def shown(line: str, installation: Installation) -> list[str]:
    """What somebody is shown, in lines, without where the installation lies and which database it names."""
    return ENGINE.sub("DATABASE", line.replace(str(installation.home), "HOME")).replace("><", ">\n<").split("\n")


def walk(installation: Installation, at: datetime) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.faults.walk", at.isoformat(), *PEOPLE]
    return subprocess.Popen(
        words, env=installation.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )  # fmt: skip


def test_all_stays_equal(tmp_path: Path, server: Server) -> None:
    before = Installation(tmp_path / "before")
    told(before, "demo", "--no-serve", "--observations", "2000")
    after = before.copy(tmp_path / "after")
    told(after, "move", server.database())
    # That it was moved is an act of its own: the one that was not moved gets it, too.
    moved = json.loads(f"[{','.join(told(after, 'audit', 'search', '--limit', '3', '--json').splitlines())}]")
    for each in reversed(moved):
        note = json.dumps([each[name] for name in ("at", "actor", "action", "subject", "detail")])
        step(before, "note", note)
    at = datetime.now(UTC).replace(microsecond=0)
    found: list[dict[str, Any]] = []
    for walking in [walk(before, at), walk(after, at)]:
        said, _ = walking.communicate(timeout=1000)
        assert walking.returncode == 0
        found.append(json.loads(said))
    was, is_now = found
    assert list(is_now) == list(was)
    assert len(was) > 350
    statuses = {said[0] for said in was.values()}
    assert statuses <= {200, 302, 403, 404, 405, 422}, statuses
    differ = {
        address: list(difflib.unified_diff(one, other, lineterm="", n=0))[2:12]
        for address, said in was.items()
        if (one := shown("\n".join(map(str, said)), before))
        != (other := shown("\n".join(map(str, is_now[address])), after))
    }
    assert differ == {}
