"""What every analyser takes and gives. Decision 68 says why it is so.

An analyser is a pure function of objects and of the moment as of which they are looked at ("as known at"): it reads no
clock, no database and no network, and the same input gives the same finding byte for byte. It never writes into what it
looked at: a finding stands beside it, under the analyser's name, until a person accepts or rejects it. Whoever calls it
hands over what the reader may see and nothing else, so that no probability betrays what is hidden (DOMAIN I6, W06).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

UNKNOWN: Final = "UNKNOWN"
"""The answer of an analyser that cannot tell. Every finding holds it, with a probability as any other answer has."""
DIGITS: Final = 6
"""Figures of a finding are rounded to so many digits: sums in another order must not make another finding."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for an answer or against it.

    `what` is a word of the analyser's own list, which pages put into sentences; `value` is the very value; `weight` is
    what it adds to the log odds (natural) of the answer, below zero where it speaks against it; `sources` are the
    identifiers of the objects in which it was read.
    """

    what: str
    value: str
    weight: float
    sources: tuple[str, ...] = ()

    @property
    def is_for(self) -> bool:
        """Whether it speaks for the answer."""
        return self.weight > 0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One possible answer. Without a probability only its rank may be shown: nobody has measured what it means."""

    answer: str
    score: float
    probability: float | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def for_it(self) -> tuple[Evidence, ...]:
        """What speaks for it, the heaviest first."""
        return tuple(sorted((each for each in self.evidence if each.is_for), key=_heaviest))

    @property
    def against_it(self) -> tuple[Evidence, ...]:
        """What speaks against it, the heaviest first."""
        return tuple(sorted((each for each in self.evidence if not each.is_for), key=_heaviest))


@dataclass(frozen=True, slots=True)
class Finding:
    """What an analyser says of a subject: possible answers, the likeliest first, `UNKNOWN` among them."""

    analyser: str
    version: str
    subject: str
    known_at: datetime
    hypotheses: tuple[Hypothesis, ...]
    model: str = ""
    """First 16 digits of the SHA-256 of the fitted parameters; empty where nothing was fitted."""
    notes: tuple[str, ...] = field(default=())
    """Words of the analyser's own list: what a reader must know ("no-profile", "hubs-left-out")."""

    def __post_init__(self) -> None:
        if self.known_at.tzinfo is None:
            raise ValueError("the moment has no time zone")
        answers = [each.answer for each in self.hypotheses]
        if answers.count(UNKNOWN) != 1 or len(set(answers)) != len(answers):
            raise ValueError("every answer stands once, and UNKNOWN is one of them")
        told = [each.probability for each in self.hypotheses if each.probability is not None]
        if any(not 0 <= each <= 1 for each in told) or math.fsum(told) > 1 + 1e-6 * len(told):
            raise ValueError("the probabilities are none")

    @property
    def best(self) -> Hypothesis:
        """The first answer; may be `UNKNOWN`."""
        return self.hypotheses[0]

    @property
    def is_unknown(self) -> bool:
        """Whether the analyser abstains."""
        return self.best.answer == UNKNOWN

    def as_data(self) -> dict[str, Any]:
        """As JSON holds it: rounded, keys in one order, times in UTC."""
        return {
            "analyser": self.analyser,
            "version": self.version,
            "model": self.model,
            "subject": self.subject,
            "known_at": self.known_at.astimezone(UTC).isoformat(),
            "notes": list(self.notes),
            "hypotheses": [_hypothesis(each) for each in self.hypotheses],
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the finding: two runs over the same input have the same one."""
        return hashlib.sha256(orjson.dumps(self.as_data(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def ranked(hypotheses: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """The likeliest first; equals in the order of their names."""
    return tuple(
        sorted(hypotheses, key=lambda each: (-(each.probability or 0.0), -round(each.score, DIGITS), each.answer))
    )


def softmax(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Scores as shares of one, flattened by a fitted temperature (Guo et al., 2017)."""
    highest = max(scores, default=0.0)
    raised = [math.exp((each - highest) / temperature) for each in scores]
    whole = math.fsum(raised)
    return [each / whole for each in raised]


def _hypothesis(each: Hypothesis) -> dict[str, Any]:
    return {
        "answer": each.answer,
        "score": _rounded(each.score),
        "probability": None if each.probability is None else _rounded(each.probability),
        "evidence": [
            {"what": one.what, "value": one.value, "weight": _rounded(one.weight), "sources": list(one.sources)}
            for one in sorted(each.evidence, key=_heaviest)
        ],
    }


def _heaviest(one: Evidence) -> tuple[float, str, str, tuple[str, ...]]:
    return (-abs(round(one.weight, DIGITS)), one.what, one.value, one.sources)


def _rounded(number: float) -> float:
    return round(number, DIGITS) + 0.0
