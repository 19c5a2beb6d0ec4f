"""Taking what a citizen reports: a delivery that belongs to the bureau of the country, TLP:RED, closed to others.

The bureau is its source, as if the citizen had walked into it: so the gate shows it to the bureau alone, what it says
is sealed, and the bureau passes it on, opens or recalls it by the ways that it has for its own (decision 63).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.services import receive
from tocsin.centre.members import agreements, sessions
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.core.words import Tlp
from tocsin.transport import scanning

from .models import Referral

LONGEST_FACTS = 8_000
LONGEST_LINE = 300
MOST_FILE_BYTES = 5 << 20
MOST_FROM_NETWORK = 4
MOST_FOR_COUNTRY = 200
"""In a quarter of an hour: a flood fills neither the bureau's desk nor the disk."""
LEAST_SHOWN = 5
"""Below this the Centre is shown no count: few reports from a country could tell on somebody."""
ACTOR = "citizen"


@dataclass(frozen=True, slots=True)
class Report:
    """What the form asks. Only facts and country must be there."""

    about: str
    facts: str
    country: str
    alert: str = ""
    language: str = "en"
    happened_on: date | None = None
    loss: str = ""
    victims: str = ""
    has_evidence: bool = False
    may_name: bool = False
    contact: str = ""

    def __post_init__(self) -> None:
        if self.about not in Referral.About.values:
            raise InputError("invalid-object", field="about", excerpt=self.about[:20])
        for name in ("facts", "country"):
            if not getattr(self, name).strip():
                raise InputError("missing-field", field=name)
        longest = {"facts": LONGEST_FACTS, "loss": LONGEST_LINE, "victims": 20, "contact": LONGEST_LINE, "alert": 32}
        for name, most in longest.items():
            if len(getattr(self, name)) > most:
                raise InputError("too-large", field=name)


def open_bureaus(at: datetime) -> dict[str, Organisation]:
    """Country → the bureau that takes reports now. A country without one is not asked about: what nobody may read is
    better told to the local police."""
    found: dict[str, Organisation] = {}
    for each in Organisation.objects.filter(is_bureau=True, is_active=True).exclude(country="").order_by("-pk"):
        if not agreements.refusal_of(each, at):
            found[each.country] = each
    return found


def take(report: Report, *, file: tuple[str, bytes] | None = None, network: str, at: datetime) -> Referral:
    """Hand it to the bureau and give its number. Raises InputError, TooManyFailures, Refused("referral-harmful"), and
    what the intake raises where it cannot take anything."""
    bureau = open_bureaus(at).get(report.country)
    if bureau is None:
        raise InputError("invalid-object", field="country", excerpt=report.country[:2])
    sessions.count_try(sessions.subject_of(f"referral\n{sessions.network_of(network)}"), MOST_FROM_NETWORK, at)
    sessions.count_try(sessions.subject_of(f"referral-for\n{report.country}"), MOST_FOR_COUNTRY, at)
    if file is not None:
        _require_harmless(file[1])
    number = drawn_number("R", at)
    closed = {"audience": [], "exclusions": [], "attribution": "must-not"}
    with transaction.atomic():
        delivery = receive(
            organisation=bureau, via=Delivery.Via.PAGE, at=at, marking=Tlp.RED.value, circular=closed,
            name=f"{number}.zip" if file else f"{number}.md", chunks=_chunks(_written(number, report), file),
            priority=3,
        )  # fmt: skip
        made = Referral.objects.create(
            number=number, alert=report.alert, about=report.about, country=report.country, organisation=bureau,
            delivery=delivery, received_at=at,
        )  # fmt: skip
        # No word of what it says, and nothing of who sent it.
        record(ACTOR, "referral.received", f"referral:{number}", {"to": bureau.slug, "alert": report.alert}, at=at)
    return made


def _require_harmless(body: bytes) -> None:
    if len(body) > MOST_FILE_BYTES:
        raise InputError("too-large", field="file")
    address = settings.INSTALLATION.scanner
    if address and scanning.found_in([body], address):
        raise Refused("referral-harmful")


def _written(number: str, report: Report) -> str:
    """As the bureau reads it: first what it needs to sort it, then the citizen's own words."""
    lines = [
        ("Alert", report.alert), ("About", report.about), ("Country", report.country), ("Language", report.language),
        ("When", date_format(report.happened_on, "Y-m-d") if report.happened_on else ""), ("Loss", report.loss),
        ("People concerned", report.victims), ("Evidence kept", "yes" if report.has_evidence else "no"),
        ("May be named", "yes" if report.may_name else "no"), ("Contact", report.contact),
    ]  # fmt: skip
    said = "\n".join(f"{name}: {' '.join(value.split())}" for name, value in lines if value)
    return f"# {number}\n\n{said}\n\n{report.facts.strip()}\n"


def _chunks(message: str, file: tuple[str, bytes] | None) -> Iterator[bytes]:
    if file is None:
        yield message.encode()
        return
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("message.md", message)
        archive.writestr(f"file{_ending(file[0])}", file[1])
    yield made.getvalue()


def _ending(name: str) -> str:
    """Of a name that somebody chose, what says of which kind the file is."""
    ending = name.rpartition(".")[2].lower()
    return f".{ending}" if ending.isascii() and ending.isalnum() and len(ending) <= 8 and "." in name else ""


@transaction.atomic
def note_opened(referral: Referral, *, by: Person, at: datetime) -> None:
    """Somebody of the bureau reads it; the first time is in the log."""
    if Referral.objects.filter(pk=referral.pk, opened_at=None).update(opened_at=at):
        record(by.login, "referral.opened", f"referral:{referral.number}", {}, at=at)


@transaction.atomic
def close(referral: Referral, *, by: Person, at: datetime) -> None:
    """The bureau has dealt with it. Raises Conflict where it said so already."""
    if not Referral.objects.filter(pk=referral.pk, closed_at=None).update(closed_at=at):
        raise Conflict("it was closed already")
    record(by.login, "referral.closed", f"referral:{referral.number}", {}, at=at)
