"""A publication whose process is killed (kill -9) or whose disk is full: afterwards it is made or it is not, never half
of it, and the next try publishes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

if __name__ == "__main__":  # In a process of its own; models are imported behind it.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    if sys.argv[1] == "make":
        from tocsin.cli.installation import make as _made_here

        _made_here(home=Path(os.environ["TOCSIN_HOME"]))
    else:
        import django

        django.setup()

from django.conf import settings
from django.utils import timezone
from tests import alert_life, people
from tests.faults.installation import Installation
from tests.faults.small_disks import mounted

from tocsin.centre.alerts import files, publishing
from tocsin.centre.alerts.models import PublicFile, Version
from tocsin.centre.alerts.public import lists
from tocsin.centre.alerts.rules import State
from tocsin.core.errors import InputError
from tocsin.products.alerts import printed

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite")
PLACES = {
    "kept": "the bytes are kept, and no transaction has begun",
    "half": "some rows of the site are switched, and the transaction has not ended",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("publication") / "home")
    done = step(installation, "make")
    assert done.returncode == 0, done.stderr[-2000:]
    return installation


def step(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """One of the steps below, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.test_alert_publication", *words],
        env=installation.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@NO_SERVER
@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_place_nothing_is_half_published(place: str, made: Installation, tmp_path: Path) -> None:
    installation = made.copy(tmp_path / "home")
    killed = step(installation, "kill", place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    done = step(installation, "after")
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = (json.loads(line) for line in done.stdout.splitlines())
    assert before == {"state": "published-police", "public": False, "files": 0, "changes": 0, "damaged": 0}, PLACES[
        place
    ]
    assert (after["state"], after["public"], after["damaged"]) == ("published-public", True, 0), (
        "the next try publishes"
    )
    assert after["files"] > 50


@pytest.mark.django_db
@pytest.mark.any_database
def test_on_a_full_disk_nothing_is_published_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=home, store=""))
    _quick(monkeypatch.setattr)
    version = alert_life.with_police(alert_life.begun())
    with mounted(files.folder(), "24m") as disk:
        for room in (0, 40_000):
            filler = disk / "filler"
            with filler.open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(disk).free - room)
            with pytest.raises(InputError, match="no-space"):
                publish(version)
            assert told()["files"] == 0
            assert alert_life.fresh(version).state == State.POLICE
            assert not list(disk.glob("*/.*")), "no half file is left behind"
            filler.unlink()
        publish(version)
        assert alert_life.fresh(version).state == State.PUBLIC
        assert (told()["files"] > 50, told()["damaged"]) == (True, 0)


def publish(version: Version) -> Version:
    now = alert_life.fresh(version)
    return publishing.publish_public(now, by=people.call(alert_life.RELEASER), at=timezone.now())


def told() -> dict[str, Any]:
    version = Version.objects.get()
    named = list(PublicFile.objects.values_list("sha256", flat=True))
    return {
        "state": version.state, "public": version.public_at is not None, "files": len(named),
        "changes": publishing.state().changes, "damaged": len(list(files.damaged(named))),
    }  # fmt: skip


def _quick(put: Callable[[Any, str, Any], None]) -> None:
    """One list instead of thousands, and nothing printed: both are files like the others."""
    put(lists, "all_facets", list)
    put(printed, "files_of", lambda edition: [])


def _make() -> None:
    alert_life.with_police(alert_life.begun())


def _kill(place: str) -> None:
    """Publish, and die at that place."""

    def dying(*said: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if place == "kept":
        known = publishing._kept

        def kept(made: Any) -> dict[str, str]:
            found = known(made)
            assert all(files.read(each) for each in found.values())
            dying()
            return found

        publishing._kept = kept
    else:
        entered = publishing._entered

        def half(*said: Any) -> None:
            entered(*said)
            assert PublicFile.objects.exists()
            dying()

        publishing._entered = half
    publish(Version.objects.get())


def _after() -> None:
    """What stands at once, and after it was published again."""
    print(json.dumps(told()))
    publish(Version.objects.get())
    print(json.dumps(told()))


if __name__ == "__main__":
    _quick(setattr)
    {"make": _make, "kill": _kill, "after": _after}[sys.argv[1]](*sys.argv[2:])
