"""What a provider of sign-in says of somebody, once it is checked; and why it proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

LEEWAY_SECONDS = 60
"""How far two clocks may lie apart."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is, by the provider that signed it."""

    issuer: str
    subject: str
    """The provider's own lasting name of the person."""
    claims: Mapping[str, object] = field(default_factory=dict)
    proved_at: datetime | None = None
    """When the person showed the provider who it is; None where it does not say."""
    ways: frozenset[str] = frozenset()
    """How: words of the provider (`acr`, `amr`, the class of a SAML context)."""


@dataclass
class NotProved(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """Nobody comes in. `code` says what people are told, `detail` the true reason for the log."""

    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code
