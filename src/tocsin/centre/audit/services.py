"""Writing the log. Call it inside the transaction of the act itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import orjson

from .models import Entry


def record(actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None, *, at: datetime) -> Entry:
    """Append one act: who, what, on what, with which facts."""
    facts = orjson.dumps(detail or {}, option=orjson.OPT_SORT_KEYS)
    body = orjson.dumps([at.isoformat(), actor, action, subject, facts.decode()])
    leaf = hashlib.sha256(b"\x00" + body).digest()
    return Entry.objects.create(at=at, actor=actor, action=action, subject=subject, detail=facts.decode(), leaf=leaf)
