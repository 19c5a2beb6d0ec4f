"""Signatures of published alerts: verified by others' programs, and told apart in plain words when they do not hold."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import xmlsec
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.alert_editions import CASES, SENT, editions

from tocsin.cli import main
from tocsin.core.errors import InputError, Unavailable
from tocsin.credentials import SigningKey, alert_signatures
from tocsin.credentials.alert_signatures import (
    CERTIFICATE,
    FILE,
    AlertKey,
    begin_anew,
    load_or_make,
    published,
    sign_cap,
)
from tocsin.credentials.alert_verification import Keys, Outcome, check_cap, check_detached, keys_in
from tocsin.credentials.content_keys import KeyMissing
from tocsin.products.alerts.cap_xml import read_cap
from tocsin.products.alerts.file import CAP
from tocsin.products.alerts.outputs import File, cap_of, files_of, manifest_of, site_list
from tocsin.products.alerts.record import PublicEdition

SIGNING = SigningKey("Fusion Centre", bytes(range(32)))
OTHER = SigningKey("Somebody", bytes(32))


@cache
def key(name: str = "Fusion Centre") -> AlertKey:
    """RSA keys take long to be found: one for each name and process."""
    with TemporaryDirectory() as folder:
        return load_or_make(Path(folder), name, SENT)


def given_of(*pems: bytes) -> Keys:
    found = Keys()
    for pem in pems:
        found += keys_in(pem)
    return found


OWN = lambda: keys_in(key().certificate_pem)  # noqa: E731 - the key is made by whoever asks first.
SIGNED = cache(lambda: sign_cap(cap_of(CASES["alert"]), key()))


def put(root: Path, file: File, signing: SigningKey = SIGNING) -> None:
    path = root / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.body)
    path.with_name(path.name + ".sig").write_bytes(signing.sign(file.body))


def version_of(edition: PublicEdition) -> list[File]:
    return [
        File(file.path, file.media_type, sign_cap(file.body, key()) if file.media_type == CAP else file.body)
        for file in files_of(edition)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A public site with an alert in its first version."""
    root = tmp_path / "site"
    files = version_of(CASES["alert"])
    for file in [*files, manifest_of(CASES["alert"], files, SIGNING.id)]:
        put(root, file)
    for name, media_type, body in published(SIGNING, key()):
        put(root, File(f"keys/{name}", media_type, body))
    return root


def verify(*arguments: Path | str) -> tuple[Result, dict[str, str]]:
    """The command's result, and the outcome of each file by its name."""
    made = CliRunner().invoke(main, ["alert", "verify", "--json", *map(str, arguments)])
    found = json.loads(made.stdout)["files"] if made.stdout.startswith("{") else []
    return made, {Path(each["path"]).name: each["outcome"] for each in found}


@pytest.fixture(autouse=True)
def _fresh_keys() -> Iterator[None]:
    """Folders of keys are read once for each call of the command; here all calls share a process."""
    from tocsin.cli import alert_verify

    alert_verify._keys_of.cache_clear()
    yield
    alert_verify._keys_of.cache_clear()


def test_libxmlsec_verifies_what_is_signed() -> None:
    root = etree.fromstring(SIGNED())
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key().certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
    context.verify(xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature))
    root[-2][-1].text = "elsewhere"
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key().certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
    with pytest.raises(xmlsec.Error):
        context.verify(xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature))


def test_openssl_verifies_a_file_by_the_signature_beside_it(tmp_path: Path) -> None:
    put(tmp_path, File("a.json", "application/json", b"{}"))
    (tmp_path / "public-key.pem").write_bytes(SIGNING.public_pem)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem", "-rawin", "-in", "a.json",
               "-sigfile", "a.json.sig"]  # fmt: skip
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "a.json").write_bytes(b"{ }")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


@settings(max_examples=15)
@given(editions())
def test_a_signature_changes_nothing_that_is_read(edition: PublicEdition) -> None:
    body = cap_of(edition)
    signed = sign_cap(body, key())
    assert read_cap(signed) == read_cap(body)
    assert check_cap(signed, OWN(), Keys()).outcome is Outcome.VERIFIED


def test_the_signature_still_holds_where_spaces_between_elements_are_dropped() -> None:
    root = etree.fromstring(SIGNED(), etree.XMLParser(remove_blank_text=True))
    assert check_cap(etree.tostring(root), OWN(), Keys()).outcome is Outcome.VERIFIED


@settings(max_examples=60)
@given(st.data())
def test_no_byte_of_a_message_can_be_changed(data: st.DataObject) -> None:
    body = bytearray(SIGNED())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    found = check_cap(bytes(body), OWN(), Keys())
    if found.outcome is Outcome.VERIFIED:  # Quotes, spaces in tags and base64's line ends are no part of what is said.
        assert read_cap(bytes(body)) == read_cap(SIGNED())


FORGED = {
    "word": lambda body: body.replace(b"Morocco", b"Marocco"),
    "block out": lambda body: body[: body.index(b"<info><language>fr")] + body[body.index(b"<info><language>ar") :],
    "signature taken out": lambda body: body[: body.index(b"<ds:Signature")] + b"</alert>",
    "comment": lambda body: body.replace(b"Morocco", b"Mor<!-- -->occo"),
    "instruction": lambda body: body.replace(b"<status>", b"<?a b?><status>"),
    "wrapped": lambda body: b'<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
    + body.split(b"\n", 1)[1] + b"</alert>",
    "second signature": lambda body: body.replace(b"</alert>", body[body.index(b"<ds:Signature") :]),
    "other algorithm": lambda body: body.replace(b"#rsa-sha256", b"#rsa-sha1"),
    "reference to a part": lambda body: body.replace(b'URI=""', b'URI="#a"'),
    "entity": lambda body: body.replace(b"<alert", b'<!DOCTYPE alert [<!ENTITY a "b">]><alert', 1),
    "cut": lambda body: body[:-20],
    "not ours": lambda body: b"<rss/>",
}  # fmt: skip
EXPECTED = {"signature taken out": Outcome.NOT_SIGNED} | dict.fromkeys(
    ("comment", "instruction", "entity", "cut", "not ours"), Outcome.UNREADABLE
)


@pytest.mark.parametrize("name", list(FORGED))
def test_forgeries_are_found(name: str) -> None:
    body = FORGED[name](SIGNED())
    assert body != SIGNED()
    assert check_cap(body, OWN(), Keys()).outcome is EXPECTED.get(name, Outcome.ALTERED)


def test_another_certificate_is_told_from_a_change() -> None:
    other = keys_in(key("Somebody").certificate_pem)
    assert check_cap(SIGNED(), other, Keys()).outcome is Outcome.OTHER_KEY
    assert check_cap(SIGNED(), Keys(), other).outcome is Outcome.OTHER_KEY
    assert check_cap(SIGNED(), other, OWN()).outcome is Outcome.OTHER_KEY
    assert check_cap(SIGNED(), Keys(), OWN()).is_trusted is False
    assert check_cap(SIGNED(), OWN(), Keys()).is_trusted is True
    assert check_cap(SIGNED(), Keys(), Keys()).outcome is Outcome.NO_KEY


def test_a_certificate_must_hold_when_the_message_is_sent() -> None:
    certificate = alert_signatures._certificate_for(key().private, "Fusion Centre", SENT + timedelta(days=30))
    late = AlertKey(key().private, (certificate,))
    signed = sign_cap(cap_of(CASES["alert"]), late)
    assert check_cap(signed, keys_in(late.certificate_pem), Keys()).outcome is Outcome.CERTIFICATE_OVER


@pytest.mark.parametrize(
    ("signature", "given", "beside", "outcome"),
    [
        (SIGNING.sign(b"a"), (SIGNING,), (), Outcome.VERIFIED), (SIGNING.sign(b"a"), (), (SIGNING,), Outcome.VERIFIED),
        (SIGNING.sign(b"a"), (OTHER,), (SIGNING,), Outcome.OTHER_KEY),
        (SIGNING.sign(b"b"), (SIGNING,), (), Outcome.ALTERED),
        (SIGNING.sign(b"a"), (OTHER,), (), Outcome.ALTERED), (b"", (SIGNING,), (), Outcome.UNREADABLE),
        (SIGNING.sign(b"a"), (), (), Outcome.NO_KEY), (SIGNING.sign(b"a"), (OTHER, SIGNING), (), Outcome.VERIFIED),
    ],
)  # fmt: skip
def test_signatures_beside_a_file(
    signature: bytes, given: tuple[SigningKey, ...], beside: tuple[SigningKey, ...], outcome: Outcome
) -> None:
    keys, around = (given_of(*(each.public_pem for each in part)) for part in (given, beside))
    assert check_detached(b"a", signature, keys, around).outcome is outcome


def test_the_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, "Fusion Centre", SENT)
    again = load_or_make(tmp_path, "Fusion Centre", SENT)
    assert again.certificate_pem == first.certificate_pem
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert first.certificates[0].not_valid_after_utc == SENT + alert_signatures.VALID
    usage = first.certificates[0].extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert len(alert_signatures.number_in(tmp_path)) == 16
    assert "BEGIN" not in repr(first)

    renewed = load_or_make(tmp_path, "Fusion Centre", first.ends_at - timedelta(days=100))
    assert renewed.ends_at > first.ends_at
    assert renewed.private.public_key() == first.private.public_key()
    kept = {name: body for name, _, body in published(SIGNING, renewed, tmp_path)}
    assert kept[f"former/alert-certificate-{first.fingerprint[:16]}.pem"] == first.certificate_pem
    assert not any(b"PRIVATE" in body for body in kept.values())

    (tmp_path / FILE).unlink()
    anew = begin_anew(tmp_path, "Fusion Centre", SENT)
    assert anew.private.public_key() != renewed.private.public_key()
    assert (tmp_path / "former" / f"alert-certificate-{renewed.fingerprint[:16]}.pem").exists()

    (tmp_path / CERTIFICATE).write_bytes(first.certificate_pem)
    with pytest.raises(InputError, match="another key"):
        load_or_make(tmp_path, "Fusion Centre", SENT)
    (tmp_path / FILE).write_bytes(b"no key")
    with pytest.raises(KeyMissing):
        alert_signatures.number_in(tmp_path)
    with pytest.raises(KeyMissing, match="is damaged"):
        load_or_make(tmp_path, "Fusion Centre", SENT)


def test_a_key_whose_signatures_nobody_could_verify_is_found(tmp_path: Path) -> None:
    numbers = key().private.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    (tmp_path / FILE).write_bytes(alert_signatures._private_pem(wrong))
    with pytest.raises(KeyMissing, match="is damaged"):
        load_or_make(tmp_path, "Fusion Centre", SENT)
    assert alert_signatures.number_in(tmp_path / "nowhere") == ""


def test_nothing_is_signed_once_the_certificate_is_over(tmp_path: Path) -> None:
    """An authority's certificate is not renewed here: who put it there renews it."""
    own = key()
    (tmp_path / FILE).write_bytes(alert_signatures._private_pem(own.private))
    issued = alert_signatures._certificate_for(key("Somebody").private, "Authority", SENT)
    chained = (
        x509.CertificateBuilder().subject_name(own.certificates[0].subject).issuer_name(issued.subject)
        .public_key(own.private.public_key()).serial_number(7).not_valid_before(SENT - timedelta(days=1))
        .not_valid_after(SENT + timedelta(days=10)).sign(key("Somebody").private, alert_signatures.hashes.SHA256())
    )  # fmt: skip
    pem = chained.public_bytes(alert_signatures._PEM)
    (tmp_path / CERTIFICATE).write_bytes(pem + issued.public_bytes(alert_signatures._PEM))
    found = load_or_make(tmp_path, "Fusion Centre", SENT)
    signed = sign_cap(cap_of(CASES["alert"]), found)
    assert signed.count(b"<ds:X509Certificate>") == 2
    assert check_cap(signed, keys_in(found.certificate_pem), Keys()).outcome is Outcome.VERIFIED
    with pytest.raises(Unavailable, match="ended on 20 November 2026"):
        load_or_make(tmp_path, "Fusion Centre", SENT + timedelta(days=11))


def test_a_whole_site_is_verified(site: Path) -> None:
    made, found = verify(site)
    assert made.exit_code == 0
    assert set(found.values()) == {"verified"}
    assert len(found) == 19, "keys are signed as well"
    assert json.loads(made.stdout)["trusted"] is False
    made, _ = verify(site, "--key", site / "keys/public-key.pem", "--key", site / "keys/certificate.pem")
    assert json.loads(made.stdout) | {"files": []} == {
        "valid": True, "trusted": True, "counts": {"verified": 19}, "files": [],
    }  # fmt: skip


def test_what_is_wrong_in_a_site_is_named_file_by_file(site: Path, tmp_path: Path) -> None:
    folder = site / "METHOD-2026-0042"
    (folder / "en.txt").write_text("Pay here.")
    (folder / "fr.txt").unlink()
    (folder / "es.txt.sig").unlink()
    put(site, File("METHOD-2026-0042/ar.txt", "text/plain", b"other", ""), OTHER)
    body = (folder / "v1.cap.xml").read_bytes().replace(b"Morocco", b"Marocco")
    put(site, File("METHOD-2026-0042/v1.cap.xml", CAP, body))
    (folder / "added.html").write_text("<p>Pay here.</p>")
    (folder / "link.txt").symlink_to("/etc/hostname")
    made, found = verify(site)
    assert made.exit_code == 1
    assert {name: outcome for name, outcome in found.items() if outcome != "verified"} == {
        "en.txt": "altered", "fr.txt": "missing", "ar.txt": "altered", "v1.cap.xml": "altered",
        "added.html": "not-signed", "link.txt": "unreadable",
    }  # fmt: skip
    assert found["es.txt"] == "verified", "the signed list of the version says what it must be"
    told = CliRunner().invoke(main, ["alert", "verify", "--quiet", str(site)]).stdout
    assert "en.txt: not what was signed" in told
    assert "fr.txt: missing: it was signed, and is not there." in told
    assert "es.txt" not in told
    assert "15 of 21 files are as they were signed." in told


def test_a_site_signed_by_somebody_else_is_told_by_the_key_that_was_given(site: Path, tmp_path: Path) -> None:
    (tmp_path / "given.pem").write_bytes(OTHER.public_pem)
    made, found = verify(site / "METHOD-2026-0042/en.txt", "--key", tmp_path / "given.pem")
    assert (made.exit_code, found) == (1, {"en.txt": "other-key"})


def test_single_files_are_verified_by_the_keys_of_their_site(site: Path, tmp_path: Path) -> None:
    folder = site / "METHOD-2026-0042"
    assert verify(folder / "en.jsonld")[1] == {"en.jsonld": "verified"}
    assert verify(folder / "en.jsonld.sig")[1] == {"en.jsonld": "verified"}
    alone = Path(shutil.copy(folder / "v1.cap.xml", tmp_path))
    made, found = verify(alone)
    assert (made.exit_code, found) == (3, {"v1.cap.xml": "no-key"})
    made, found = verify(alone, "--key", site / "keys/certificate.pem")
    assert (made.exit_code, found) == (0, {"v1.cap.xml": "verified"})
    made, found = verify(Path(shutil.copy(folder / "en.txt", tmp_path)))
    assert (made.exit_code, found) == (3, {"en.txt": "not-signed"})


def test_an_older_list_is_not_held_against_newer_files(site: Path) -> None:
    files = version_of(CASES["update"])
    for file in [*files, manifest_of(CASES["update"], files, SIGNING.id)]:
        put(site, file)
    made, found = verify(site)
    assert made.exit_code == 0, found
    assert {"v1.cap.xml", "v2.cap.xml", "v1.manifest.json", "v2.manifest.json"} <= set(found)


def test_the_list_of_a_site_proves_what_has_no_signature_of_its_own(site: Path) -> None:
    (site / "en").mkdir()
    (site / "en/index.html").write_text("<p>All alerts</p>")
    (site / "en/index.html.gz").write_bytes(gzip.compress(b"<p>All alerts</p>"))
    (site / ".mark.json").write_text("{}")
    assert verify(site)[0].exit_code == 3, "a list of alerts has no signature"
    listed = {
        each.relative_to(site).as_posix(): (hashlib.sha256(each.read_bytes()).hexdigest(), each.stat().st_size)
        for each in site.rglob("*")
        if each.is_file() and each.suffix not in {".sig", ".gz"}
    }
    put(site, site_list("https://alerts.fusion.example/alerts", listed, SENT))
    made, found = verify(site)
    assert made.exit_code == 0, found
    assert verify(site / "en/index.html")[1] == {"index.html": "verified"}
    (site / "en/index.html.gz").write_bytes(gzip.compress(b"<p>Pay here</p>"))
    (site / "METHOD-2026-0042/en.txt.sig").unlink()
    (site / "METHOD-2026-0042/en.txt").unlink()
    (site / "en/added.html").write_text("<p>Pay here</p>")
    made, found = verify(site)
    assert made.exit_code == 1
    assert {name: outcome for name, outcome in found.items() if outcome != "verified"} == {
        "index.html.gz": "altered", "en.txt": "missing", "added.html": "not-signed",
    }  # fmt: skip
    (site / "en/index.html").write_text("<p>Pay here</p>")
    assert verify(site / "en/index.html")[1] == {"index.html": "altered"}
    (site / "en/index.html.gz").write_bytes(b"\x1f\x8b no such thing")
    assert verify(site / "en/index.html.gz")[1] == {"index.html.gz": "altered"}


def test_a_list_that_leads_outside_the_site_is_not_followed(site: Path) -> None:
    said = {"number": "X", "version": 1, "files": {"../../etc/passwd": {"sha256": "", "size_bytes": 1}, "a": 1}}
    put(site, File("X/v1.manifest.json", "application/json", json.dumps(said).encode()))
    put(site, File("Y/v1.manifest.json", "application/json", b"[]"))
    made, found = verify(site)
    assert made.exit_code == 0, found


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "Missing argument"), (["nowhere.txt"], 2, "does not exist"),
        (["--key", "{root}/en.txt", "{root}"], 2, "holds no"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_missing(site: Path, arguments: list[str], status: int, said: str) -> None:
    root = str(site / "METHOD-2026-0042")
    made = CliRunner().invoke(main, ["alert", "verify", *(each.format(root=root) for each in arguments)])
    assert made.exit_code == status
    assert said in made.output


def test_an_empty_folder_is_not_verified(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["alert", "verify", str(tmp_path)])
    assert (made.exit_code, made.output) == (3, "There is nothing to check in this folder.\n")
