"""Writing a circular, checking one, acknowledging one. Every act is recorded in its transaction, without content."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, BatchSet, Delivery, Terms
from tocsin.centre.intake.services import came_supervised, receive
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet
from tocsin.reference.countries import country

from .models import Circular, Reading
from .rules import Addressees, audience_of
from .selectors import may_check, may_send

LABELS = (Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.GREEN, Tlp.CLEAR)
"""RED names persons: a circular names bureaus."""
LONGEST_SUBJECT, LONGEST_TEXT, LONGEST_REASON = 200, 100_000, 2_000
MOST_FILE_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with it, in any format that the intake reads."""

    name: str
    chunks: Iterable[bytes]


def send(
    *, by: Person, subject: str, text: str, tlp: Tlp, chosen: Addressees, at: datetime,
    attachment: Attachment | None = None,
) -> Circular:  # fmt: skip
    """Take it in and send it on its way: once it is read it goes to its addressees, unless a check or a hold stops it.

    Raises Refused for who may not send, InputError for addressees that are none, for a text that is missing or too
    long, and for whatever the intake refuses (a country that is restricted or suspended).
    """
    if not may_send(by):
        raise Refused("circular-not-a-bureau")
    subject, text = " ".join(subject.split()), text.strip()
    for name, said, longest in (("subject", subject, LONGEST_SUBJECT), ("text", text, LONGEST_TEXT)):
        if not said:
            raise InputError("missing-field", field=name)
        if len(said) > longest:
            raise InputError("too-large", field=name)
    own = by.organisation
    audience, exclusions = audience_of(chosen, bureaus(), own.country, lambda code, region: country(code).is_in(region))
    said_of_all = {"audience": list(audience), "exclusions": list(exclusions), "attribution": "may"}
    HandlingSet.from_json({**own.defaults, **said_of_all, "tlp": tlp.value})  # What contradicts itself is refused now.
    number = drawn_number("C", at)
    message = f"# {subject}\n\n{text}\n\n{number}\n"
    with transaction.atomic():
        delivery = receive(
            organisation=own, via=Delivery.Via.PAGE, person=by, at=at, marking=tlp.value, circular=said_of_all,
            name="circular.zip" if attachment else "circular.md", chunks=_chunks(message, attachment), priority=5,
        )  # fmt: skip
        made = Circular.objects.create(
            number=number, delivery=delivery, audience=list(audience), needs_check=came_supervised(delivery)
        )
        facts = {"delivery": delivery.pk, "supervised": made.needs_check}
        record(by.login, "circular.written", f"circular:{number}", facts, at=at)
    return made


def bureaus() -> dict[str, list[str]]:
    """Country → slugs of its bureaus that are active."""
    found: dict[str, list[str]] = {}
    rows = Organisation.objects.filter(is_bureau=True, is_active=True).exclude(country="")
    for code, slug in rows.values_list("country", "slug").order_by("slug"):
        found.setdefault(code, []).append(slug)
    return found


def _chunks(message: str, attachment: Attachment | None) -> Iterator[bytes]:
    """The bytes of the delivery: the message, or an archive of message and file."""
    if attachment is None:
        yield message.encode()
        return
    with tempfile.SpooledTemporaryFile(max_size=8 * CHUNK_BYTES) as file:
        _write_archive(file, message, attachment)
        file.seek(0)
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _write_archive(file: IO[bytes], message: str, attachment: Attachment) -> None:
    size = 0
    name = re.sub(r"[^\w.\- ]", "_", Path(attachment.name).name)[-120:].strip(". ") or "file"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("message.md", message)
        with archive.open(name if name != "message.md" else "file.md", "w") as part:
            for chunk in attachment.chunks:
                size += len(chunk)
                if size > MOST_FILE_BYTES:
                    raise InputError("too-large", field="file")
                part.write(chunk)


def send_on(delivery: Delivery, outcome: dict[str, Any], _work: Path, at: datetime) -> None:
    """A keeper of the commit: what was read goes to its addressees at once, unless somebody has to check it first."""
    del outcome
    if not delivery.is_circular:
        return
    made = Circular.objects.select_for_update().filter(delivery=delivery).first()
    if made is None:
        return  # What a citizen reported: it is its bureau's own, and goes to nobody.
    if not made.needs_check or (made.checked_at is not None and not made.is_refused):
        _let_go(made, at)


def _let_go(made: Circular, at: datetime) -> None:
    set_audience(_batches(made), made.audience)
    made.sent_at = at
    made.save(update_fields=["sent_at"])
    record(SYSTEM, "circular.sent", f"circular:{made.number}", {"delivery": made.delivery_id}, at=at)


def _batches(made: Circular) -> BatchSet:
    found: BatchSet = Batch.objects.filter(delivery=made.delivery_id, hidden_at=None)
    return found


@transaction.atomic
def decide(made: Circular, *, passes: bool, reason: str, by: Person, at: datetime) -> None:
    """The Centre's compliance check of what a supervised country sends. Raises Conflict when it was decided."""
    made = Circular.objects.select_for_update(of=("self",)).select_related("delivery").get(pk=made.pk)
    if not may_check(by, made):
        raise Conflict("this was decided meanwhile")
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    made.checked_by, made.checked_at, made.check_reason = by, at, reason.strip()[:LONGEST_REASON]
    made.is_refused = not passes
    made.save(update_fields=["checked_by", "checked_at", "check_reason", "is_refused"])
    word = "circular.passed" if passes else "circular.refused"
    record(by.login, word, f"circular:{made.number}", {}, at=at)
    if passes:
        _let_go(made, at)
        if made.delivery.rows:
            payload = {"delivery": made.delivery_id}
            jobs.enqueue("standing-queries", f"delivery:{made.delivery_id}", payload, at=at)


@transaction.atomic
def open_to_centre(made: Circular, *, by: Person, at: datetime) -> None:
    """Its sender lets the Centre's people read it too. This cannot be taken back, save by recalling it."""
    made = Circular.objects.select_for_update(of=("self",)).select_related("delivery").get(pk=made.pk)
    if by.organisation_id != made.delivery.organisation_id or not may_send(by):
        raise Refused("circular-not-a-bureau")
    if made.opened_at is not None:
        raise Conflict("it is open already")
    batches: BatchSet = Batch.objects.filter(delivery=made.delivery_id)
    for terms in Terms.objects.filter(pk__in=batches.order_by().values("terms").distinct()):
        batches.filter(terms=terms).update(terms=terms.alike(is_private=False))
    Delivery.objects.filter(pk=made.delivery_id).update(is_private=False)
    made.opened_by, made.opened_at = by, at
    made.save(update_fields=["opened_by", "opened_at"])
    record(by.login, "circular.opened-to-centre", f"circular:{made.number}", {}, at=at)


@transaction.atomic
def note_opened(made: Circular, *, by: Person, at: datetime) -> Reading:
    """Somebody of an addressee opened it."""
    reading, is_new = Reading.objects.get_or_create(
        circular=made, organisation=by.organisation, defaults={"opened_at": at}
    )
    if is_new:
        record(by.login, "circular.read", f"circular:{made.number}", {"organisation": by.organisation.slug}, at=at)
    return reading


@transaction.atomic
def acknowledge(made: Circular, *, by: Person, at: datetime) -> None:
    """An addressee says that it has it. Raises Conflict where it said so already."""
    note_opened(made, by=by, at=at)
    still = Reading.objects.filter(circular=made, organisation=by.organisation, acknowledged_at=None)
    if not still.update(acknowledged_at=at, acknowledged_by=by.login):
        raise Conflict("it was acknowledged already")
    facts = {"organisation": by.organisation.slug}
    record(by.login, "circular.acknowledged", f"circular:{made.number}", facts, at=at)
