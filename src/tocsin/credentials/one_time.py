"""Codes that count once: six digits of an app (TOTP, RFC 6238), and recovery codes for the day the app is lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

SECRET_BYTES = 20
DIGITS = 6
STEP_SECONDS = 30
SKEW_STEPS = 1
"""Clocks of phones go a little wrong: the code before and the one after are good as well."""
RECOVERY_CODES = 10
_GROUPS, _GROUP = 6, 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is taken for a digit. 24 of these hold 120 bits, so that a plain digest may be kept
(OWASP ASVS 5, 6.5.2)."""
_TAKEN_FOR = str.maketrans("ILO", "110")


def new_secret() -> bytes:
    """The secret that the app and the installation share."""
    return secrets.token_bytes(SECRET_BYTES)


def typed(secret: bytes) -> str:
    """The secret as people type it into an app that has no camera."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, *, issuer: str, login: str) -> str:
    """What the square holds that an app reads (`otpauth:`)."""
    issuer = issuer.replace(":", " ")
    label = quote(f"{issuer}:{login.replace(':', ' ')}")
    said = urlencode({"secret": typed(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS,
                      "period": STEP_SECONDS}, quote_via=quote)  # fmt: skip
    return f"otpauth://totp/{label}?{said}"


def code_of(secret: bytes, step: int) -> str:
    """The digits of one step."""
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - what every app reckons with.


def step_at(at: datetime) -> int:
    """The step of a moment: half minutes since 1970."""
    return int(at.timestamp()) // STEP_SECONDS


def step_of(secret: bytes, said: str, at: datetime) -> int | None:
    """The step whose code this is, the present one or one beside it; None where it is no code of these."""
    digits = "".join(said.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    here, found = step_at(at), None
    for step in range(here - SKEW_STEPS, here + SKEW_STEPS + 1):
        if hmac.compare_digest(code_of(secret, step), digits):
            found = step
    return found


def recovery_codes() -> list[str]:
    """Fresh codes, in groups that can be read aloud."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP))


def recovery_digest(said: str) -> str:
    """What is kept of a recovery code; empty where this cannot be one. Small letters and missing dashes do no harm."""
    plain = "".join(sign for sign in said.upper() if sign not in "- \t\r\n").translate(_TAKEN_FOR)
    if len(plain) != _GROUPS * _GROUP or not set(plain) <= set(_ALPHABET):
        return ""
    return hashlib.sha256(plain.encode()).hexdigest()
