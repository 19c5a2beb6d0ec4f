"""What is not used before somebody answers: a news site reported as an indicator, and a table that names customers."""

from __future__ import annotations

from collections.abc import Iterator

from .drafts import Draft
from .plan import Expected, Outcome
from .story import TAKEDOWN_DAY, Story

_CUSTOMERS = ("Aurelio Montesino", "Petronila Quiñonero", "Hamdi Berrached", "Odalys Ferreguela", "Casimir Nordhaven")


def drafts(story: Story) -> Iterator[Draft]:
    yield _news_site(story)
    yield _customers(story)


def _news_site(story: Story) -> Draft:
    """An offence of speech: articles 2 and 3 come before any indexing."""
    day = TAKEDOWN_DAY + 6
    said = "EXERCISE spreading false information,block and find the author"
    rows = (
        f"harbour-gazette.example,{story.text_at(day - 2)},{said}",
        f"harbour-gazette-mirror.example,{story.text_at(day - 1)},{said}",
    )
    return Draft(
        "porto",
        "sites-to-block.csv",
        "delimited-csv",
        ("\n".join(("domain,first_seen,offence,remark", *rows)) + "\n").encode(),
        day,
        13,
        expected=Expected(Outcome.HELD, rows=0),
        story="A news site sent as an indicator: it waits for a legal officer.",
    )


def _customers(story: Story) -> Draft:
    """Names of customers under TLP:GREEN: the label cannot make them public."""
    day = TAKEDOWN_DAY + 8
    pages = story.kit_pages[: len(_CUSTOMERS)]
    rows = (
        f"{page.url},{story.text_at(day - 1)},{name},EXERCISE"
        for page, name in zip(pages, _CUSTOMERS, strict=True)
    )  # fmt: skip
    return Draft(
        "tallis",
        "who-clicked.csv",
        "delimited-csv",
        ("\n".join(("url,first_seen,customer_name,remark", *rows)) + "\n").encode(),
        day,
        13,
        expected=Expected(Outcome.HELD, rows=0),
        story="Pages of the kit with the names of who opened them, under a wide label: its source is asked.",
    )
