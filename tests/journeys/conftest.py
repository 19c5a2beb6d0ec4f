"""Journeys drive a browser beside a live server."""

from __future__ import annotations

import os

# The browser's driver keeps an event loop in this thread; the database is used from it synchronously all the same.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
