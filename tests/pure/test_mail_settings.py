"""The table `[mail]`: what is misspelt must not quietly mean that nothing is sent, or in the clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin.core.errors import InputError
from tocsin.site.mail_settings import relay_of

HOME = Path("/srv/tocsin")
GOOD: dict[str, Any] = {"host": "relay.example", "from": "alerts@tocsin.example"}


def test_what_is_usual() -> None:
    assert relay_of(None, HOME) is None
    made = relay_of({**GOOD, "user": "tocsin", "password_file": "mail"}, HOME)
    assert made is not None
    assert (made.port, made.security, made.password_file) == (587, "starttls", "/srv/tocsin/mail")
    tls = relay_of({**GOOD, "security": "tls"}, HOME)
    assert tls is not None
    assert tls.port == 465


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("relay.example", "mail"),
        ({"host": "relay.example"}, "mail.from"),
        ({**GOOD, "from": "alerts"}, "mail.from"),
        ({**GOOD, "from": "a b@tocsin.example"}, "mail.from"),
        ({**GOOD, "hots": "x"}, "mail.hots"),
        ({**GOOD, "port": "587"}, "mail.port"),
        ({**GOOD, "per_minute": 0}, "mail.per_minute"),
        ({**GOOD, "security": "ssl"}, "mail.security"),
        ({**GOOD, "user": "tocsin"}, "mail.password_file"),
        ({**GOOD, "user": "tocsin", "password_file": "mail", "security": "none"}, "mail.security"),
        ({**GOOD, "host": 7}, "mail.host"),
    ],
)
def test_what_is_wrong_is_named(wrong: object, field: str) -> None:
    with pytest.raises(InputError) as found:
        relay_of(wrong, HOME)
    assert found.value.field == field
