"""Writing the log. Call it inside the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from django.db import connection

from tocsin.credentials.log_tree import leaf_hash

from .models import Entry

_INSERT = "INSERT INTO audit_entry (at, actor, action, subject, detail, leaf) VALUES (%s, %s, %s, %s, %s, %s)"


def record(actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None, *, at: datetime) -> None:
    """Append one act: who, what, on what, with which facts."""
    facts = orjson.dumps(detail or {}, option=orjson.OPT_SORT_KEYS).decode()
    leaf = leaf_hash(_body(at, actor, action, subject, facts))
    # Every act of every person passes here, and nobody needs the entry back: a plain statement costs a quarter of what
    # saving a model does.
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, (connection.ops.adapt_datetimefield_value(at), actor, action, subject, facts, leaf))


def body_of(entry: Entry) -> bytes:
    """The bytes that the entry's leaf is the hash of: JSON of moment (UTC), actor, action, subject and detail."""
    return _body(entry.at, entry.actor, entry.action, entry.subject, entry.detail)


def _body(at: datetime, actor: str, action: str, subject: str, detail: str) -> bytes:
    return orjson.dumps([at.astimezone(UTC).isoformat(), actor, action, subject, detail])
