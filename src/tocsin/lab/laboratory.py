"""The laboratory: every analyser is measured anew on research data, and its floors and goals are compared."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tocsin.analysers import ANALYSERS
from tocsin.analysers.cards import Card, Figure, card
from tocsin.analysers.measures import Bin
from tocsin.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Measured:
    """What one evaluation found: figures by name, and what a reliability plot draws."""

    figures: dict[str, float]
    reliability: list[Bin] = field(default_factory=list)
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure beside its floor and its goal."""

    figure: Figure
    value: float

    @property
    def is_above_floor(self) -> bool:
        """Whether the build may go on."""
        return self.figure.holds(self.value, self.figure.floor)

    @property
    def is_goal_met(self) -> bool:
        """Whether it is as good as it is meant to be."""
        return self.figure.holds(self.value, self.figure.goal)


def names() -> tuple[str, ...]:
    """All analysers: ours, then those of others."""
    return ANALYSERS + tuple(sorted(each.name for each in entry_points(group="tocsin.analysers")))


def evaluation(name: str) -> ModuleType:
    """How it is measured. Raises InputError("not-an-analyser")."""
    if name in ANALYSERS:
        return importlib.import_module(f"tocsin.lab.evaluations.{name}")
    for each in entry_points(group="tocsin.analysers"):
        if each.name == name:
            module = each.load()
            if isinstance(module, ModuleType):
                return module
    raise InputError("not-an-analyser", field="analyser", excerpt=name)


def card_of(name: str) -> Card:
    """Its card: in our folder, or what its module says."""
    if name in ANALYSERS:
        return card(name)
    found = evaluation(name).card()
    assert isinstance(found, Card)
    return found


def evaluate(name: str, folder: Path) -> tuple[Measured, list[Compared]]:
    """Measure one analyser. Raises InputError("no-research-data") where the folder has not what it needs."""
    measure: Callable[[Path], Measured] = evaluation(name).evaluate
    try:
        found = measure(folder)
    except FileNotFoundError as missing:
        raise InputError("no-research-data", field=name, excerpt=str(missing.filename)) from None
    return found, list(compared(card_of(name), found.figures))


def compared(said: Card, figures: dict[str, float]) -> Iterator[Compared]:
    """The figures of a card as they came out now. A figure that the card promises and nobody measured is NaN."""
    for each in said.figures:
        yield Compared(each, figures.get(each.name, float("nan")))


def predict(name: str, folder: Path) -> Iterable[dict[str, Any]]:
    """Answers for inputs whose labels are kept apart. Raises InputError("no-predictions")."""
    answer: Callable[[Path], Iterable[dict[str, Any]]] | None = getattr(evaluation(name), "predict", None)
    if answer is None:
        raise InputError("no-predictions", field="analyser", excerpt=name)
    return answer(folder)
