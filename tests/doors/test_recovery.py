"""Getting back in without touching the database: the commands of the guide, run as an operator runs them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context, Group
from django.contrib.auth.hashers import check_password

import tocsin
from tocsin.cli import main

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operator" / "recovery.md"
RUN = "from tocsin.cli import main; main()"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh installation on SQLite."""
    return tmp_path_factory.mktemp("home")


def said(home: Path, *words: str, status: int = 0) -> str:
    source = str(Path(tocsin.__file__).parents[1])
    environment = {**os.environ, "TOCSIN_HOME": str(home), "PYTHONPATH": source, "TOCSIN_DATABASE": ""}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "tocsin.sqlite3") as database:
        return database.execute(query).fetchall()


def test_an_installation_is_got_back_into_by_commands_alone(home: Path) -> None:
    said(home, "init")
    said(home, "person", "create", "ada", "--name", "Ada", "--role", "administrator")
    # The last administrator is lost: another is made.
    made = said(home, "person", "create", "rescue", "--name", "Rescue", "--role", "administrator")
    first = re.search(r"rescue: first password (\S+)", made)
    again = re.search(r"rescue: new first password (\S+)", said(home, "person", "password", "rescue"))
    assert first is not None
    assert again is not None
    [(kept, must_change)] = rows(
        home, "SELECT password, must_change_password FROM members_person WHERE login = 'rescue'"
    )
    assert check_password(again[1], str(kept))
    assert not check_password(first[1], str(kept))
    assert must_change
    assert "second factor" not in said(home, "person", "reset-factors", "nobody", status=1)
    said(home, "person", "reset-factors", "rescue")
    assert "do not open read" in said(home, "person", "key", "rescue", "--scope", "read", status=1)
    said(home, "person", "roles", "rescue", "--role", "administrator", "--role", "duty")
    key = said(home, "person", "key", "rescue", "--scope", "read")
    number = re.search(r"key number (\d+)", key)
    assert number is not None
    said(home, "person", "revoke-key", number[1])
    acts = [row[0] for row in rows(home, "SELECT action FROM audit_entry WHERE actor = 'command' ORDER BY id")]
    assert acts == [
        "person.added", "person.added", "person.password-reset", "person.factors-reset", "person.changed", "key.added",
        "key.revoked",
    ]  # fmt: skip
    assert all(
        first[1] not in str(row) and again[1] not in str(row) for row in rows(home, "SELECT detail FROM audit_entry")
    )
    assert json.loads(str(rows(home, "SELECT detail FROM audit_entry WHERE action = 'person.added'")[0][0]))["roles"]


def test_who_is_alone_with_the_command_line_finds_who_there_is_and_what_holds_them_back(home: Path) -> None:
    said(home, "init")
    said(home, "person", "create", "Nadia", "--name", "Nadia\u202e [red]X", "--role", "analyst")
    taken = said(home, "person", "create", "nadia", "--name", "N", "--role", "analyst", status=1)
    assert "tocsin person password nadia" in taken
    assert "no name that the log itself uses" in said(
        home, "person", "create", "system", "--name", "N", "--role", "analyst", status=1
    )
    assert "There are: analyst, reviewer" in said(
        home, "person", "create", "nils", "--name", "N", "--role", "king", status=1
    )
    listed = [json.loads(line) for line in said(home, "person", "list", "--json").splitlines()]
    [nadia] = [each for each in listed if each["login"] == "Nadia"]
    assert (nadia["name"], nadia["roles"], nadia["state"], nadia["second_factor"]) == (
        "Nadia [red]X", ["analyst"], "second-look", False,
    )  # fmt: skip
    table = said(home, "person", "list", "--role", "analyst")
    assert all(word in table for word in ("Nadia", "[red]X", "analyst"))
    said(home, "person", "close", "nadia", "--reason", "lost laptop")
    assert "is closed already" in said(home, "person", "close", "Nadia", "--reason", "again", status=1)
    assert "tocsin person reopen Nadia" in said(home, "person", "password", "nadia")
    said(home, "person", "reopen", "nadia")
    assert "not closed" in said(home, "person", "reopen", "nadia", status=1)
    key = said(home, "person", "key", "nadia", "--scope", "ask", "--from", "192.0.2.0/24")
    number = re.search(r"key number (\d+)", key)
    assert number is not None
    [told] = [json.loads(line) for line in said(home, "person", "keys", "nadia", "--json").splitlines()]
    assert (str(told["number"]), told["ranges"], told["scopes"]) == (number[1], ["192.0.2.0/24"], ["ask"])
    assert "so wide that it bounds nothing" in said(
        home, "person", "key", "nadia", "--scope", "ask", "--from", "::/0", status=1
    )
    said(home, "person", "revoke-key", number[1])
    assert said(home, "person", "keys", "nadia", "--json") == ""


def test_the_guide_names_commands_that_exist() -> None:
    named = set(re.findall(r"tocsin (person|audit) ([a-z-]+)", GUIDE.read_text(encoding="utf-8")))
    assert {("person", "password"), ("person", "reset-factors"), ("person", "create")} <= named
    context = Context(main)
    for group, word in sorted(named):
        commands = main.get_command(context, group)
        assert isinstance(commands, Group), group
        assert commands.get_command(context, word) is not None, f"{group} {word}"
