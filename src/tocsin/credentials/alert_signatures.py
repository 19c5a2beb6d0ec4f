"""What signs published alerts: Ed25519 beside every file, and a certificate inside CAP messages.

Programs that pass public warnings on verify XML signatures with RSA and a certificate, nothing newer: hence a key of
its own, RSA with 3072 bits, whose certificate the installation makes for itself. An authority's certificate for the
same key, with its chain, may be put in its place. Ed25519 is the installation's key (`keys.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from tocsin.core.errors import InputError, Unavailable

from ._private_files import write_new
from .content_keys import KeyMissing
from .keys import SigningKey

FILE: Final = "alert-key.pem"
CERTIFICATE: Final = "alert-certificate.pem"
FORMER: Final = "former"
"""Below the folder of the keys: certificates and public keys that were in use before. They stay published."""
SIGNATURE_BYTES: Final = 64
KEY_BITS = 3072
VALID = timedelta(days=5 * 365)
RENEWED_BEFORE = timedelta(days=180)
"""Readers need time to learn of a new certificate."""
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class AlertKey:
    """The key of CAP messages, with its certificate first and those that vouch for it behind."""

    private: rsa.RSAPrivateKey = field(repr=False)
    certificates: tuple[x509.Certificate, ...]

    @property
    def certificate_pem(self) -> bytes:
        return b"".join(each.public_bytes(_PEM) for each in self.certificates)

    @property
    def ends_at(self) -> datetime:
        return self.certificates[0].not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.certificates[0])


def load_or_make(folder: Path, name: str, at: datetime) -> AlertKey:
    """The installation's key in `folder`; a fresh one, readable by its owner alone, where there is none.

    A certificate of its own making is renewed for the same key half a year before it ends, and the old one kept.
    Raises InputError for files that do not belong together, KeyMissing for a damaged one, Unavailable where the
    certificate is over.
    """
    path = folder / FILE
    if not path.exists():
        write_new(path, _private_pem(rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)))
    try:
        private = _private_in(path)
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error
    _require_to_sign(private, path)
    shown = folder / CERTIFICATE
    if not shown.exists():
        write_new(shown, _certificate_for(private, name, at).public_bytes(_PEM))
    found = AlertKey(private, _certificates_in(shown))
    if _spki(found.certificates[0].public_key()) != _spki(private.public_key()):
        raise InputError("invalid-object", field=CERTIFICATE, excerpt="the certificate is of another key")
    is_own = found.certificates[0].issuer == found.certificates[0].subject
    if is_own and found.ends_at - RENEWED_BEFORE <= at:
        with suppress(OSError):  # Where the keys are lent by the system, nothing is written beside them.
            found = _renewed(folder, found, name, at)
    if found.ends_at <= at:
        raise Unavailable(f"the certificate of alerts, {shown}, ended on {found.ends_at:%d %B %Y}: renew it")
    return found


def begin_anew(folder: Path, name: str, at: datetime) -> AlertKey:
    """The key that is there with its certificate; where it is lost, a new one. The lost one's certificate is kept."""
    shown = folder / CERTIFICATE
    if not (folder / FILE).exists() and shown.exists():
        old = _certificates_in(shown)[0]
        write_new(folder / FORMER / _former_name(old), old.public_bytes(_PEM))
        shown.unlink()
    return load_or_make(folder, name, at)


def _former_name(certificate: x509.Certificate) -> str:
    return f"alert-certificate-{fingerprint_of(certificate)[:16]}.pem"


def _renewed(folder: Path, old: AlertKey, name: str, at: datetime) -> AlertKey:
    write_new(folder / FORMER / _former_name(old.certificates[0]), old.certificate_pem)
    new = _certificate_for(old.private, name, at)
    draft = folder / f".{CERTIFICATE}.new"
    draft.write_bytes(new.public_bytes(_PEM))
    draft.replace(folder / CERTIFICATE)
    return AlertKey(old.private, (new,))


def number_in(folder: Path) -> str:
    """What tells the key in `folder` from others; empty where there is none. Raises KeyMissing for what is no key."""
    path = folder / FILE
    if not path.exists():
        return ""
    try:
        return fingerprint_of(_private_in(path).public_key())[:16]
    except (OSError, ValueError, TypeError, InputError) as error:
        raise _damaged(path) from error


def sign_cap(body: bytes, key: AlertKey) -> bytes:
    """The message with an enveloped signature as its last element (CAP 1.2, 3.3.4.1).

    Exclusive canonical XML, so that it still holds when the message is put into another document.
    """
    from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
    from signxml.signer import XMLSigner

    signer = XMLSigner(
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    signed = signer.sign(root, key=key.private, cert=list(key.certificates))
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def published(signing: SigningKey, key: AlertKey, folder: Path | None = None) -> Iterator[tuple[str, str, bytes]]:
    """Name below the folder of published keys, media type and bytes: all that is needed to verify, former keys too."""
    pem = "application/x-pem-file"
    facts = {
        "signatures": {
            "algorithm": "Ed25519",
            "name": signing.name,
            "key_id": signing.id,
            "sha256": fingerprint_of(serialization.load_pem_public_key(signing.public_pem)),
            "file": "public-key.pem",
        },
        "cap": {
            "algorithm": "RSA-SHA256",
            "subject": key.certificates[0].subject.rfc4514_string(),
            "sha256": key.fingerprint,
            "not_after": key.ends_at.isoformat(),
            "file": "certificate.pem",
        },
    }
    yield "public-key.pem", pem, signing.public_pem
    yield "public-key.txt", "text/plain; charset=utf-8", f"{signing.public_line}\n".encode()
    yield "certificate.pem", pem, key.certificate_pem
    yield "keys.json", "application/json", orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n"
    for path in sorted((folder / FORMER).glob("*.pem")) if folder else ():
        body = path.read_bytes()
        if b"PRIVATE" not in body:
            yield f"{FORMER}/{path.name}", pem, body


def fingerprint_of(what: object) -> str:
    """SHA-256 in hexadecimal: of a certificate as a whole, of a public key in its usual form."""
    if isinstance(what, x509.Certificate):
        return hashlib.sha256(what.public_bytes(_DER)).hexdigest()
    return hashlib.sha256(_spki(what)).hexdigest()


def _spki(key: object) -> bytes:
    made = key.public_bytes(_DER, _SPKI)  # type: ignore[attr-defined]
    assert isinstance(made, bytes)
    return made


def _private_in(path: Path) -> rsa.RSAPrivateKey:
    # Proving that its numbers are primes takes a tenth of a second; that it signs is tried instead.
    key = serialization.load_pem_private_key(path.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InputError("invalid-object", field=FILE, excerpt="not an RSA key")
    return key


def _require_to_sign(key: rsa.RSAPrivateKey, path: Path) -> None:
    """Raises KeyMissing for a key whose signatures nobody could verify."""
    try:
        signature = key.sign(b"", padding.PKCS1v15(), hashes.SHA256())
        key.public_key().verify(signature, b"", padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> KeyMissing:
    return KeyMissing(f"{path} is damaged: restore it from the backup of this installation's keys")


def _certificates_in(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except ValueError as error:
        raise InputError("invalid-object", field=CERTIFICATE, excerpt="no certificate") from error


def _private_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _certificate_for(key: rsa.RSAPrivateKey, name: str, at: datetime) -> x509.Certificate:
    """Signed by itself, for signatures alone."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (name.strip() or "Tocsin")[:64])])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at.replace(microsecond=0) - timedelta(days=1))
        .not_valid_after(at.replace(microsecond=0) + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
