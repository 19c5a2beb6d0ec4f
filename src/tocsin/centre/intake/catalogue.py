"""The feeds of the catalogue beside how they do here."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.reference.feeds import Feed, all_feeds

from .models import FeedState


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed, and its state; None where it was never switched on."""

    feed: Feed
    state: FeedState | None


def feeds_with_states() -> list[Listed]:
    """Every feed of the catalogue, by slug."""
    states = {state.slug: state for state in FeedState.objects.all()}
    return [Listed(feed, states.get(feed.slug)) for feed in all_feeds()]
