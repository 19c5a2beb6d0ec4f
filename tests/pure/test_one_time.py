"""Codes that count once: against the vectors of RFC 6238, and what people type."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tocsin.credentials import one_time

SECRET = b"12345678901234567890"
VECTORS = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
"""RFC 6238 appendix B for SHA-1, the last six digits."""


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_codes_of_the_standard(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert one_time.code_of(SECRET, seconds // 30) == code
    assert one_time.step_of(SECRET, f" {code[:3]} {code[3:]} ", at) == seconds // 30


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_go_wrong_by_one_step(steps: int, is_good: bool) -> None:
    at = datetime.fromtimestamp(1234567890, UTC)
    code = one_time.code_of(SECRET, 1234567890 // 30 + steps)
    assert (one_time.step_of(SECRET, code, at) is not None) is is_good


@pytest.mark.parametrize("said", ["", "00592", "0059240", "٠٠٥٩٢٤", "abcdef", "005924\x00", "²²²²²²"])
def test_what_is_no_code(said: str) -> None:
    assert one_time.step_of(SECRET, said, datetime.fromtimestamp(1234567890, UTC)) is None


def test_the_address_says_whose_account_it_is() -> None:
    parts = urlsplit(one_time.address(SECRET, issuer="Fusion: Centre", login="dana@centre"))
    said = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Fusion  Centre:dana@centre"
    assert said["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert said["issuer"] == ["Fusion  Centre"]


def test_recovery_codes_are_long_different_and_forgiving() -> None:
    codes = one_time.recovery_codes()
    assert len(set(codes)) == one_time.RECOVERY_CODES
    for code in codes:
        plain = code.replace("-", "")
        assert len(plain) * 5 >= 112, "ASVS 5, 6.5.2: a plain digest needs 112 bits"
        digest = one_time.recovery_digest(code)
        assert digest
        assert digest == one_time.recovery_digest(f" {plain.lower()} ")
        assert digest == one_time.recovery_digest(code.replace("0", "O").replace("1", "l"))


@pytest.mark.parametrize("said", ["", "123456", "UUUU-UUUU-UUUU-UUUU-UUUU-UUUU", "A" * 23, "A" * 25])
def test_what_is_no_recovery_code(said: str) -> None:
    assert one_time.recovery_digest(said) == ""
