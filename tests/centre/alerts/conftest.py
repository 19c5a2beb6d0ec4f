"""What every test of alerts has: keys and a store of its own, and one list of the public site instead of thousands."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from django.conf import settings

from tocsin.centre.alerts.public import lists


@pytest.fixture
def public_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place to publish to."""
    made = replace(settings.INSTALLATION, home=tmp_path, store="", public_origin="https://alerts.example")
    monkeypatch.setattr(settings, "INSTALLATION", made)
    monkeypatch.setattr(lists, "all_facets", list)
    if importlib.util.find_spec("tocsin.centre.alerts.telling") is None:
        told = ModuleType("tocsin.centre.alerts.telling")
        told.published = lambda version, at: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tocsin.centre.alerts.telling", told)
        import tocsin.centre.alerts as package

        monkeypatch.setattr(package, "telling", told, raising=False)
