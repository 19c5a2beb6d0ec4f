"""Keys of an installation: made once, readable by their owner alone, checked by anybody."""

from __future__ import annotations

import base64
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tocsin.core.errors import InputError
from tocsin.credentials import SigningKey, key_id, load_or_make, verify

TEST_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")


def test_signs_as_rfc_8032_says() -> None:
    key = SigningKey("tocsin", TEST_SEED)
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


def test_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = load_or_make(tmp_path / "keys", "Fusion Centre")
    assert load_or_make(tmp_path / "keys", "Fusion Centre") == first
    mode = (tmp_path / "keys" / "signing-key.pem").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert [path.name for path in sorted((tmp_path / "keys").iterdir())] == ["public-key.pem", "signing-key.pem"]
    assert first.seed.hex() not in repr(first)


def test_verifies_only_what_was_signed() -> None:
    key = SigningKey("tocsin", TEST_SEED)
    signature = key.sign(b"body")
    assert verify(b"body", signature, key.public_pem)
    assert not verify(b"Body", signature, key.public_pem)
    assert not verify(b"body", signature[:-1] + b"\0", key.public_pem)
    assert not verify(b"body", signature, SigningKey("x", bytes(32)).public_pem)
    assert not verify(b"body", signature, b"not a key")


def test_refuses_keys_of_another_kind(tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert not verify(b"body", b"x" * 64, public)
    (tmp_path / "signing-key.pem").write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(InputError):
        load_or_make(tmp_path)


def test_public_line_has_the_note_form() -> None:
    key = SigningKey("fusion.example", TEST_SEED)
    name, digits, body = key.public_line.split("+", 2)
    raw = base64.b64decode(body)
    assert (name, raw[0], len(raw)) == ("fusion.example", 1, 33)
    assert digits == key.id == key_id(name, raw[1:])


def test_openssl_agrees(tmp_path: Path) -> None:
    key = SigningKey("tocsin", TEST_SEED)
    (tmp_path / "key.pem").write_bytes(key.public_pem)
    (tmp_path / "body").write_bytes(b"a manifest")
    (tmp_path / "body.sig").write_bytes(key.sign(b"a manifest"))
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in body -sigfile body.sig"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
