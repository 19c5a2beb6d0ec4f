"""Networks most concerned in a country, from rows that the viewer may see; read from the lake, kept like figures."""

from __future__ import annotations

from datetime import UTC, datetime, time

from tocsin.centre.intake.selectors import scope_of
from tocsin.handling import Viewer
from tocsin.lake.questions.networks import System, networks

from . import selectors as figures
from .lookups import snapshot


def networks_of_country(viewer: Viewer, now: datetime, span: str, code: str) -> list[System]:
    """Systems with most rows observed in the span, busiest networks inside each."""
    first = figures.since(span, now)
    since = None if first is None else datetime.combine(first, time.min, UTC)

    def ask() -> list[System]:
        return networks(snapshot(), scope_of(viewer, now), country=code, since=since)

    return figures.cached(viewer, now, f"networks:{span}:{code}", ask)
