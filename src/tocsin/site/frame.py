"""What every page's frame says about the installation."""

from __future__ import annotations

import json
from functools import cache

import pyarrow.parquet as parquet
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

from tocsin import __version__
from tocsin.centre.members.emergency import alarms_for
from tocsin.reference import addresses


@cache
def address_tables_on() -> str:
    """Date of the shipped address tables, read from the file's head; empty where none is installed."""
    path = addresses.FOLDER / addresses.FILES[0]
    try:
        metadata = parquet.read_schema(path).metadata
    except OSError:
        return ""
    return str(json.loads(metadata[b"tocsin"])["date"])


def frame(request: HttpRequest) -> dict[str, object]:
    """Names and versions for the header and footer, and the direction of the text."""
    return {
        "installation_name": settings.INSTALLATION.organisation,
        "version": __version__,
        "address_tables_on": address_tables_on(),
        "alarms": lambda: alarms_for(request.user, timezone.now()),
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
    }
