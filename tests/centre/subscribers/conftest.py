"""Subscribers of tests, and the ends that they are told at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from tests import far_ends
from tests.far_ends import Called, Mailbox


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with far_ends.mail_relay() as box:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, mail=box.relay))
        yield box


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Called]:
    """One's own network is called only where the settings let it be."""
    with far_ends.called_server() as found:
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, inner_webhooks=True))
        yield found
