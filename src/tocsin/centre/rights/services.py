"""Taking requests, examining, ordering, answering. Every step is one transaction with its line in the sealed part."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members import sessions
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.pages import Part
from tocsin.centre.recall import services as recall
from tocsin.centre.retention import purging
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.lake.scope import Batches
from tocsin.reference.retention import retention

from . import holdings, sealed
from .models import SubjectRequest

MOST_FROM_NETWORK = 3
MOST_VALUES = 50
LONGEST_TEXT = 4000
PERSON = "person"
"""Who acts on the public page."""
SYSTEM = "system"
Request = SubjectRequest
ORDER = (
    Part(("received_at", "pk"), Q(answered_at=None)), Part(("-answered_at", "-pk"), Q(answered_at__isnull=False)),
)  # fmt: skip
"""Those that wait, the oldest first; then what was answered, the last first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says."""

    name: str
    contact: str
    values: Sequence[str]
    text: str


def take(said: Asked, *, kind: str, language: str, by: str, at: datetime, address: str = "") -> Request:
    """Keep a request. Raises InputError for what is none, TooManyFailures where one network sends too many."""
    if kind not in Request.Kind.values:
        raise InputError("invalid-object", field="kind", excerpt=kind[:20])
    for name, text in (("name", said.name), ("contact", said.contact)):
        if not text.strip():
            raise InputError("missing-field", field=name)
    if address:
        subject = sessions.subject_of(f"rights\n{sessions.network_of(address)}")
        sessions.count_try(subject, MOST_FROM_NETWORK, at)
    number = f"C-{secrets.token_hex(5).upper()}"
    values = list(dict.fromkeys(each.strip()[:300] for each in said.values if each.strip()))[:MOST_VALUES]
    body = {"name": said.name.strip()[:200], "contact": said.contact.strip()[:400], "values": values,
            "text": said.text.strip()[:LONGEST_TEXT]}  # fmt: skip
    with transaction.atomic():
        made = Request.objects.create(
            number=number, kind=kind, language=language, sealed=sealed.seal(body, _about(number)), received_at=at
        )
        sealed.note(made, by, "received", {"kind": kind}, at=at)
    return made


def requests_for(person: Person) -> QuerySet[Request]:
    """All of them, for the commission; for everybody else there are none."""
    if not may(person, "decide-rights"):
        return Request.objects.none()
    return Request.objects.all()


def said_in(request: Request) -> dict[str, Any]:
    """What the person said; nothing in any of it where it can never be opened again."""
    nothing: dict[str, Any] = {"name": "", "contact": "", "values": [], "text": ""}
    return nothing | sealed.readable(request.sealed, _about(request.number))


def found_in(request: Request) -> dict[str, Any]:
    """What the last search found, and what was ordered."""
    return sealed.readable(request.sealed_findings, _about(request.number))


def added_to_letter(request: Request) -> str:
    """The commission's own words to the person."""
    return str(sealed.readable(request.sealed_letter, _about(request.number)).get("text", ""))


def answer_by(request: Request) -> datetime:
    """Until when it is to be acknowledged or, once it is complete, answered."""
    terms = retention()
    if request.complete_at is None:
        return request.received_at + terms.acknowledge_within
    return request.complete_at + terms.answer_within[request.kind]


def complete(request: Request, *, by: Person, at: datetime) -> None:
    """It was proved, outside the system, who asks: the terms run. Raises NotFound, or Conflict when answered."""
    with transaction.atomic():
        found = _open(request, by)
        if found.complete_at is None:
            found.state, found.complete_at = Request.State.EXAMINED, at
            found.save(update_fields=["state", "complete_at"])
            sealed.note(found, by.login, "identified", {}, at=at)


def search(request: Request, *, by: Person, at: datetime) -> list[dict[str, Any]]:
    """Look for the person's values and for its name in everything that is held; what was found is kept sealed."""
    with transaction.atomic():
        found = _open(request, by)
        _require_complete(found)
        said = said_in(found)
        if not said["name"]:
            raise Conflict("what was asked can no longer be read")  # Nothing would be found, which would be an answer.
        results = holdings.search([said["name"], *said["values"]])
        kept = found_in(found) | {"found": results, "searched_at": at.isoformat()}
        found.sealed_findings = sealed.seal(kept, _about(found.number))
        found.save(update_fields=["sealed_findings"])
        sealed.note(found, by.login, "searched", {"values": len(said["values"]) + 1, "found": len(results)}, at=at)
    return results


def order(
    request: Request, receipt: str, what: str, *, by: Person, at: datetime, parts: Sequence[str] = ()
) -> None:  # fmt: skip
    """Have a delivery that was found corrected or deleted: a recall tells whoever had it, and nobody learns why.

    With `parts`, values or ids of objects, it concerns these alone. Raises NotFound for others and for a delivery that
    the last search did not find, Conflict where nothing is left, InputError for a part that is not in it.
    """
    with transaction.atomic():
        asked = _open(request, by)
        _require_complete(asked)
        kept = found_in(asked)
        delivery = Delivery.objects.filter(receipt=receipt, duplicate_of=None).first()
        if delivery is None or receipt not in {each["receipt"] for each in kept.get("found", ())}:
            raise NotFound
        if what not in {"correction", "deletion"}:
            raise InputError("invalid-object", field="what", excerpt=what[:20])
        if parts:
            _recall_parts(delivery, parts, what, at)
        else:
            _recall(delivery, what, at)
            if what == "deletion":
                purging.order(delivery, by=SYSTEM, at=at)
        kept["ordered"] = [*kept.get("ordered", []), [receipt, what, at.isoformat(), list(parts)]]
        asked.sealed_findings = sealed.seal(kept, _about(asked.number))
        asked.save(update_fields=["sealed_findings"])
        sealed.note(asked, by.login, f"ordered-{what}", {"delivery": receipt, "parts": list(parts)}, at=at)


def _recall(delivery: Delivery, what: str, at: datetime) -> None:
    """As the Centre recalls on any legal ground: its log names the Centre, and neither person nor commission."""
    try:
        recall.recall(delivery, **_as_the_centre(delivery, what), at=at)
    except Conflict:
        if what != "deletion":  # It was recalled before: there is still something to delete.
            raise


def _recall_parts(delivery: Delivery, parts: Sequence[str], what: str, at: datetime) -> None:
    """The same of single values and objects; what is to be deleted of them goes at once, the rest of it stays."""
    made = recall.recall_parts(delivery, parts, **_as_the_centre(delivery, what), at=at)
    if what == "deletion":
        purging.order_parts(delivery, Batches.unpacked(bytes(made.batches)), by=SYSTEM, at=at)


def _as_the_centre(delivery: Delivery, what: str) -> dict[str, Any]:
    centre = Organisation.objects.filter(is_centre=True).order_by("pk").first() or delivery.organisation
    reason, action = ("legal", "destroy") if what == "deletion" else ("wrong-data", "correct")
    return {"by": Person(login=SYSTEM, organisation=centre), "reason": reason, "action": action, "note": ""}


def answer(request: Request, *, answer: str, text: str, by: Person, at: datetime) -> None:
    """Answer the person. Without the sources' authority the letter neither confirms nor denies.

    Raises InputError without words where something is disclosed or refused, Conflict when it was answered.
    """
    if answer not in Request.Answer.values:
        raise InputError("invalid-object", field="answer", excerpt=answer[:20])
    if answer != Request.Answer.NEITHER and not text.strip():
        raise InputError("missing-field", field="text")
    with transaction.atomic():
        found = _open(request, by)
        if answer != Request.Answer.INADMISSIBLE:
            _require_complete(found)
        words = "" if answer == Request.Answer.NEITHER else text.strip()[:LONGEST_TEXT]
        found.state, found.answer, found.answered_at = Request.State.ANSWERED, answer, at
        found.sealed_letter = sealed.seal({"text": words}, _about(found.number))
        found.save(update_fields=["state", "answer", "answered_at", "sealed_letter"])
        sealed.note(found, by.login, "answered", {"answer": answer}, at=at)


def _require_complete(request: Request) -> None:
    if request.complete_at is None:
        raise Conflict("who asks was not proved yet")


def _open(request: Request, by: Person) -> Request:
    """The request as it stands, locked, for the commission."""
    if not may(by, "decide-rights"):
        raise NotFound
    found = Request.objects.select_for_update().get(pk=request.pk)
    if found.answered_at is not None:
        raise Conflict("it was answered")
    return found


def _about(number: str) -> str:
    return f"subject-request {number}"
