"""Sealing what people said of themselves, and the confidential part of the log."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction

from tocsin.centre.audit.services import record
from tocsin.credentials.sealing import SealingKey, sealing_key

from .models import DayCommitment, SealedAct, SubjectRequest

DAY = timedelta(days=1)
MOST_DAYS = 400
"""Days that are committed to after a long stop."""


def seal(body: Mapping[str, Any], about: str) -> str:
    """The sealed text."""
    return _key().seal(orjson.dumps(body), about)


def opened(text: str, about: str) -> dict[str, Any]:
    """What was sealed about this; nothing where nothing was."""
    return orjson.loads(_key().opened(text, about)) if text else {}


def note(request: SubjectRequest | None, actor: str, action: str, facts: Mapping[str, Any], *, at: datetime) -> None:
    """Append an act, in the transaction of the act itself. Nobody else's log shows that there is one."""
    number = request.number if request else ""
    body = {"actor": actor, "action": action, "facts": dict(facts), "at": at.astimezone(UTC).isoformat()}
    sealed = seal(body, _about(number, at))
    SealedAct.objects.create(request=request, at=at, sealed=sealed, commitment=_committed(sealed.encode()))


def acts_of(request: SubjectRequest) -> list[dict[str, Any]]:
    """The acts about a request, the newest first."""
    return [opened(act.sealed, _about(request.number, act.at)) for act in request.acts.order_by("-pk")]


def tick(now: datetime) -> None:
    """Commit in the log of acts to every day that is over: one line a day, so that no line tells of an act."""
    today = now.astimezone(UTC).date()
    last = DayCommitment.objects.order_by("-day").values_list("day", flat=True).first()
    day = max(last + DAY if last else today - DAY, today - MOST_DAYS * DAY)
    while day < today:
        _commit(day, now)
        day += DAY


def _commit(day: date, now: datetime) -> None:
    commitment = commitment_of(day)
    try:
        with transaction.atomic():
            DayCommitment.objects.create(day=day, commitment=commitment, at=now)
            facts = {"day": day.isoformat(), "commitment": commitment}
            record("system", "confidential.committed", "log:confidential", facts, at=now)
    except IntegrityError:
        return  # Another worker was first.


def commitment_of(day: date) -> str:
    """The keyed commitment to a day's acts as they stand now."""
    start = datetime.combine(day, time(), UTC)
    acts = SealedAct.objects.filter(at__gte=start, at__lt=start + DAY).order_by("pk")
    lines = [day.isoformat(), *acts.values_list("commitment", flat=True)]
    return _committed("\n".join(lines).encode())


def _about(number: str, at: datetime) -> str:
    return f"sealed-act {number} {at.astimezone(UTC).isoformat()}"


def _committed(body: bytes) -> str:
    secret = hmac.digest(_key().secret, b"confidential part of the log", "sha256")
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def _key() -> SealingKey:
    installation: Any = settings.INSTALLATION
    return sealing_key(installation.keys_folder)
