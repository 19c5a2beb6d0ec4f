"""The newest observations that somebody may see, page by page, for programs that follow what comes in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.openings import opened_by, openings, timeline_of
from tocsin.centre.intake.selectors import scope_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import opened_cursor, sealed_cursor
from tocsin.core.errors import InputError
from tocsin.lake.questions.recent import Place, recent
from tocsin.lake.scope import Batches
from tocsin.products.observations import COLUMNS
from tocsin.reference.countries import country as country_of

from .lookups import snapshot


@dataclass(frozen=True, slots=True)
class Newest:
    """Rows as plain values, the newest first; the cursor of the next page, empty on the last."""

    rows: list[dict[str, Any]]
    cursor: str
    until: datetime
    """The moment to ask from next time."""


def newest(person: Person, *, country: str, since: datetime | None, cursor: str, limit: int, at: datetime) -> Newest:
    """Rows that opened to the person since then (`intake.openings`); empty columns are left out. It is an act: logged.

    What arrived earlier and was released, or opened to this reader, later counts from that later moment.

    Raises InputError for an unknown country or a cursor that is not ours.
    """
    timeline = timeline_of(person)
    until = opened_by(timeline, at)  # First: what changes from here on is for the next time.
    scope = scope_of(viewer_of(person), at)
    if since is not None:
        found = openings(timeline, Q(rows__gt=0), at, is_all=True, after=since)
        scope = replace(scope, batches=scope.batches & Batches([each.batch for each in found]))
    code = _code(country)
    page = recent(snapshot(), scope, country=code, before=_place(cursor), limit=limit)
    with transaction.atomic():
        took(person, Taking.Channel.API, page.rows["batch"].unique().to_list(), at)
        record(person.login, "observations.read", f"country:{code}", {"rows": page.rows.height}, at=at)
    return Newest(rows_of(page.rows.to_dicts()), _cursor(page.after) if page.after else "", until)


def rows_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they leave the Centre: exported columns that hold something, and the label that binds each."""
    batches = {row["batch"] for row in found}
    labels = dict(Batch.objects.filter(pk__in=batches).values_list("pk", "handling_set__tlp"))
    return [
        {
            **{name: row[name] for name in COLUMNS if row.get(name) is not None},
            "tlp": labels.get(row["batch"], "TLP:RED"),
        }
        for row in found
    ]


def _code(text: str) -> str:
    try:
        return country_of(text.upper()).code if text else ""
    except KeyError:
        raise InputError("not-a-country", field="country", excerpt=text[:20]) from None


def _cursor(place: Place) -> str:
    return sealed_cursor("cursor", [place.batch, place.position])


def _place(cursor: str) -> Place | None:
    return Place(*opened_cursor("cursor", cursor)) if cursor else None
