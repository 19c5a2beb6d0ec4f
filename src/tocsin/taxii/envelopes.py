"""A TAXII envelope, looked at only as far as a receipt needs: which objects it says it holds.

The envelope itself is kept as it came; reading its objects is the sandbox's work.
"""

from __future__ import annotations

import msgspec

from tocsin.core.errors import InputError

LIMIT_BYTES = 64 << 20
"""Most that one envelope may hold; larger sets are sent as several."""

MOST_PARTS = 3_000_000
"""Commas in an envelope. STIX of the largest size has fewer; millions of empty objects would fill the memory."""


class Named(msgspec.Struct, frozen=True):
    """An object's identity; empty where it states none that is a text."""

    id: str = ""
    version: str = ""


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw]


class _Object(msgspec.Struct):
    id: object = ""
    modified: object = ""
    created: object = ""


def named_objects(content: bytes) -> list[Named]:
    """Identity of each object in order. Raises InputError when this is no envelope with at least one object."""
    if content.count(b",") > MOST_PARTS:
        raise InputError("not-an-envelope", excerpt=f"more than {MOST_PARTS} parts")
    try:
        # What is not looked at below is not decoded either.
        content.decode()
        envelope = msgspec.json.decode(content, type=_Envelope)
        found = [_named(raw) for raw in envelope.objects]
    except RecursionError as error:
        raise InputError("too-deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError("not-an-envelope", excerpt=str(error)) from error
    if not found:
        raise InputError("not-an-envelope", field="objects")
    return found


def _named(raw: msgspec.Raw) -> Named:
    try:
        found = msgspec.json.decode(raw, type=_Object)
    except msgspec.ValidationError:  # Not an object: the reader will refuse it and say so.
        return Named()
    version = found.modified or found.created
    return Named(found.id if isinstance(found.id, str) else "", version if isinstance(version, str) else "")
