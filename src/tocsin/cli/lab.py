"""`tocsin lab ...`: how good the analysers are, measured anew."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tocsin.analysers import cards
from tocsin.core.errors import InputError
from tocsin.lab import laboratory

BELOW_A_FLOOR = 1
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def lab() -> None:
    """Measure the analysers on research data, fit them, answer for inputs whose labels are kept apart."""


@lab.command("evaluate")
@click.argument("folder", type=FOLDER)
@click.option("--only", multiple=True, metavar="NAME", help="Only this analyser; may be said more than once.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--keep", is_flag=True, help="Write what was measured into the cards of this checkout.")
def evaluate(folder: Path, only: tuple[str, ...], as_json: bool, keep: bool) -> None:
    """Measure every analyser on the data in FOLDER; ends with 1 when one falls below a floor.

    An analyser for which FOLDER has no data is named as not measured, and counts as below its floor.
    """
    table = Table("Analyser", "Figure", "Measured", "Floor", "Goal", "")
    said: list[dict[str, Any]] = []
    is_good = True
    for name in only or laboratory.names():
        try:
            measured, compared = laboratory.evaluate(name, folder)
        except InputError as error:
            if error.reason != "no-research-data":
                raise
            is_good = False
            table.add_row(name, "", "not measured", "", "", f"no data: {error.excerpt}")
            said.append({"analyser": name, "missing": error.excerpt})
            continue
        if keep:
            _keep(name, measured.figures)
        for each in compared:
            is_good = is_good and each.is_above_floor
            table.add_row(name, each.figure.says, *_shown(each))
        said.append(_as_data(name, measured, compared))
    if as_json:
        click.echo(json.dumps(said, indent=1))
    else:
        Console().print(table)
    if not is_good:
        raise SystemExit(BELOW_A_FLOOR)


@lab.command("predict")
@click.argument("name")
@click.argument("folder", type=FOLDER)
def predict(name: str, folder: Path) -> None:
    """Answers of the analyser NAME for the inputs in FOLDER whose labels are kept apart, as JSON lines."""
    for each in laboratory.predict(name, folder):
        click.echo(json.dumps(each, ensure_ascii=False))


@lab.command("fit")
@click.argument("name")
@click.argument("folder", type=FOLDER)
def fit(name: str, folder: Path) -> None:
    """Fit the parameters of the analyser NAME anew on the data in FOLDER, into this checkout."""
    module = laboratory.evaluation(name)
    if not hasattr(module, "fit"):
        raise click.ClickException(f"{name} has nothing that is fitted.")
    click.echo(f"Written: {module.fit(folder)}")


@lab.command("list")
def show() -> None:
    """The analysers, what each answers, and what was measured last."""
    table = Table("Analyser", "Answers", "Measured", "On")
    for name in laboratory.names():
        card = laboratory.card_of(name)
        figures = ", ".join(f"{each.name} {each.measured:g}" for each in card.figures if each.measured is not None)
        table.add_row(name, card.question, figures, card.measured_on)
    Console().print(table)


def _keep(name: str, figures: dict[str, float]) -> None:
    path = cards.FOLDER / f"{name}.toml"
    today = datetime.now(UTC).date().isoformat()
    path.write_text(cards.with_measured(path.read_text(encoding="utf-8"), figures, today), encoding="utf-8")


def _shown(each: laboratory.Compared) -> tuple[str, str, str, str]:
    bounds = ("" if bound is None else f"{bound:g}" for bound in (each.figure.floor, each.figure.goal))
    goal = "" if each.figure.goal is None else "goal met" if each.is_goal_met else "goal not met"
    verdict = goal if each.is_above_floor else "below the floor"
    value = "not measured" if math.isnan(each.value) else f"{each.value:.4f}"
    return (value, *bounds, verdict)  # type: ignore[return-value]


def _as_data(name: str, measured: laboratory.Measured, compared: list[laboratory.Compared]) -> dict[str, Any]:
    return {
        "analyser": name,
        "version": laboratory.card_of(name).version,
        "cases": measured.cases,
        "figures": [
            {
                "name": each.figure.name,
                "value": None if math.isnan(each.value) else round(each.value, 6),
                "floor": each.figure.floor,
                "goal": each.figure.goal,
                "is_above_floor": each.is_above_floor,
                "is_goal_met": each.is_goal_met,
            }
            for each in compared
        ],
        "reliability": [{"count": each.count, "said": each.said, "was": each.was} for each in measured.reliability],
    }
