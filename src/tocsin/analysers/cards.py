"""The card of an analyser: what it is for, on which data it was measured, where it fails, what was measured.

A card is a TOML file in `cards/`. Its figures have a floor, below which the build fails, and a goal; what was measured
is written by `tocsin lab evaluate --keep` and by nobody else.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "cards"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `better` is "higher" or "lower"; a floor or a goal of None is not set."""

    name: str
    says: str
    better: str
    floor: float | None = None
    goal: float | None = None
    measured: float | None = None

    def holds(self, value: float, bound: float | None) -> bool:
        """Whether a value is no worse than a floor or a goal. What cannot be counted holds nothing."""
        if bound is None:
            return True
        return not math.isnan(value) and (value >= bound if self.better == "higher" else value <= bound)


@dataclass(frozen=True, slots=True)
class Card:
    """What people must know before they believe an analyser."""

    name: str
    version: str
    title: str
    question: str
    decides: str
    method: str
    data: str
    licence: str
    split: str
    fails: tuple[str, ...]
    figures: tuple[Figure, ...]
    measured_on: str = ""

    def figure(self, name: str) -> Figure | None:
        """The figure of that name."""
        return next((each for each in self.figures if each.name == name), None)


def card(name: str) -> Card:
    """The card of an analyser."""
    return read((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def read(text: str) -> Card:
    """Read a card. Raises ValueError or KeyError where it is not complete."""
    said = tomllib.loads(text)
    figures = tuple(Figure(**each) for each in said.pop("figures"))
    if any(each.better not in ("higher", "lower") for each in figures):
        raise ValueError("a figure is better when it is higher or when it is lower")
    return Card(**{**said, "fails": tuple(said["fails"]), "figures": figures})


def with_measured(text: str, measured: dict[str, float], on: str) -> str:
    """The text of a card with new figures: only what was measured changes."""
    parts = re.split(r"(?m)^(?=\[\[figures\]\]$)", text)
    made = [_set(parts[0], "measured_on", f'"{on}"')]
    for part in parts[1:]:
        name = tomllib.loads(part)["figures"][0]["name"]
        made.append(_set(part, "measured", f"{measured[name]:.4f}") if name in measured else part)
    return "".join(made)


def _set(part: str, key: str, value: str) -> str:
    """The part with a line for this key: in place of the one that is there, or at the end."""
    lines = part.rstrip("\n").split("\n")
    places = [number for number, line in enumerate(lines) if line.startswith(f"{key} = ")]
    for number in places or [len(lines)]:
        lines[number : number + 1] = [f"{key} = {value}"]
    return "\n".join(lines) + part[len(part.rstrip("\n")) :]
