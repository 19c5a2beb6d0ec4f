"""One of everything, so that every page has something to show: rows and a few files, made without reading anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
from django.utils import timezone

from tocsin.centre.alerts.models import Alert
from tocsin.centre.analysis.models import CountryConflict, Proposal, StandingQuery
from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.centre.audit.tree import keep
from tocsin.centre.circulars.models import Circular
from tocsin.centre.intake.models import Batch, Delivery, Hold, Origin
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.knowledge.models import Block, Document, Mention, Object
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY
from tocsin.centre.ledger.models import Chase, Kind, Taking
from tocsin.centre.ledger.services import answered, took
from tocsin.centre.members.models import Agreement, EmergencyAccess, HandlingSet, Key, Organisation, Person
from tocsin.centre.members.services import add_key
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall.models import Recall, Relabelling
from tocsin.centre.recall.relabelling import chosen_of
from tocsin.centre.redaction.models import Redaction
from tocsin.centre.referrals.models import Referral
from tocsin.centre.release.models import Package, Release, StandingOrder
from tocsin.centre.retention.models import LegalHold, Purge, Review, SealedCopy
from tocsin.centre.rights.models import SubjectRequest
from tocsin.centre.rights.services import Asked, take
from tocsin.centre.subscribers.models import Embedded, Read, Round, Telling
from tocsin.core.words import Tlp
from tocsin.lake.objects import Way, blocks_of, key_of
from tocsin.lake.scope import Batches
from tocsin.site.act_log import log_of_acts

from . import builders, people


@dataclass(frozen=True, slots=True)
class Scene:
    """What northwind handed over, and what came of it."""

    delivery: Delivery
    report: Delivery
    quarantined: Delivery
    thing: Object
    conflict: CountryConflict
    package: Package
    agreement: Agreement
    recall: Recall
    release: Release
    purge: Purge
    legal_hold: LegalHold


OBJECT = b'{"type": "intrusion-set", "id": "intrusion-set--1"}'
"""What stands in the report, as it came."""
TABLE = b"ip,seen\n192.0.2.7,2026-11-20\n192.0.2.999,2026-11-20\n"


def make(slug: str = "northwind", told: tuple[str, str] = ("FR", "JO"), number: int = 1, **said: object) -> Scene:
    """Set the scene in the installation of the test; everything is TLP:GREEN and belongs to northwind.

    Another source may set the same scene once more, under another `number`, for the bureaus of other countries.
    """
    northwind = builders.organisation(slug)
    under = builders.handling(**said)
    read = _kept(builders.delivery(northwind, "rows.csv", rows=900, rejections=1, countries=3), TABLE)
    _refuse_line(read, 3)
    batch = builders.batch(read, under, objects_count=2)
    days = builders.days(20)
    builders.tallies(
        batch,
        [(day, code, "c2-server", "ATTACKER_INFRA", 7 + place) for place, code in enumerate(("FR", "JO", "BR"))
         for day in days],
    )  # fmt: skip
    builders.names(batch, [("FR", "Andromeda", 5, days[-1])])
    report = builders.delivery(northwind, "report.pdf", at=builders.NOW + timedelta(minutes=1), format="pdf",
                               proposals_count=2, title="A report", language="en")  # fmt: skip
    pages = builders.batch(report, under, expires_at=timezone.now() + timedelta(days=20))
    _asked_to_extend(report)
    Document.objects.create(delivery=report, batch=pages, title="A report", language="en", text="see evil[.]example")
    for place, value in enumerate(("evil.example", "192.0.2.7")):
        Proposal.objects.create(delivery=report, batch=pages, kind="domain" if place == 0 else "ipv4", value=value,
                                shown_as=value.replace(".", "[.]"), page=1, offset=place, context="see it")  # fmt: skip
    return Scene(
        delivery=read,
        report=report,
        quarantined=_kept(
            builders.delivery(northwind, "odd.bin", state="quarantined", reason="unknown-format", format=""), b"\1\2"
        ),
        thing=_objects(read, batch),
        conflict=CountryConflict.objects.create(
            batch=batch, kind="network", value="192.0.2.0/24", rows=12, claims={"stated": "FR", "registry": "BR"}
        ),
        package=_package(told[0], number),
        agreement=northwind.agreements.get(),
        recall=_recall(northwind, under, told, number),
        release=_release(batch, told),
        purge=_purge(northwind, number),
        legal_hold=_legal_hold(northwind),
    )


def _kept(delivery: Delivery, content: bytes) -> Delivery:
    delivery.sha256 = hashlib.sha256(content).hexdigest()
    delivery.save()
    path = delivery_path(store_folder(), delivery.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return delivery


def referral(code: str = "FR") -> Referral:
    """A citizen reported to the bureau of this country, which has not read it yet."""
    found = Referral.objects.filter(country=code).first()
    if found is not None:
        return found
    sent = builders.delivery(builders.bureau(code), "R-2026-1.md", is_circular=True, is_private=True, format="text")
    part = builders.batch(sent, builders.handling(Tlp.RED))
    Document.objects.create(
        delivery=sent, batch=part, title="R-2026-1", language="fr", text="About: hit\n\nIt is gone."
    )
    return Referral.objects.create(
        number=f"R-2026-0A1B2C3D{code}", alert="METHOD-2026-0042", about="hit", country=code, delivery=sent,
        organisation=sent.organisation, received_at=builders.NOW,
    )  # fmt: skip


def told_alert() -> Alert:
    """One that was published, read and told to subscribers."""
    found = Alert.objects.filter(number="METHOD-2026-0042").first()
    if found is not None:
        return found
    by, now = people.call("dana_analyst"), timezone.now()
    for output, language, count in (("page", "en", 900), ("page", "ar", 700), ("cap", "", 60), ("feed", "fr", 4)):
        Read.objects.create(day=now.date(), number="METHOD-2026-0042", output=output, language=language, count=count)
    Embedded.objects.create(day=now.date(), host="ministry.example", count=120)
    telling = Telling.objects.create(number="METHOD-2026-0042", version=1, message="Alert", at=now)
    Round.objects.create(telling=telling, kind="mail", told=1_200, failed=14, ended_at=now)
    return Alert.objects.create(
        reference="A-2026-7F3A2C19B0", number="METHOD-2026-0042", type="METHOD", created_by=by, created_at=now
    )


def _refuse_line(delivery: Delivery, line: int) -> None:
    folder = store_folder() / "rejections" / str(delivery.pk)
    folder.mkdir(parents=True, exist_ok=True)
    row = {
        "file": "",
        "unit": "line",
        "position": line,
        "field": "ip",
        "reason": "not-an-address",
        "excerpt": "192.0.2.999",
    }
    pl.DataFrame([row]).write_parquet(folder / "rejections-0.parquet")


def _release(batch: Batch, told: tuple[str, str]) -> Release:
    """Let go by two people: the first bureau took some of it and found it useful, the second is overdue."""
    officers = [_answers(code) for code in told]
    released = builders.release(batch, at=builders.NOW - timedelta(days=4))
    took(officers[0], Taking.Channel.API, [batch.pk], builders.NOW)
    answered(officers[0], Kind.RELEASE, [released.pk], "acted", builders.NOW, usefulness="useful", note="Warned them")
    facts = {"kind": "release", "number": released.pk, "organisations": [officers[1].organisation.slug],
             "by": "system", "at": builders.NOW}  # fmt: skip
    Chase.objects.create(step="reminded", **facts)
    Chase.objects.create(step="escalated", **facts)
    return released


def _answers(code: str) -> Person:
    login = f"{code.lower()}_answers"
    return Person.objects.filter(login=login).first() or builders.person(login, builders.bureau(code), "officer")


def _recall(source: Organisation, under: HandlingSet, told: tuple[str, str], number: int) -> Recall:
    """Of one value of another delivery: the first bureau took it and has not answered, the second never did."""
    gone = builders.delivery(source, "withdrawn.csv")
    whole = builders.batch(gone, under, hidden_at=builders.NOW)
    hidden = builders.batch(gone, under, hidden_at=builders.NOW, parted_from=whole)
    took(Person(organisation=builders.bureau(told[0])), "api", [whole.pk], builders.NOW)
    made = Recall.objects.create(
        number=f"RC-2026-000{number}", delivery=gone, batches=Batches([hidden.pk]).packed(), reason="wrong-data",
        action="correct", note="Columns swapped", asked_by="pia_partner", organisation=source,
        asked_at=builders.NOW, confirm_by=builders.NOW + timedelta(hours=72), certificate="{}",
        origins=Batches([whole.pk]).packed(),
        successor=builders.delivery(source, "right.csv"),
    )  # fmt: skip
    made.parts.create(kind="value", key="192.0.2.9", values=["192.0.2.9"], batches=[whole.pk], rows=1, field="value",
                      became="192.0.2.6")  # fmt: skip
    made.undos.create(organisation=builders.bureau(told[0]), made_at=builders.NOW,
                      due_at=builders.NOW + timedelta(hours=72))  # fmt: skip
    taken = [["api", "", "2026-11-20"], ["package", f"{told[0]}-2026-0009", "2026-11-20"]]
    for code, state, how in ((told[0], "informed", taken), (told[1], "nothing-taken", [])):
        made.notices.create(organisation=builders.bureau(code), state=state, taken=how, informed_at=builders.NOW)
    return made


def circular() -> Circular:
    """What the bureau of KE sent to the bureau of FR; once."""
    found = Circular.objects.filter(number="C-2026-ABCDEF").first()
    if found is not None:
        return found
    sent = builders.delivery(builders.bureau("KE"), "circular.md", title="A loader", format="prose", is_circular=True,
                             is_private=True)  # fmt: skip
    under = builders.handling(Tlp.AMBER, audience=("ncb-fr",))
    batch = builders.batch(sent, under, released_to=("ncb-fr",), is_private=True)
    Document.objects.create(delivery=sent, batch=batch, title="A loader", language="en", text="# A loader\n\nSee it.")
    _kept(sent, b"# A loader\n\nSee it.")
    return Circular.objects.create(number="C-2026-ABCDEF", delivery=sent, audience=["ncb-fr"], sent_at=builders.NOW)


def _asked_to_extend(report: Delivery) -> None:
    """The Centre wants the report for a year more."""
    day = (timezone.now() + timedelta(days=20)).date()
    Review.objects.create(
        delivery=report, kind="extend", state="asked", until=day + timedelta(days=365), before=day,
        reason="The operation goes on", asked_by="dana_analyst", organisation=builders.centre(), asked_at=builders.NOW,
    )  # fmt: skip


def _purge(source: Organisation, number: int) -> Purge:
    """Of a delivery of long ago, certified; a text about it was blanked."""
    old = builders.delivery(source, "old.csv", state="purged", ends_at=builders.NOW - timedelta(days=20))
    steps = {"packages": {"packages": [["FR-2025-0009", "0" * 64]]}, "lake": {"files": [], "observations": 12},
             "texts": {"blanked": [["recall", 1]]}}  # fmt: skip
    return Purge.objects.create(
        number=f"PU-2026-000{number}", delivery=old, batches=Batches([]).packed(), rule="term", steps=steps,
        over_at=old.ends_at, begun_at=builders.NOW - timedelta(days=6), deleted_at=builders.NOW - timedelta(days=6),
        done_at=builders.NOW, certificate="{}",
    )  # fmt: skip


def _legal_hold(source: Organisation) -> LegalHold:
    """On a delivery whose sealed copy was destroyed, and one in force."""
    gone = builders.delivery(source, "court.csv", state="purged", ends_at=builders.NOW - timedelta(days=90))
    SealedCopy.objects.create(delivery=gone, path="sealed/none", sealed_at=builders.NOW, destroyed_at=builders.NOW,
                              certificate="{}")  # fmt: skip
    said = {"placed_by": "lena_legal", "placed_at": builders.NOW}
    LegalHold.objects.create(
        delivery=builders.delivery(source), authority="Court of X, 17/2026", reason="Trial", **said
    )
    return LegalHold.objects.create(delivery=gone, authority="Court of Y, 4/2025", reason="Appeal",
                                    until=builders.NOW.date(), **said)  # fmt: skip


def _package(code: str, number: int) -> Package:
    name = f"{code}-2026-000{number}"
    made = Package.objects.create(
        country=code, number=name, arrived_from=builders.NOW - timedelta(days=7),
        arrived_until=builders.NOW, language="fr", path=f"packages/{code}/{name}.zip", sha256="0" * 64,
        size_bytes=1200, rows=3, created_at=builders.NOW, summary={"values_new": 3, "tlp": "TLP:GREEN"},
    )  # fmt: skip
    path = store_folder() / made.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK")
    return made


def _objects(of: Delivery, batch: Batch) -> Object:
    first = of.pk * OBJECTS_IN_DELIVERY
    facts = {"standard": "stix-2.1", "delivery": of, "batch": batch}
    crew = Object.objects.create(
        pk=first, type="intrusion-set", object_id="intrusion-set--1", name="Grey Heron", **facts
    )
    Object.objects.create(pk=first + 1, type="tool", object_id="tool--1", name="Netcat", **facts)
    bodies = pl.DataFrame(
        {"raw": [OBJECT, b'{"type": "tool", "id": "tool--1"}'],
         "labels": ["heron\nbird", ""], "pattern": ["", ""], "valid_from": ["", ""], "valid_until": ["", ""],
         "position": [1, 2]}
    )  # fmt: skip
    links = pl.DataFrame({"thing": [0], "relation": ["uses"], "target": ["tool--1"]})
    Block.objects.bulk_create(Block(first=first + place, body=body) for place, body in blocks_of(bodies, links).rows())
    Mention.objects.create(key=key_of(Way.ID, "tool--1"), object_id=first + 1)
    return crew


def held() -> Hold:
    """A delivery that waits for a legal officer, by somebody else than the rest."""
    made = builders.delivery(builders.organisation("southgate"), "held.csv", state="held", format="")
    find = {"trigger": "speech", "field": "note", "excerpt": "spreading false information"}
    return Hold.objects.create(delivery=made, kind="legal", held_at=builders.NOW, finds=[find],
                               facts={"format": "delimited", "rows": 1, "things": 0})  # fmt: skip


def own_things(person: Person) -> tuple[Key, StandingQuery]:
    """A key and a standing query of this person."""
    now = timezone.now()
    key, _ = add_key(
        person=person, name="own", scopes=("read",), expires_at=now + timedelta(days=90), by="test", at=now
    )
    query = StandingQuery.objects.create(person=person, organisation=person.organisation, kind="ipv4",
                                         value="192.0.2.7", created_at=builders.NOW)  # fmt: skip
    return key, query


def somebody_below(person: Person) -> Person:
    """Somebody whom this person manages, if it manages anybody: of its own organisation, else whom it appoints."""
    login = f"below-{person.login}"
    found = Person.objects.filter(login=login).first()
    if found is not None:
        return found
    if person.has_role("partnership"):
        return builders.person(login, builders.organisation("southgate"), "manager")
    return builders.person(login, person.organisation, *([] if person.has_role("administrator") else ["analyst"]))


def emergency(person: Person, delivery: Delivery) -> EmergencyAccess:
    """An access of this person to the delivery, opened by somebody else a minute ago."""
    at = timezone.now() - timedelta(minutes=1)
    other = Person.objects.filter(login="yara_second").first() or builders.person(
        "yara_second", builders.centre(), "legal"
    )
    return EmergencyAccess.objects.create(
        asked_by=person, asked_at=at, reason="Nobody of the desk answers.", hours=2, receipt=delivery.receipt,
        approved_by=other, approved_at=at,
    )  # fmt: skip


def signed_act() -> Entry:
    """An act that a checkpoint covers."""
    now = timezone.now()
    record("dana_analyst", "delivery.received", "delivery:1", {"via": "page"}, at=now)
    keep(log_of_acts(), now)
    return Entry.objects.latest("pk")


def permission(delivery: Delivery) -> Permission:
    """What a bureau asked about the delivery, passed on to its source."""
    by = people.call("dora_dissemination")
    return Permission.objects.create(
        source=delivery.organisation, delivery=delivery, sets=[delivery.batches.first().handling_set.digest],
        state="asked", audience=["country:JO"], until=(timezone.now() + timedelta(days=30)).date(),
        reason="They must act.", asked_by=people.call("fleur_officer"), asked_for=builders.bureau("FR"),
        asked_at=builders.NOW, forwarded_by=by, forwarded_at=builders.NOW,
    )  # fmt: skip


def relabelling(of: Delivery) -> Relabelling:
    """What its source wants to open to everybody; once."""
    return of.relabellings.first() or Relabelling.objects.create(
        delivery=of, state="waiting", changes={"tlp": "TLP:CLEAR"}, wider=["tlp"], seen=chosen_of(of, ()).mark,
        asked_by="pia_partner", organisation=of.organisation, asked_at=builders.NOW, note="It is public by now.",
    )  # fmt: skip


def redaction(of: Delivery) -> Redaction:
    """A version of the delivery without remarks, of its first part."""
    made = builders.delivery(of.organisation, "redacted.csv", rows=3)
    builders.batch(made, of.batches.first().handling_set, released_to=None)
    Origin.objects.create(delivery=made, batch=of.batches.first())
    by = people.call("dana_analyst")
    return Redaction.objects.create(delivery=made, of=of, out=["free-text"], reason="No remarks.", made_by=by,
                                    made_at=builders.NOW)  # fmt: skip


def subject_request() -> SubjectRequest:
    """Somebody who asks what is held on it."""
    said = Asked("Amal Haddad", "Post box 4", ["amal@victim.example"], "I was searched at a border.")
    return take(said, kind="access", language="ar", by="person", at=builders.NOW)


def standing_order() -> StandingOrder:
    """An order for what northwind sends, signed once."""
    today = timezone.now().date()
    return StandingOrder.objects.create(
        title="What northwind sends", organisation=builders.organisation("northwind"), ceiling="TLP:GREEN",
        purposes=["PROTECT"], starts_on=today, ends_on=today + timedelta(days=30),
        first_by=people.call("dora_dissemination"), first_at=builders.NOW,
    )  # fmt: skip
