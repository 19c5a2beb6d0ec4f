"""What a legal officer answers before deciding on what was held, and the grounds to refuse it (DOMAIN 2.6). Pure."""

from __future__ import annotations

from collections.abc import Mapping

CHECKLIST = (
    "offence",  # Nature of the offence and facts.
    "persons",  # Status of persons.
    "source",  # Identity of the source.
    "countries",  # Position of other countries.
    "duties",  # Duties of international law.
    "neutrality",  # Effect on neutrality.
    "context",
)
"""The questions of the predominance test, in their order (rules on processing data, article 34(3))."""

GROUNDS = (
    "legal-political",
    "legal-military",
    "legal-religious",
    "legal-racial",
    "legal-human-rights",
    "legal-facts-missing",
)
"""Reasons (`core.reasons`) for which a delivery is refused; its source reads the sentence in its own language."""

LONGEST_NOTE = 4000


def unanswered(checklist: Mapping[str, str]) -> tuple[str, ...]:
    """The questions without a note."""
    return tuple(name for name in CHECKLIST if not checklist.get(name, "").strip())
