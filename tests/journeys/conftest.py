"""Journeys drive a browser beside a live server."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page
from tests import builders, crew, people

from tocsin.centre.jobs.worker import work
from tocsin.centre.members.sessions import PROVED_AT

# The browser's driver keeps an event loop in this thread; the database is used from it synchronously all the same.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    cache.clear()
    return tmp_path / "store"


@pytest.fixture
def worker(store: Path) -> Iterator[None]:
    """A worker beside the live server."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(crew.handlers(), stop), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(timeout=20)


def sign_in(page: Page, origin: str, login: str) -> None:
    """Open a session as a person does: by typing."""
    people.call(login)
    page.goto(f"{origin}/sign-in/")
    page.locator("input[name=login]").fill(login)
    page.locator("input[type=password]").fill(builders.PASSWORD)
    page.locator("main button[type=submit]").click()


def enter(context: BrowserContext, origin: str, login: str, language: str = "") -> None:
    """Open a session for one of the cast, in the language, without typing a password into the page each time."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    person = people.call(login)
    if language:
        person.language = language
        person.save()
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[PROVED_AT] = timezone.now().timestamp()
    session.save()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": origin}])
