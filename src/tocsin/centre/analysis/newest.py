"""The newest observations that somebody may see, page by page, for programs that follow what comes in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import scope_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import seal, unseal
from tocsin.core.errors import InputError
from tocsin.lake.questions.recent import Place, recent
from tocsin.lake.scope import Batches
from tocsin.products.observations import COLUMNS
from tocsin.reference.countries import country as country_of

from .lookups import snapshot


@dataclass(frozen=True, slots=True)
class Newest:
    """Rows as plain values, newest first, and the cursor of the next page; empty on the last."""

    rows: list[dict[str, Any]]
    cursor: str


def newest(person: Person, *, country: str, since: datetime | None, cursor: str, limit: int, at: datetime) -> Newest:
    """Rows that arrived since then, as far as the gate shows them; empty columns are left out. It is an act: logged.

    Raises InputError for an unknown country or a cursor that is not ours.
    """
    scope = scope_of(viewer_of(person), at)
    if since is not None:
        late = Batches(Batch.objects.filter(received_at__gte=since).values_list("pk", flat=True))
        scope = replace(scope, batches=scope.batches & late)
    code = _code(country)
    page = recent(snapshot(), scope, country=code, before=_place(cursor), limit=limit)
    with transaction.atomic():
        took(person, Taking.Channel.API, page.rows["batch"].unique().to_list(), at)
        record(person.login, "observations.read", f"country:{code}", {"rows": page.rows.height}, at=at)
    return Newest(rows_of(page.rows.to_dicts()), _cursor(page.after) if page.after else "")


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
    return seal(f"{place.batch}.{place.position}")


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    batch, dot, position = (unseal(cursor) or "").partition(".")
    if not (dot and batch.isdecimal() and position.isdecimal()):
        raise InputError("not-an-id", field="cursor")
    return Place(int(batch), int(position))
