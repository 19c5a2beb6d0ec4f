"""Secrets sealed with a key of a file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tocsin.core.errors import InputError
from tocsin.credentials.content_keys import KeyMissing
from tocsin.credentials.sealing import sealing_key


def test_what_is_sealed_opens_with_the_same_key_about_the_same_thing_alone(tmp_path: Path) -> None:
    key = sealing_key(tmp_path / "keys")
    sealed = key.seal(b"secret", "code-app:1")
    assert sealed != key.seal(b"secret", "code-app:1")
    assert sealing_key(tmp_path / "keys").opened(sealed, "code-app:1") == b"secret"
    for other, about in ((key, "code-app:2"), (sealing_key(tmp_path / "others"), "code-app:1")):
        with pytest.raises(InputError):
            other.opened(sealed, about)
    for broken in ("", "!", sealed[:-8], "A" + sealed[1:], sealed[:3] + "AAAA" + sealed[7:], "2." + sealed[2:]):
        with pytest.raises(InputError):
            key.opened(broken, "code-app:1")


def test_the_key_is_for_its_owner_and_is_never_shown(tmp_path: Path) -> None:
    key = sealing_key(tmp_path)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.secret.hex() not in repr(key)
    path.write_text("00")
    with pytest.raises(KeyMissing):
        sealing_key(tmp_path)


def test_who_starts_at_the_same_time_gets_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({key.secret for key in pool.map(sealing_key, [tmp_path] * 32)}) == 1


def test_what_is_sealed_names_its_form_and_what_was_sealed_before_opens(tmp_path: Path) -> None:
    """ASVS 11.2.2: another algorithm can take the place of this one, since each sealed text says which it is."""
    key = sealing_key(tmp_path / "keys")
    sealed = key.seal(b"secret", "code-app:1")
    assert sealed.startswith("1.")
    assert key.opened(sealed.removeprefix("1."), "code-app:1") == b"secret"
    with pytest.raises(InputError, match="form not known"):
        key.opened("7." + sealed[2:], "code-app:1")
