"""What every page's frame says about the installation."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

from tocsin import __version__
from tocsin.centre.clock import services as clock
from tocsin.centre.clock.rules import Reading
from tocsin.centre.members.emergency import alarms_for
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.reference import addresses


@cache
def address_tables_on() -> str:
    """Date of the shipped address tables; empty where none is installed."""
    try:
        return str(addresses.facts_of(addresses.FOLDER / addresses.FILES[0])["date"])
    except OSError:
        return ""


def frame(request: HttpRequest) -> dict[str, object]:
    """Names and versions for the header and footer, and the direction of the text."""
    return {
        "installation_name": settings.INSTALLATION.organisation,
        "tocsin_version": __version__,
        "address_tables_on": address_tables_on(),
        "alarms": lambda: alarms_for(request.user, timezone.now()),
        "clock_alarm": lambda: _clock_alarm(request),
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
    }


def _clock_alarm(request: HttpRequest) -> clock.Standing | None:
    """How the machine's clock differs from what is known of the time, for whoever looks after the installation."""
    person = request.user
    if not isinstance(person, Person) or not may(person, "administer"):
        return None
    stands = clock.standing(timezone.now())
    return None if stands.reading is Reading.AGREES else stands
