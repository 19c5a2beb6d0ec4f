"""SAML 2.0, the web browser profile and no more: one signed assertion that answers our own request.

Signatures are `signxml`'s matter. Whatever is believed is read from the bytes that it says were signed, never from the
document around them, and that document must have one assertion only: what was moved or wrapped is not there to be read.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from .proofs import LEEWAY_SECONDS, NotProved, Proof

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
SIZE_BYTES = 512 << 10
ELEMENTS_MOST = 5000
OLDEST = timedelta(minutes=10)
NAME_ID = "NameID"
"""What an administrator writes for the subject's own name, in place of an attribute."""
_LEEWAY = timedelta(seconds=LEEWAY_SECONDS)
_CONDITIONS = {f"{SAML}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")}
_METHODS = frozenset(
    each for each in SignatureMethod if "SHA1" not in each.name and not each.name.startswith(("HMAC", "DSA", "SHA3"))
)
_DIGESTS = frozenset(
    each for each in DigestAlgorithm if each.name in {"SHA256", "SHA384", "SHA512"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """What a provider says of itself in its metadata."""

    issuer: str
    address: str
    """Where browsers are sent with a request."""
    certificates: tuple[str, ...]
    """DER in base64."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose assertion it must be, and for whom."""

    issuer: str
    certificates: tuple[str, ...]
    audience: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """What was checked. Whether this browser asked for it, and that it counts once, is for the caller to see."""

    proof: Proof
    number: str
    request: str
    """Which request it answers."""
    expires_at: datetime


def read_metadata(body: bytes) -> Published:
    """What is needed of the provider's metadata. Raises NotProved."""
    root = _parsed(body)
    found = [root] if root.tag == f"{METADATA}EntityDescriptor" else root.findall(f".//{METADATA}EntityDescriptor")
    found = [each for each in found if each.find(f"{METADATA}IDPSSODescriptor") is not None]
    if len(found) != 1:
        raise NotProved("provider", "the metadata must describe one identity provider")
    about = found[0].find(f"{METADATA}IDPSSODescriptor")
    assert about is not None
    services = about.findall(f"{METADATA}SingleSignOnService")
    addresses = [each.get("Location", "") for each in services if each.get("Binding") == REDIRECT]
    issuer = found[0].get("entityID", "").strip()
    if not issuer or len(issuer) > 400 or not addresses or not addresses[0]:
        raise NotProved("provider", "no entityID, or no address for the HTTP-Redirect binding")
    keys = [key for key in about.findall(f"{METADATA}KeyDescriptor") if key.get("use", "signing") == "signing"]
    texts = ["".join((each.text or "").split()) for key in keys for each in key.iter(f"{SIGNATURE}X509Certificate")]
    if not texts:
        raise NotProved("provider", "no certificate for signing")
    for text in texts:
        _certificate(text)
    return Published(issuer, addresses[0], tuple(dict.fromkeys(texts)))


def own_metadata(audience: str, recipient: str) -> bytes:
    """What a provider reads about us."""
    space = METADATA.strip("{}")
    root = etree.Element(f"{METADATA}EntityDescriptor", {"entityID": audience}, nsmap={"md": space})
    asks = {"protocolSupportEnumeration": PROTOCOL.strip("{}"), "WantAssertionsSigned": "true"}
    about = etree.SubElement(root, f"{METADATA}SPSSODescriptor", asks)
    service = {"Binding": POST, "Location": recipient, "index": "0", "isDefault": "true"}
    etree.SubElement(about, f"{METADATA}AssertionConsumerService", service)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def request_address(
    address: str, *, number: str, audience: str, recipient: str, asks_anew: bool, at: datetime
) -> str:  # fmt: skip
    """The provider's address with our request in it (HTTP-Redirect binding). `asks_anew`: whoever is known there."""
    said = {
        "ID": number, "Version": "2.0", "IssueInstant": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Destination": address, "AssertionConsumerServiceURL": recipient, "ProtocolBinding": POST,
    } | ({"ForceAuthn": "true"} if asks_anew else {})  # fmt: skip
    names = {"samlp": PROTOCOL.strip("{}"), "saml": SAML.strip("{}")}
    root = etree.Element(f"{PROTOCOL}AuthnRequest", said, nsmap=names)
    etree.SubElement(root, f"{SAML}Issuer").text = audience
    etree.SubElement(root, f"{PROTOCOL}NameIDPolicy", {"AllowCreate": "true"})
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(etree.tostring(root)) + packer.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(packed).decode()})
    return f"{address}{'&' if '?' in address else '?'}{query}"


def check(body: bytes, expected: Expected, *, at: datetime) -> Assertion:
    """What the response's one signed assertion says. Raises NotProved."""
    root = _parsed(body)
    if root.tag != f"{PROTOCOL}Response" or root.get("Version") != "2.0":
        raise NotProved("answer", "no SAML response")
    _require_success(root)
    if root.get("Destination", expected.recipient) != expected.recipient:
        raise NotProved("answer", "the response was sent to another address")
    said = root.find(f"{SAML}Issuer")
    if said is not None and _text(said) != expected.issuer:
        raise NotProved("issuer", f"the response is of {_text(said)[:200]}")
    signed = _signed(root, expected)
    if _only(signed, "Issuer") != expected.issuer:
        raise NotProved("issuer", f"the assertion is of {_only(signed, 'Issuer')[:200]}")
    number, made_at = signed.get("ID", ""), _moment(signed, "IssueInstant")
    if not number or signed.get("Version") != "2.0" or not -_LEEWAY <= at - made_at <= OLDEST + _LEEWAY:
        raise NotProved("answer", "the assertion has no number, or was made too long ago")
    expires_at = _conditions(signed, expected, at)
    subject, request, confirmed_until = _subject(signed, expected, at)
    proved_at, ways = _statement(signed, at)
    claims = {**_attributes(signed), NAME_ID: subject}
    proof = Proof(expected.issuer, subject, claims, proved_at, ways)
    return Assertion(proof, number, request, max(expires_at, confirmed_until) + 2 * _LEEWAY)


def _parsed(body: bytes) -> etree._Element:
    """The document, without anything that XML has beside elements, attributes and text. Raises NotProved."""
    if len(body) > SIZE_BYTES:
        raise NotProved("answer", "too large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotProved("answer", f"no XML: {error}"[:200]) from error
    about: Any = root.getroottree().docinfo
    if about.doctype or any(isinstance(each, etree._Entity) for each in root.iter()):
        raise NotProved("answer", "XML with a document type or entities")
    # Signatures pass over comments, so that one in the middle of a name would cut it short (CVE-2017-11427).
    # Metadata is often commented; there it stands in nobody's name.
    is_message = root.tag == f"{PROTOCOL}Response"
    if is_message and any(not isinstance(each.tag, str) for each in root.iter()):
        raise NotProved("answer", "XML with comments or instructions")
    if sum(1 for _ in root.iter()) > ELEMENTS_MOST:
        raise NotProved("answer", "too many elements")
    return root


def _require_success(root: etree._Element) -> None:
    codes = [each.get("Value", "") for each in root.iterfind(f"{PROTOCOL}Status//{PROTOCOL}StatusCode")]
    if codes[:1] != [SUCCESS]:
        said = ", ".join(code.rpartition(":")[2][:60] for code in codes) or "no status"
        raise NotProved("denied", said if said.isprintable() else "unknown status")


def _signed(root: etree._Element, expected: Expected) -> etree._Element:
    """The assertion as it was signed, by one of the provider's keys."""
    if next(root.iter(f"{SAML}EncryptedAssertion"), None) is not None:
        raise NotProved("provider", "the assertion is encrypted: switch that off at the provider, https hides it")
    if len(list(root.iter(f"{SAML}Assertion"))) != 1 or len(root.findall(f"{SAML}Assertion")) != 1:
        raise NotProved("answer", "there must be one assertion, and at its place")
    numbers = [each.get("ID") for each in root.iter() if each.get("ID") is not None]
    inside = root.findall(f"{SAML}Assertion/{SIGNATURE}Signature")
    if len(numbers) != len(set(numbers)) or len(inside) != 1:
        raise NotProved("answer", "the assertion is not signed, or numbers stand twice")
    config = SignatureConfiguration(
        location=f"./{SAML}Assertion/", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS
    )
    failures = []
    for text in expected.certificates:
        try:
            found = XMLVerifier().verify(
                etree.tostring(root), x509_cert=_certificate(text), id_attribute="ID", expect_config=config
            )
        except (SignXMLException, ValueError, TypeError, KeyError, AttributeError, etree.LxmlError) as error:
            failures.append(f"{type(error).__name__}: {error}"[:120])
            continue
        whole = root.find(f"{SAML}Assertion")
        signed = found.signed_xml  # type: ignore[union-attr]
        if signed is None or whole is None or signed.tag != whole.tag or signed.get("ID") != whole.get("ID"):
            raise NotProved("answer", "something else than the assertion is signed")
        return signed
    raise NotProved("answer", f"no key of the provider signed it: {'; '.join(failures)}"[:280])


def _conditions(signed: etree._Element, expected: Expected, at: datetime) -> datetime:
    """Until when it holds, if it is for us and holds now."""
    found = _one(signed, "Conditions")
    if {str(each.tag) for each in found} - _CONDITIONS:
        raise NotProved("answer", "a condition that is not known here")
    if found.get("NotBefore") is not None and at + _LEEWAY < _moment(found, "NotBefore"):
        raise NotProved("answer", "the assertion does not hold yet")
    until = _moment(found, "NotOnOrAfter")
    if at - _LEEWAY >= until:
        raise NotProved("answer", "the assertion has expired")
    restrictions = found.findall(f"{SAML}AudienceRestriction")
    audiences = [[_text(each) for each in one.findall(f"{SAML}Audience")] for one in restrictions]
    if not audiences or not all(expected.audience in each for each in audiences):
        raise NotProved("answer", "the assertion is meant for somebody else")
    return until


def _subject(signed: etree._Element, expected: Expected, at: datetime) -> tuple[str, str, datetime]:
    """The lasting name, the request that is answered, and until when whoever brings it is taken for the subject."""
    subject = _one(signed, "Subject")
    named = _one(subject, NAME_ID)
    name = _text(named)
    if not 0 < len(name) <= 255 or not name.isprintable() or len(named):
        raise NotProved("answer", "no usable NameID")
    if named.get("Format") == TRANSIENT:
        raise NotProved("provider", "the NameID is transient: it must be persistent")
    for each in subject.findall(f"{SAML}SubjectConfirmation"):
        data = each.find(f"{SAML}SubjectConfirmationData")
        if each.get("Method") != BEARER or data is None or data.get("NotBefore") is not None:
            continue
        until = _moment(data, "NotOnOrAfter")
        if data.get("Recipient") == expected.recipient and data.get("InResponseTo") and at - _LEEWAY < until:
            return name, data.get("InResponseTo", ""), until
    raise NotProved("answer", "nothing confirms the subject for this address, moment and a request of ours")


def _statement(signed: etree._Element, at: datetime) -> tuple[datetime, frozenset[str]]:
    """When and how the person showed the provider who it is."""
    found = _one(signed, "AuthnStatement")
    if found.get("SessionNotOnOrAfter") is not None and at - _LEEWAY >= _moment(found, "SessionNotOnOrAfter"):
        raise NotProved("answer", "the provider's session is over")
    ways = {_text(each) for each in found.iterfind(f"{SAML}AuthnContext/{SAML}AuthnContextClassRef")}
    return _moment(found, "AuthnInstant"), frozenset(ways)


def _attributes(signed: etree._Element) -> Mapping[str, object]:
    """Attribute → its value; several are no login."""
    found: dict[str, Any] = {}
    for each in signed.iterfind(f"{SAML}AttributeStatement/{SAML}Attribute"):
        values = [_text(value) for value in each.iterfind(f"{SAML}AttributeValue")]
        for name in (each.get("Name"), each.get("FriendlyName")):
            if name:
                found[name] = None if name in found or len(values) != 1 else values[0]
    return found


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{SAML}{name}")
    if len(found) != 1:
        raise NotProved("answer", f"there must be one {name}")
    return found[0]


def _only(parent: etree._Element, name: str) -> str:
    return _text(_one(parent, name))


def _text(element: etree._Element) -> str:
    return "".join(_texts(element)).strip()


def _texts(element: etree._Element) -> Iterator[str]:
    yield from (str(text) for text in element.itertext())


def _moment(element: etree._Element, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(element.get(name, ""))
    except ValueError as error:
        raise NotProved("answer", f"{name} is no moment") from error
    if found.tzinfo is None:
        raise NotProved("answer", f"{name} has no time zone")
    return found


def _certificate(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise NotProved("provider", "a certificate of the provider cannot be read") from error
