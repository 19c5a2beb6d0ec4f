"""The feed that a file comes from, by the remarks at its top: for files that are handed over without a profile."""

from __future__ import annotations

from tocsin.reference.feeds import Feed, feed_of_banner

LINES = 40
MARKS = ("#", ";")


def feed_of(head: bytes, format_name: str) -> Feed | None:
    """The feed of the catalogue whose banner stands in the remarks, if its files are of this format."""
    text = head[: 16 << 10].decode("utf-8-sig", errors="replace")
    remarks = "".join(f"{line.rstrip()}\n" for line in text.splitlines()[:LINES] if line.startswith(MARKS))
    feed = feed_of_banner(remarks) if remarks else None
    return feed if feed is not None and feed.profile.format == format_name else None
