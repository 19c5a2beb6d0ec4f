"""A store of its own for each test, keys, and the work that follows a delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from tests import people
from tests.crew import work

from tocsin.centre.members.models import Key
from tocsin.centre.members.services import add_key

__all__ = ["GiveKey", "give_key", "store", "work"]
GiveKey = Callable[..., str]
EVERY_SCOPE = ("deliver", "taxii", "read", "packages")
YEAR = timedelta(days=365)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation with a small limit."""
    # All that changes the installation goes through one monkeypatch: what is undone last is what was there first.
    small = replace(settings.INSTALLATION, home=tmp_path, store="", upload_limit_bytes=1 << 20)
    monkeypatch.setattr(settings, "INSTALLATION", small)
    cache.clear()
    return tmp_path / "store"


@pytest.fixture
def give_key() -> GiveKey:
    """Gives one of the cast a key and returns its secret."""

    def give(login: str = "pia_partner", scopes: Sequence[str] = EVERY_SCOPE, **changed: object) -> str:
        at = timezone.now()
        key, secret = add_key(
            person=people.call(login), name="test", scopes=scopes, expires_at=at + YEAR, by="test", at=at
        )
        Key.objects.filter(pk=key.pk).update(**changed)
        return secret

    return give
