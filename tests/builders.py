"""Makes rows for tests: short calls, sensible defaults, everything plainly valid."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

from django.contrib.auth.hashers import make_password

from tocsin.centre.intake.models import Batch, Delivery, NameTally, Tally
from tocsin.centre.intake.terms import BY_LABEL, terms_row
from tocsin.centre.members.agreements import needs_agreement
from tocsin.centre.members.models import Agreement, HandlingSet, Organisation, Person
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling

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
    terms = terms_row(of.organisation_id, under, said.pop("released_to", BY_LABEL))  # type: ignore[arg-type]
    facts = {"received_at": of.received_at, "rows": of.rows, "expires_at": LATER, **said}
    return Batch.objects.create(delivery=of, organisation=of.organisation, handling_set=under, terms=terms, **facts)


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


def days(count: int, last: date | None = None) -> list[date]:
    """So many days, oldest first, ending at `last`."""
    end = last or NOW.date()
    return [end - timedelta(days=back) for back in range(count - 1, -1, -1)]
