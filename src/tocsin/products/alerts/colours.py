"""The colours of the types of alert, as notices of police have them. White letters on them can be read (WCAG 1.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from .record import AlertType


@dataclass(frozen=True, slots=True)
class Palette:
    """Three steps of one colour, as #rrggbb."""

    deep: str
    """Bands, and letters on white."""
    edge: str
    """Lines and fine marks."""
    tint: str
    """Behind dark letters."""


PALETTES = {
    AlertType.METHOD: Palette("#5b2a86", "#d8c8e8", "#f6f1fa"),
    AlertType.IMMINENT: Palette("#b84300", "#f3cdac", "#fdf3ea"),
    AlertType.PERSON: Palette("#1f6b3f", "#bcdcc8", "#eff7f2"),
    AlertType.PREVENTION: Palette("#0f4c8a", "#bfd5ec", "#eff5fb"),
}
CANCELLED = Palette("#4a5560", "#ccd3d9", "#f3f5f6")
"""Of every alert that was cancelled: nobody is to be drawn to it."""


def palette(kind: AlertType, is_cancelled: bool = False) -> Palette:
    return CANCELLED if is_cancelled else PALETTES[kind]
