"""DOMAIN 4.15 again, for all that people do with what was handed over: no table and no file below the home shows it.

`tests/centre/intake/test_sealed_dump.py` looks at what deliveries, searches and decisions leave. Here come recalls of
parts with their corrections, circulars, requests for permission, redactions, releases, answers, reviews, holds and
their sealed copies, requests of people, packages; and every file but the keys (decisions 21, 26 and 31).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from tests import builders, people
from tests.centre.intake.test_sealed_dump import RED, VICTIM, home, report, send, stix, table
from tests.crew import work
from tests.dumps import database_dump, files_below, numbers_in, plain_of, where

from tocsin.centre.analysis.lookups import answer
from tocsin.centre.circulars import services as circulars
from tocsin.centre.circulars.rules import Addressees
from tocsin.centre.intake.models import Batch, Delivery, Grading, Origin
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.ledger.models import Kind
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions.models import Permission
from tocsin.centre.reach import chasing, responding
from tocsin.centre.reach.board import chases_of
from tocsin.centre.reach.things import Thing
from tocsin.centre.reach.words import said_of
from tocsin.centre.recall import services as recalls
from tocsin.centre.recall.models import Notice, Recall
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.release import archives
from tocsin.centre.release.services import make_packages
from tocsin.centre.retention import legal_holds, purging
from tocsin.centre.retention.models import Review
from tocsin.centre.rights import services as rights
from tocsin.core.words import Tlp
from tocsin.lake.scope import Batches

__all__ = ["home"]
pytestmark = pytest.mark.django_db
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
RIGHT = "8.8.4.78"
SPOKEN = {name: f"{name} told us of {VICTIM[0]}" for name in (
    "Tamarisk", "Wolfsbane", "Larkspur", "Hawkmoth", "Sorrelgate", "Quillwort", "Bogmyrtle", "Eyebright", "Milkvetch",
    "Pipewort", "Sandspurry", "Thornapple",
)}  # fmt: skip
"""What people write: each stands in a column of its own."""
PEOPLE = ("Amaranth Oduya", "amaranth@victim.example", "Rushlight Lane")
PACKED = ("Marshfennel", "8.8.4.90")
"""Of a victim in a country that gets it as a package."""
OPEN_FILES = ("keys/",)


def said(name: str) -> str:
    return SPOKEN[name]


def on_deliveries(red: Delivery, victims: Delivery, now: datetime) -> None:
    """A part is recalled and corrected, permission is asked for, a part is redacted, a term is reviewed."""
    pia, lena, dana = (people.call(name) for name in ("pia_partner", "lena_legal", "dana_analyst"))
    recalls.recall_parts(
        victims, [VICTIM[1]], by=lena, reason="wrong-data", action="correct", note=said("Tamarisk"), at=now,
        corrections={VICTIM[1]: recalls.Correction("value", RIGHT)},
    )  # fmt: skip
    work()
    bureau = builders.bureau("FR")
    Notice.objects.update_or_create(recall=Recall.objects.get(), organisation=bureau, defaults={
        "informed_at": now, "state": "objected"})  # fmt: skip
    Notice.objects.update(note=said("Wolfsbane"))  # As `answer` does it: no row passes through Python.
    common = {"source": red.organisation, "delivery": red, "until": now.date(), "asked_by": dana, "asked_at": now}
    Permission.objects.create(
        **common, state="asked", asked_for=builders.centre(), reason=said("Larkspur"), asked_reason=said("Hawkmoth"),
        answer=said("Sorrelgate"), closing_reason=said("Quillwort"),
    )  # fmt: skip
    batch = red.batches.get()
    made = builders.delivery(red.organisation, "redacted.csv")
    Origin.objects.create(delivery=made, batch=batch)
    Redaction.objects.create(
        delivery=made, of=red, out=["free-text"], reason=said("Bogmyrtle"), made_by=dana, made_at=now
    )
    Review.objects.create(
        delivery=red, kind="let-end", state="in-force", until=now.date(), before=now.date(), reason=said("Eyebright"),
        asked_by=pia.login, organisation=pia.organisation, asked_at=now,
    )  # fmt: skip
    Grading.objects.create(batch=batch, kind="centre", grade="2", note=said("Milkvetch"), at=now)


def on_releases(red: Delivery, now: datetime) -> Thing:
    """It was let go; a bureau says what it did with it, the desk asks after another."""
    released = builders.release(red.batches.get(), at=now - timedelta(days=1))
    released.reason = said("Pipewort")
    released.save()
    thing = Thing(Kind.RELEASE, released.pk, "R-1", released, now, Batches([red.batches.get().pk]), None, None, True)
    officer = builders.person("fr_answers", builders.bureau("FR"), "officer")
    responding.answer(officer, [thing], outcome="acted", usefulness="useful", note=said("Sandspurry"), at=now)
    chasing.note(thing, text=said("Thornapple"), closes=False, by=people.call("dora_dissemination"), at=now)
    return thing


def under_hold(held: Delivery, now: datetime) -> None:
    """A court wants it kept, and its purge leaves a sealed copy."""
    lena = people.call("lena_legal")
    legal_holds.place(held.receipt, authority="Court 4", reason=f"Against {RED[0]}", until=None, by=lena, at=now)
    purging.order(held, by=lena.login, at=now)
    purging.do(now + timedelta(hours=2))


def of_a_person(now: datetime) -> None:
    """Somebody asks the commission, which searches and answers."""
    cora = people.call("cora_commission")
    asked = rights.Asked(PEOPLE[0], PEOPLE[2], [PEOPLE[1], VICTIM[1]], f"{VICTIM[0]} is my account")
    made = rights.take(asked, kind="access", language="en", by="person", at=now)
    rights.complete(made, by=cora, at=now)
    assert rights.search(made, by=cora, at=now)
    rights.answer(made, answer="disclosed", text=f"It names {PEOPLE[0]}.", by=cora, at=now)


def circular(now: datetime) -> None:
    """A bureau writes to another."""
    kofi = builders.person("ke_officer", builders.bureau("KE"), "officer")
    builders.bureau("FR")
    text = f"{VICTIM[3]} lost its servers to {RED[3]}. Write to {PEOPLE[1]}."
    circulars.send(by=kofi, subject=f"About {VICTIM[3]}", text=text, tlp=Tlp.RED,
                   chosen=Addressees(countries=("FR",)), at=now)  # fmt: skip
    work()


def test_no_table_and_no_file_shows_it_whatever_people_did(home: Path) -> None:
    now = datetime.now(UTC)
    red = send(stix(RED[0], TLP_RED), "zephyrquill.json")
    held = send(table(RED[2], "9.9.9.44"), "quartzmarten.csv", role="ATTACKER_INFRA", marking="TLP:RED")
    send(report(RED[3]), "umberlatch.html", marking="TLP:RED")
    victims = send(table(VICTIM[0], VICTIM[1], malware="Emotet"), "infected.csv", role="VICTIM", marking="TLP:AMBER")
    of_a_person(now)
    circular(now)
    on_deliveries(red, victims, now)
    thing = on_releases(red, now)
    under_hold(held, now)
    released = send(table(*PACKED, malware="Emotet"), "more.csv", role="VICTIM", marking="TLP:AMBER")
    set_audience(Batch.objects.filter(delivery=released), BY_LABEL)
    package, *_ = make_packages(["US"], now - timedelta(days=1), timezone.now(), None, timezone.now(), processes=1)
    # TLP:GREEN may be read: the search finds what is there.
    send(stix("Plainsong", ""), "plainsong.json", marking="TLP:GREEN")
    values = (*RED, *VICTIM, *PACKED, RIGHT, *PEOPLE, *SPOKEN, "8.8.4.99")
    held_by = {f"table {name}": body for name, body in database_dump().items()}
    files = {path: body for path, body in files_below(home).items() if not path.startswith(OPEN_FILES)}
    assert {"recalls.jsonl", "ends.jsonl"} <= set(files)
    for kept in ("sealed/", "packages/US/", "observations/", "deliveries/"):
        assert any(path.startswith(f"store/{kept}") for path in files)
    assert where(["Plainsong"], held_by) != {}
    assert where(values, held_by | files) == {}
    assert numbers_in(values, files) == {}
    # Who may read it does.
    assert (Recall.objects.get().note, Permission.objects.get().answer) == (said("Tamarisk"), said("Sorrelgate"))
    assert chases_of(thing)[0].note == said("Thornapple")
    [progress] = said_of(Kind.RELEASE, [thing.number])[thing.number].values()
    assert progress.note == said("Sandspurry")
    assert Batch.objects.exists()
    assert answer(PACKED[1], viewer_of(people.call("vera_victim_desk"))).found.total == 1
    assert where(PACKED, {"package": plain_of(archives.opener(package)().read())}).keys() == set(PACKED)
