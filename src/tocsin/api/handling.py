"""Under what a delivery and its parts stand, for their source, and laying that down anew by program."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.access import is_fresh
from tocsin.centre.members.models import Person
from tocsin.centre.recall import relabelling
from tocsin.centre.recall.models import Relabelling
from tocsin.centre.recall.relabel_forms import require_known
from tocsin.centre.recall.relabelling import Chosen, chosen_of, may_relabel
from tocsin.core.errors import InputError, NotFound, Refused

from .callers import caller_of
from .errors import Problem

router = Router(tags=["handling"])
Parts = Annotated[list[str], Query()]


class HandlingFields(Schema):
    """A handling set. Asked for, only the fields that are given change."""

    tlp: str | None = None
    audience: list[str] | None = None
    """Short names of organisations, country:FR, all-members; under TLP:RED person:login."""
    exclusions: list[str] | None = None
    codes: list[str] | None = None
    restrictions: list[str] | None = None
    """What H3 means, in words that whoever opens it reads first."""
    pap: str | None = None
    purposes: list[str] | None = None
    classification: str | None = None
    attribution: str | None = None


class Standing(Schema):
    """How what was asked about stands. `mark` goes with a change: it holds for nothing else."""

    mark: str
    sets: list[HandlingFields]


class Wanted(Schema):
    """What should hold from now on, of which parts (none: the whole delivery), and how it stood when that was said."""

    handling: HandlingFields
    mark: str
    parts: list[str] = []
    note: str = ""


class Relabelled(Schema):
    """`state` is done, or waiting: more would have it, so a second person at the Centre lets it go further."""

    state: str
    wider: list[str]
    recall: str
    """By which those were told who may no longer have it; empty: nobody."""
    mark: str
    """Of the parts as they stand now, for another change; empty while it waits."""


def _may(request: HttpRequest, receipt: str, *, changes: bool) -> tuple[Person, Delivery]:
    person = caller_of(request).require("recall", "recall")
    if changes and person.through is None and not is_fresh(request):
        raise Refused("prove-first")
    delivery = selectors.delivery_for(person, receipt)
    if not may_relabel(person, delivery):
        raise NotFound
    return person, delivery


def _plain(chosen: Chosen) -> list[dict[str, Any]]:
    bodies = [each.as_json() for each in chosen.sets.values()]
    return [{name: body.get(name, []) for name in relabelling.FIELDS} for body in bodies]


@router.get("/{receipt}/handling", response={200: Standing, (403, 404, 409, 422): Problem})
def handling(request: HttpRequest, receipt: str, part: Parts = []) -> dict[str, Any]:  # noqa: B006 - never changed.
    """Under what a delivery stands, or the parts that are named by their ids or values."""
    _person, delivery = _may(request, receipt, changes=False)
    chosen = chosen_of(delivery, list(dict.fromkeys(part)))
    return {"mark": chosen.mark, "sets": _plain(chosen)}


@router.post("/{receipt}/handling", response={200: Relabelled, 202: Relabelled, (403, 404, 409, 422): Problem})
def relabel(request: HttpRequest, receipt: str, wanted: Wanted) -> tuple[int, dict[str, Any]]:
    """Lay down its handling anew. What is stricter holds at once, and whoever may no longer have it is told."""
    person, delivery = _may(request, receipt, changes=True)
    changes = {name: value for name, value in wanted.handling.dict().items() if value is not None}
    keys = list(dict.fromkeys(wanted.parts))
    if any(len(value) > 500 for value in changes.values()):
        raise InputError("too-long", field="handling")
    require_known(changes, person, chosen_of(delivery, keys).sets.values())
    made = relabelling.relabel(
        delivery, keys, changes, seen=wanted.mark, note=wanted.note, by=person, at=timezone.now()
    )
    is_done = made.state == Relabelling.State.DONE
    return 200 if is_done else 202, {
        "state": made.state, "wider": made.wider, "recall": made.recall.number if made.recall else "",
        "mark": chosen_of(delivery, keys).mark if is_done else "",
    }  # fmt: skip
