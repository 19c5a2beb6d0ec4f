"""What is wrong with the settings is said in words of their own: which line, which setting, what is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tocsin.cli import installation as command
from tocsin.cli import told
from tocsin.core.errors import InputError
from tocsin.site import installation

WRONG = {
    'engine = "sprak://one:7077"': ("engine", "not one of"),
    "[limits]\nperson_lookup = 3": ("limits.person_lookup", "person_lookups"),
    "[limits]\nkey_requests = -1": ("limits.key_requests", "not a whole number"),
    'second_factor = "no"': ("second_factor", "offered or centre or everyone"),
    'workers = "two"': ("workers", "not a whole number from 0 on"),
    "upload_limit_bytes = 0": ("upload_limit_bytes", "from 1 on"),
    'seal_observations = "false"': ("seal_observations", "not true or false"),
    '[engine_options]\nmaster = "x"': ("engine_options.master", "not a setting of Spark"),
}


@pytest.mark.parametrize("said", WRONG)
def test_it_names_the_line_and_what_is_allowed(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.delenv("TOCSIN_ENGINE", raising=False)
    (tmp_path / "tocsin.toml").write_text(f"organisation = 'X'\n\n{said}\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        installation.load(tmp_path)
    name, allowed = WRONG[said]
    line = 3 + said.count("\n")
    sentence, place = told(refused.value).split("\n")
    assert sentence == "A line of the settings cannot be used as it stands."
    assert place.startswith(f"tocsin.toml, line {line}, {name}: ")
    assert allowed in place


def test_what_is_no_toml_is_said_too(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text("organisation = \n", encoding="utf-8")
    with pytest.raises(InputError, match="not-a-setting") as refused:
        installation.load(tmp_path)
    assert "line 1" in told(refused.value)


def test_a_variable_of_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tocsin.toml").write_text('engine = "embedded"\n', encoding="utf-8")
    monkeypatch.setenv("TOCSIN_ENGINE", "sprak://one:7077")
    with pytest.raises(InputError) as refused:
        installation.load(tmp_path)
    assert "TOCSIN_ENGINE in the environment, engine: sprak://" in told(refused.value)


def test_a_command_says_it_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('\ndatabase = "postgresql://a@/b?user=c"\n', encoding="utf-8")
    program = "from tocsin.cli import main; main(prog_name='tocsin')"
    environment = {name: value for name, value in os.environ.items() if name != "TOCSIN_DATABASE"}
    done = subprocess.run(
        [sys.executable, "-c", program, "clock", "show"], env=environment | {"TOCSIN_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "tocsin.toml, line 2, database: unknown: user" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_a_database_that_sorts_otherwise_is_told_of_when_an_installation_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server of the tests sorts by bytes, and knows capital letters of English alone."""
    if connection.vendor != "postgresql":
        assert command._of_database() == []
        return
    said = command._of_database()
    assert not any("sorts texts" in each or "encoding" in each.partition("ENCODING")[0] for each in said[:-1])
    monkeypatch.setattr(command, "BY_BYTES", ("xx",))
    said = command._of_database()
    assert "sorts texts as C does" in said[0]
    assert "LC_COLLATE 'C'" in said[-1]
