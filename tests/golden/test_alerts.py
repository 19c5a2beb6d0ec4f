"""What each output of an alert says, in each language, file by file: tests/golden/alerts/<case>/.

They are written anew by running this module: python -m tests.golden.test_alerts
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.alert_editions import CASES, ISSUER

from tocsin.products.alerts.feeds import Entry, Log, feeds_of
from tocsin.products.alerts.outputs import files_of, manifest_of
from tocsin.products.alerts.record import LANGUAGES

FOLDER = Path(__file__).parent / "alerts"
FEEDS = "feeds"


def made(case: str) -> dict[str, bytes]:
    """Name of the file in its folder → what it must say."""
    if case == FEEDS:
        entries = [Entry(each, "0" * 64, 4321) for each in sorted(CASES.values(), key=lambda each: each.sent)]
        return {file.path.replace("/", "-"): file.body for file in feeds_of(Log(ISSUER, LANGUAGES, entries))}
    files = list(files_of(CASES[case]))
    files.append(manifest_of(CASES[case], files, "0123abcd"))
    return {file.path.split("/", 1)[1]: file.body for file in files}


@pytest.mark.parametrize("case", [*CASES, FEEDS])
def test_outputs_are_as_they_were(case: str) -> None:
    expected = {path.name: path.read_bytes() for path in (FOLDER / case).iterdir()}
    found = made(case)
    assert sorted(found) == sorted(expected)
    for name, body in found.items():
        assert body.decode() == expected[name].decode(), name


def test_every_folder_has_a_case() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*CASES, FEEDS])


def write() -> None:
    for case in [*CASES, FEEDS]:
        folder = FOLDER / case
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, body in made(case).items():
            (folder / name).write_bytes(body)


if __name__ == "__main__":
    write()
