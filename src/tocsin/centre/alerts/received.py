"""Police editions as their readers find them: through the gate, in their language, with what concerns their country."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Sum

from tocsin.centre.intake import wall
from tocsin.centre.intake.models import Batch, Tally
from tocsin.centre.intake.selectors import in_turn, visible_batches
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import NotFound
from tocsin.products.alerts.draft import Named, Texts
from tocsin.products.alerts.police import PoliceEdition

from . import files, guarding, police
from .models import Attached, Version
from .selectors import content_of

SHOWN_STATES = ("published-police", "published-public", "updated", "expired")


def received_by(person: Person, now: datetime) -> QuerySet[Version]:
    """The versions whose police edition the gate shows this person. The Centre's own people read them at the desk."""
    if person.organisation.is_centre or not may(person, "read"):
        return Version.objects.none()
    viewer = viewer_of(person)
    seen = visible_batches(viewer, now).filter(delivery=OuterRef("delivery"))
    found = Version.objects.filter(state__in=SHOWN_STATES, delivery__isnull=False)
    return found.filter(in_turn(seen, viewer)).select_related("alert", "delivery").order_by("-pk")


def received(person: Person, number: str, now: datetime) -> Version:
    """The newest version of that alert that the person may read. Raises NotFound."""
    found = received_by(person, now).filter(alert__number=number).first()
    if found is None:
        raise NotFound
    return found


def numbers_of(person: Person, version: Version, now: datetime) -> list[int]:
    """The batches of its delivery that the person sees: what is noted as taken."""
    found = visible_batches(viewer_of(person), now).filter(delivery=version.delivery_id)
    return list(found.values_list("pk", flat=True))


def persons_for(person: Person, version: Version) -> tuple[Named, ...]:
    """Whom it names, for law enforcement alone: on the page, in the document that one takes from there, and in the
    document and the text of a package. No file for programs carries them, so that none goes further by itself (DOMAIN
    4.9)."""
    return persons_of(person.organisation, version)


def persons_of(reader: Organisation, version: Version) -> tuple[Named, ...]:
    """The same for whoever reads in that organisation: a package is made for a bureau."""
    return content_of(version).persons if reader.class_name == "law-enforcement" else ()


def annexes_of(version: Version) -> dict[str, bytes]:
    """The documents that go with it, by name: all of them, since the police may have what everybody may."""
    wanted = {each.name for each in content_of(version).annexes}
    found = Attached.objects.filter(alert=version.alert, name__in=wanted).order_by("name") if wanted else ()
    return {each.name: files.read(each.sha256) for each in found}


@dataclass(frozen=True, slots=True)
class Read:
    """A version as one reader reads it."""

    version: Version
    edition: PoliceEdition
    language: str
    """Of the words: the reader's, where they stand in it as they are now, else the one it was written in (W22)."""
    is_fallback: bool
    own_country: str
    own_rows: int
    """Rows of its grounds in the reader's own country of those who suffered; others' are told to nobody."""

    @property
    def text(self) -> Texts:
        return self.edition.texts[self.language]

    @property
    def annexes(self) -> tuple[tuple[str, str], ...]:
        """Name of each document that goes with it, and what it is."""
        names = (each.name for each in content_of(self.version).annexes)
        return tuple((name, self.text.image_texts.get(name, "")) for name in sorted(names))


def read_by(person: Person, version: Version, language: str, now: datetime) -> Read:
    country = person.organisation.country
    # That the person may read the version was asked before. Its label follows from all that it rests on, whoever reads
    # it; and how many of its own people suffered is a country's to know.
    with wall.by_another_rule():
        edition = police.edition_of(version, guarding.derived(version, now), version.police_at or now)
        rows = rows_in(country, version.grounds.values_list("batch", flat=True)) if country else 0
    chosen = language if language in edition.texts else edition.language
    return Read(version, edition, chosen, chosen != language, country, rows)


def rows_in(country: str, batches: Collection[int]) -> int:
    """How many rows of those who suffered there these batches have."""
    alive = Batch.objects.filter(pk__in=list(batches), hidden_at=None)
    found = Tally.objects.filter(batch__in=alive, country=country, role="VICTIM").aggregate(sum=Sum("rows"))
    return int(found["sum"] or 0)


def as_json(found: Read) -> dict[str, Any]:
    """All fields of the police edition (DOMAIN 4.11) for programs, without who is left out of it."""
    edition, text = found.edition, found.text
    said = edition.conditions
    return {
        "number": edition.number, "version": edition.version, "type": edition.type.value, "colour": edition.type.colour,
        "message": edition.message.value, "exercise": edition.is_exercise, "sent": found.version.police_at,
        "expires": edition.expires, "label": said.tlp.value, "pap": said.pap, "handling": list(said.codes),
        "restrictions": list(said.restrictions), "purposes": list(said.purposes), "offence": edition.offence.value,
        "severity": edition.severity.value, "urgency": edition.urgency.value, "certainty": edition.certainty.value,
        "countries": list(edition.countries), "techniques": dict(edition.techniques), "language": found.language,
        "is_fallback": found.is_fallback, "languages": sorted(edition.texts), "title": text.title,
        "bottom_line": text.bottom_line, "facts": text.facts or text.happening, "assessment": text.assessment,
        "likelihood": edition.likelihood, "confidence": edition.confidence,
        "tasks": [{"text": each.text, "owner": each.owner, "due": each.due} for each in text.tasks],
        "never": list(text.never), "questions": list(text.questions), "contact": edition.contact,
        "answer_by": edition.answer_by, "own_country": found.own_country, "own_rows": found.own_rows,
        "indicators": [
            {"kind": each.kind.value, "value": each.value, "role": each.role.value, "grade": each.grade,
             "valid_until": each.valid_until, "note": each.note}
            for each in edition.told
        ],
        "receipt": found.version.delivery.receipt if found.version.delivery else "",
    }  # fmt: skip
