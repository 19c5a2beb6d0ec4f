"""What the command line says when something is wrong: where, what and what to do, and never a traceback."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError, ProgrammingError
from tests import builders, scene

from tocsin import cli
from tocsin.centre.intake.models import Delivery
from tocsin.cli.ingest import report
from tocsin.core.errors import InputError
from tocsin.reference import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def _said_of(error: Exception) -> str:
    @click.group(cls=cli.Commands)
    def group() -> None:
        """Stands for the command line."""

    @click.command()
    def failing() -> None:
        raise error

    group.get_command = lambda _ctx, _name: failing  # type: ignore[method-assign]
    done = CliRunner().invoke(group, ["failing"])
    assert done.exit_code == 1
    return done.output


def test_a_wrong_input_is_told_with_its_place() -> None:
    said = _said_of(InputError("not-a-country", "row 3", "country", "Frnace"))
    assert said == "Error: This is not an ISO 3166 country code. (row 3 country Frnace)\n"


def test_an_older_database_is_told_and_other_faults_are_not_hidden() -> None:
    assert "Bring it up to date with: tocsin init" in _said_of(OperationalError("no such column: a.b"))
    assert _said_of(ProgrammingError("syntax error")) == "", "a fault of ours stays one"


def test_what_was_refused_is_told_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    shown = scene.make()
    report([shown.delivery, shown.quarantined], as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "rows.csv: 1 refused" in said
    assert "line 3 ip 192.0.2.999: This is not an internet address." in said
    assert "odd.bin was set aside. No known format was recognised." in said
    assert "Proposals" not in said, "a column of zeros takes no room"


def test_an_older_database_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.serve.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.serve.run_server", lambda *told: pytest.fail("it was served"))
    [(_app, newest)] = MigrationLoader(connection).graph.leaf_nodes("members")
    MigrationRecorder(connection).migration_qs.filter(app="members", name=newest).delete()
    for command in (["serve"], ["work", "--until-idle"]):
        done = CliRunner().invoke(cli.main, command)
        assert done.exit_code == 1
        assert "Bring it up to date with: tocsin init" in done.output


def test_names_of_files_cannot_write_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shown = scene.make()
    Delivery.objects.update(name="gpj.\u202eexe\x1b]0;mine\x07.csv", reason_where="\x1b[2J")
    report([shown.delivery, shown.quarantined], as_json=False)
    said = capsys.readouterr().out
    assert not set(said) & {"\x1b", "\x07", "\u202e"}
    assert "\\u202e" in "".join(said.split())


def test_a_lookup_tells_names_and_warning_lists_of_what_nobody_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.lookup.setup", lambda: None)
    builders.centre()
    resolver = CliRunner().invoke(cli.main, ["lookup", "8.8.8.8"]).output
    assert "Nothing is known of it." in resolver
    assert "On a warning list: List of known IPv4 public DNS resolvers" in resolver
    assert "Fancy Bear" in CliRunner().invoke(cli.main, ["lookup", "apt28"]).output


def test_a_lookup_lists_the_objects_that_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.lookup.setup", lambda: None)
    scene.make()
    said = CliRunner().invoke(cli.main, ["lookup", "tool--1"]).output
    assert "tool: Netcat tool--1" in " ".join(said.split())
    assert "Nothing is known" not in said


def test_a_label_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tocsin.cli.ingest.setup", lambda: None)
    builders.organisation("northwind")
    file = tmp_path / "list.txt"
    file.write_text("9.9.9.9\n", encoding="utf-8")
    done = CliRunner().invoke(cli.main, ["ingest", str(file), "--from", "northwind", "--marking", "TLP:PINK"])
    assert done.exit_code == 1
    assert "This sharing label is not known." in done.output
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("lookup", " "),
        ("reference", "update", __file__, "--date", "never", "--licence", "x"),
        ("package", "--since", "soon", "FR"),
    ],
    ids=("lookup", "reference", "package"),
)
def test_wrong_arguments_are_usage_errors(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    monkeypatch.setattr("tocsin.cli.reference.setup", lambda: None)
    done = CliRunner().invoke(cli.main, list(arguments))
    assert done.exit_code == 2, done.output
    assert "Error: " in done.output


def test_tables_that_would_not_be_used_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tocsin.cli.reference.setup", lambda: SimpleNamespace(home=tmp_path))
    table = tmp_path / "own.csv"
    table.write_text("198.51.100.0/24,64500,FR\n", encoding="utf-8")
    day = str(store.shipped().date)
    old = CliRunner().invoke(cli.main, ["reference", "update", str(table), "--date", "2020-01-01", "--licence", "own"])
    assert old.exit_code == 2
    assert day in old.output, "which are in use"
    assert not (tmp_path / "reference").exists()
    done = CliRunner().invoke(cli.main, ["reference", "update", str(table), "--date", day, "--licence", "own"])
    assert done.exit_code == 0, done.output
    assert "In use from now on" in done.output
    assert store.installed(tmp_path / "reference").licence != store.shipped().licence


def test_a_forged_package_of_any_shape_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tocsin.cli.package._tell_tampered", lambda reason: None)
    forged = tmp_path / "forged.zip"
    for manifest in (
        '{"files": {}, "signature": [1]}',
        '{"files": {}, "signature": "x", "number": []}',
        "[]",
        "[" * 9_999,
    ):
        with zipfile.ZipFile(forged, "w") as archive:
            archive.writestr("manifest.json", manifest)
            archive.writestr("manifest.sig", "not a signature")
        for extra in ((), ("--json",), ("--key", str(forged))):
            done = CliRunner().invoke(cli.main, ["package", "verify", str(forged), *extra])
            assert isinstance(done.exception, SystemExit), (manifest[:40], done.exception)
            assert done.exit_code == 1


def test_the_demonstration_is_not_played_where_people_come_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OWASP ASVS 15.2.3: its accounts have a password that everybody knows."""
    (tmp_path / "tocsin.toml").write_text('public_origin = "https://tocsin.example"\n')
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    done = CliRunner().invoke(cli.main, ["demo", "--no-serve"])
    assert done.exit_code == 1
    assert "a folder of its own" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tocsin.toml"]
