"""What people do in the demonstration: bureaus take and answer, one writes to others and lets a unit take part, a
source takes back, a firm applies, somebody asks the commission.

Every act goes through the service that its page calls, so that ledger, follow-up and log show what they would show.
Running it again adds nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.centre.members.models import Person
    from tocsin.centre.reach.things import Thing

READERS = {"bureau-fr": 24, "bureau-ma": 18, "bureau-br": 12, "bureau-mx": 9, "bureau-sg": 6, "bureau-ke": 3}
"""How many of the newest releases each of these opens. It acknowledges two thirds and answers for a third of them."""
PACKAGED = ("FR", "MA", "BR", "MX", "SN")
UNIT = "unit-rennes"
SUBJECT = "EXERCISE: renters of flats lured to a copied payment page"
MESSAGE = """Since Monday five people in Rennes and Nantes have paid a deposit for a flat that does not exist. The page
that took the payment stood at rent-deposit.example and at 198.51.100.23. The advertisements were in Arabic and French.

We ask whether complaints of this kind are known to you, and whom we may call. Nothing here is to be handed on to the
provider before Friday."""


def write_circular(at: datetime) -> int:
    """A bureau writes straight to two others; says how many deliveries that makes."""
    from tocsin.centre.circulars.models import Circular
    from tocsin.centre.circulars.rules import Addressees
    from tocsin.centre.circulars.services import send
    from tocsin.core.words import Tlp

    sender = _person("bureau-fr")
    if sender is None or Circular.objects.exists():
        return 0
    send(by=sender, subject=SUBJECT, text=MESSAGE, tlp=Tlp.AMBER, chosen=Addressees(countries=("MA", "SN")), at=at)
    return 1


def act(at: datetime) -> None:
    """All that happens once the deliveries are read."""
    from tocsin.centre.ledger.models import Response

    if Response.objects.exists():
        return
    _fetch_packages(at)
    for login, count in READERS.items():
        reader = _person(login)
        if reader is not None:
            _read(reader, count, at)
    _ask_a_source(at)
    _take_back(at)
    _apply(at)
    _ask_the_commission(at)


def _person(login: str) -> Person | None:
    from tocsin.centre.members.models import Person

    return Person.objects.select_related("organisation").filter(login=login).first()


def add_unit(at: datetime, password: str) -> None:
    """A bureau lets a unit of its country take part, with an officer."""
    from tocsin.centre.members import units
    from tocsin.centre.members.models import Organisation
    from tocsin.centre.members.services import add_person

    head = _person("head-fr")
    if head is None or Organisation.objects.filter(slug=UNIT).exists():
        return
    made = units.add_unit(
        parent=head.organisation, slug=UNIT, name="Cyber unit of Rennes (EXERCISE)", contact="unit@rennes.example",
        by=head.login, at=at,
    )  # fmt: skip
    add_person(
        login="unit-rennes", name="Hélène Vaubrun", organisation=made, roles=["investigator"], password=password,
        language="fr", by=head.login, at=at,
    )  # fmt: skip


def _apply(at: datetime) -> None:
    """A firm asks to become a partner; the partnership officer finds it waiting."""
    from tocsin.centre.members.applications import Application, apply

    said = Application(
        name="Harrowgate Sinkholes (EXERCISE)", class_name="private", country="NL", website="https://harrowgate.example",
        person="Willem Oosterlaak", email="willem@harrowgate.example", data_types=("indicators", "victim-data"),
        reason="We run sinkholes for four families of malware and would hand over daily lists of infected hosts.",
    )  # fmt: skip
    apply(said, address="192.0.2.44", at=at)


def _ask_the_commission(at: datetime) -> None:
    """Somebody asks whether there is anything about them; only the commission knows of it."""
    from tocsin.centre.rights.models import SubjectRequest
    from tocsin.centre.rights.services import Asked, take

    said = Asked(
        name="Person of the EXERCISE", contact="person@example.org", values=("person@example.org",),
        text="Is my mail address in your records, and if so, why?",
    )  # fmt: skip
    take(said, kind=SubjectRequest.Kind.ACCESS, language="en", by="page", at=at, address="192.0.2.45")


def _fetch_packages(at: datetime) -> None:
    """Packages of the last week; those whose country has an officer in the exercise are fetched, but one."""
    from tocsin.centre.release.services import make_packages, note_fetch

    by = _person("ines")
    for package in make_packages(PACKAGED, at - timedelta(days=7), at, by, at):
        reader = _person(f"bureau-{package.country.lower()}")
        if reader is not None and package.country != PACKAGED[-1]:
            note_fetch(package, reader, "page", at)


def _read(reader: Person, count: int, at: datetime) -> None:
    """The newest are opened, more than half of them acknowledged, some answered for."""
    from tocsin.centre.ledger.models import Response
    from tocsin.centre.reach import received, responding, things

    found = things.of_releases(islice(received.releases_for(reader, at), count))
    if not found:
        return
    _open(reader, found, at)
    responding.acknowledge(reader, found[count // 3 :], at)
    useful, not_useful = Response.Usefulness.USEFUL, Response.Usefulness.NOT_USEFUL
    acted, nothing = Response.Step.ACTED, Response.Step.NO_ACTION
    responding.answer(
        reader, found[-(count // 3) :], outcome=acted, usefulness=useful,
        note="The operators of the networks were told; two inquiries were opened.", at=at,
    )  # fmt: skip
    if count > 10:
        responding.answer(
            reader, found[count // 3 : count // 3 + 1], outcome=nothing, usefulness=not_useful,
            note="These addresses were known and are clean since October.", at=at,
        )  # fmt: skip


def _open(reader: Person, found: list[Thing], at: datetime) -> None:
    """As their pages do it."""
    from tocsin.centre.ledger.models import Taking
    from tocsin.centre.ledger.services import took
    from tocsin.centre.reach import received, responding

    took(reader, Taking.Channel.PAGE, received.seen_of(reader, found, at).values_list("pk", flat=True), at)
    responding.note_opened(reader, found, at)


def _ask_a_source(at: datetime) -> None:
    """The Centre asks the source of something that waits whether one country may have it."""
    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.permissions import services
    from tocsin.centre.permissions.rules import Wish, day_of
    from tocsin.centre.release.models import Release
    from tocsin.core.words import Tlp

    by = _person("ines")
    released = Release.batches.through.objects.values("batch")
    labels = (Tlp.AMBER.value, Tlp.AMBER_STRICT.value)
    waiting = Batch.objects.filter(handling_set__tlp__in=labels).exclude(pk__in=released)
    partners = Delivery.objects.filter(organisation__is_centre=False, organisation__is_bureau=False)
    delivery = partners.filter(batches__in=waiting).order_by("-pk").first()
    if by is None or delivery is None:
        return
    wish = Wish(frozenset({"country:FR"}), frozenset(), is_standing=False, until=day_of(at) + timedelta(days=90))
    reason = "EXERCISE: a court in Rennes has opened an inquiry into the same servers."
    services.ask(delivery, list(delivery.batches.select_related("handling_set")), wish, reason=reason, by=by, at=at)


def _take_back(at: datetime) -> None:
    """A source takes a list back that bureaus had; one of them has answered."""
    from tocsin.centre.reach import received, things
    from tocsin.centre.recall import services
    from tocsin.centre.recall.models import Notice, Recall

    source, reader = _person("tallis-reports"), _person("bureau-fr")
    if source is None or reader is None:
        return
    lists = (each for each in received.releases_for(reader, at) if each.delivery.format == "plain-list")
    last = next((each for each in lists if each.delivery.organisation_id == source.organisation_id), None)
    if last is None:
        return
    _open(reader, things.of_releases([last]), at)
    made = services.recall(
        last.delivery, by=source, reason=Recall.Reason.WRONG, action=Recall.Action.DESTROY, at=at,
        note="EXERCISE: a list of our own test servers was handed over by mistake.",
    )  # fmt: skip
    notice = made.notices.filter(organisation=reader.organisation, state=Notice.State.INFORMED).first()
    if notice is not None:
        services.answer(notice, by=reader, state=Notice.State.DESTROYED, for_units=True, note="", at=at)
