"""What the server puts up with. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds of one server process; tests make them small."""

    connections: int = 16_000
    """At most; of more, the one that has waited longest without asking for anything is closed."""
    head_bytes: int = 64 << 10
    """Of a request's line and headers."""
    head_seconds: float = 20
    """From the first moment of a connection, or the first byte of a further request, to the end of its headers."""
    idle_seconds: float = 75
    """Between two requests: longer than what proxies keep open, so that they close first."""
    small_bytes: int = 64 << 10
    """A body up to here is taken in whole before a thread has to do with it."""
    small_total_bytes: int = 64 << 20
    """All small bodies together that are not whole yet."""
    window_seconds: float = 15
    """Over which the pace of a client is looked at."""
    pace_bytes: int = 512
    """A client that sends or takes less in a second, over a whole window, is given up."""
    held_bytes: int = 1 << 20
    """Of one large body that came and that its thread has not taken yet."""
    answer_bytes: int = 256 << 10
    """Of one answer that its client has not taken yet, where it is made piece by piece."""
    answers_total_bytes: int = 512 << 20
    """Of all answers that wait for their clients; who has waited longest is given up for others."""
    page_threads: int = 8
    """For people's pages."""
    program_threads: int = 4
    """For the API and TAXII; half of them while pages are asked for."""
    body_threads: int = 20
    """Large bodies on their way in at once; more wait their turn."""
    beginning_bodies: int = 2
    """Of these, how many at once may be asked who they are from; one now and then, while pages are asked for."""
    stream_threads: int = 4
    """What is made piece by piece is made by these, and each is free while the client takes a piece."""
    waiting_pages: int = 2_000
    waiting_bodies: int = 200
    """Requests that wait for a thread; of more, the last one of who has most waiting hears 503."""
    linger_seconds: float = 3
    """How long what a client goes on sending after its answer is thrown away, so that it can read the answer."""
    drain_seconds: float = 8
    """After the word to stop, for what is under way. Containers are killed after ten seconds."""

    @property
    def window_bytes(self) -> int:
        return int(self.window_seconds * self.pace_bytes)


RETRY_SECONDS = 10
"""After which who was turned away may come again."""
MACHINE_DOORS = ("/api/", "/taxii2/")
