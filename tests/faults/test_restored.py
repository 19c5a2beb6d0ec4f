"""The drill: a backup, its keys kept apart, restored elsewhere. What was recalled or purged since stays away (W38)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.faults.installation import Installation

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite")
pytestmark = [NO_SERVER, pytest.mark.slow]
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FILES = ("content-keys", "sealing-key", "signing-key.pem")
MADE = {"spec_version": "2.1", "created": "2026-11-20T00:00:00.000Z", "modified": "2026-11-20T00:00:00.000Z"}
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with its keys apart, and the journals of what was done after it."""
    place = tmp_path_factory.mktemp("drill")
    made = Installation(place / "home")
    step(made, "make")
    deploy(made, "backup", str(place / "copy"), str(place / "keys"))
    assert not (place / "copy" / "keys").exists()
    step(made, "after")
    return place


def step(installation: Installation, *words: str) -> str:
    """One of the steps below, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.test_restored", *words],
        env=installation.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def deploy(installation: Installation, script: str, *words: str, status: int = 0) -> str:
    environment = {**installation.environment, "TOCSIN_PYTHON": sys.executable}
    done = subprocess.run(
        [str(DEPLOY / script), *words], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr[-3000:]
    return done.stdout


def restored(place: Path, home: Path, *keys: str, status: int = 0) -> tuple[Installation, str]:
    installation = Installation(home)
    said = deploy(installation, "restore", str(place / "copy"), str(home), *keys, status=status)
    for journal in ("recalls.jsonl", "ends.jsonl"):  # As the guide says: the newest that there are.
        shutil.copy(place / "home" / journal, home / journal)
    return installation, said


def started(installation: Installation) -> subprocess.CompletedProcess[str]:
    """What `tocsin work` says, which begins as `tocsin serve` does."""
    words = [sys.executable, "-c", "from tocsin.cli import main; main()", "work", "--until-idle"]
    return subprocess.run(
        words, env=installation.environment, capture_output=True, text=True, timeout=200, check=False
    )  # fmt: skip


def test_w38_with_its_keys_all_opens_and_what_is_gone_stays_gone(place: Path, tmp_path: Path) -> None:
    installation, said = restored(place, tmp_path / "home", str(place / "keys"))
    assert "0 wrong" in said
    done = started(installation)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 recalls were made again" in done.stdout
    assert "1 deliveries were ended or purged again" in done.stdout
    assert json.loads(step(installation, "tell")) == {
        "red": "Zephyrquill Heron", "shown": ["203.0.113.7"], "asked_by": "Ada Ferreira",
        "alive": ["kept.json", "parts.csv", "recalled.csv"], "public": ["<p>Warning</p>"],
    }  # fmt: skip


@pytest.mark.parametrize("wrong", ["is missing", "is not the one that belongs to this database"])
def test_w38_without_its_keys_nothing_is_served_and_each_file_is_named(wrong: str, place: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    keys: list[str] = []
    if wrong != "is missing":
        step(Installation(tmp_path / "other"), "other")
        keys = [str(tmp_path / "other" / "keys")]
    installation, said = restored(place, home, *keys, status=1)
    told = [f"{home / 'keys' / name} {wrong}: restore it from the backup of this installation's keys" for name in FILES]
    assert all(each in said for each in told)
    held = (home / "tocsin.sqlite3").read_bytes()
    done = started(installation)
    assert done.returncode == 1
    assert all(each in done.stderr for each in told)
    assert "Nothing is served and nothing was changed" in done.stderr
    assert (home / "tocsin.sqlite3").read_bytes() == held
    there = [(home / "keys" / name).exists() for name in FILES]
    assert there == [bool(keys)] * len(FILES), "no key is made beside a lost one"


def _make() -> None:
    from tocsin.cli.installation import make
    from tocsin.site.installation import home_folder

    make(home=home_folder())
    from tests import builders
    from tests.crew import work

    from tocsin.centre.intake import services
    from tocsin.centre.intake.models import Batch
    from tocsin.centre.intake.terms import set_audience
    from tocsin.centre.rights import services as rights
    from tocsin.core.profiles import Profile

    now, source = datetime.now(UTC), builders.organisation("northwind")
    crew = {"type": "intrusion-set", "id": "intrusion-set--00000000-0000-4000-8000-00000000000a", **MADE,
            "name": "Zephyrquill Heron", "object_marking_refs": [TLP_RED]}  # fmt: skip
    red = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-00000000000b", "objects": [crew]}
    profile = Profile(
        name="list", format="delimited", columns={"value": "ip"}, delimiter=",", header=True,
        defaults={"role": "ATTACKER_INFRA"},
    )  # fmt: skip
    contents = {
        "kept.json": json.dumps(red), "parts.csv": "ip\n198.51.100.9\n203.0.113.7\n",
        "recalled.csv": "ip\n203.0.113.8\n", "purged.csv": "ip\n203.0.113.9\n",
    }  # fmt: skip
    for name, content in contents.items():
        services.receive(
            organisation=source, via="api", name=name, chunks=[content.encode()], at=now,
            marking="TLP:RED" if name.endswith("json") else "TLP:AMBER",
            profile=None if name.endswith("json") else profile,
        )  # fmt: skip
    work()
    set_audience(Batch.objects.all(), [])
    from tocsin.centre.alerts import files
    from tocsin.centre.alerts.models import PublicFile

    page = files.keep(b"<p>Warning</p>")
    PublicFile.objects.create(path="en/", sha256=page, media_type="text/html", size=14, published_at=now)
    said = rights.Asked("Ada Ferreira", "Rua 1, Lisbon", [], "")
    rights.take(said, kind="access", language="en", by="person", at=now)


def _after() -> None:
    """Recall one delivery and a part of another, purge a third."""
    from tests import people

    from tocsin.centre.intake.models import Delivery
    from tocsin.centre.recall import services as recalls
    from tocsin.centre.retention import purging

    found, by, now = {each.name: each for each in Delivery.objects.all()}, people.call("lena_legal"), datetime.now(UTC)
    why = {"by": by, "reason": "wrong-data", "action": "destroy", "note": "", "at": now}
    recalls.recall(found["recalled.csv"], **why)
    recalls.recall_parts(found["parts.csv"], ["198.51.100.9"], **why)
    purging.order(found["purged.csv"], by=by.login, at=now)


def _tell() -> None:
    from tocsin.centre.alerts import files
    from tocsin.centre.alerts.models import PublicFile
    from tocsin.centre.analysis.lookups import asked_of, snapshot
    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.knowledge.models import Object
    from tocsin.centre.rights import services as rights
    from tocsin.centre.rights.models import SubjectRequest
    from tocsin.core.typed import recognise_value
    from tocsin.lake.questions.lookup import Sight, lookup
    from tocsin.lake.scope import Batches, Scope

    shown = Batch.objects.filter(hidden_at=None, purged_at=None).values_list("pk", flat=True)
    sight = Sight(Scope(Batches(list(shown)), all_victims=True))
    values = ["198.51.100.9", "203.0.113.7", "203.0.113.8", "203.0.113.9"]
    seen = []
    for value in values:
        kind, canonical = recognise_value(value) or ("", "")
        if lookup(snapshot(), sight, asked_of(str(kind), canonical), most_rows=0).by_batch:
            seen.append(value)
    facts = {
        "red": Object.objects.get().name, "shown": seen,
        "asked_by": rights.said_in(SubjectRequest.objects.get())["name"],
        "alive": sorted(each.name for each in Delivery.objects.exclude(state="purged")),
        "public": [files.read(each.sha256).decode() for each in PublicFile.objects.all()],
    }  # fmt: skip
    print(json.dumps(facts))


def _other() -> None:
    """Keys of another installation."""
    from tocsin.credentials import load_or_make
    from tocsin.credentials.content_keys import make_installation_key
    from tocsin.credentials.sealing import sealing_key

    folder = Path(os.environ["TOCSIN_HOME"]) / "keys"
    load_or_make(folder)
    make_installation_key(folder)
    sealing_key(folder)


if __name__ == "__main__":
    if sys.argv[1] not in {"make", "other"}:
        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "tocsin.site.settings"
        django.setup()
    {"make": _make, "after": _after, "tell": _tell, "other": _other}[sys.argv[1]]()
