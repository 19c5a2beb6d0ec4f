"""Whether a published file is what its issuer signed. Works anywhere, offline, with the files and their keys alone.

Keys that lie beside the files prove that nothing changed since signing; only keys that came another way prove who
signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from lxml import etree

from .alert_signatures import SIGNATURE_BYTES, fingerprint_of

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
X509 = ".//{http://www.w3.org/2000/09/xmldsig#}X509Certificate"
LARGEST_BYTES = 16 << 20


class Outcome(StrEnum):
    """What was found of one file, the worst first."""

    ALTERED = "altered"
    OTHER_KEY = "other-key"
    CERTIFICATE_OVER = "certificate-over"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    NOT_SIGNED = "not-signed"
    NO_KEY = "no-key"
    VERIFIED = "verified"

    @property
    def is_good(self) -> bool:
        return self is Outcome.VERIFIED

    @property
    def is_open(self) -> bool:
        """Nothing is known to be wrong, and nothing is proved."""
        return self in {Outcome.NOT_SIGNED, Outcome.NO_KEY}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, with which key."""

    outcome: Outcome
    key: str = ""
    """The SHA-256 of the key or certificate that proves it."""
    is_trusted: bool = False
    """Whether that key came another way than the file."""


@dataclass(frozen=True, slots=True)
class Keys:
    """With what is verified."""

    signing: tuple[Ed25519PublicKey, ...] = ()
    certificates: tuple[x509.Certificate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.signing or self.certificates)

    def __add__(self, other: Keys) -> Keys:
        return Keys(self.signing + other.signing, self.certificates + other.certificates)


def keys_in(body: bytes) -> Keys:
    """The public keys and certificates of a PEM file; none where there is nothing of the kind in it."""
    signing: list[Ed25519PublicKey] = []
    certificates: list[x509.Certificate] = []
    if b"BEGIN PUBLIC KEY" in body:
        try:
            key = serialization.load_pem_public_key(body)
        except ValueError:
            key = None
        if isinstance(key, Ed25519PublicKey):
            signing.append(key)
    if b"BEGIN CERTIFICATE" in body:
        try:
            certificates += x509.load_pem_x509_certificates(body)[:1]  # Those behind it vouch; they sign no alert.
        except ValueError:
            certificates = []
    return Keys(tuple(signing), tuple(certificates))


def check_detached(body: bytes, signature: bytes, given: Keys, beside: Keys) -> Verdict:
    """Whether this signature over these bytes was made by one of the keys. Those that were given decide."""
    if len(signature) != SIGNATURE_BYTES:
        return Verdict(Outcome.UNREADABLE)
    if not given.signing and not beside.signing:
        return Verdict(Outcome.NO_KEY)
    for key in given.signing:
        if _is_by(key, body, signature):
            return Verdict(Outcome.VERIFIED, fingerprint_of(key), is_trusted=True)
    for key in beside.signing:
        if _is_by(key, body, signature):
            outcome = Outcome.OTHER_KEY if given.signing else Outcome.VERIFIED
            return Verdict(outcome, fingerprint_of(key))
    return Verdict(Outcome.ALTERED)


def check_cap(body: bytes, given: Keys, beside: Keys) -> Verdict:
    """Whether the signature inside a CAP message holds, over all of it, by one of the certificates."""
    root = _parsed(body)
    if root is None or root.tag != f"{CAP}alert":
        return Verdict(Outcome.UNREADABLE)
    signatures = list(root.iter(SIGNATURE))
    if not signatures:
        return Verdict(Outcome.NOT_SIGNED)
    if len(signatures) > 1 or signatures[0].getparent() is not root:
        return Verdict(Outcome.ALTERED)
    sent = _sent(root)
    if sent is None:
        return Verdict(Outcome.UNREADABLE)
    if not given.certificates and not beside.certificates:
        return Verdict(Outcome.NO_KEY)
    for certificate in given.certificates:
        if _is_signed(body, certificate):
            return _by(certificate, sent, is_trusted=True)
    for certificate in beside.certificates:
        if _is_signed(body, certificate):
            found = _by(certificate, sent, is_trusted=False)
            return Verdict(Outcome.OTHER_KEY, found.key) if given.certificates else found
    own = _own_certificate(root)
    if own is not None and _is_signed(body, own):
        return Verdict(Outcome.OTHER_KEY, fingerprint_of(own))
    return Verdict(Outcome.ALTERED)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that decides, where a file is proved in several ways. Each must hold; one that is trusted is enough."""
    order = list(Outcome)
    return min(verdicts, key=lambda each: (order.index(each.outcome), not each.is_trusted))


def _by(certificate: x509.Certificate, sent: datetime, *, is_trusted: bool) -> Verdict:
    is_valid = certificate.not_valid_before_utc <= sent <= certificate.not_valid_after_utc
    outcome = Outcome.VERIFIED if is_valid else Outcome.CERTIFICATE_OVER
    return Verdict(outcome, fingerprint_of(certificate), is_trusted)


def _is_by(key: Ed25519PublicKey, body: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, body)
    except InvalidSignature:
        return False
    return True


def _is_signed(body: bytes, certificate: x509.Certificate) -> bool:
    """Whether the whole message, and nothing less, is signed with this certificate's key."""
    from signxml.algorithms import DigestAlgorithm, SignatureMethod
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({
            SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
            SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512,
        }),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
        # Whether it held when the message was sent is looked at once the signature is known to hold.
        verification_time=certificate.not_valid_before_utc,
    )  # fmt: skip
    try:
        found = XMLVerifier().verify(body, x509_cert=certificate, expect_config=config)
    except (SignXMLException, ValueError, TypeError, KeyError, AttributeError, etree.LxmlError):
        return False
    signed: Any = found.signed_xml  # type: ignore[union-attr]
    root = _parsed(body)
    if signed is None or root is None or signed.tag != root.tag:
        return False
    for each in list(root.iter(SIGNATURE)):
        root.remove(each)
    return _canonical(signed) == _canonical(root)


def _canonical(root: etree._Element) -> bytes:
    return etree.tostring(root, method="c14n", exclusive=True, with_comments=False)


def _parsed(body: bytes) -> etree._Element | None:
    """Without document type, entities and comments: none of these are signed, and all could change what is read."""
    if len(body) > LARGEST_BYTES:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    about: Any = root.getroottree().docinfo
    if about.doctype or any(not isinstance(each.tag, str) for each in root.iter()):
        return None
    return root


def _sent(root: etree._Element) -> datetime | None:
    found = root.find(f"{CAP}sent")
    try:
        moment = datetime.fromisoformat((found.text or "") if found is not None else "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _own_certificate(root: etree._Element) -> x509.Certificate | None:
    found = root.find(X509)
    text = "".join(((found.text if found is not None else None) or "").split())
    try:
        return x509.load_pem_x509_certificate(
            f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()
        )
    except ValueError:
        return None
