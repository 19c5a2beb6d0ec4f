"""Alerts in country packages: for a bureau that lives on a slow line, what its pages would show it, as files.

An edition goes in as far as the gate opens all of its delivery to the bureau, in its newest version; and what was taken
back since the span began is told to a bureau that had it, since whoever reads packages alone hears it nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db.models import Max

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import scope_of
from tocsin.centre.ledger.selectors import takings_of
from tocsin.centre.members.models import Organisation
from tocsin.centre.release.enclosing import Enclosing
from tocsin.centre.release.selectors import viewer_of_country
from tocsin.handling import HandlingSet
from tocsin.lake.scope import Batches
from tocsin.products.alerts import police
from tocsin.products.alerts.police import PoliceEdition
from tocsin.products.alerts.police_document import PoliceDocument, police_pdf
from tocsin.products.alerts.police_text import police_text
from tocsin.products.alerts.record import Message
from tocsin.products.alerts.words import words
from tocsin.products.order import Enclosed

from . import guarding, police_forms, received
from . import police as police_edition
from .models import Alert, Version
from .received import Read

MOST_ALERTS = 200
"""In one package, the newest; a bureau that was away for longer reads the rest on its pages."""


def enclosures(
    arrived_from: datetime, arrived_until: datetime, purpose: str, at: datetime
) -> Callable[[str, str], Enclosing]:
    """A source of `settings.PACKAGE_ENCLOSURES`."""
    return _Span(arrived_from, arrived_until, purpose, at).for_country


@dataclass(slots=True)
class _Parts:
    """The batches of an edition's delivery."""

    open: dict[int, HandlingSet] = field(default_factory=dict)
    hidden_at: datetime | None = None
    """Since when nothing of it is there any more."""
    numbers: list[int] = field(default_factory=list)


class _Span:
    """What came in one span; each edition is composed once, whoever gets it."""

    def __init__(self, arrived_from: datetime, arrived_until: datetime, purpose: str, at: datetime) -> None:
        self.purpose, self.at, self.begins = purpose, at, arrived_from
        sent = Version.objects.filter(delivery__isnull=False)
        came = sent.filter(delivery__received_at__gte=arrived_from, delivery__received_at__lt=arrived_until)
        closed = sent.filter(delivery__batches__hidden_at__gte=arrived_from).values_list("alert", flat=True).distinct()
        self.coming = self._newest_first(set(came.values_list("alert", flat=True)))
        self.closing = self._newest_first(set(closed))
        self.parts = self._parts({each.delivery_id for some in (*self.coming, *self.closing) for each in some})
        self.editions: dict[int, PoliceEdition] = {}
        self.annexes: dict[int, dict[str, bytes]] = {}
        self.takers: dict[int, frozenset[int]] = {}

    def _newest_first(self, alerts: set[int]) -> list[list[Version]]:
        """The versions of these alerts that the police had, by alert: the newest first, alerts and versions."""
        found: dict[int, list[Version]] = defaultdict(list)
        versions = Version.objects.filter(alert__in=alerts, delivery__isnull=False, police_at__isnull=False)
        versions = versions.filter(state__in=received.SHOWN_STATES)
        for each in versions.select_related("alert", "delivery").order_by("-pk"):
            found[each.alert_id].append(each)
        return list(found.values())

    def _parts(self, deliveries: Iterable[int | None]) -> dict[int, _Parts]:
        found: dict[int, _Parts] = defaultdict(_Parts)
        wanted = [each for each in deliveries if each is not None]
        batches = Batch.objects.filter(delivery__in=wanted).order_by("pk")
        for pk, delivery, hidden_at, body in batches.values_list(
            "pk", "delivery_id", "hidden_at", "handling_set__body"
        ):
            parts = found[delivery]
            parts.numbers.append(pk)
            if hidden_at is None:
                parts.open[pk] = HandlingSet.from_json(body)
        gone = batches.values("delivery").annotate(last=Max("hidden_at")).values_list("delivery", "last").order_by()
        for delivery, last in gone:
            found[delivery].hidden_at = None if found[delivery].open else last
        return found

    def for_country(self, code: str, language: str) -> Enclosing:
        if not self.coming and not self.closing:
            return Enclosing()
        bureau = Organisation.objects.filter(is_bureau=True, country=code).order_by("pk").first()
        scope = scope_of(viewer_of_country(code), self.at).batches
        chosen = [each for some in self.coming if (each := self._open_to(scope, some)) is not None][:MOST_ALERTS]
        batches = {number: each for one in chosen for number, each in self.parts[_delivery(one)].open.items()}
        told = list(self._withdrawn(bureau, scope, language))
        return Enclosing((*told, *(self._alert(each, code, bureau, language) for each in chosen)), batches)

    def _open_to(self, scope: Batches, versions: Iterable[Version]) -> Version | None:
        """The newest version of which the gate opens every part, for the purpose of packages."""
        for each in versions:
            parts = self.parts[_delivery(each)].open
            if parts and all(self.purpose in one.purposes and number in scope for number, one in parts.items()):
                return each
        return None

    def _edition(self, version: Version) -> PoliceEdition:
        found = self.editions.get(version.pk)
        if found is None:
            derived = guarding.derived(version, self.at)
            found = self.editions[version.pk] = police_edition.edition_of(
                version, derived, version.police_at or self.at
            )
        return found

    def _alert(self, version: Version, code: str, bureau: Organisation | None, language: str) -> Enclosed:
        edition = self._edition(version)
        chosen = language if language in edition.texts else edition.language
        rows = received.rows_in(code, version.grounds.values_list("batch", flat=True))
        read = Read(version, edition, chosen, chosen != language, code, rows)
        persons = received.persons_of(bureau, version) if bureau is not None else ()
        name = bureau.name if bureau is not None else words(chosen).country(code)
        said = words(language)
        facts = {
            "state": "open", "number": edition.number, "version": edition.version, "type": edition.type.value,
            "exercise": edition.is_exercise, "sent": edition.sent.isoformat(),
            "expires": edition.expires.isoformat() if edition.expires else None,
            "label": edition.conditions.tlp.value, "language": chosen, "languages": sorted(edition.texts),
            "title": edition.texts[chosen].title,
        }  # fmt: skip
        line = said("parcel.alert", type=said(f"type.{edition.type.value}"), number=edition.number,
                    version=edition.version, title=edition.texts[chosen].title)  # fmt: skip
        document = police_forms.document_for(read, name, persons)
        files = dict(_files(edition, document))
        start = f"alert-{edition.number}-v{edition.version}"
        files |= {f"{start}.{annex}": body for annex, body in self._annexes(version).items()}
        return Enclosed(line, files, facts)

    def _annexes(self, version: Version) -> dict[str, bytes]:
        if version.pk not in self.annexes:
            self.annexes[version.pk] = received.annexes_of(version)
        return self.annexes[version.pk]

    def _withdrawn(self, bureau: Organisation | None, scope: Batches, language: str) -> Iterator[Enclosed]:
        """What the bureau had of alerts that were taken back."""
        if bureau is None:
            return
        for versions in self.closing:
            gone = [each for each in versions if (at := self.parts[_delivery(each)].hidden_at) and at >= self.begins]
            had = [each for each in gone if bureau.pk in self._takers_of(_delivery(each))]
            if had:
                yield self._notice(had[0], self._open_to(scope, versions), language)

    def _takers_of(self, delivery: int) -> frozenset[int]:
        if delivery not in self.takers:
            self.takers[delivery] = frozenset(takings_of(Batches(self.parts[delivery].numbers)))
        return self.takers[delivery]

    def _notice(self, version: Version, standing: Version | None, language: str) -> Enclosed:
        """A tombstone: which alert it was, and why it went, in words that were written for its readers."""
        said, number = words(language), str(version.alert)
        gone_at = self.parts[_delivery(version)].hidden_at or self.at
        reasons = _reasons(version.alert)
        lines = [said("parcel.withdrawn", number=number, day=said.day(gone_at))]
        if reasons:
            lines.append(reasons.get(language) or reasons.get("en") or next(iter(reasons.values())))
        if standing is not None:
            lines.append(said("parcel.withdrawn.replaced", version=standing.number))
        facts = {"state": "withdrawn", "number": number, "version": version.number, "at": gone_at.isoformat(),
                 "stands": None if standing is None else standing.number}  # fmt: skip
        centre = police_edition.centre(version.police_at or self.at)
        tombstone = police.tombstone(number, version.police_at or gone_at, gone_at, centre)
        start = f"alert-{number}-v{version.number}-withdrawn"
        files = {f"{start}.txt": ("\n\n".join(lines) + "\n").encode(), f"{start}.stix.json": tombstone}
        return Enclosed(lines[0], files, facts)


def _reasons(alert: Alert) -> Mapping[str, str]:
    """Why it was cancelled, by language; nothing where it was not."""
    cancelling = alert.versions.filter(message=Message.CANCEL.value).order_by("-number").first()
    if cancelling is None:
        return {}
    return {str(language): str(reason) for language, reason in cancelling.cancel_reasons.items() if reason}


def _files(edition: PoliceEdition, document: PoliceDocument) -> Iterator[tuple[str, bytes | Callable[[], bytes]]]:
    """Names say the alert, its version and, where a file has one, its language."""
    start = f"alert-{edition.number}-v{edition.version}"
    for write, _media_type, suffix in police_forms.MACHINE.values():
        yield f"{start}.{suffix}", write(edition)
    yield f"{start}.{document.language}.txt", police_text(document).encode()
    # Set where the package is composed: in as many processes as there are.
    yield f"{start}.{document.language}.pdf", partial(police_pdf, document)


def _delivery(version: Version) -> int:
    assert version.delivery_id is not None
    return version.delivery_id
