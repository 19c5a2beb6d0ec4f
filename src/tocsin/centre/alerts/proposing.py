"""What bureaus and partners propose as alerts: only the Centre issues, and answers each proposal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.products.alerts.draft import Draft, draft_of, to_json
from tocsin.products.alerts.soundness import require_readable

from .models import Proposal, Version
from .selectors import proposals_for
from .services import LONGEST_REASON, checked, start


def propose(*, by: Person, content: Mapping[str, Any], note: str = "", at: datetime) -> Proposal:
    """Hand a proposal to the Centre, which alone decides what becomes of it. Raises Refused and InputError."""
    if by.organisation.is_centre or not may(by, "propose-alerts"):
        raise Refused("alert-role")
    draft = checked(_proposed(draft_of(content)))
    require_readable("note", note)
    if not draft.texts.title.strip():
        raise InputError("alert-no-title", field="title")
    if not (draft.texts.happening.strip() or draft.texts.facts.strip()):
        raise InputError("alert-no-text", field="happening")
    with transaction.atomic():
        made = Proposal.objects.create(
            reference=drawn_number("AP", at), organisation=by.organisation, by=by, at=at, content=to_json(draft),
            note=note.strip()[:LONGEST_REASON],
        )  # fmt: skip
        record(by.login, "alert.proposed", f"alert-proposal:{made.reference}", at=at)
    return made


def _proposed(draft: Draft) -> Draft:
    """Without what is the Centre's to decide: marks, consents, batches, images, and whom it goes to."""
    plain = tuple(
        msgspec.structs.replace(each, is_marked=False, has_consent=False, batch=0, pap="PAP:AMBER")
        for each in draft.indicators
    )
    return msgspec.structs.replace(draft, indicators=plain, images=(), label={}, embargo_until=None)


def proposal_for(person: Person, reference: str) -> Proposal:
    """Raises NotFound."""
    found = proposals_for(person).filter(reference=reference).first()
    if found is None:
        raise NotFound
    return found


def take(proposal: Proposal, *, by: Person, answer: str = "", is_exercise: bool = False, at: datetime) -> Version:
    """Begin an alert with what is proposed; who takes it up is its author."""
    with transaction.atomic():
        proposal = _open(proposal, by)
        version = start(
            by=by, draft=draft_of(proposal.content), at=at, begun_from=f"proposal:{proposal.reference}",
            is_exercise=is_exercise,
        )  # fmt: skip
        proposal.alert = version.alert
        _decided(proposal, Proposal.State.TAKEN, answer, by, at)
    return version


def refuse(proposal: Proposal, *, answer: str, by: Person, at: datetime) -> Proposal:
    """Say no, with why."""
    if not answer.strip():
        raise InputError("alert-answer-missing", field="answer")
    with transaction.atomic():
        proposal = _open(proposal, by)
        _decided(proposal, Proposal.State.REFUSED, answer, by, at)
    return proposal


def refuse_publishing(proposal: Proposal, *, by: Person, at: datetime) -> NoReturn:
    """Somebody outside of the Centre tried to publish: that is noted, and refused. Raises Refused."""
    record(by.login, "alert.publish-refused", f"alert-proposal:{proposal.reference}", at=at)
    raise Refused("alert-centre-only")


def _open(proposal: Proposal, by: Person) -> Proposal:
    if not (by.organisation.is_centre and may(by, "write-alerts")):
        raise Refused("alert-role")
    found = Proposal.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=proposal.pk)
    if found.state != Proposal.State.OPEN:
        raise Refused("alert-proposal-decided")
    return found


def _decided(proposal: Proposal, state: Proposal.State, answer: str, by: Person, at: datetime) -> None:
    proposal.state, proposal.answer = state, answer.strip()[:LONGEST_REASON]
    proposal.decided_by, proposal.decided_at = by, at
    proposal.save(update_fields=["state", "answer", "decided_by", "decided_at", "alert"])
    act = "alert.proposal-taken" if state == Proposal.State.TAKEN else "alert.proposal-refused"
    record(by.login, act, f"alert-proposal:{proposal.reference}", at=at)
