"""The forms in which a police edition is taken away: files for machines, and a document for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from babel.numbers import format_decimal
from django.conf import settings
from django.urls import reverse

from tocsin.products.alerts import police
from tocsin.products.alerts.draft import Named
from tocsin.products.alerts.police import PoliceEdition
from tocsin.products.alerts.police_document import Affected, PoliceDocument, PolicePerson, document_of, police_pdf
from tocsin.products.alerts.words import words

from . import received
from .received import Read

MACHINE: dict[str, tuple[Callable[[PoliceEdition], bytes], str, str]] = {
    "stix": (police.stix_bundle, "application/stix+json;version=2.1", "stix.json"),
    "misp": (police.misp_event, "application/json", "misp.json"),
    "csv": (police.table, "text/csv; charset=utf-8", "csv"),
}
FORMS = (*MACHINE, "pdf")


@dataclass(frozen=True, slots=True)
class Taken:
    """A file as it is taken away."""

    name: str
    media_type: str
    body: bytes


def taken(read: Read, form: str, addressed_to: str, persons: tuple[Named, ...] = ()) -> Taken | None:
    """The edition in that form; nothing where there is none of that name. No form for programs names persons."""
    edition = read.edition
    if form == "pdf":
        suffix, media_type, body = "pdf", "application/pdf", _document(read, addressed_to, persons)
    elif form in dict(read.annexes):
        return Taken(f"{edition.number}-{form}", "application/pdf", received.annexes_of(read.version)[form])
    elif form in MACHINE:
        write, media_type, suffix = MACHINE[form]
        body = write(edition)
    else:
        return None
    return Taken(f"{edition.number}-v{edition.version}.{suffix}", media_type, body)


def _document(read: Read, addressed_to: str, persons: tuple[Named, ...]) -> bytes:
    return police_pdf(document_for(read, addressed_to, persons))


def document_for(read: Read, addressed_to: str, persons: tuple[Named, ...]) -> PoliceDocument:
    """With the share of the reader's own country, and where he answers."""
    say = words(read.language)
    own = (Affected(say("police.own_rows"), format_decimal(read.own_rows, locale=say.locale)),)
    receipt = read.version.delivery.receipt if read.version.delivery else ""
    return document_of(
        read.edition, read.language, addressed_to=addressed_to, affected=own if read.own_rows else (),
        persons=tuple(PolicePerson(each.name, each.status, each.facts, each.country) for each in persons),
        annexes=read.annexes,
        answer_at=f"{settings.INSTALLATION.public_origin}{reverse('received', args=[receipt])}" if receipt else "",
    )  # fmt: skip
