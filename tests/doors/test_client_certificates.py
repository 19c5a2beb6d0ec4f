"""Keys bound to client certificates: through the proxy of the guide, a real nginx, and past it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Key
from tocsin.centre.members.services import add_key
from tocsin.cli.people import person as command
from tocsin.core.errors import InputError
from tocsin.credentials import certificates

pytestmark = pytest.mark.usefixtures("store")
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "operator" / "client-certificates.md"
HEADER = "X-SSL-Client-Cert"
PATH = "/api/v1/observations"


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def write(self, path: Path) -> Path:
        secret = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(self.pem.encode() + secret)
        return path


def made(name: str, by: Made | None = None, *, days: int = 30, is_ca: bool = False) -> Made:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("machines.tocsin.example")]), critical=False)
    )
    return Made(builder.sign(by.key if by else key, hashes.SHA256()), key)


@pytest.fixture
def https(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(settings.INSTALLATION, public_origin="https://tocsin.example", client_certificate_header=HEADER)
    monkeypatch.setattr(settings, "INSTALLATION", changed)
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])


def bound_key(give_key: GiveKey, machine: Made) -> str:
    found = certificates.from_pem(machine.pem)
    return give_key(certificate=found.fingerprint, certificate_subject=found.subject, certificate_ends_at=found.ends_at)


@dataclass(frozen=True, slots=True)
class Proxy:
    """The guide's server, listening."""

    port: int
    folder: Path
    ca: Path

    def get(self, secret: str, machine: Made | None, **headers: str) -> int:
        context = ssl.create_default_context(cafile=str(self.ca))
        if machine is not None:
            context.load_cert_chain(machine.write(self.folder / f"{machine.certificate.serial_number}.pem"))
        line = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
        line.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout=30), server_hostname="machines.tocsin.example"
        )
        said = {"Host": "machines.tocsin.example", "Authorization": f"Bearer {secret}", **headers}
        line.request("GET", PATH, headers=said)
        status = line.getresponse().status
        line.close()
        return status


@pytest.fixture
def authority() -> Made:
    return made("machines", is_ca=True)


@pytest.fixture
def proxy(live_server: Any, https: None, authority: Made, tmp_path: Path) -> Iterator[Proxy]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not on this machine")
    portal = made("portal", is_ca=True)
    (tmp_path / "fullchain.pem").write_text(portal.pem)
    portal.write(tmp_path / "key.pem")
    (tmp_path / "machines-ca.pem").write_text(authority.pem)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    assert server is not None
    text = server[1].replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("/etc/ssl/tocsin/", f"{tmp_path}/").replace("http://127.0.0.1:8000", live_server.url)
    places = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = re.sub(r"(access|error)_log /var/log/.*;", "", text)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors;\nevents {{}}\n"
        f"http {{ access_log off;\n{places}{text}}}\n"
    )
    running = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "errors")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Proxy(port, tmp_path, tmp_path / "fullchain.pem")
    finally:
        running.terminate()
        running.wait(10)


@pytest.mark.django_db(transaction=True)
def test_through_the_proxy_of_the_guide(proxy: Proxy, authority: Made, give_key: GiveKey) -> None:
    machine, other, stranger = made("machine", authority), made("other", authority), made("stranger")
    secret, free = bound_key(give_key, machine), give_key()
    assert proxy.get(secret, machine) == 200
    assert proxy.get(free, machine) == proxy.get(free, None) == 200, "a key without a bond needs none"
    spoofed = {HEADER: quote(machine.pem, safe="")}
    refused = {
        "no certificate": proxy.get(secret, None),
        "another machine's": proxy.get(secret, other),
        "said, not shown": proxy.get(secret, None, **spoofed),
        "said beside another": proxy.get(secret, other, **spoofed),
        "said with underscores": proxy.get(secret, None, **{HEADER.replace("-", "_"): spoofed[HEADER]}),
        "the certificate alone": proxy.get("toc_wrong", machine),
    }
    assert refused == dict.fromkeys(refused, 401)
    assert proxy.get(secret, stranger) == 400, "nginx refuses whom the authority did not sign"
    Key.objects.filter(pk=Key.objects.earliest("pk").pk).update(certificate_ends_at=datetime.now(UTC))
    assert proxy.get(secret, machine) == 401


@pytest.mark.django_db
def test_past_the_proxy_the_header_says_nothing(
    https: None, give_key: GiveKey, caplog: pytest.LogCaptureFixture
) -> None:
    machine = made("machine")
    secret = bound_key(give_key, machine)
    said = {"Authorization": f"Bearer {secret}", HEADER: quote(machine.pem, safe="")}
    assert Client().get(PATH, headers=said).status_code == 200, "from the proxy it does"
    assert Client(REMOTE_ADDR="198.51.100.7").get(PATH, headers=said).status_code == 401
    assert "198.51.100.7 sent a header X-SSL-Client-Cert" in caplog.text
    [entry] = Entry.objects.filter(action="key.refused")
    assert json.loads(entry.detail)["for"] == "no-certificate"


@pytest.mark.django_db
@pytest.mark.parametrize("changed", [{"client_certificate_header": ""}, {"public_origin": "http://127.0.0.1:8000"}])
def test_without_the_setting_or_without_https_no_header_is_believed(
    changed: dict[str, str], https: None, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, **changed))  # type: ignore[arg-type]
    machine = made("machine")
    said = {"Authorization": f"Bearer {bound_key(give_key, machine)}", HEADER: quote(machine.pem, safe="")}
    assert Client().get(PATH, headers=said).status_code == 401


@pytest.mark.parametrize("form", ["escaped", "rfc9440"])
def test_both_forms_of_the_header(form: str) -> None:
    machine = made("machine")
    der = machine.certificate.public_bytes(Encoding.DER)
    value = quote(machine.pem, safe="") if form == "escaped" else f":{base64.b64encode(der).decode()}:"
    assert certificates.fingerprint_in_header(value) == machine.certificate.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(
    "value", ["", "x", ":", "::", ":!!:", ":AAAA:", "%00", "-----BEGIN CERTIFICATE-----", "A" * 20_000, "é", ":é:"]
)
def test_what_holds_no_certificate_names_none(value: str) -> None:
    assert certificates.fingerprint_in_header(value) == ""


ASKED = {"name": "collector", "scopes": ["read"], "days": "90"}


@pytest.mark.django_db
def test_a_key_is_bound_on_its_page(client: Client, https: None) -> None:
    machine = made("gateway one")
    people.let_in(client, "pia_partner")
    client.post(reverse("keys"), {**ASKED, "certificate": machine.pem}, headers={"X-Forwarded-Proto": "https"})
    key = Key.objects.get()
    assert key.certificate == machine.certificate.fingerprint(hashes.SHA256()).hex()
    assert (key.certificate_subject, key.certificate_ends_at) == (
        "CN=gateway one", machine.certificate.not_valid_after_utc,
    )  # fmt: skip
    page = client.get(reverse("keys")).content.decode()
    assert "CN=gateway one" in page
    assert key.certificate in page


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["private", "ended", "cut"])
def test_what_is_no_good_certificate_binds_nothing(what: str, client: Client) -> None:
    machine = made("machine", days=-1 if what == "ended" else 30)
    secret = machine.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    text = {"private": machine.pem + secret, "ended": machine.pem, "cut": machine.pem[:200]}[what]
    people.let_in(client, "pia_partner")
    page = client.post(reverse("keys"), {**ASKED, "certificate": text}).content.decode()
    assert "field-error" in page
    assert not Key.objects.exists()


@pytest.mark.django_db
def test_a_key_is_bound_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    people.call("pia_partner")
    machine = made("machine")
    (tmp_path / "machine.pem").write_text(machine.pem)
    said = ["key", "pia_partner", "--scope", "taxii", "--ceiling", "TLP:GREEN", "--from", "192.0.2.0/24"]
    done = CliRunner().invoke(command, [*said, "--certificate", str(tmp_path / "machine.pem")])
    assert done.exit_code == 0, done.output
    key = Key.objects.get()
    assert (key.scopes, key.ceiling, key.ranges) == (["taxii"], "TLP:GREEN", ["192.0.2.0/24"])
    assert key.certificate == machine.certificate.fingerprint(hashes.SHA256()).hex()
    for wrong in (["--from", "192.0.2.1/24"], ["--days", "999"]):
        done = CliRunner().invoke(command, [*said, *wrong])
        assert done.exit_code == 1
        assert done.output.startswith("Error: No such key can be made")
    (tmp_path / "machine.pem").write_text("no certificate")
    assert CliRunner().invoke(command, [*said, "--certificate", str(tmp_path / "machine.pem")]).exit_code == 1
    assert Key.objects.count() == 1
    assert builders.organisation("northwind").keys.count() == 1


@pytest.mark.django_db
def test_a_certificate_that_has_ended_binds_no_new_key_and_a_key_beside_it_is_not_in_force(client: Client) -> None:
    pia = people.call("pia_partner")
    now = datetime.now(UTC)
    good = certificates.from_pem(made("collector").pem)
    ended = replace(good, ends_at=now - timedelta(seconds=1))
    said: dict[str, Any] = {"person": pia, "name": "collector", "scopes": ["read"], "by": "t", "at": now,
                            "expires_at": now + timedelta(days=200)}  # fmt: skip
    with pytest.raises(InputError, match="certificate-ended"):
        add_key(**said, certificate=ended)
    key, _secret = add_key(**said, certificate=good)
    people.let_in(client, "pia_partner")
    page = client.get(reverse("keys")).content.decode()
    assert "Ends soon" in page, "the certificate ends in 30 days, and the key with it"
    Key.objects.filter(pk=key.pk).update(certificate_ends_at=now)
    page = client.get(reverse("keys")).content.decode()
    assert "Its certificate has ended" in page
    assert "In force" not in page
    Key.objects.filter(pk=key.pk).update(
        certificate_ends_at=now + timedelta(days=90), organisation=builders.organisation()
    )
    assert "Of another seat of yours" in client.get(reverse("keys")).content.decode()
