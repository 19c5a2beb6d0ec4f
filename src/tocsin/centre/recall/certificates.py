"""The signed end of a recall: who was told, what each answered, what was undone."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings

from tocsin.centre.ledger.rules import FEW, told_to_source
from tocsin.credentials import load_or_make

from .models import Notice, Recall, Undo
from .rules import ANSWERED


def full(made: Recall, notices: Sequence[Notice], why_unanswered: str = "") -> str:
    """For the Centre: every organisation with its answer, and why it was closed without some."""
    undos = {each.organisation_id: each for each in made.undos.all()}
    answers = [_answer(each, undos.get(each.organisation_id)) for each in notices]
    remakes = {
        each.old.number: each.new.number if each.new else "" for each in made.remakes.select_related("old", "new")
    }
    without = {"closed_unanswered": why_unanswered} if why_unanswered else {}
    return _signed(
        {**_facts_of(made, notices), **without, "packages": made.packages, "remade": remakes, "answers": answers}
    )


def for_source(made: Recall) -> str:
    """The same end without who had it: how many gave which answer, where they are not too few."""
    notices = list(made.notices.all())
    facts = _facts_of(made, notices)
    undo = facts.get("undo")
    if undo is not None:
        facts["undo"] = {state: _few(count) for state, count in undo.items() if count}
    return _signed({**facts, "answers": _counted(each.state for each in notices)})


def _counted(states: Any) -> dict[str, int | str]:
    return {state: _few(count) for state, count in sorted(Counter(states).items())}


def _few(count: int) -> int | str:
    return told_to_source(count) or f"fewer than {FEW}"


def _answer(notice: Notice, undo: Undo | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "organisation": notice.organisation.slug, "state": notice.state, "answered_at": _moment(notice.answered_at),
        "for_units": notice.answers_for_units,
    }  # fmt: skip
    if notice.acted is not None:
        told["acted"] = notice.acted
    if undo is not None:
        told["undo"] = {"state": undo.state, "closed_at": _moment(undo.closed_at)}
    return told


def _facts_of(made: Recall, notices: Sequence[Notice]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "recall": made.number, "delivery": made.delivery.receipt, "sha256": made.delivery.sha256,
        "reason": made.reason, "action": made.action, "asked_at": _moment(made.asked_at),
        "closed_at": _moment(made.closed_at), "organisations": len(notices),
        "answered": sum(each.state in ANSWERED for each in notices),
    }  # fmt: skip
    if made.origins is not None:
        facts["parts"] = [
            {"key": each.key, **({"field": each.field, "became": each.became} if each.field else {})}
            for each in made.parts.order_by("pk")
        ]
    if made.action == Recall.Action.CORRECT:
        counts = Counter(made.undos.values_list("state", flat=True))
        facts["undo"] = {state: counts[state] for state in Undo.State.values}
        facts["corrected_by"] = made.successor.receipt if made.successor else None
    return facts


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def _signed(facts: dict[str, Any]) -> str:
    """Signed JSON: `signature` covers the bytes of `body` as they stand."""
    installation: Any = settings.INSTALLATION
    key = load_or_make(installation.keys_folder, installation.organisation)
    body = orjson.dumps(facts)
    signed = {"body": body.decode(), "signature": base64.b64encode(key.sign(body)).decode(), "key": key.public_line}
    return orjson.dumps(signed, option=orjson.OPT_INDENT_2).decode()
