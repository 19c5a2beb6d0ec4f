"""How a call to somebody's server says who it is from: the headers of Standard Webhooks (standardwebhooks.com).

Two signatures stand beside one another: by the secret that both know (`v1`), and by the installation's public key
(`v1a`), which anybody can check later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from .keys import SigningKey

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with, not one.
SECRET_BYTES = 32


def fresh_secret() -> str:
    """A secret as receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(body: bytes, *, number: str, at_seconds: int, secret: str, key: SigningKey | None) -> dict[str, str]:
    """What goes with the body. The same `number` is the same message, however often it is sent."""
    said = f"{number}.{at_seconds}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix(SECRET_PREFIX)), said, hashlib.sha256).digest()
    signatures = [f"v1,{base64.b64encode(mac).decode()}"]
    if key is not None:
        signatures.append(f"v1a,{base64.b64encode(key.sign(said)).decode()}")
    return {
        "Content-Type": "application/json", "Webhook-Id": number, "Webhook-Timestamp": str(at_seconds),
        "Webhook-Signature": " ".join(signatures),
    }  # fmt: skip


def is_signed(body: bytes, *, number: str, at_seconds: int, secret: str, signature: str) -> bool:
    """Whether one of the signatures is by this secret: what a receiver asks."""
    expected = headers(body, number=number, at_seconds=at_seconds, secret=secret, key=None)["Webhook-Signature"]
    return any(hmac.compare_digest(each, expected) for each in signature.split())
