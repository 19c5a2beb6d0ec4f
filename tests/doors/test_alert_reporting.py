"""`tocsin alert reporting`: what officers see of the reporting channels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tocsin.cli import main as tocsin

ROW = (
    '[[channel]]\ncountry = "FR"\nname = "Bureau"\ntelephone = "110"\nsource = "https://own.example"\n'
    'seen = 2020-11-01\nchecked_on = 2020-11-20\nchecked_by = "R. Okafor"\n'
)


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.alert_reporting.setup", lambda: None)


def _said(*arguments: str, code: int = 0) -> str:
    run = CliRunner().invoke(tocsin, ["alert", "reporting", *arguments])
    assert run.exit_code == code, run.output
    return run.output


def test_all_of_them_and_those_of_a_country() -> None:
    assert "channels in" in _said()
    shown = _said("--country", "Malaysia")
    assert "997" in shown
    assert "NOT CONFIRMED" in shown
    assert "MY  emergency  999" in shown
    assert {each["country"] for each in json.loads(_said("--country", "MY", "--json"))} == {"MY"}
    assert "No country is called Nowhere" in _said("--country", "Nowhere", code=1)


def test_what_is_missing_is_told_with_what_is_known() -> None:
    missing = json.loads(_said("--missing", "--json"))
    assert missing["ZW"] == "995"
    assert missing["AQ"] == ""
    assert "FR" not in missing
    assert "ZW  Zimbabwe  emergency 995" in _said("--missing", "--country", "ZW")


def test_a_file_is_looked_through_before_it_counts(tmp_path: Path) -> None:
    own = tmp_path / "draft.toml"
    own.write_text(ROW, encoding="utf-8")
    shown = _said("--file", str(own), "--country", "FR")
    assert "checked 2020-11-20 by R. Okafor" in shown
    assert shown.splitlines()[0].endswith("OLD")
    own.write_text(ROW.replace('"110"', '"call me"'), encoding="utf-8")
    assert "FR: the telephone number has other signs" in _said("--file", str(own), code=1)
