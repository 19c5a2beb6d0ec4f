"""A SAML 2.0 identity provider of the tests' own, over HTTP. It signs with libxmlsec1, another hand than the portal's;
what it says can be bent before it is signed, and what it sends afterwards.
"""

from __future__ import annotations

import base64
import html
import re
import secrets
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
MFA = "https://refeds.org/profile/mfa"


def certificate_of(key: RSAPrivateKey, days: int = 30) -> bytes:
    """A certificate of its own, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


FIRST_KEY = generate_private_key(65537, 2048)


@dataclass
class SamlProvider:
    """Whoever comes is the person that `subject` and `attributes` say."""

    origin: str = ""
    key: RSAPrivateKey = FIRST_KEY
    certificates: list[bytes] = field(default_factory=lambda: [certificate_of(FIRST_KEY)])
    subject: str = "4f1c-0001"
    format: str = PERSISTENT
    attributes: dict[str, list[str]] = field(default_factory=lambda: {"uid": ["pia_partner"]})
    way: str = PASSWORD
    proved_at: datetime | None = None
    """None: this moment."""
    bends: list[Callable[[etree._Element], Any]] = field(default_factory=list)
    """What is done to the response before the assertion is signed; and after it, to the text."""
    tampers: list[Callable[[str], str]] = field(default_factory=list)
    method: Any = xmlsec.constants.TransformRsaSha256
    digest: Any = xmlsec.constants.TransformSha256
    is_signing: bool = True
    requests: list[etree._Element] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"{self.origin}/idp"

    def metadata(self) -> str:
        """What it publishes of itself."""
        bodies = ["".join(each.decode().splitlines()[1:-1]) for each in self.certificates]
        keys = "".join(
            f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
            f"<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for body in bodies
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><!-- made by hand -->\n<md:EntityDescriptor '
            f'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.issuer}"><md:IDPSSODescriptor '
            f'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}<md:SingleSignOnService '
            f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{self.origin}/sso"/>'
            f"</md:IDPSSODescriptor></md:EntityDescriptor>"
        )

    def response(self, number: str, audience: str, recipient: str) -> str:
        """A response to the request of that number, its assertion signed."""
        now = datetime.now(UTC)
        root = etree.fromstring(self._body(number, audience, recipient, now))
        for bend in self.bends:
            bend(root)
        if self.is_signing:
            self._sign(root)
        text = etree.tostring(root).decode()
        for tamper in self.tampers:
            text = tamper(text)
        return text

    def _body(self, number: str, audience: str, recipient: str, now: datetime) -> str:
        said, until = _moment(now), _moment(now + timedelta(minutes=5))
        attributes = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{html.escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        return (
            f'<samlp:Response xmlns:samlp="{PROTOCOL.strip("{}")}" xmlns:saml="{SAML.strip("{}")}" '
            f'ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{said}" Destination="{recipient}" '
            f'InResponseTo="{number}"><saml:Issuer>{self.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode '
            f'Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            f'<saml:Assertion ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{said}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject>"
            f'<saml:NameID Format="{self.format}">{html.escape(self.subject)}</saml:NameID>'
            f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
            f'InResponseTo="{number}" NotOnOrAfter="{until}" Recipient="{recipient}"/></saml:SubjectConfirmation>'
            f'</saml:Subject><saml:Conditions NotBefore="{said}" NotOnOrAfter="{until}"><saml:AudienceRestriction>'
            f"<saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{_moment(self.proved_at or now)}"><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{self.way}</saml:AuthnContextClassRef></saml:AuthnContext>"
            f"</saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
            f"</samlp:Response>"
        )

    def _sign(self, root: etree._Element) -> None:
        found = root.find(f"{SAML}Assertion")
        assert found is not None
        template = xmlsec.template.create(found, xmlsec.constants.TransformExclC14N, self.method, ns="ds")
        found.insert(1, template)
        reference = xmlsec.template.add_reference(template, self.digest, uri="#" + found.get("ID", ""))
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        xmlsec.tree.add_ids(root, ["ID"])
        context = xmlsec.SignatureContext()
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
        context.sign(template)

    def page(self, path: str) -> str:
        """What it answers a browser that brings a request: a form that goes back."""
        packed = parse_qs(urlsplit(path).query)["SAMLRequest"][0]
        request = etree.fromstring(zlib.decompress(base64.b64decode(packed), -15))
        self.requests.append(request)
        audience, recipient = request.findtext(f"{SAML}Issuer") or "", request.get("AssertionConsumerServiceURL", "")
        said = base64.b64encode(self.response(request.get("ID", ""), audience, recipient).encode()).decode()
        return f'<form method="post" action="{recipient}"><input name="SAMLResponse" value="{said}"></form>'

    def visit(self, address: str) -> tuple[str, str]:
        """What a browser does that is sent there: where it posts to, and what."""
        with urlopen(address, timeout=10) as answer:
            found = re.search(r'action="([^"]+)".*value="([^"]+)"', answer.read().decode())
        assert found is not None
        return found.group(1), found.group(2)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def running() -> Iterator[SamlProvider]:
    """A provider that listens at a port of this machine."""
    provider = SamlProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = provider.page(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            """Nothing: the test says what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
