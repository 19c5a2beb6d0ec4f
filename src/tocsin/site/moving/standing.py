"""Whether the present database may be used: not one that was moved away, nor one that is not proved equal yet."""

from __future__ import annotations

from django.db import connection

from . import notes


def refusal() -> str:
    """Why the present database is not to be used, in words for whoever starts something; empty where it is."""
    if not notes.is_there(connection):
        return ""
    left, filled = notes.end(connection, notes.SOURCE), notes.end(connection, notes.TARGET)
    if left is not None and left.phase == notes.MOVING:
        return (
            f"This database is being moved to {left.other}, begun at {left.at}. Go on with: tocsin move {left.other}; "
            "or stay here: tocsin move --give-up"
        )
    if left is not None:
        return (
            f"This database was moved to {left.other} at {left.at} and stays as it was then. The settings name it: set "
            f'database = "{left.other}" in tocsin.toml, or TOCSIN_DATABASE. If the new one is lost for good, go back '
            "to this state, without all that was done since: tocsin move --give-up"
        )
    if filled is not None and filled.phase != notes.PROVED:
        return (
            f"This database is being filled from {filled.other}, begun at {filled.at}, and not proved equal yet. Let "
            "the settings name that one, and go on with: tocsin move"
        )
    return ""
