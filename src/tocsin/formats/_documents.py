"""What every document becomes: proposals page by page, then a heading with title, language, label and text."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tocsin.core.reading import Heading, Item, Proposal, Rejection, Source
from tocsin.core.words import Tlp

from ._extraction import propose

TEXT_CHARACTERS = 1 << 20
LANGUAGE_CHARACTERS = 4000
TITLE_CHARACTERS = 300
READ_LIMIT_BYTES = 128 << 20
"""The largest document that is held whole; plain text streams and knows no such limit."""

TLP_WORDS = re.compile(
    r"\bTLP\s{0,2}[:\-\u2013 \u00a0]\s{0,2}(?P<colour>AMBER\s{0,2}\+\s{0,2}STRICT|CLEAR|WHITE|GREEN|AMBER|RED)\b",
    re.IGNORECASE,
)
TLP_OF_WORD = {
    "CLEAR": Tlp.CLEAR,
    "WHITE": Tlp.CLEAR,
    "GREEN": Tlp.GREEN,
    "AMBER": Tlp.AMBER,
    "AMBER+STRICT": Tlp.AMBER_STRICT,
    "RED": Tlp.RED,
}


def text_of(source: Source) -> str:
    """A whole text file as text; what is no UTF-8 is replaced, since the opener has re-coded what it could."""
    return source.read_all(READ_LIMIT_BYTES).decode("utf-8-sig", errors="replace").replace("\0", "")


def items_of(
    pages: Iterable[tuple[int, str] | Rejection],
    heading: Heading,
    publisher: frozenset[str] = frozenset(),
) -> Iterator[Item]:
    """Proposals of all pages, each value once, then the heading with what the text adds to it.

    `heading.text` is taken as it is when set, else gathered from the pages.
    """
    seen: set[tuple[str, str]] = set()
    kept: list[str] = []
    room = TEXT_CHARACTERS
    for entry in pages:
        if isinstance(entry, Rejection):
            yield entry
            continue
        number, text = entry
        for proposal in propose(text, number, publisher):
            if (proposal.kind, proposal.value) not in seen:
                seen.add((proposal.kind, proposal.value))
                yield proposal
        if room > 0:
            kept.append(text[:room])
            room -= len(text) + 1
    text = heading.text or "\n".join(kept)
    yield completed(replace(heading, text=text[:TEXT_CHARACTERS]))


def completed(heading: Heading) -> Heading:
    """The heading with label and language found in its text, where the document names none itself."""
    return replace(
        heading,
        title=" ".join(heading.title.split())[:TITLE_CHARACTERS],
        marking=heading.marking or marking_in(heading.text),
        language=heading.language or language_of(heading.text),
    )


def marking_in(text: str) -> str | None:
    """The TLP label that a text bears; the narrowest where it names several."""
    found = {TLP_OF_WORD[re.sub(r"\s", "", match["colour"]).upper()] for match in TLP_WORDS.finditer(text)}
    return max(found, key=lambda label: label.rank) if found else None


def language_of(text: str) -> str:
    """The likeliest language as ISO 639-1, or "" for texts too short or too little like prose to tell."""
    words = re.findall(r"[^\W\d_]{2,}", text[: LANGUAGE_CHARACTERS * 4])
    sample = " ".join(word for word in words if len(word) < 30)[:LANGUAGE_CHARACTERS]
    if len(sample) < 60:
        return ""
    # Loading reads 55 profiles.
    from langdetect import DetectorFactory, LangDetectException, detect_langs  # type: ignore[import-untyped]

    DetectorFactory.seed = 0  # Its sampling is random otherwise: the same text must give the same answer.
    logging.getLogger("langdetect").setLevel(logging.ERROR)
    try:
        best = detect_langs(sample)[0]
    except (LangDetectException, IndexError):
        return ""
    return str(best.lang).partition("-")[0] if best.prob > 0.8 else ""


def lowered(proposals: Iterable[Proposal], cap: float) -> Iterator[Proposal]:
    """The same proposals, none surer than `cap`: for lists of references and other people's addresses."""
    for proposal in proposals:
        yield replace(proposal, score=min(proposal.score, cap))
