"""Where secrets lie, and which databases are spoken to. Numbers are those of OWASP ASVS 5.0.0."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tocsin.core.errors import InputError
from tocsin.credentials import load_or_make
from tocsin.credentials.sealing import sealing_key
from tocsin.site import installation
from tocsin.site.databases import GIVEN_UP, SERVER_LOOKS, database_of, for_pages

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.mark.parametrize("address", [
    "postgresql://tocsin@/tocsin", "postgresql://tocsin@/tocsin?host=/run/postgresql", "postgresql://t@127.0.0.1:5433/t",
    "postgresql://t@[::1]/t", "postgresql://t@localhost/t?application_name=portal",
])  # fmt: skip
def test_on_this_machine_nothing_is_asked(address: str, tmp_path: Path) -> None:
    assert "sslmode" not in database_of(address, tmp_path)["OPTIONS"]  # type: ignore[operator]


def test_another_machine_is_reached_only_when_it_proves_who_it_is(tmp_path: Path) -> None:
    """12.3.1: unless the address says so itself."""
    far = "postgresql://tocsin:a%40b@db.example:5433/tocsin"
    made = database_of(far, tmp_path)
    usual = {**GIVEN_UP, "options": SERVER_LOOKS}
    assert made["OPTIONS"] == {**usual, "sslmode": "verify-full"}
    assert (made["HOST"], made["PORT"], made["PASSWORD"]) == ("db.example", 5433, "a@b")
    told = database_of(f"{far}?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/t.pem", tmp_path)["OPTIONS"]
    assert told == {**usual, "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "sslcert": "/etc/t.pem"}


@pytest.mark.parametrize("said", ["sslmode=disable", "sslmode=prefer", "sslmode=require", "sslmode=verify-ca", "ssl=1"])
@pytest.mark.parametrize("host", ["db.example", "192.0.2.7", "127.0.0.1.example"])
def test_what_is_weaker_ends_the_start_with_a_reason(said: str, host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        database_of(f"postgresql://tocsin@{host}/tocsin?{said}", tmp_path)
    assert told.value.field == "database"


def test_a_host_behind_the_question_mark_is_no_way_around(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        database_of("postgresql://t@localhost/t?host=db.example&sslmode=disable", tmp_path)


def test_keys_are_lent_by_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """13.3.1: read where systemd lays them, and never made anew in their place."""
    lent = tmp_path / "lent"
    kept = load_or_make(tmp_path / "keys"), sealing_key(tmp_path / "keys")
    (tmp_path / "keys" / "public-key.pem").unlink()
    (tmp_path / "secret").write_text("s" * 64 + "\n")
    (tmp_path / "tocsin.toml").write_text(
        'keys = "$CREDENTIALS_DIRECTORY"\nsecret_file = "$CREDENTIALS_DIRECTORY/secret"\n'
    )
    with pytest.raises(InputError):
        installation.load(tmp_path)
    (tmp_path / "keys").rename(lent)
    (tmp_path / "secret").rename(lent / "secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))
    made = installation.load(tmp_path)
    assert made.secret == "s" * 64
    assert (load_or_make(made.keys_folder), sealing_key(made.keys_folder)) == kept
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "gone"))
    with pytest.raises(InputError):
        _ = made.keys_folder
    assert not (tmp_path / "gone").exists()


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('secret_file = "secret"\n')
    (tmp_path / "secret").write_text("short")
    with pytest.raises(InputError):
        installation.load(tmp_path)


def test_the_unit_lends_each_key_by_its_own_name() -> None:
    text = (DEPLOY / "tocsin-credentials.conf").read_text(encoding="utf-8")
    assert re.findall(r"^LoadCredentialEncrypted=([\w.-]+):", text, re.M) == [
        "signing-key.pem", "sealing-key", "content-keys", "alert-key.pem", "alert-certificate.pem", "push-key.pem",
        "secret", "pgpass",
    ]  # fmt: skip


def test_how_long_a_server_is_waited_for_may_be_said(tmp_path: Path) -> None:
    said: Any = database_of("postgresql://t@/t?connect_timeout=30&tcp_user_timeout=9000", tmp_path)
    assert said["OPTIONS"]["connect_timeout"] == "30"
    assert said["OPTIONS"]["tcp_user_timeout"] == "9000"
    assert said["OPTIONS"]["keepalives_idle"] == GIVEN_UP["keepalives_idle"]
    assert "statement_timeout" not in said["OPTIONS"]["options"], "workers may take as long as it takes"
    for_pages(said)
    assert "statement_timeout=60000" in said["OPTIONS"]["options"]
    lite: Any = database_of("", tmp_path)
    for_pages(lite)
    assert lite == database_of("", tmp_path)
