"""Messages to browsers: sealed so that only the browser reads them (RFC 8291), and signed by who sends them (RFC 8292).

The push service in between sees how long a message is and when it comes, nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.core.errors import InputError

from ._private_files import write_new
from .content_keys import KeyMissing

FILE: Final = "push-key.pem"
RECORD_BYTES = 4096
MOST_PLAIN_BYTES = 3993
"""What every push service takes (RFC 8030, 7.2), without header, tag and the sign of the end."""
SECRET_BYTES = 16
TOKEN_SECONDS = 12 * 3600
"""A day at most (RFC 8292, 2)."""


@dataclass(frozen=True, slots=True)
class Browser:
    """What a browser hands over so that it can be written to."""

    key: bytes
    """Its public key on P-256, 65 bytes."""
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, key: str, secret: str) -> Browser:
        """From base64url, as browsers write it. Raises InputError for what is no key."""
        try:
            made = cls(unpadded(key), unpadded(secret))
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), made.key)
        except (ValueError, binascii.Error) as error:
            raise InputError("invalid-object", field="p256dh", excerpt=key[:80]) from error
        if len(made.secret) != SECRET_BYTES:
            raise InputError("invalid-object", field="auth")
        return made


@dataclass(frozen=True, slots=True)
class PushKey:
    """The key by which push services know who sends."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public(self) -> str:
        """As a browser wants it when it is asked to subscribe."""
        return padless(_point(self.private.public_key()))

    def authorization(self, endpoint: str, contact: str, at_seconds: int) -> str:
        """The header for a message to this endpoint; `contact` is `mailto:` or https."""
        parts = urlsplit(endpoint)
        said = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": at_seconds + TOKEN_SECONDS, "sub": contact}
        signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(said)}"
        r, s = decode_dss_signature(self.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={signed}.{padless(r.to_bytes(32) + s.to_bytes(32))}, k={self.public}"


def load_or_make(folder: Path) -> PushKey:
    """The installation's key in `folder`; a fresh one where there is none. Raises KeyMissing for what is no key."""
    path = folder / FILE
    if not path.exists():
        fresh = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_new(path, fresh.private_bytes(*form))
    return _in(path)


def number_in(folder: Path) -> str:
    """What tells the key in `folder` from others; empty where there is none. Raises KeyMissing for what is no key."""
    path = folder / FILE
    if not path.exists():
        return ""
    return hashlib.sha256(_point(_in(path).private.public_key())).hexdigest()[:16]


def _in(path: Path) -> PushKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyMissing(f"{path} is damaged: restore it from the backup of this installation's keys") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyMissing(f"{path} is no key on P-256: restore it from the backup of this installation's keys")
    return PushKey(key)


def sealed(
    plain: bytes, browser: Browser, *, once: ec.EllipticCurvePrivateKey | None = None, salt: bytes = b""
) -> bytes:
    """The message as one record of `aes128gcm` (RFC 8188). Raises InputError for one that is too long.

    `once` and `salt` are drawn for each message, unless a test says them.
    """
    if len(plain) > MOST_PLAIN_BYTES:
        raise InputError("too-large", field="message", excerpt=str(len(plain)))
    once, salt = once or ec.generate_private_key(ec.SECP256R1()), salt or os.urandom(16)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser.key)
    own = _point(once.public_key())
    shared = _mac(browser.secret, once.exchange(ec.ECDH(), theirs))
    material = _expanded(shared, b"WebPush: info\0" + browser.key + own, 32)
    secret = _mac(salt, material)
    key, nonce = (
        _expanded(secret, b"Content-Encoding: aes128gcm\0", 16),
        _expanded(secret, b"Content-Encoding: nonce\0", 12),
    )
    head = salt + RECORD_BYTES.to_bytes(4) + bytes([len(own)]) + own
    return head + AESGCM(key).encrypt(nonce, plain + b"\2", None)


def opened(body: bytes, private: ec.EllipticCurvePrivateKey, secret: bytes) -> bytes:
    """What a browser reads: the other end of `sealed`."""
    salt, length = body[:16], body[20]
    theirs = body[21 : 21 + length]
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    shared = _mac(secret, private.exchange(ec.ECDH(), public))
    material = _expanded(shared, b"WebPush: info\0" + _point(private.public_key()) + theirs, 32)
    made = _mac(salt, material)
    key, nonce = (
        _expanded(made, b"Content-Encoding: aes128gcm\0", 16),
        _expanded(made, b"Content-Encoding: nonce\0", 12),
    )
    return AESGCM(key).decrypt(nonce, body[21 + length :], None).rstrip(b"\0").removesuffix(b"\2")


def padless(body: bytes) -> str:
    """Base64url without its padding."""
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def unpadded(text: str) -> bytes:
    """What `padless` wrote, or a browser that keeps the padding."""
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _json(said: dict[str, object] | dict[str, str]) -> str:
    return padless(orjson.dumps(said))


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()


def _expanded(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869) for up to one digest."""
    return _mac(key, info + b"\1")[:length]
