"""Whether a set of texts may be read by everybody: all languages together, or none (DOMAIN 4.11, W03, I6). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.core.words import VICTIM_LIKE, Kind, Role

from .leaks import Finding, Protected, Scanner, Secret, Text, form_of
from .personal import personal_in_text

YIELDING = frozenset({Secret.RESTRICTED, Secret.NOT_PUBLISHABLE})
"""What a sign that may be published outweighs: somebody else's restricted word on the same value."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A technical value that the product rests on, and what is known of it."""

    value: str
    kind: Kind | None
    role: Role
    is_marked: bool = False
    """Whether an analyst marked it as fit for the public."""
    pap: str = "PAP:AMBER"
    has_consent: bool = False
    """Whether its source agreed to exactly this."""

    @property
    def is_publishable(self) -> bool:
        """All three, and that it harms no victim: whose role nobody knows may be one."""
        return self.is_marked and self.pap == "PAP:CLEAR" and self.has_consent and self.role not in VICTIM_LIKE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands against publishing. There is no way round it: a text is written anew, or a marking is mended."""

    findings: tuple[Finding, ...]

    @property
    def is_allowed(self) -> bool:
        return not self.findings

    @property
    def languages(self) -> tuple[str, ...]:
        """In whose texts something was found. None of the others is published either."""
        return tuple(sorted({each.place.language for each in self.findings}))


def may_be_published(texts: Iterable[Text], protected: Iterable[Protected], signs: Iterable[Sign] = ()) -> Verdict:
    """Whether these texts, in all languages and with all attachments, may be published.

    Nobody's role is asked: what this says no to, no person can let pass. `signs` are the technical values that the
    product rests on; each that is not publishable is protected like the rest.
    """
    texts = list(texts)
    refused: list[Protected] = []
    allowed: set[tuple[Kind | None, str]] = set()
    for sign in signs:
        why = Secret.VICTIM if sign.role in VICTIM_LIKE else Secret.NOT_PUBLISHABLE
        one = Protected(sign.value, why, sign.kind)
        if sign.is_publishable:
            allowed.add(form_of(one))
        else:
            refused.append(one)
    values = [each for each in (*protected, *refused) if each.why not in YIELDING or form_of(each) not in allowed]
    return Verdict((*Scanner(values).find(texts), *_personal_in(texts)))


def _personal_in(texts: Iterable[Text]) -> Iterable[Finding]:
    """People's data that nobody had listed: accounts, cards, names and papers that are labelled as such."""
    return [
        Finding(text.place, Secret.PERSONAL, note=found.kind) for text in texts for found in personal_in_text(text.text)
    ]
