"""Certificates with which machines prove at a TLS door who they are: what is read of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

LONGEST_BYTES = 16_384
"""A certificate of a machine has one to four thousand; a header with more is none."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a key is bound to."""

    fingerprint: str
    """SHA-256 of the DER form, in hexadecimal: `x5t#S256` of RFC 8705."""
    subject: str
    ends_at: datetime


def from_pem(text: str) -> Certificate:
    """The first certificate of a PEM text. Raises ValueError where there is none."""
    if len(text) > LONGEST_BYTES:
        raise ValueError("too long for a certificate")
    return _of(x509.load_pem_x509_certificate(text.encode()))


def fingerprint_in_header(value: str) -> str:
    """The fingerprint of the certificate that a proxy hands on in a header; empty where the value holds none.

    Either as RFC 9440 writes it (base64 of the DER between colons), or as escaped PEM (`$ssl_client_escaped_cert`).
    """
    text = value.strip()
    if not text or len(text) > LONGEST_BYTES:
        return ""
    try:
        if text.startswith(":") and text.endswith(":") and len(text) > 1:
            der = base64.b64decode(text[1:-1], validate=True)
            return _of(x509.load_der_x509_certificate(der)).fingerprint
        return from_pem(unquote(text)).fingerprint
    except (ValueError, binascii.Error):
        return ""


def _of(found: x509.Certificate) -> Certificate:
    return Certificate(
        fingerprint=hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(),
        subject=found.subject.rfc4514_string(),
        ends_at=found.not_valid_after_utc,
    )
