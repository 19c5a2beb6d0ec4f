"""`tocsin seal`: says whether the key at hand is the right one, seals what is not yet, and changes the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests import builders

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Hold
from tocsin.cli.seal import seal
from tocsin.credentials.content_keys import FILE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the installation of the tests, which has no settings file."""
    monkeypatch.setattr("tocsin.cli.seal.setup", lambda: None)


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(seal, words)
    return done.exit_code, done.output


def test_the_state_is_told_and_a_lost_key_ends_with_status_1(store: Path) -> None:
    assert json.loads(run("state", "--json")[1]) == {
        "keys": 0, "batches_unsealed": 0, "files_in_the_clear": 0, "fault": "",
    }  # fmt: skip
    held = builders.delivery(builders.organisation("northwind"), state="held")
    Hold.objects.create(delivery=held, kind="legal", held_at=builders.NOW, finds=[{"excerpt": "said"}])
    assert run("rows") == (0, "0 batches, 0 rows and 0 files sealed.\n")
    path = store.parent / "keys" / FILE
    former = path.read_bytes()
    code, said = run("rotate")
    assert (code, said.split(" keys")[0]) == (0, "2")  # Of what is held, and of the lake.
    assert path.read_bytes() != former
    assert Entry.objects.get(action="seal.rotated").subject == "seals:keys"
    path.unlink()
    for words in (("state",), ("rotate",)):
        code, said = run(*words)
        assert code == 1
        assert f"{path} is missing: restore it from the backup" in said
    assert not path.exists(), "no second key is made beside a lost one"
