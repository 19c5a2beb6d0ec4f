"""Makes rows for tests: short calls, sensible defaults, everything plainly valid."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F, QuerySet

from tocsin.centre.intake.lake_keys import all_keys
from tocsin.centre.intake.models import Batch, Change, Delivery, Former, NameTally, Tally, moments_of
from tocsin.centre.intake.terms import BY_LABEL, terms_row
from tocsin.centre.knowledge.models import Block, Mention, Object
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, note_copies, note_types
from tocsin.centre.members.agreements import needs_agreement
from tocsin.centre.members.models import Agreement, HandlingSet, Organisation, Person
from tocsin.centre.release.models import Release
from tocsin.core.reading import LINK_COLUMNS
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.lake import parquet
from tocsin.lake.objects import blocks_of, mentions_of

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LATER = datetime(2099, 1, 1, tzinfo=UTC)
"""When what is made here is over, if nothing else is said: tests run on any day."""
PASSWORD = "four plain words suffice"
_numbers = itertools.count(1)


def organisation(slug: str = "", **said: object) -> Organisation:
    """An organisation of the private sector unless said otherwise, its agreement in force; once for each slug."""
    slug = slug or f"organisation-{next(_numbers)}"
    facts = {"name": slug.replace("-", " ").title(), "class_name": "private", "created_at": NOW, **said}
    found, made = Organisation.objects.get_or_create(slug=slug, defaults=facts)
    if made and needs_agreement(found):
        Agreement.objects.create(organisation=found, basis="taken-over", state="active", created_at=NOW)
    return found


def rows_in(path: Path) -> pl.DataFrame:
    """The rows of a file of observations, sealed or not."""
    return parquet.read(path, all_keys())


def centre() -> Organisation:
    """The Centre itself."""
    return organisation("centre", name="Fusion Centre", class_name="law-enforcement", is_centre=True)


def bureau(code: str) -> Organisation:
    """A country's bureau."""
    return organisation(
        f"ncb-{code.lower()}", name=f"NCB {code}", class_name="law-enforcement", country=code, is_bureau=True
    )


def person(login: str, at: Organisation, *roles: str, **said: object) -> Person:
    """Somebody with a password that tests know."""
    made = Person(login=login, name=str(said.pop("name", login.replace("_", " ").title())), organisation=at,
                  roles=list(roles), created_at=NOW, **said)  # fmt: skip
    made.password = _hash_of_password()
    made.save()
    return made


@cache
def _hash_of_password() -> str:
    """Made once: Argon2 takes its time by design, and the cast is made anew for every test."""
    return make_password(PASSWORD)


def handling(tlp: Tlp = Tlp.GREEN, **said: object) -> HandlingSet:
    """An interned handling set."""
    made = Handling(tlp=tlp, **said)  # type: ignore[arg-type]
    return HandlingSet.objects.get_or_create(digest=made.digest, defaults={"tlp": tlp.value, "body": made.as_json()})[0]


def delivery(source: Organisation, name: str = "", at: datetime = NOW, **said: object) -> Delivery:
    """A delivery that was read without trouble."""
    number = next(_numbers)
    facts: dict[str, object] = {
        "receipt": secrets.token_hex(8), "via": "page", "name": name or f"delivery-{number}.csv",
        "sha256": hashlib.sha256(str(number).encode()).hexdigest(), "size_bytes": 1000 + number, "received_at": at,
        "state": "parsed", "format": "delimited", "ends_at": LATER,
        **said,
    }  # fmt: skip
    return Delivery.objects.create(organisation=source, **facts)


def batch(of: Delivery, under: HandlingSet, **said: object) -> Batch:
    """The part of a delivery under one handling set; released as far as that goes, if nothing else is said."""
    audience, permitted = said.pop("released_to", BY_LABEL), said.pop("permitted_to", ())
    is_private = bool(said.pop("is_private", False))
    terms = terms_row(of.organisation_id, under, audience, permitted, is_private=is_private)  # type: ignore[arg-type]
    facts = {"received_at": of.received_at, "rows": of.rows, "expires_at": LATER, **said}
    return Batch.objects.create(delivery=of, organisation=of.organisation, handling_set=under, terms=terms, **facts)


def release(*batches: Batch, at: datetime = NOW, **said: object) -> Release:
    """Batches of one delivery, let go by two people whom nobody else needs; an order may be named instead."""
    if "order" not in said:
        said |= {"proposed_by": _somebody("proposer"), "proposed_at": at, "released_by": _somebody("releaser")}
    made = Release.objects.create(
        delivery=batches[0].delivery,
        state="released",
        released_at=at,
        created_at=at,
        **said,  # type: ignore[misc]
    )
    made.batches.set(batches)
    return made


def _somebody(login: str) -> Person:
    return Person.objects.filter(login=login).first() or person(login, centre())


def tallies(of: Batch, rows: Iterable[Sequence[object]]) -> None:
    """Rows of (day, country, type, role, rows)."""
    Tally.objects.bulk_create(
        Tally(batch=of, day=day, country=country, type=kind, role=role, rows=n, sightings=n)
        for day, country, kind, role, n in rows
    )


def names(of: Batch, rows: Iterable[tuple[str, str, int, date]]) -> None:
    """Rows of (country, malware, rows, last day)."""
    NameTally.objects.bulk_create(
        NameTally(batch=of, country=country, malware=malware, rows=n, last_day=last)
        for country, malware, n, last in rows
    )


def objects(of: Batch, bodies: Sequence[dict[str, Any]]) -> list[Object]:
    """STIX 2.1 objects in a batch, kept as the commit keeps them; they follow what the delivery has already."""
    first = of.delivery_id * OBJECTS_IN_DELIVERY + Object.objects.filter(delivery=of.delivery_id).count()
    raw = [orjson.dumps(body) for body in bodies]
    words = {name: [""] * len(bodies) for name in ("labels", "pattern", "valid_from", "valid_until")}
    frame = pl.DataFrame({
        "object_id": [body["id"] for body in bodies], "name": [body.get("name", "") for body in bodies], "raw": raw,
        "position": range(len(bodies)), **words,
    })  # fmt: skip
    links = pl.DataFrame({"thing": [], "relation": [], "target": []}, schema=LINK_COLUMNS)
    made = [
        Object(
            pk=first + place, standard="stix-2.1", type=body["type"], object_id=body["id"], delivery=of.delivery,
            version=body.get("modified") or body.get("created") or "", name=body.get("name", ""), batch=of,
        )
        for place, body in enumerate(bodies)
    ]  # fmt: skip
    found = frame.select("object_id", standard=pl.lit("stix-2.1"), type=pl.Series([body["type"] for body in bodies]))
    numbers = np.arange(first, first + found.height)
    note_copies(numbers, found)
    note_types(numbers, found)
    Object.objects.bulk_create(made)
    Block.objects.bulk_create(Block(first=first + at, body=body) for at, body in blocks_of(frame, links).rows())
    Mention.objects.bulk_create(
        Mention(key=key, object_id=first + at) for key, at in mentions_of(frame, links).iter_rows()
    )
    _take_moments(of, len(bodies))
    return made


def _take_moments(of: Batch, count: int) -> None:
    """The commit knows how many objects come before it makes the batch, and takes as many moments. Here they are
    taken anew with each that follow."""
    Delivery.objects.filter(pk=of.delivery_id).update(objects_count=F("objects_count") + count)
    this = Batch.objects.filter(pk=of.pk)
    with transaction.atomic():
        this.update(objects_count=F("objects_count") + count)
        if not Former.objects.filter(batch=of).exists():
            [since] = moments_of(Change.next(), {of.delivery_id}).values()
            QuerySet.update(this, moved_at=since)


def indicator(number: int, version: int = 1, **said: Any) -> dict[str, Any]:
    """A STIX 2.1 indicator: the same number is the same object."""
    at = f"2026-11-{version:02d}T10:00:00.000Z"
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": "2026-11-01T10:00:00.000Z", "modified": at, "valid_from": at, "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '192.0.2.{number % 256}']", "name": f"address {number}", **said,
    }  # fmt: skip


def days(count: int, last: date | None = None) -> list[date]:
    """So many days, oldest first, ending at `last`."""
    end = last or NOW.date()
    return [end - timedelta(days=back) for back in range(count - 1, -1, -1)]
