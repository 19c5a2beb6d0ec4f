"""What is no value of its kind is refused for the reason that its sender can act on."""

from __future__ import annotations

import pytest

from tocsin.core.errors import InputError
from tocsin.core.values import canonical
from tocsin.core.words import Kind


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.IPV4, "999.0.113.102", "not-an-address"),
        (Kind.DOMAIN, "999.0.113.102", "not-an-address"),  # Meant as an address, whatever its column is called.
        (Kind.DOMAIN, "no-dot", "not-a-domain"),
        (Kind.DOMAIN, "1.2.3", "not-a-domain"),
    ],
)
def test_the_reason_says_what_was_meant(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        canonical(kind, text)
    assert refused.value.reason == reason
