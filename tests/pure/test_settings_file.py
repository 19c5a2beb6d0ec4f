"""One line of the settings changed, and no other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tocsin.site.settings_file import set_line, with_line

TEXTS = (
    "", 'a = 1', 'a = 1\n', 'database = "x"\n', '# database = "x"\na = 1\n', "a = 1\n\n[limits]\nperson_lookups = 5\n",
    '[limits]\nperson_lookups = 5\n', '  database   =   \'old\'   # why\nb = 2\n[limits]\nperson_lookups = 1\n',
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_one_line_is_set(text: str) -> None:
    made = with_line(text, "database", 'postgresql://o"ne@/två?host=/tmp')
    assert tomllib.loads(made) == {**tomllib.loads(text), "database": 'postgresql://o"ne@/två?host=/tmp'}
    kept = [line for line in text.splitlines() if not line.strip().startswith("database")]
    assert [line for line in made.splitlines() if line in kept] == kept
    assert with_line(made, "database", "sqlite:").count("database") == made.count("database")


@pytest.mark.parametrize("text", ['database = """x\ny"""\n', '"database" = "x"\n'])
def test_what_stands_in_an_unusual_way_is_left_to_its_writer(text: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        with_line(text, "database", "y")


def test_the_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.toml"
    path.write_text("a = 1\n")
    path.chmod(0o640)
    set_line(path, "database", "sqlite:")
    assert path.read_text() == 'a = 1\ndatabase = "sqlite:"\n'
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["tocsin.toml"]
